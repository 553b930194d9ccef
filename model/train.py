"""Training: fit a net to the known classes of a split, repeatably.

    fit items ─ shuffle ─ augment ─► net ─┬ "output" ──────► objective ─┬─► AdamW, one-cycle learning rate
                                          └ "penultimate" ─► auxiliary ─┘

The net learns to tell the known classes apart, and that is only a means: what counts is how classes it never
saw come apart in the layer that becomes the embedding (`model/evaluate.py`). The schedule is that of Smith
and Topin 2019 ("Super-Convergence"): a short rise, a long fall. Where leaving classes out has shown that the
end of the schedule serves them badly (`model/leave_out.py`), training stops at a share of it.

With the auxiliary every item of a batch is seen in two views, which pass through the net as one batch of twice
the size; the objective learns from both.

The same configuration and data give the same weights, to the last bit, on one machine's CPU. For that

- every random number comes from a generator seeded here: one for the objective, batches and augmentation, and
  torch's own, which layers draw their start from, inside a fork that leaves the caller's as it was;
- torch runs deterministic algorithms only, on a fixed number of threads (a sum in another order is another
  sum), and both settings are put back afterwards.

Convolutions see their channels last: on one CPU thread a step of the cnn then takes three quarters of the time
(28x28, batches of 128). The weights that are returned lie as any others.

On a GPU the run is not repeatable to the bit: its fastest kernels add in whatever order they finish.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.augment import View, gentle_view, strong_view
from model.auxiliary import TwoViews
from model.bundle import NetworkSpec
from model.calibrate import wanted_gate
from model.config import ConfigError, TrainConfig
from model.datasets import DataError, LabelledData
from model.datasets.split import Split
from model.inputs import InputSpec, Payloads, scale
from model.networks import Batch, Embedder, Network, build_network
from model.objectives import Objective, build_objective
from model.sampling import epoch_order

Watch = Callable[[int, Embedder], None]
"""Is shown the embedder, in eval mode, after every pass, with the number of passes made. It must not change it."""

_Module = TypeVar("_Module", bound=nn.Module)

_WARM_UP_SHARE = 0.3
_FEWEST_FIT_ITEMS = 8


class Progress(Protocol):
    """How a long run reports: a stage, how much of it is done, and a note for people."""

    def __call__(self, stage: str, done: int, total: int, note: str) -> None:
        """Take a report: `done` of `total` units of `stage`; `note` is short, such as "loss 0.41"."""


class TrainingError(ValueError):
    """Training cannot go on. The message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What training leaves.

    Attributes:
        network: how to build the net again; its layer is the embedding.
        embedder: in eval mode, on the CPU, parameters frozen.
        labels: the K known classes, in the data set's order.
        losses: mean loss of each epoch.
    """

    network: NetworkSpec
    embedder: Embedder
    labels: tuple[str, ...]
    losses: tuple[float, ...]


def train(
    config: TrainConfig, data: LabelledData, split: Split, progress: Progress, *, watch: Watch | None = None
) -> Trained:
    """Fit a net to the fitting items of the known classes.

    Args:
        config: the run.
        data: the whole data set, raw values.
        split: which items to fit on; nothing else of `data` is read.
        progress: told once an epoch.
        watch: shown the net after every epoch; whether it is does not change the result.

    Returns:
        The trained embedder.

    Raises:
        ConfigError: the network does not fit the data or lacks a layer that is asked for, the gate asks for a
            layer that is not in the embedding, or there is no such device.
        DataError: a class has too few fitting items.
        TrainingError: the loss became infinite or not a number.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is cuda, but torch finds no GPU here; choose cpu")
    labels, y = known_classes(data, split.fit)
    _check_counts(labels, y)
    x = scale(data.x[split.fit], data.input)
    spec = network_spec(config)
    with repeatable(config.seed, config.threads, device=config.device):
        try:
            net = build_network(spec, data.input)
            net.prepare(x)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        generator = torch.Generator().manual_seed(config.seed)
        objective = build_objective(
            config.objective, classes=len(labels), dim=config.embedding_dim, generator=generator
        )
        embedder = Embedder(net, layers_of(config, net), config.norm)
        # Not needed yet, but refused before a long training rather than after it.
        wanted_gate(config.gate, embedder.layers)
        losses = _fit(
            config,
            spec=data.input,
            x=x,
            y=y,
            embedder=embedder,
            objective=objective,
            generator=generator,
            progress=progress,
            watch=watch,
        )
    embedder = _laid_out(embedder, torch.device("cpu"), torch.contiguous_format)
    embedder = embedder.eval().requires_grad_(requires_grad=False)
    return Trained(network=spec, embedder=embedder, labels=labels, losses=tuple(losses))


def known_classes(data: LabelledData, items: NDArray[np.int64]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Number the classes among some items anew, from 0, in the data set's order.

    Args:
        data: gives labels and classes.
        items: int64 (N,) positions in `data`.

    Returns:
        The K labels that occur, and int64 (N,) indices into them.
    """
    classes, y = np.unique(data.y[items], return_inverse=True)
    return tuple(data.labels[k] for k in classes), y.astype(np.int64)


def network_spec(config: TrainConfig) -> NetworkSpec:
    """Return the net a configuration asks for, its other options left at their defaults."""
    options: dict[str, int | float | str | bool] = {"output_dim": config.embedding_dim}
    if config.network == "sentence":
        options["tuned"] = config.tune
        if config.encoder is not None:
            options["encoder"] = config.encoder
    return NetworkSpec(name=config.network, options=options)


def layers_of(config: TrainConfig, net: Network) -> tuple[str, ...]:
    """Return the layers that the embedding is made of: those asked for, or all that the net names.

    Raises:
        ConfigError: the net has no such layer.
    """
    for layer in config.layers:
        if layer not in net.widths:
            raise ConfigError(
                f"the network {config.network} has no layer {layer!r}; choose among {', '.join(net.widths)}"
            )
    return config.layers or tuple(net.widths)


@contextmanager
def repeatable(seed: int, threads: int, *, device: str) -> Iterator[None]:
    """Run torch repeatably inside, and leave its global state as it was.

    Args:
        seed: of torch's global generator.
        threads: CPU threads torch may use.
        device: on "cuda" algorithms that may differ from run to run stay allowed; many have no alternative.
    """
    before_threads = torch.get_num_threads()
    before_deterministic = torch.are_deterministic_algorithms_enabled()
    before_warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng():
        try:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(mode=device == "cpu")
            torch.manual_seed(seed)
            yield
        finally:
            torch.use_deterministic_algorithms(mode=before_deterministic, warn_only=before_warn_only)
            torch.set_num_threads(before_threads)


def _fit(
    config: TrainConfig,
    *,
    spec: InputSpec,
    x: Payloads,
    y: NDArray[np.int64],
    embedder: Embedder,
    objective: Objective,
    generator: torch.Generator,
    progress: Progress,
    watch: Watch | None,
) -> list[float]:
    """Train embedder and objective in place; return the mean loss of each epoch."""
    device = torch.device(config.device)
    net, objective = _laid_out(embedder.net, device, torch.channels_last).train(), objective.to(device)
    # Built after net and objective, which therefore start alike with and without it.
    auxiliary = TwoViews(net.widths["penultimate"]).to(device) if config.auxiliary == "two-views" else None
    items, classes = net.rows(x, device), torch.from_numpy(y).to(device)
    batch = min(config.batch_size, len(y))
    steps = len(y) // batch
    optimizer, schedule = _optimizer(config, net, objective, auxiliary, steps=steps)
    gentle = gentle_view(spec, mirrored=config.flip) if config.augment else None
    strong = strong_view(spec, mirrored=config.flip)
    losses = []
    for epoch in range(config.epochs_run):
        order = epoch_order(torch.from_numpy(y), generator).to(device)
        total = torch.zeros((), device=device)
        for step in range(steps):
            chosen = order[step * batch : (step + 1) * batch]
            seen, own = items[chosen], classes[chosen]
            loss: Tensor
            if auxiliary is None:
                loss = objective(net(_viewed(seen, gentle, generator)), own)
            else:
                layers = net.layers(strong(_twice(seen), generator))
                loss = objective(layers["output"], torch.cat([own, own]))
                loss = loss + config.auxiliary_weight * auxiliary(layers["penultimate"])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
            total += loss.detach()
        losses.append(float(total) / steps)
        if not np.isfinite(losses[-1]):
            raise TrainingError(
                f"The loss became {losses[-1]} in epoch {epoch + 1}. Lower the learning rate "
                f"(it is {config.learning_rate:g}; try {config.learning_rate / 10:g}) or choose another "
                f"objective than {config.objective}."
            )
        progress("train", epoch + 1, config.epochs_run, f"loss {losses[-1]:.3f}")
        if watch is not None:
            watch(epoch + 1, embedder.eval())
            embedder.train()
    return losses


def _laid_out(module: _Module, device: torch.device, memory_format: torch.memory_format) -> _Module:
    """Move a module, its convolutions' weights laid out so."""
    return module.to(device, memory_format=memory_format)  # type: ignore[call-overload,no-any-return]  # stubs lag


def _viewed(seen: Batch, view: View | None, generator: torch.Generator) -> Batch:
    """Show a batch as an objective sees it; what is no tensor is left as it is."""
    return view(seen, generator) if view is not None and isinstance(seen, Tensor) else seen


def _twice(seen: Batch) -> Tensor:
    """Put a batch below itself, for two views."""
    if not isinstance(seen, Tensor):
        raise ConfigError(
            "two views need items that are arrays, and this net trains on others; choose the auxiliary none"
        )
    return torch.cat([seen, seen])


def _optimizer(
    config: TrainConfig, net: Network, objective: Objective, auxiliary: TwoViews | None, *, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return AdamW over all that is trained, and the one-cycle schedule of its learning rates."""
    learning = [
        *((parameters, rate, config.weight_decay) for parameters, rate in net.parameter_rates()),
        (list(objective.parameters()), objective.rate, 0.0),
        *([] if auxiliary is None else [(list(auxiliary.parameters()), 1.0, config.weight_decay)]),
    ]
    learning = [part for part in learning if part[0]]
    optimizer = torch.optim.AdamW(
        [{"params": parameters, "weight_decay": decay} for parameters, _, decay in learning],
        lr=config.learning_rate,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[rate * config.learning_rate for _, rate, _ in learning],
        total_steps=config.epochs * steps,
        pct_start=_WARM_UP_SHARE,
    )
    return optimizer, schedule


def _check_counts(labels: tuple[str, ...], y: NDArray[np.int64]) -> None:
    """Refuse classes too small to learn; `model.datasets.split` sets them aside before."""
    counts = np.bincount(y, minlength=len(labels))
    rare = int(counts.argmin())
    if counts[rare] < _FEWEST_FIT_ITEMS:
        raise DataError(
            f"The class {labels[rare]!r} has {counts[rare]} items to fit on, and needs at least "
            f"{_FEWEST_FIT_ITEMS}, half of its items. Add items to it, or hold it out."
        )
