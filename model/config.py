"""What one training run is: every choice that decides its result, in one frozen value.

A `TrainConfig` goes into the bundle's manifest as it is, so a bundle says how it was made. Whatever is not in
it (where the data lies, where the bundle goes, what time it is) must not change the result.
"""

import dataclasses
import math
from dataclasses import dataclass

import pydantic

from model.auxiliary import AUXILIARIES
from model.networks import NETWORKS
from model.objectives import OBJECTIVES
from model.scores import SCORES

NORMS = ("l2", "none")
_LARGEST_SEED = 2**32 - 1
"""What every generator takes that a run has: numpy's, torch's and scikit-learn's."""
_LARGEST_DIM = 4096
"""A bundle has matrices of this squared."""
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
            texts, a table or arrays, or what `firstseen export` wrote.
        beside: for an export: the data set that is put beside it; `label` to `image_size` are then of that.
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
        objective: "proxy-anchor", "supcon", "normalised-softmax", "hinge" or "rbf".
        auxiliary: "two-views" also learns to know items again in another view, without looking at classes,
            at twice the cost; "none" does not.
        auxiliary_weight: of the auxiliary's loss beside the objective's.
        embedding_dim: D of the layer "output", which the objective is applied to.
        layers: which layers of the net are the embedding, one after the other; none named: all that it has.
        norm: "l2" brings each layer to length one, "none" leaves them.
        gate: the known-class scores to average, each as SCORE:LAYER, such as "relative-mahalanobis:output", or as
            SCORE, for each layer of the embedding; none named: `model.calibrate.default_gate` decides.
        epochs: passes over the fitting items that the schedule is made for; 0 is as many as their number asks
            for (`settled`).
        stop_at: share of the schedule after which training stops, the learning rate being what it then is.
        batch_size: items a step; at least 2, since batch norm needs company.
        learning_rate: the peak of the one-cycle schedule.
        weight_decay: of AdamW, on the net only.
        augment: whether images are randomly moved, turned and sized while training, and whether an auxiliary may
            change items of any kind for its views.
        flip: whether they are also mirrored, left to right: for clothes, not for digits.
        rehearse: whether nets are first trained without some known classes, to set by these how wide a new class
            is and to tell what to expect (`model/rehearse.py`); takes as long as the training itself.
        seed: decides the split, the start, the batches and the augmentation.
        known_error_rate: the default rate at which items of known classes may be called new, above 0.
        cluster_dim: C, the dimension of the cluster space, or less where the embedding has less.
        threads: CPU threads while training. Sums depend on their order, and training makes much of little: this
            decides the result as the seed does. On digits the share caught of a class moved by .1 between one and two.
        device: "cpu", where runs repeat exactly, or "cuda", where they do not.
        max_items: use at most this many items, every class in proportion; None is all.

    Raises:
        ConfigError: a value that cannot work.
    """

    dataset: str = "digits"
    beside: str | None = None
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
    auxiliary: str = "none"
    auxiliary_weight: float = 1.0
    embedding_dim: int = 32
    layers: tuple[str, ...] = ()
    norm: str = "l2"
    gate: tuple[str, ...] = ()
    epochs: int = 40
    stop_at: float = 1.0
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    augment: bool = True
    flip: bool = False
    rehearse: bool = True
    seed: int = 0
    known_error_rate: float = 0.02
    cluster_dim: int = 64
    threads: int = 2
    device: str = "cpu"
    max_items: int | None = None

    def __post_init__(self) -> None:
        _choose("network", self.network, tuple(NETWORKS))
        _choose("objective", self.objective, tuple(OBJECTIVES))
        _choose("auxiliary", self.auxiliary, AUXILIARIES)
        _choose("norm", self.norm, NORMS)
        _choose("device", self.device, DEVICES)
        if len(set(self.layers)) != len(self.layers):
            raise ConfigError(f"layers must be distinct, not {', '.join(self.layers)}")
        for part in self.gate:
            score, colon, layer = part.partition(":")
            _choose("a score of gate", score, tuple(SCORES))
            if colon and (not layer or (self.layers and layer not in self.layers)):
                raise ConfigError(
                    f"gate has {part!r}: write SCORE:LAYER, with a layer of the embedding, or SCORE for all of them"
                )
        if self.flip and not self.augment:
            raise ConfigError("flip is one of the changes that augment makes; turn both on, or both off")
        if self.auxiliary == "two-views" and not self.augment:
            raise ConfigError(
                "two views of an item that is not augmented are the same; turn augment on, or choose the "
                "auxiliary none"
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
        if self.embedding_dim > _LARGEST_DIM:
            raise ConfigError(f"embedding_dim must be at most {_LARGEST_DIM:,}, not {self.embedding_dim:,}")
        if self.seed > _LARGEST_SEED:
            raise ConfigError(
                f"seed must be at most {_LARGEST_SEED:,}, not one of {self.seed.bit_length()} bits"
            )
        if self.max_items is not None and self.max_items < 1:
            raise ConfigError(f"max_items must be at least 1, or left out for all; not {self.max_items}")
        if not (0 < self.learning_rate < math.inf):
            raise ConfigError(f"learning_rate must be above 0, such as 0.002; not {self.learning_rate}")
        if not (0 <= self.weight_decay < math.inf):
            raise ConfigError(f"weight_decay must be 0 or above, such as 0.001; not {self.weight_decay}")
        if not (0 < self.auxiliary_weight < math.inf):
            raise ConfigError(
                f"auxiliary_weight must be above 0, such as 1; not {self.auxiliary_weight}. To do without, "
                "choose the auxiliary none"
            )
        if not 0 < self.stop_at <= 1:
            raise ConfigError(
                f"stop_at must be above 0 and at most 1, the whole schedule; not {self.stop_at}"
            )
        if not 0 < self.known_error_rate <= 0.5:
            raise ConfigError(
                f"known_error_rate must be above 0 and at most 0.5, such as 0.02; not {self.known_error_rate}"
            )

    @property
    def epochs_run(self) -> int:
        """How many passes are made: `epochs` up to `stop_at`, at least one."""
        return max(1, round(self.stop_at * self.epochs))

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
