"""A bundle of digits for a benchmark, trained by the road a user takes, without a word on the screen."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from model.config import TrainConfig
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
