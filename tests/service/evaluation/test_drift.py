"""Drift of items: nothing at strength 0, more with more, within what can be sent, and the same by the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.inputs import ImageInput, TableColumn, TableInput, TextInput
from service.evaluation.drift import drop_words, new_word, rename_words, transforms_of
from service.records import Float32s

TRANSFORMS = transforms_of(ImageInput(shape=(1, 4, 4), minimum=0, maximum=1))
SHAPES = [(1, 4, 4), (3, 2, 2), (5,)]


def items(shape: tuple[int, ...], n: int = 6) -> Float32s:
    return np.random.default_rng(0).random((n, *shape), dtype=np.float32)


def moved(kind: str, x: Float32s, strength: list[float], seed: int = 0) -> Float32s:
    return np.asarray(TRANSFORMS[kind](x, np.array(strength), np.random.default_rng(seed)))


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_arrays(kind: str, shape: tuple[int, ...]) -> None:
    """Items of strength 0 stay as they are to the bit, the others move, all stay within 0..1 and of their type."""
    x = items(shape)
    found = moved(kind, x, [0.0, 0.3, 0.0, 0.3, 0.0, 5.0])

    assert (np.float32, x.shape) == (found.dtype, found.shape)
    assert np.array_equal(x[::2], found[::2])
    assert all(not np.array_equal(a, b) for a, b in zip(x[1::2], found[1::2], strict=True))
    assert found.min() >= 0.0
    assert found.max() <= 1.0
    assert np.array_equal(found, moved(kind, x, [0.0, 0.3, 0.0, 0.3, 0.0, 5.0]))


def test_noise_has_its_strength() -> None:
    """The standard deviation of what noise adds, far from the ends."""
    x = np.full((50, 400), 0.5, dtype=np.float32)

    assert (moved("noise", x, [0.05] * 50) - x).std() == pytest.approx(0.05, rel=0.03)


def test_brightness_both_ways() -> None:
    """Lighter and darker, by as much."""
    x = np.full((2, 4), 0.5, dtype=np.float32)

    assert np.allclose([[0.7] * 4, [0.4] * 4], moved("brightness", x, [0.2, -0.1]))


@given(st.lists(st.text("ab ", max_size=30), min_size=1, max_size=5), st.floats(0, 1), st.integers(0, 9))
def test_words(texts: list[str], strength: float, seed: int) -> None:
    """What is left are words of the text in their order, at least one where there was one."""
    found = drop_words(texts, np.full(len(texts), strength), np.random.default_rng(seed))

    for before, after in zip(texts, found, strict=True):
        rest = iter(before.split())
        assert all(word in rest for word in after.split())
        assert bool(before.split()) == bool(after.split())


def test_no_words_dropped() -> None:
    """At strength 0 a text stays as it is, spaces too; at 1 one word is left."""
    rng = np.random.default_rng(0)

    assert [" a  b "] == drop_words([" a  b "], np.zeros(1), rng)
    assert 1 == len(drop_words(["a b c"], np.ones(1), rng)[0].split())


@given(st.lists(st.text("ab ", max_size=30), min_size=1, max_size=5), st.floats(0, 1), st.integers(0, 9))
def test_vocabulary(texts: list[str], strength: float, seed: int) -> None:
    """A text keeps its number of words; each is itself or what it is called now, and the same seed gives the same."""
    found = rename_words(texts, np.full(len(texts), strength), np.random.default_rng(seed))

    for before, after in zip(texts, found, strict=True):
        for old, new in zip(before.split(), after.split(), strict=True):
            assert new in {old, new_word(old)}
    assert found == rename_words(texts, np.full(len(texts), strength), np.random.default_rng(seed))


def test_vocabulary_changes_as_much_as_asked() -> None:
    """Nothing at strength 0, spaces too; every word at 1; the share asked for between."""
    text, rng = " ".join(f"word{n}" for n in range(2000)), np.random.default_rng(0)
    none, some, all_new = rename_words([" a  b ", text, text], np.array([0.0, 0.3, 1.0]), rng)
    kept = sum(a == b for a, b in zip(text.split(), some.split(), strict=True))

    assert none == " a  b "
    assert kept == pytest.approx(1400, abs=100)
    assert not set(all_new.split()) & set(text.split())


def test_a_word_gets_one_new_name() -> None:
    """Whatever its case and wherever it stands; different words hardly ever share one."""
    names = {new_word(f"word{n}") for n in range(1000)}

    assert new_word("Card") == new_word("card") != "card"
    assert len(names) > 990
    assert all(name.isalpha() and len(name) == 6 for name in names)


TABLE = TableInput(
    columns=(
        TableColumn(name="bytes", kind="number", example=1.0),
        TableColumn(name="protocol", kind="category", values=("tcp", "udp"), example="tcp"),
    )
)
ROWS = np.array([[100.0, 0.0], [np.nan, 1.0], [-3e38, -1.0], [5.0, 2.0]], dtype=np.float32)


def test_numbers_of_tables() -> None:
    """Numbers move in proportion, categories and what is missing do not, and nothing becomes infinite."""
    found = np.asarray(
        transforms_of(TABLE)["noise"](ROWS, np.array([0.5, 0.5, 9.0, 0.0]), np.random.default_rng(0))
    )

    assert np.array_equal(ROWS[:, 1], found[:, 1])
    assert found[0, 0] != 100.0
    assert np.isnan(found[1, 0])
    assert np.isfinite(found[2, 0])
    assert 5.0 == found[3, 0]
    assert TABLE.column_problem(found) is None


def test_cells_of_tables() -> None:
    """A lost number is NaN, a lost category -1; at strength 0 none is lost."""
    lose = transforms_of(TABLE)["missing"]
    all_lost = np.asarray(lose(ROWS, np.ones(4), np.random.default_rng(0)))

    assert np.isnan(all_lost[:, 0]).all()
    assert (all_lost[:, 1] == -1.0).all()
    assert TABLE.column_problem(all_lost) is None
    assert np.array_equal(ROWS, np.asarray(lose(ROWS, np.zeros(4), np.random.default_rng(0))), equal_nan=True)


def test_kinds() -> None:
    """Every kind of input has drifts of its own."""
    assert ["words", "vocabulary"] == list(transforms_of(TextInput()))
    assert ["noise", "brightness"] == list(TRANSFORMS)
    assert ["noise", "missing"] == list(transforms_of(TABLE))
