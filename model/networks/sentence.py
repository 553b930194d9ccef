"""The net for texts that brings an encoder: a transformer that has read far more, mean pooled, then a head.

    text ─ tokens ─ transformer ─ mean over tokens ─ L2 = "encoder" (S) ─ head ─ "penultimate", "output"

Sentence-BERT (Reimers and Gurevych 2019): texts that mean the same lie close in the layer "encoder", whatever
their words, and that holds for classes nobody has labelled, too. Any encoder of the library
sentence-transformers will do whose pooling is the mean or the first token, by name or by folder.

The encoder is *frozen* by default: the fitting texts go through it once, and only the head is trained, in
seconds. *Tuned*, the encoder learns as well, at a fiftieth of the head's rate, and every epoch costs as much as
embedding the fitting texts three times.

A bundle is whole without any hub: the encoder's weights lie with the other arrays, `tokenizer.json` is its
tokenizer, `encoder.json` is `{"config": the transformer's own configuration, "pooling": "mean" or "cls"}`. The
architecture is built by the library transformers, which runs no code from a bundle. Both libraries are
the extra "text": `pip install "firstseen[text]"`.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from model.inputs import InputSpec, Payloads
from model.manifest import ENCODER, TOKENIZER, strict_json
from model.networks.head import Head
from model.networks.network import Batch, Network, Rows, to_device

DEFAULT_ENCODER: Final = "sentence-transformers/all-MiniLM-L6-v2"
POOLINGS: Final = ("mean", "cls")
_ENCODER_RATE: Final = 0.02
_AT_ONCE: Final = 32
_HELD_AT_ONCE: Final = 4096
_EXTRA: Final = 'the network sentence needs two libraries more: pip install "firstseen[text]"'


class Sentence(Network):
    """A transformer, its pooling, a head.

    Args:
        input: a text.
        files: of a bundle, to build the net again; without, the encoder is loaded by name or folder.
        encoder: the name of a sentence-transformers encoder, or its folder. Not looked at where there are files.
        tuned: whether training changes the encoder, too.
        max_tokens: the longest text in tokens; what is behind is not read.
        output_dim: D.
        hidden: width of the layer "penultimate".
        dropout: of the head.

    Raises:
        ValueError: the libraries are not installed, there is no such encoder, or it pools in another way.
    """

    def __init__(
        self,
        input: InputSpec,  # noqa: A002  # the contract's word
        *,
        files: Mapping[str, bytes] | None = None,
        encoder: str = DEFAULT_ENCODER,
        tuned: bool = False,
        max_tokens: int = 128,
        output_dim: int = 128,
        hidden: int = 256,
        dropout: float = 0.2,
    ) -> None:
        if input.kind != "text":
            raise ValueError("the network sentence takes texts; choose cnn for images or mlp for numbers")
        if max_tokens < 3:
            raise ValueError(f"max_tokens must be at least 3, one beside start and end; not {max_tokens}")
        net, tokenizer, pooling = _built(files) if files else _pretrained(encoder)
        width = int(net.config.hidden_size)
        super().__init__({"encoder": width, "penultimate": hidden, "output": output_dim})
        self.tuned = tuned
        self._pooling = pooling
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        longest = min(max_tokens, getattr(net.config, "max_position_embeddings", max_tokens))
        self._tokenizer.enable_truncation(longest)
        self._pad = int(getattr(net.config, "pad_token_id", None) or 0)
        self.encoder = net.requires_grad_(tuned)
        self.head = Head(width, hidden=hidden, output_dim=output_dim, dropout=dropout)

    def train(self, mode: bool = True) -> "Sentence":  # noqa: FBT001, FBT002  # torch's signature
        """Switch to training; a frozen encoder stays as it serves, its own dropout off."""
        super().train(mode)
        self.encoder.train(mode and self.tuned)
        return self

    def collate(self, items: Payloads) -> Batch:
        """Make a batch of B texts: "tokens" int64 (B, L), padded, and "mask" int64 (B, L), 0 where padded."""
        return _padded([self._tokens(str(text)) for text in items], self._pad)

    def rows(self, items: Payloads, device: torch.device) -> Rows:
        """Hold the fitting texts: encoded once, float32 (N, S), or, where the encoder is tuned, as tokens."""
        tokens = [self._tokens(str(text)) for text in items]
        if self.tuned:
            return _TokenRows(tokens, self._pad, device)
        with torch.no_grad():
            return torch.cat(
                [
                    self.encode(to_device(_padded(tokens[start : start + _HELD_AT_ONCE], self._pad), device))
                    for start in range(0, len(tokens), _HELD_AT_ONCE)
                ]
            )

    def parameter_rates(self) -> Iterable[tuple[list[nn.Parameter], float]]:
        """The head at the full rate; the encoder, where it is tuned, at a fiftieth: it knows much already."""
        yield list(self.head.parameters()), 1.0
        if self.tuned:
            yield list(self.encoder.parameters()), _ENCODER_RATE

    def files(self) -> Mapping[str, bytes]:
        """Return `tokenizer.json` and `encoder.json`."""
        config = {
            key: value for key, value in self.encoder.config.to_dict().items() if key != "_name_or_path"
        }
        about = {"config": config, "pooling": self._pooling}
        return {
            TOKENIZER: self._tokenizer.to_str().encode(),
            ENCODER: json.dumps(about, indent=2, sort_keys=True, default=str).encode(),
        }

    def encode(self, batch: Batch) -> Tensor:
        """Return the encoder's float32 (B, S), of length one, for a batch of texts.

        Texts of like length go through together, a few at a time: a short one beside a long one would be mostly
        padding, which costs as much as words.
        """
        assert isinstance(batch, dict)
        lengths = batch["mask"].sum(1)
        order = lengths.argsort()
        pooled = []
        for rows in torch.split(order, _AT_ONCE):
            longest = int(lengths[rows].max())
            pooled.append(self._pooled(batch["tokens"][rows, :longest], batch["mask"][rows, :longest]))
        return nn.functional.normalize(torch.cat(pooled)[order.argsort()], dim=1)

    def layers(self, x: Batch) -> dict[str, Tensor]:
        """Return "encoder" (B, S), "penultimate" (B, hidden) and "output" (B, D).

        Args:
            x: a batch of texts, or what the encoder made of them, as `rows` has it.
        """
        encoded = x if isinstance(x, Tensor) else self.encode(x)
        return {"encoder": encoded, **self.head(encoded)}

    def _pooled(self, tokens: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.encoder(input_ids=tokens, attention_mask=mask).last_hidden_state
        if self._pooling == "cls":
            return states[:, 0]
        weight = mask.unsqueeze(-1).to(states.dtype)
        return (states * weight).sum(1) / weight.sum(1)

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids
        return ids


class _TokenRows:
    """Texts as tokens, batch by batch."""

    def __init__(self, tokens: list[list[int]], pad: int, device: torch.device) -> None:
        self._tokens, self._pad, self._device = tokens, pad, device

    def __getitem__(self, chosen: Tensor, /) -> Batch:
        rows = [self._tokens[place] for place in chosen.tolist()]
        return to_device(_padded(rows, self._pad), self._device)


def _padded(rows: list[list[int]], pad: int) -> dict[str, Tensor]:
    longest = max(map(len, rows))
    tokens = np.full((len(rows), longest), pad, dtype=np.int64)
    mask = np.zeros_like(tokens)
    for n, row in enumerate(rows):
        tokens[n, : len(row)] = row
        mask[n, : len(row)] = 1
    return {"tokens": torch.from_numpy(tokens), "mask": torch.from_numpy(mask)}


def _built(files: Mapping[str, bytes]) -> tuple[Any, Any, str]:
    """Build transformer, tokenizer and pooling from a bundle's files, with fresh weights."""
    try:
        from tokenizers import Tokenizer
        from transformers import AutoConfig, AutoModel
    except ImportError as error:
        raise ValueError(_EXTRA) from error
    for name in (TOKENIZER, ENCODER):
        if name not in files:
            raise ValueError(f"the network sentence needs {name}, which the bundle does not have")
    try:
        about = strict_json(files[ENCODER])
        config, pooling = dict(about["config"]), about["pooling"]
        kind = config.pop("model_type")
        net = AutoModel.from_config(AutoConfig.for_model(kind, **config))
    except Exception as error:  # a configuration may be anything, and the library checks little of it
        raise ValueError(f"{ENCODER} describes no encoder: {_first_line(error)}") from error
    if pooling not in POOLINGS:
        raise ValueError(f"{ENCODER} has the pooling {pooling!r}; it may be {' or '.join(POOLINGS)}")
    try:
        tokenizer = Tokenizer.from_str(files[TOKENIZER].decode())
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"{TOKENIZER} is no tokenizer: {error}") from error
    return net, tokenizer, pooling


def _pretrained(encoder: str) -> tuple[Any, Any, str]:
    """Load transformer, tokenizer and pooling by name or folder."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ValueError(_EXTRA) from error
    try:
        loaded = SentenceTransformer(encoder, device="cpu")
    except Exception as error:  # of the hub, the network, the files: all that can go wrong outside
        raise ValueError(
            f"the encoder {encoder!r} cannot be loaded ({_first_line(error)}). Give the name of a "
            "sentence-transformers encoder, which is downloaded, or the folder of one"
        ) from error
    parts = list(loaded)
    mode = next((part.pooling_mode for part in parts if hasattr(part, "pooling_mode")), "none")
    backend = getattr(parts[0].tokenizer, "backend_tokenizer", None)
    if mode not in POOLINGS or backend is None:
        raise ValueError(
            f"the encoder {encoder!r} pools by {mode!r}; only {' and '.join(POOLINGS)} are known here, "
            "with a fast tokenizer"
        )
    return parts[0].auto_model.float(), backend, mode


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
