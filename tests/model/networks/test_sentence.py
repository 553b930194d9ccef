"""The net with a sentence encoder, on one made here: two small layers that nobody has trained."""

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.bundle import NetworkSpec
from model.inputs import ImageInput, TextInput
from model.networks import Embedder, Sentence, build_network, embed_items
from model.networks.network import to_device

TEXTS = ["reset my pin", "play music", "the weather", "a pin " * 40, "???"]
CPU = torch.device("cpu")


def net_of(encoder: str, **options: Any) -> Sentence:
    torch.manual_seed(0)
    net = Sentence(TextInput(), encoder=encoder, **{"hidden": 5, "output_dim": 3, **options})
    return net.eval()


def test_every_layer_has_the_stated_width(encoder: str) -> None:
    """The encoder's layer has its own width and length one."""
    net = net_of(encoder)
    layers = net.layers(net.collate(TEXTS))

    assert {"encoder": 8, "penultimate": 5, "output": 3} == net.widths
    assert {name: (5, width) for name, width in net.widths.items()} == {
        n: tuple(z.shape) for n, z in layers.items()
    }
    torch.testing.assert_close(layers["encoder"].norm(dim=1), torch.ones(5))


def test_it_encodes_as_the_library_does(encoder: str) -> None:
    """Tokens, pooling and norm are those of sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    expected = SentenceTransformer(encoder, device="cpu").encode(TEXTS, normalize_embeddings=True)

    found = embed_items(Embedder(net_of(encoder, max_tokens=64), ("encoder",), "none"), TEXTS)
    np.testing.assert_allclose(expected, found, atol=1e-5)


def test_company_does_not_matter(encoder: str) -> None:
    """A text padded beside a long one is embedded as alone."""
    embedder = Embedder(net_of(encoder), ("penultimate",), "l2")
    together = embed_items(embedder, TEXTS)

    for text, z in zip(TEXTS, together, strict=True):
        np.testing.assert_allclose(embed_items(embedder, [text])[0], z, atol=1e-5)


def test_a_bundle_builds_it_without_the_encoders_folder(encoder: str) -> None:
    """Spec, two files and the arrays are enough; the name in the options leads nowhere any more."""
    net = net_of(encoder)
    files = net.files()
    spec = NetworkSpec(name="sentence", options={"encoder": "no/such", "hidden": 5, "output_dim": 3})

    again = build_network(spec, TextInput(), files)
    again.load_state_dict(net.state_dict())

    assert {"tokenizer.json", "encoder.json"} == files.keys()
    assert encoder not in files["encoder.json"].decode()
    z = [embed_items(Embedder(each.eval(), ("output",), "l2"), TEXTS) for each in (net, again)]
    np.testing.assert_array_equal(*z)


def test_a_frozen_encoder_is_run_once_and_stays(encoder: str) -> None:
    """What is held to train on is the encoder's layer; only the head has gradients; training switches no
    dropout of the encoder on.
    """
    net = net_of(encoder).train()
    held = net.rows(TEXTS, CPU)
    assert isinstance(held, torch.Tensor)

    torch.testing.assert_close(net.layers(net.collate(TEXTS))["encoder"], held, atol=1e-5, rtol=0)
    net(held[torch.arange(3)]).sum().backward()
    assert all((p.grad is not None) == name.startswith("head.") for name, p in net.named_parameters())
    assert [1.0] == [rate for _, rate in net.parameter_rates()]


def test_a_tuned_encoder_learns_slowly(encoder: str) -> None:
    """Tokens are held, every epoch runs the encoder, and its rate is a fraction of the head's."""
    net = net_of(encoder, tuned=True).train()
    held = net.rows(TEXTS, CPU)

    net(held[torch.tensor([3, 0, 0])]).sum().backward()

    assert any(p.grad is not None and p.grad.any() for p in net.encoder.parameters())
    assert [1.0, 0.02] == [rate for _, rate in net.parameter_rates()]
    batch = to_device(net.collate([TEXTS[3], TEXTS[0], TEXTS[0]]), CPU)
    assert isinstance(batch, dict)
    for name, tensor in batch.items():
        assert torch.equal(tensor, held[torch.tensor([3, 0, 0])][name])  # type: ignore[index]


def test_a_long_text_is_read_to_its_bound(encoder: str) -> None:
    """What is behind `max_tokens` changes nothing."""
    embedder = Embedder(net_of(encoder, max_tokens=6), ("encoder",), "none")
    z = embed_items(embedder, ["reset my pin the weather", "reset my pin the music"])

    np.testing.assert_array_equal(z[0], z[1])
    with pytest.raises(ValueError, match="max_tokens must be at least 3"):
        net_of(encoder, max_tokens=2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder.json": b"{"}, "encoder.json describes no encoder"),
        ({"encoder.json": b"{}"}, "encoder.json describes no encoder"),
        (
            {"encoder.json": b'{"config": {"model_type": "nothing"}, "pooling": "mean"}'},
            "describes no encoder",
        ),
        ({"tokenizer.json": b"{}"}, "tokenizer.json is no tokenizer"),
        ({"tokenizer.json": None}, "needs tokenizer.json, which the bundle does not have"),
    ],
)
def test_files_that_describe_no_encoder_are_refused(
    encoder: str, changes: dict[str, bytes | None], message: str
) -> None:
    """They come from a disk."""
    files = {name: raw for name, raw in {**net_of(encoder).files(), **changes}.items() if raw is not None}

    with pytest.raises(ValueError, match=message):
        Sentence(TextInput(), files=files)


def test_another_pooling_is_refused(encoder: str) -> None:
    """Of what a bundle says, only the two poolings there are pass."""
    files = dict(net_of(encoder).files())
    about = json.loads(files["encoder.json"])
    files["encoder.json"] = json.dumps({**about, "pooling": "max"}).encode()

    with pytest.raises(ValueError, match="pooling 'max'; it may be mean or cls"):
        Sentence(TextInput(), files=files)


def test_an_encoder_that_is_not_there_is_named(encoder: str, tmp_path: Path) -> None:  # noqa: ARG001  # skips without the extra
    """With both ways to name one."""
    with pytest.raises(ValueError, match=r"cannot be loaded .* the name of a .* or the folder of one"):
        Sentence(TextInput(), encoder=str(tmp_path / "none"))


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is to be trained or served."""
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] in {"sentence_transformers", "transformers", "tokenizers"}:
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    for files in (None, {"tokenizer.json": b"{}", "encoder.json": b"{}"}):
        with pytest.raises(ValueError, match=r'pip install "firstseen\[text\]"'):
            Sentence(TextInput(), files=files)


def test_images_are_referred_to_the_other_nets() -> None:
    """Before anything is loaded."""
    with pytest.raises(ValueError, match="choose cnn for images"):
        Sentence(ImageInput(shape=(1, 8, 8), minimum=0, maximum=1))
