"""The bundle's card: what it is, what it is for, what it is not, in words, from the facts of its making.

After Mitchell et al. 2019, "Model Cards for Model Reporting". Nothing in a card is written by hand: every
number and name comes from the run, so a card cannot praise a bundle that another run made.
"""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence

import numpy as np

from model.achieved import achieved
from model.bundle import CalibrationSpec, EmbeddingSpec
from model.choice import Choice, as_markdown
from model.config import TrainConfig
from model.configs import CONFIGS, starting_config
from model.datasets import LabelledData
from model.datasets.split import FEWEST_ITEMS, Split
from model.rehearse import Expected, Rehearsal

_MEANINGS = {
    "known_accuracy": "fresh items of known classes whose best class is their own",
    "known_error_rate": "fresh items of known classes called new at the default rate",
    "known_error_rate_low": "its 95 % interval, from",
    "known_error_rate_high": "its 95 % interval, to",
    "fresh_items": "fresh items of known classes",
    "auroc": "chance that an item of a held-out class is stranger than a fresh known one",
    "fpr95": "items of held-out classes accepted where 95 % of fresh known ones are",
    "cluster_accuracy": "items of held-out classes put in the right cluster by k-means told k",
    "cluster_nmi": "the same partition's normalised mutual information",
}
_REHEARSED = {
    "left_out_auroc": "while choosing: chance that a left-out item is stranger than a fresh known one",
    "left_out_cluster_accuracy": "while choosing: left-out items put in the right cluster by k-means told k",
    "expected/found": "share of new classes that are announced",
    "expected/delay": "items of a new class until it is announced, median",
    "expected/false_per_10000": "false clusters in 10,000 items",
    "expected/caught": "new items not taken for known",
    "expected/known_called_new": "known items called new",
    "expected/items": "items of the streams",
}
"""Measured on fitting items and on such as calibrate, by nets that were trained without some classes."""


def write_card(
    config: TrainConfig,
    *,
    data: LabelledData,
    split: Split,
    labels: Sequence[str],
    embedding: EmbeddingSpec,
    calibration: CalibrationSpec,
    metrics: Mapping[str, float | None],
    choice: Choice | None = None,
    rehearsal: Rehearsal | None = None,
    expected: Expected | None = None,
) -> str:
    """Write `card.md`.

    Args:
        config: the run.
        data: what it ran on.
        split: how that was divided.
        labels: the known classes.
        embedding, calibration: as in the manifest.
        metrics: of `model.evaluate.evaluate`, and what choosing and rehearsing added.
        choice: how the run was chosen; None where it was made as asked.
        rehearsal: how the radius was found; None where none was made.
        expected: what its folds came to as streams; None where they were not run.

    Returns:
        Markdown.
    """
    parts = {
        "fitted on": split.fit,
        "calibrated on": split.calibrate,
        "measured on, known": split.fresh,
        "measured on, unseen": split.unseen,
    }
    fresh = {name: value for name, value in metrics.items() if name not in _REHEARSED}
    is_rehearsed = len(fresh) < len(metrics)
    return "\n".join(
        [
            f"# Bundle: {data.name}, {len(labels)} known classes",
            "",
            "## Data",
            "",
            f"{data.source}. {', '.join(f'{len(items)} items {what}' for what, items in parts.items())}.",
            "",
            f"Known classes: {', '.join(labels)}.",
            f"Held-out classes: {', '.join(config.hold_out) or 'none'}.",
            *_set_aside(data, split),
            "",
            "## Intended use",
            "",
            f"To embed items like these ({data.input.summary()}) and to tell whether an item belongs to one of the "
            "known classes or to none of them, as the first stage of finding new classes in a stream.",
            "",
            "## Limits",
            "",
            *_limits(config, data, calibration, metrics, is_rehearsed=is_rehearsed),
            "",
            "## Measured",
            "",
            "On items that neither fitting nor calibration has met.",
            "",
            *_table(fresh),
            "",
            "## Rehearsed",
            "",
            *_rehearsed(metrics, rehearsal, expected),
            "",
            "## How it was made",
            "",
            f"    {command(config)}",
            "",
            f"Network {config.network}, objective {config.objective}, {_auxiliary(config)}, {_epochs(config)}; "
            f"embedding: {_layers(embedding)}, norm {embedding.norm}; known-class score: {_scores(calibration)}. "
            "All settings are in `manifest.json`.",
            "",
            "## How it was chosen",
            "",
            *_chosen(choice),
            *([] if rehearsal is None else ["", rehearsal.reason]),
            "",
        ]
    )


def command(config: TrainConfig) -> str:
    """Return the shell command that asks for this run, naming what differs from the defaults.

    Nothing on a command line takes a limit away that the defaults have. Where the run lacks one, the command starts
    from the first named run that lacks it too.
    """
    bases = (_words(config, name) for name in (None, *CONFIGS))
    return shlex.join(next(words for words in bases if words is not None))


def _words(config: TrainConfig, name: str | None) -> list[str] | None:
    """The command by what a run of that name, or the data set's own, has otherwise; None where it cannot be said."""
    given = {"text": config.text, "beside": config.beside}
    default = starting_config(config.dataset, name, {k: v for k, v in given.items() if v is not None})
    words = ["firstseen", "train", config.dataset, *([] if name is None else ["--config", name])]
    if config.hold_out or default.hold_out:
        words += ["--hold-out", ",".join(config.hold_out)]
    if config.text is not None:
        words += ["--text", config.text]
    if config.beside is not None:
        words += ["--with", config.beside]
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.name in {"dataset", "beside", "text", "hold_out"} or value == getattr(default, field.name):
            continue
        if value is None:
            return None
        option = field.name.replace("_", "-")
        if isinstance(value, bool):
            words += [f"--{option}" if value else f"--no-{option}"]
        else:
            words += [f"--{option}", ",".join(value) if isinstance(value, tuple) else str(value)]
    return words


def _set_aside(data: LabelledData, split: Split) -> list[str]:
    """Name the classes too small to be known, with their numbers of items."""
    if not len(split.aside):
        return []
    counts = np.bincount(data.y[split.aside], minlength=len(data.labels))
    named = ", ".join(f"{data.labels[k]} ({counts[k]})" for k in np.flatnonzero(counts))
    return [f"Set aside, with fewer than {FEWEST_ITEMS} items, so neither known nor measured: {named}."]


def _layers(embedding: EmbeddingSpec) -> str:
    names = [f"{layer.name} ({layer.dim})" for layer in embedding.layers]
    return f"layer {names[0]}" if len(names) == 1 else f"layers {' + '.join(names)}"


def _scores(calibration: CalibrationSpec) -> str:
    parts = [f"{part.score} on {part.layer}" for part in calibration.scores]
    return parts[0] if len(parts) == 1 else f"the mean of {', '.join(parts)}"


def _auxiliary(config: TrainConfig) -> str:
    if config.auxiliary == "none":
        return "no auxiliary"
    return f"auxiliary {config.auxiliary} with weight {config.auxiliary_weight:g}"


def _epochs(config: TrainConfig) -> str:
    if config.epochs_run == config.epochs:
        return f"{config.epochs} epochs"
    return f"stopped after {config.epochs_run} of {config.epochs} epochs"


def _chosen(choice: Choice | None) -> list[str]:
    if choice is None:
        return ["It was not: the settings are those that were asked for, or the defaults."]
    return as_markdown(choice)


def _rehearsed(
    metrics: Mapping[str, float | None], rehearsal: Rehearsal | None, expected: Expected | None
) -> list[str]:
    """What nets that were trained without some known classes made of these, or why that is not known."""
    own = {name: value for name, value in metrics.items() if name in _REHEARSED}
    lines = []
    if own:
        lines += [
            "On items of known classes, by other nets than the bundle's: each was trained without some of these "
            "classes, which then were new to it. They had fewer classes and items to learn from and to calibrate with.",
            "",
            *_table(own),
            "",
        ]
    if expected is not None:
        lines.append(f"What to expect in a stream: {expected.note}.")
    elif rehearsal is None:
        lines.append("What to expect in a stream: not rehearsed, as asked.")
    elif not rehearsal.folds:
        lines.append(
            "What to expect in a stream: not rehearsed, for too few known classes could be left out."
        )
    else:
        lines.append("What to expect in a stream: not rehearsed, for no streams were run.")
    return lines


def _table(metrics: Mapping[str, float | None]) -> list[str]:
    rows = [f"| {_meaning(name)} | {_shown(value)} |" for name, value in metrics.items()]
    return ["| What | Value |", "|---|---|", *rows]


def _limits(
    config: TrainConfig,
    data: LabelledData,
    calibration: CalibrationSpec,
    metrics: Mapping[str, float | None],
    *,
    is_rehearsed: bool,
) -> list[str]:
    rate = f"{calibration.known_error_rate:.1%}"
    limits = [
        f"- About {rate} of items of known classes are called new, by choice; that holds for items drawn as "
        "the calibration items were. Where known classes themselves change, more are.",
        *_checked(metrics, calibration.known_error_rate),
        "- An item of a new class that looks like a known one is taken for known. Item by item this cannot "
        "be helped; the shares measured below are for those classes only, and others may be harder.",
        _preparation(data),
    ]
    if calibration.pooled_labels:
        limits.append(
            f"- Too few calibration items of their own at {rate}: {', '.join(calibration.pooled_labels)}. "
            "They share pooled scores, so the rate holds over these together and not class by class."
        )
    if not config.hold_out and is_rehearsed:
        limits.append(
            "- No class was held out, so how well new classes are found was measured on other nets than this one: "
            "see what was rehearsed."
        )
    elif not config.hold_out:
        limits.append("- No class was held out, so how well new classes are found was not measured.")
    return limits


def _checked(metrics: Mapping[str, float | None], asked: float) -> list[str]:
    """How the rate asked for did on fresh items."""
    found = achieved(metrics, asked)
    if found is None:
        return []
    if found.holds:
        return [f"- That rate was checked on fresh items: {found}."]
    return [
        f"- **That rate does not hold on fresh items**: {found}. They differ from the calibration items, or these were "
        "too few; train with more items, or with another seed to see which."
    ]


def _preparation(data: LabelledData) -> str:
    if data.input.kind == "text":
        return (
            "- A text is read as it is: no translation, no spelling, no removal of names. Texts in other "
            "languages or of another kind than the training texts will be called new, or worse, known."
        )
    if data.input.kind == "table":
        return (
            "- Columns mean what they meant in the training table: numbers in the same units, categories by the same "
            "names. A value never seen in a category counts as any other; a missing one is allowed, and tells less."
        )
    return (
        "- The input is scaled to the range in the manifest and nothing else: no centring, no cropping, no "
        "colour correction. Items must be prepared as the training items were."
    )


def _meaning(name: str) -> str:
    kind, _, label = name.partition("/")
    return (
        f"items of {label} called new at the default rate"
        if kind == "caught"
        else (_MEANINGS | _REHEARSED)[name]
    )


def _shown(value: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.0f}" if value > 1 and value == round(value) else f"{value:.3f}"
