"""One small trained bundle for all tests of the service, and the digits that it has never seen.

Trained once, and kept beside pytest's own cache until the trainer, or torch, is another. `variant` is the same net with
another model card, hence another bundle id: what an operator has after a retraining, without one.
"""

import contextlib
import functools
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.bundle import Bundle, BundleContents, read_bundle, write_bundle
from model.config import TrainConfig
from model.export import run
from service.cli.demo import make_stream
from service.compiling.code_cache import digest

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "model"
KEPT = ROOT / ".pytest_cache" / "bundles"

CREATED = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="fs-bundle-", ignore_cleanup_errors=True)


@functools.cache
def bundle_dir() -> Path:
    """Digits without 3 and 7, ten passes."""
    sources = [torch.__version__.encode(), *(file.read_bytes() for file in sorted(MODEL.rglob("*.py")))]
    kept = KEPT / digest(sources)
    if not kept.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as apart:
            out = Path(apart) / "digits"
            config = TrainConfig(dataset="digits", hold_out=("3", "7"), epochs=10, threads=1)
            run(config, data_dir=None, out=out, created=CREATED, progress=lambda *_: None)
            with contextlib.suppress(OSError):  # another worker was faster
                out.rename(kept)
    return kept


@functools.cache
def bundle() -> Bundle:
    """The same, read."""
    return read_bundle(bundle_dir())


@functools.cache
def variant_dir() -> Path:
    """Another bundle id on the same classes."""
    found = bundle()
    manifest = found.manifest
    out = Path(_folder().name) / "variant"
    write_bundle(
        out,
        BundleContents(
            input=manifest.input,
            network=manifest.network,
            embedding=manifest.embedding,
            labels=manifest.labels,
            calibration=manifest.calibration,
            config=dict(manifest.config),
            metrics=dict(manifest.metrics),
            weights=found.weights,
            known=found.known,
            golden=found.golden,
            files=found.files,
            card=found.card + "\nAnother one.\n",
        ),
        created=CREATED,
    )
    return out


@functools.cache
def variant() -> Bundle:
    """The same, read."""
    return read_bundle(variant_dir())


@functools.cache
def stream_items() -> tuple[dict[str, Any], ...]:
    """About 720 items: known digits first, then 3s and 7s among them, to the end. Ids are unique."""
    stream = make_stream(0)
    return (*stream.items, *stream.later)


def raw(n: int = 0) -> list[float]:
    """The numbers of one digit."""
    items = stream_items()
    x: list[float] = items[n % len(items)]["x"]
    return x


def many(prefix: str, n: int) -> list[dict[str, Any]]:
    """`n` items under ids of their own, the digits over and over."""
    return [{"id": f"{prefix}-{k}", "x": raw(k)} for k in range(n)]


def decoded(n: int = 0) -> np.ndarray:
    """The same digit as the net eats it: float32 (1, 8, 8)."""
    return np.asarray(raw(n), dtype=np.float32).reshape(1, 8, 8) / np.float32(16)
