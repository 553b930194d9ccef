"""Which changes make which view."""

import numpy as np
import pytest
import torch

from model.augment import AffineLimits, affine, gentle_view, strong_view
from model.inputs import ImageInput, InputSpec, TableColumn, TableInput, TextInput, VectorInput

GREY = ImageInput(shape=(1, 28, 28), minimum=0, maximum=255)
COLOUR = ImageInput(shape=(3, 32, 32), minimum=0, maximum=255)
VECTOR = VectorInput(shape=(12,), minimum=-1, maximum=1)


TABLE = TableInput(
    columns=(
        TableColumn(name="size", kind="number"),
        TableColumn(name="colour", kind="category", values=("red", "green", "blue")),
    )
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def items(spec: InputSpec, n: int = 16) -> torch.Tensor:
    return torch.rand(n, *spec.shape, generator=seeded(9))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("spec", [GREY, COLOUR, VECTOR], ids=["grey", "colour", "vector"])
def test_strong_views_of_an_item_differ_and_keep_its_shape(spec: InputSpec, *, mirrored: bool) -> None:
    """Two strong views of the same items are both other items, of the same shape, and unlike each other."""
    view, generator = strong_view(spec, mirrored=mirrored), seeded()
    x = items(spec)
    first, second = view(x, generator), view(x, generator)

    assert x.shape == first.shape
    assert not bool((first == second).flatten(1).all(1).any())
    assert not bool((first == x).flatten(1).all(1).any())
    if spec.kind == "image":
        assert 0 <= float(first.min()) <= float(first.max()) <= 1


def test_the_gentle_view_of_an_image_is_the_small_affine_map() -> None:
    """Without mirroring nothing else is done, and nothing else is drawn."""
    x = items(GREY)
    view = gentle_view(GREY, mirrored=False)

    assert view is not None
    assert torch.equal(affine(x, seeded(), AffineLimits()), view(x, seeded()))


def test_mirroring_is_done_when_asked_for() -> None:
    """Some images of a mirrored gentle view are the mirror images of those that are not."""
    x = items(GREY)
    plain, mirrored = gentle_view(GREY, mirrored=False), gentle_view(GREY, mirrored=True)

    assert plain is not None
    assert mirrored is not None
    as_it_was, turned = plain(x, seeded()), mirrored(x, seeded())
    flipped = (as_it_was.flip(3) == turned).flatten(1).all(1)
    assert 0 < int(flipped.sum()) < len(x)


def test_a_vector_has_no_gentle_view() -> None:
    """Nothing is known that leaves every kind of vector in its class."""
    assert gentle_view(VECTOR, mirrored=False) is None


def test_a_row_of_a_table_gets_cells_that_other_rows_have() -> None:
    """Codes of categories and missing cells stay what they can be: nothing is shaken, and rows mix."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=64), rng.integers(-1, 4, 64)]).astype(np.float32)
    x[::9, 0] = np.nan
    seen = strong_view(TABLE, mirrored=False)(torch.from_numpy(x), seeded()).numpy()

    for column in range(2):
        assert np.isin(seen[:, column].view(np.int32), x[:, column].copy().view(np.int32)).all()
    assert 0.2 < (seen.view(np.int32) != x.view(np.int32)).any(1).mean() < 0.8
    assert gentle_view(TABLE, mirrored=False) is None


def test_a_text_is_seen_as_the_vector_that_was_made_of_it() -> None:
    """What a net's frozen part has made of texts is corrupted and shaken like any vector."""
    x = items(VECTOR)
    expected = strong_view(VECTOR, mirrored=False)(x, seeded())

    assert torch.equal(expected, strong_view(TextInput(), mirrored=False)(x, seeded()))
    assert gentle_view(TextInput(), mirrored=False) is None


@pytest.mark.parametrize("spec", [GREY, VECTOR], ids=["grey", "vector"])
def test_the_generator_decides(spec: InputSpec) -> None:
    """The same generator state gives the same view."""
    view = strong_view(spec, mirrored=True)

    assert torch.equal(view(items(spec), seeded(1)), view(items(spec), seeded(1)))


def test_a_row_of_a_table_takes_cells_that_other_rows_have() -> None:
    """Codes of categories stay codes, missing cells may be taken too, and nothing turns into something new."""
    columns = (
        TableColumn(name="size", kind="number"),
        TableColumn(name="kind", kind="category", values=("a",)),
    )
    x = torch.tensor([[0.5, 0.0], [float("nan"), 1.0], [2.5, -1.0], [3.5, 0.0]]).repeat(50, 1)
    y = strong_view(TableInput(columns=columns), mirrored=False)(x, seeded())

    assert set(y[:, 1].tolist()) == {-1.0, 0.0, 1.0}
    assert set(y[:, 0][~y[:, 0].isnan()].tolist()) == {0.5, 2.5, 3.5}
    assert int(y[:, 0].isnan().sum()) > 20
    assert not torch.equal(x[:, 1], y[:, 1])
