"""A bundle for a benchmark, trained by the road a user takes, without a word on the screen."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from model.config import TrainConfig
from model.datasets import LabelledData
from model.export import run as train_bundle


def train_digits(out: Path, *, hold_out: tuple[str, ...], seed: int = 0, epochs: int | None = None) -> None:
    """Train and write a bundle.

    Args:
        out: The folder to make.
        hold_out: Classes the net must not see.
        seed: Decides split and training.
        epochs: Passes over the fitting items; None: the default.

    Raises:
        BundleError: Something is in the way at `out`.
    """
    config = TrainConfig(dataset="digits", hold_out=hold_out, seed=seed)
    train_bundle(
        config if epochs is None else replace(config, epochs=epochs),
        data_dir=None,
        out=out,
        progress=lambda *_: None,
        created=datetime.now(UTC),
    )


def train_for(
    data: LabelledData, data_dir: Path | None, out: Path, *, hold_out: tuple[str, ...], epochs: int | None
) -> None:
    """Train and write a bundle for digits or MNIST, with an ONNX graph where that can be had.

    Args:
        data: What will be sent.
        data_dir: Where MNIST lies.
        out: The folder to make.
        hold_out: Classes the net must not see.
        epochs: Passes over the fitting items; None: the default for digits, two for MNIST: speed does not depend on it.
    """
    config = TrainConfig(dataset=data.name, hold_out=hold_out, threads=1, rehearse=False)
    if data.name == "mnist":
        config = replace(config, max_items=12_000, epochs=2 if epochs is None else min(epochs, 2))
    elif epochs is not None:
        config = replace(config, epochs=epochs)
    train_bundle(
        config,
        data_dir=data_dir,
        out=out,
        progress=lambda *_: None,
        created=datetime.now(UTC),
        graph=True,
    )
