"""What one training run is: every choice that decides its result, in one frozen value.

A `TrainConfig` goes into the bundle's manifest as it is, so a bundle says how it was made. Whatever is not in
it (where the data lies, where the bundle goes, what time it is) must not change the result.
"""

import dataclasses
import math
from dataclasses import dataclass

import pydantic

from model.networks import NETWORKS
from model.objectives import OBJECTIVES

LAYERS = ("penultimate", "output", "pooled", "features", "encoder")
_OWN_LAYERS = {"pooled": ("cnn",), "features": ("tfidf", "table"), "encoder": ("sentence",)}
NORMS = ("l2", "none")
_STEPS = 800
_EPOCHS = (5, 100)
DEVICES = ("cpu", "cuda")


class ConfigError(ValueError):
    """A training run cannot be as asked. The message says what to choose."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run. The defaults are for digits, and take seconds.

    Attributes:
        dataset: a name that `model.datasets.load_dataset` knows, a folder of images or of IDX files, or a file of
            texts, a table or arrays.
        label: the column of the classes, where the data set has columns.
        text: the column of the texts, where it is a file of texts.
        categories: columns of a table to take as categories, though they hold numbers.
        drop: columns of a table to leave out.
        image_size: the side that the images of a folder are brought to; None is the loader's own choice.
        hold_out: labels of the classes the run must not see, to measure how new ones are met.
        network: "cnn" (images), "mlp" (images and vectors), "tfidf" or "sentence" (texts), or
            "table".
        encoder: of the network sentence: the name of a sentence-transformers encoder, or its folder. None is
            the network's own choice.
        tune: whether training changes that encoder, too, instead of its head alone.
        objective: "proxy-anchor", "hinge" or "rbf".
        embedding_dim: D of the layer "output", which the objective is applied to.
        layer: which layer is the embedding: "penultimate", "output", the cnn's "pooled", the "features"
            of tfidf and table, or sentence's "encoder".
        norm: "l2" brings embeddings to length one, "none" leaves them.
        epochs: passes over the fitting items; 0 is as many as their number asks for (`settled`).
        batch_size: items a step; at least 2, since batch norm needs company.
        learning_rate: the peak of the one-cycle schedule.
        weight_decay: of AdamW, on the net only.
        augment: whether images are randomly moved, turned and sized while training.
        seed: decides the split, the start, the batches and the augmentation.
        known_error_rate: the default rate at which items of known classes may be called new, above 0.
        cluster_dim: C, the dimension of the cluster space, or less where the embedding has less.
        threads: CPU threads while training. Sums depend on their order, so this decides the last digits.
        device: "cpu", where runs repeat exactly, or "cuda", where they do not.
        max_items: use at most this many items, every class in proportion; None is all.

    Raises:
        ConfigError: a value that cannot work.
    """

    dataset: str = "digits"
    label: str | None = None
    text: str | None = None
    categories: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    image_size: int | None = None
    hold_out: tuple[str, ...] = ()
    network: str = "cnn"
    encoder: str | None = None
    tune: bool = False
    objective: str = "proxy-anchor"
    embedding_dim: int = 32
    layer: str = "penultimate"
    norm: str = "l2"
    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    augment: bool = True
    seed: int = 0
    known_error_rate: float = 0.02
    cluster_dim: int = 64
    threads: int = 2
    device: str = "cpu"
    max_items: int | None = None

    def __post_init__(self) -> None:
        _choose("network", self.network, tuple(NETWORKS))
        _choose("objective", self.objective, tuple(OBJECTIVES))
        _choose("layer", self.layer, LAYERS)
        _choose("norm", self.norm, NORMS)
        _choose("device", self.device, DEVICES)
        for layer, networks in _OWN_LAYERS.items():
            if self.layer == layer and self.network not in networks:
                raise ConfigError(
                    f"only the network {' or '.join(networks)} has a layer {layer}; choose penultimate or output"
                )
        if (self.encoder is not None or self.tune) and self.network != "sentence":
            raise ConfigError(
                f"the network {self.network} has no encoder to choose or tune; sentence has one"
            )
        for name, least in (
            ("embedding_dim", 1),
            ("epochs", 0),
            ("batch_size", 2),
            ("seed", 0),
            ("cluster_dim", 1),
            ("threads", 1),
        ):
            if getattr(self, name) < least:
                raise ConfigError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.max_items is not None and self.max_items < 1:
            raise ConfigError(f"max_items must be at least 1, or left out for all; not {self.max_items}")
        if not (0 < self.learning_rate < math.inf):
            raise ConfigError(f"learning_rate must be above 0, such as 0.002; not {self.learning_rate}")
        if not (0 <= self.weight_decay < math.inf):
            raise ConfigError(f"weight_decay must be 0 or above, such as 0.001; not {self.weight_decay}")
        if not 0 < self.known_error_rate <= 0.5:
            raise ConfigError(
                f"known_error_rate must be above 0 and at most 0.5, such as 0.02; not {self.known_error_rate}"
            )

    def settled(self, fit_items: int) -> "TrainConfig":
        """Return the run with its epochs decided: enough for about 800 steps, but 5 to 100.

        Args:
            fit_items: how many items there are to fit on, at least 1.

        Returns:
            the run itself where it says how many.
        """
        if self.epochs > 0:
            return self
        steps = max(fit_items // self.batch_size, 1)
        return dataclasses.replace(self, epochs=min(max(math.ceil(_STEPS / steps), _EPOCHS[0]), _EPOCHS[1]))

    def as_json(self) -> dict[str, pydantic.JsonValue]:
        """Return the fields as JSON values, for the manifest."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }


def _choose(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigError(f"{field} must be one of {', '.join(choices)}; not {value!r}")
