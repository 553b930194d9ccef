"""Named runs. Each file is one configuration; its docstring states command, duration and what came out.

    digits           seconds, no download
    mnist            the same net and objective on MNIST; its settings are also those for images of one's own
    fashion-mnist    the same on Fashion-MNIST
    clinc150         questions in words, with no library more and no download but the data
    clinc150-minilm  the same with a sentence encoder, which is the extra "text"
    nsl-kdd          a table of network connections; its settings are also those for tables of one's own
    original         the idea firstseen grew from: MLP 7x520 -> 3-D, hinge clustering head, on MNIST

`firstseen train --config NAME` is the run as its file has it, held-out classes included. `firstseen train
DATASET` takes the settings of the data set's run and holds nothing out.

A duration is wall time on two shared cores, so its ratio to another is worth more than itself. Results are
one seed unless said otherwise; between seeds AUROC moves by about .005 on digits.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from model.config import ConfigError, TrainConfig
from model.configs import clinc150, clinc150_minilm, digits, fashion_mnist, mnist, nsl_kdd, original
from model.datasets import input_kind
from model.datasets.clinc150 import OUT_OF_SCOPE

CONFIGS: Mapping[str, TrainConfig] = {
    "digits": digits.CONFIG,
    "mnist": mnist.CONFIG,
    "fashion-mnist": fashion_mnist.CONFIG,
    "clinc150": clinc150.CONFIG,
    "clinc150-minilm": clinc150_minilm.CONFIG,
    "nsl-kdd": nsl_kdd.CONFIG,
    "original": original.CONFIG,
}
_BATCH = 64
"""Items a step on data of one's own, which may be little; there are as many epochs as its size asks for."""


def named_config(name: str) -> TrainConfig:
    """Return the configuration of that name.

    Raises:
        ConfigError: there is none; the message lists them.
    """
    if name not in CONFIGS:
        raise ConfigError(f"no configuration is called {name!r}; choose one of {', '.join(CONFIGS)}")
    return CONFIGS[name]


def starting_config(dataset: str | None, name: str | None, changes: Mapping[str, Any]) -> TrainConfig:
    """Return the configuration of a run as a person asks for it.

    Args:
        dataset: What to train on; None takes that of the named configuration.
        name: A named configuration, taken whole; None takes what suits the data set, holding nothing out:
            for texts those of clinc150, whose class "oos" stays held out, since it is no class; for images those
            of mnist, for tables and vectors those of nsl-kdd, in small batches and as many epochs as the number of
            items asks for. What stands beside an export decides in its place.
        changes: Fields of TrainConfig that replace what was taken. An encoder asks for the network that has it,
            and the encoder "tfidf" for that network; who does not augment gets no auxiliary that needs views.

    Raises:
        ConfigError: there is no such configuration, or a value cannot work.
    """
    if name is not None:
        base = named_config(name)
    else:
        dataset = dataset or "digits"
        leads = changes.get("beside") or dataset
        base = CONFIGS[leads] if leads in CONFIGS else _suits(input_kind(dataset, text=changes.get("text")))
        base = dataclasses.replace(base, hold_out=(OUT_OF_SCOPE,) if dataset == "clinc150" else ())
    wanted = _with_network(_without_views(changes))
    return dataclasses.replace(base, **{"dataset": dataset or base.dataset, **wanted})


def _suits(kind: str) -> TrainConfig:
    """Return what a data set without a named run starts from."""
    if kind == "text":
        return clinc150.CONFIG
    base = {"image": mnist.CONFIG, "table": nsl_kdd.CONFIG}[kind]
    return dataclasses.replace(base, epochs=0, batch_size=_BATCH)


def _without_views(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Whoever asks for items as they are does not ask for views of them."""
    return {"auxiliary": "none", "flip": False, **changes} if changes.get("augment") is False else changes


def _with_network(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the network that an encoder needs, and drop the encoder that a network does not have."""
    encoder = changes.get("encoder")
    if encoder == "tfidf":
        return {**changes, "encoder": None, "network": "tfidf"}
    if encoder is not None:
        return {"network": "sentence", **changes}
    if changes.get("network", "sentence") != "sentence":
        return {**changes, "encoder": None}
    return dict(changes)
