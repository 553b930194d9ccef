"""The net that counts words."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer

from model.bundle import NetworkSpec
from model.inputs import TextInput, VectorInput
from model.networks import Embedder, TfIdf, build_network, embed_items

TEXTS = [
    "reset my PIN",
    "please reset my pin",
    "I forgot my pin!",
    "what is the weather",
    "weather in Köln tomorrow",
    "is it cold in köln",
    "play some music",
    "play jazz, some jazz",
    "stop the music",
]


def prepared(texts: list[str] = TEXTS, **options: int) -> TfIdf:
    torch.manual_seed(0)
    net = TfIdf(TextInput(), **{"features": 6, "hidden": 5, "output_dim": 3, **options})  # type: ignore[arg-type]
    net.prepare(texts)
    return net.eval()


def weights_of(net: TfIdf, text: str) -> np.ndarray:
    """The sparse weights of a text, as a dense row."""
    batch = net.collate([text])
    assert isinstance(batch, dict)
    row = np.zeros(len(net.idf))
    row[batch["terms"].numpy()] = batch["weights"].numpy()
    return row


def test_every_layer_has_the_stated_width() -> None:
    """From a batch of texts of any length, one without a known term among them."""
    net = prepared()

    layers = net.layers(net.collate(["reset pin", "???", "music " * 3000]))

    assert {name: (3, width) for name, width in net.widths.items()} == {
        name: tuple(layer.shape) for name, layer in layers.items()
    }
    torch.testing.assert_close(layers["features"].norm(dim=1), torch.tensor([1.0, 0.0, 1.0]))


@pytest.mark.parametrize("text", [*TEXTS, "pin pin reset unheard of", "a i 7", ""])
def test_words_are_weighed_as_scikit_learn_weighs_them(text: str) -> None:
    """The formula is the library's with sublinear counts, on words and pairs of them."""
    net = prepared(characters=False)
    one_letter_too = r"(?u)\b\w+\b"
    theirs = TfidfVectorizer(
        ngram_range=(1, 2), token_pattern=one_letter_too, min_df=2, sublinear_tf=True
    ).fit(TEXTS)

    assert json.loads(net.files()["vocabulary.json"])["words"] == theirs.get_feature_names_out().tolist()
    np.testing.assert_allclose(theirs.transform([text]).toarray()[0], weights_of(net, text), atol=1e-6)


def test_the_worked_example() -> None:
    """The one at the top of the source, on paper."""
    net = TfIdf(
        TextInput(), files={"vocabulary.json": b'{"words": ["pin", "reset", "reset pin"], "characters": []}'}
    )
    net.idf.copy_(torch.tensor([2.0, 1.0, 2.0]))

    np.testing.assert_allclose([0.61, 0.51, 0.61], weights_of(net, "Reset! reset PIN"), atol=5e-3)


def test_a_misspelt_word_is_near_the_right_one() -> None:
    """Runs of characters are terms, too, so that a word nobody has written before is not nothing."""
    by_words, by_both = prepared(characters=False), prepared()

    assert 0 == by_words.layers(by_words.collate(["weathr"]))["features"].norm()
    near = embed_items(Embedder(by_both, ("features",), "l2"), ["weathr", "the weather", "play music"])
    assert near[0] @ near[1] > near[0] @ near[2] + 0.3


def test_texts_whose_words_occur_together_are_near() -> None:
    """With two components, two texts without a common word meet over those that have both words."""
    corpus = ["car motor", "motor engine", "car engine", "rose garden", "garden tulip", "rose tulip"] * 3
    net = prepared(corpus, characters=False, features=2)

    z = embed_items(Embedder(net, ("features",), "l2"), ["car", "engine", "tulip"])

    assert z[0] @ z[1] > 0.99
    assert abs(z[0] @ z[2]) < 0.01


def test_only_what_two_texts_have_is_a_term_and_the_commonest_are_kept() -> None:
    """A term of one text says nothing about others; a bound keeps those in most texts."""
    words = json.loads(prepared(terms=3).files()["vocabulary.json"])["words"]

    assert ["my", "pin", "is"] != words
    assert 3 == len(words)
    assert {"my", "pin"} <= set(words)
    with pytest.raises(ValueError, match="no word is in two of the texts"):
        prepared(["one", "two", "three"], characters=False)


def test_preparing_again_gives_the_same() -> None:
    """Terms, weights and components depend on the texts alone."""
    one, two = prepared(), prepared()

    assert one.files() == two.files()
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, two.state_dict()[name])


def test_a_bundle_builds_it_again() -> None:
    """From its spec, its file and its arrays, to the bit."""
    net = prepared()
    spec = NetworkSpec(name="tfidf", options={"features": 6, "hidden": 5, "output_dim": 3})

    again = build_network(spec, TextInput(), net.files())
    again.load_state_dict(net.state_dict())

    z = [embed_items(Embedder(each.eval(), ("penultimate",), "l2"), TEXTS) for each in (net, again)]
    np.testing.assert_array_equal(*z)


def test_what_is_trained_on_is_what_is_served() -> None:
    """The features held while training are those of the texts, and gradients reach the head alone."""
    net = prepared()
    held = net.rows(TEXTS, torch.device("cpu"))

    torch.testing.assert_close(net.layers(net.collate(TEXTS))["features"], held)
    assert {name.partition(".")[0] for name, _ in net.named_parameters()} == {"head"}
    assert 1.0 == dict(enumerate(net.parameter_rates()))[0][1]


@pytest.fixture(scope="module")
def features() -> Embedder:
    """The first layer of a prepared net."""
    return Embedder(prepared().eval(), ("features",), "l2")


@given(texts=st.lists(st.text(), min_size=1, max_size=4))
def test_anything_can_be_read(features: Embedder, texts: list[str]) -> None:
    """Any text has a finite embedding of length one or none at all, whatever it comes with."""
    z = embed_items(features, texts)

    assert np.isfinite(z).all()
    assert all(np.isclose(n, 1, atol=1e-5) or n == 0 for n in np.linalg.norm(z, axis=1))
    np.testing.assert_allclose(embed_items(features, texts[:1]), z[:1], atol=1e-6)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"no json", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "no object of the lists"),
        (b'{"words": []}', "no object of the lists"),
        (b'{"words": [1], "characters": []}', "words that are no list of texts"),
        (b'{"words": ["a", "a"], "characters": []}', "a term twice"),
    ],
)
def test_a_vocabulary_that_is_none_is_refused(raw: bytes, message: str) -> None:
    """It comes from a disk."""
    with pytest.raises(ValueError, match=message):
        TfIdf(TextInput(), files={"vocabulary.json": raw})


def test_numbers_are_referred_to_the_other_nets() -> None:
    """A vector is refused with the networks to choose."""
    with pytest.raises(ValueError, match="choose cnn for images or mlp for numbers"):
        TfIdf(VectorInput(shape=(3,), minimum=0, maximum=1))
