"""All measures of a stream, in one value and one table.

`MEASURES` says of each what it is called, its formula, whether more is better, and how it is written; the
terminal's table, the HTML report and docs/replay.md are made from it, so they cannot differ.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from service.scoring.answers import Answers
from service.scoring.ceiling import NO_CEILING, Ceiling, ceilings
from service.scoring.clusters import ClassScore, ClusterScore, DriftScore, classes, judge, judge_drifts
from service.scoring.gate import auroc, fpr95
from service.scoring.matching import macro_f1
from service.scoring.partition import id_switches, partition_of
from service.scoring.rates import rates

Better = Literal["more", "less", "neither"]
Written = Literal["share", "number", "count"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measures:
    """What a stream came to; `MEASURES` describes every field. None: there was nothing to measure it with."""

    items: int
    known_items: int
    unseen_items: int
    known_accuracy: float | None
    known_confused: float | None
    fnew: float | None
    mnew: float | None
    err: float | None
    mnew_flag: float | None
    err_flag: float | None
    auroc: float | None
    fpr95: float | None
    macro_f1: float | None
    macro_f1_known: float | None
    macro_f1_unseen: float | None
    classes_unseen: int
    classes_found: int
    delay_median: float | None
    fragments: float | None
    clusters_announced: int
    false_clusters: int
    false_per_10k: float
    corrected: int
    drifts_told: int
    unseen_told_as_drift: int
    id_switches: float | None
    accuracy: float | None
    nmi: float | None
    ari: float | None
    oracle_accuracy: float | None
    oracle_nmi: float | None
    oracle_ari: float | None
    oracle_f1_this_gate: float | None
    oracle_f1_any_gate: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """One line of the table: a field of `Measures`, its title, its formula, and how to read it."""

    name: str
    title: str
    formula: str
    better: Better
    written: Written = "share"


def _m(
    name: str, title: str, better: Better, formula: str, written: Written = "share"
) -> tuple[str, Measure]:
    return name, Measure(name=name, title=title, formula=formula, better=better, written=written)


MEASURES: Mapping[str, Measure] = dict(
    (
        _m("items", "items", "neither", "N, items of the stream", "count"),
        _m("known_items", "known items", "neither", "N_k, those of classes the trainer knew", "count"),
        _m("unseen_items", "unseen items", "neither", "N_u, those of classes it did not", "count"),
        _m("known_accuracy", "known accuracy", "more", "known items that got their own class, of N_k"),
        _m("known_confused", "known confused", "less", "FE / N_k: known items that got another known class"),
        _m("fnew", "Fnew", "less", "FP / N_k: known items that got no known class (a cluster, or outlier)"),
        _m(
            "mnew", "Mnew", "less", "FN / N_u: unseen items not in a right cluster (outlier counts as missed)"
        ),
        _m("err", "Err", "less", "(FP + FN + FE) / N"),
        _m("mnew_flag", "Mnew, flags found", "less", "unseen items taken for known, of N_u: as peers count"),
        _m("err_flag", "Err, flags found", "less", "Err with that in place of FN: as peers count"),
        _m("auroc", "AUROC", "more", "P(novelty of an unseen item > of a known one), ties half"),
        _m("fpr95", "FPR95", "less", "unseen items taken for known where 95 % of known ones are"),
        _m("macro_f1", "macro-F1", "more", "mean F1 over all classes, one cluster a class, as emitted"),
        _m("macro_f1_known", "macro-F1, known", "more", "the same over the known classes"),
        _m("macro_f1_unseen", "macro-F1, unseen", "more", "the same over the unseen classes"),
        _m(
            "classes_unseen",
            "unseen classes",
            "neither",
            "unseen classes with an item in the stream",
            "count",
        ),
        _m(
            "classes_found",
            "classes found",
            "more",
            "those with a right cluster of 5 own items or more that was not retracted",
            "count",
        ),
        _m(
            "delay_median",
            "delay",
            "less",
            "items of a class until it is found; median of those found",
            "number",
        ),
        _m("fragments", "fragments", "less", "right clusters a found class, mean; 1 is best", "number"),
        _m("clusters_announced", "clusters", "neither", "clusters announced", "count"),
        _m(
            "false_clusters",
            "false clusters",
            "less",
            "half known, or before their class came, or empty; corrected ones too",
            "count",
        ),
        _m("false_per_10k", "false / 10,000", "less", "10,000 false clusters / N", "number"),
        _m(
            "corrected",
            "corrected",
            "neither",
            "false clusters of known items, then told to be a drift",
            "count",
        ),
        _m(
            "drifts_told", "drifts told", "neither", "clusters told to be a known class that drifted", "count"
        ),
        _m(
            "unseen_told_as_drift",
            "unseen told as drift",
            "less",
            "those of them with more unseen items than known ones",
            "count",
        ),
        _m("id_switches", "id switches", "less", "consecutive clustered items of a found class with two ids"),
        _m("accuracy", "ACC, unseen", "more", "unseen items in their class's cluster, one cluster a class"),
        _m("nmi", "NMI, unseen", "more", "2 I(class; cluster) / (H + H), no cluster being one answer"),
        _m("ari", "ARI, unseen", "more", "adjusted Rand index, likewise; 0 is luck"),
        _m("oracle_accuracy", "oracle ACC", "more", "k-means told k, on the unseen items' embeddings"),
        _m("oracle_nmi", "oracle NMI", "more", "the same partition's NMI"),
        _m("oracle_ari", "oracle ARI", "more", "the same partition's ARI"),
        _m(
            "oracle_f1_this_gate",
            "oracle F1, this gate",
            "more",
            "macro-F1 with k-means for what was not taken",
        ),
        _m("oracle_f1_any_gate", "oracle F1, any gate", "more", "macro-F1 with k-means for all unseen items"),
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """Everything that was measured of a stream."""

    measures: Measures
    classes: tuple[ClassScore, ...]
    clusters: tuple[ClusterScore, ...]
    ceilings: tuple[Ceiling, ...]
    drifts: tuple[DriftScore, ...]


def measure(
    answers: Answers, spaces: Mapping[str, NDArray[np.floating[Any]]] | None = None, *, seed: int = 0
) -> Scored:
    """Measure a stream.

    Args:
        answers: How it was answered.
        spaces: By name, float (N, D) its items' embeddings, for the oracle's ceiling; it is the best of them.
        seed: Of the oracle.
    """
    clusters = judge(answers)
    drifts = judge_drifts(answers)
    own = classes(answers, clusters)
    found = [c for c in own if c.delay_items is not None]
    unseen = answers.is_unseen
    ratio, f1, partition = rates(answers, clusters), macro_f1(answers), partition_of(answers)
    tops = ceilings(answers, spaces or {}, seed=seed)
    top = tops[0] if tops else NO_CEILING
    false = sum(not c.is_right for c in clusters)
    measures = Measures(
        items=len(answers),
        known_items=int((~unseen).sum()),
        unseen_items=int(unseen.sum()),
        known_accuracy=ratio.known_accuracy,
        known_confused=ratio.known_confused,
        fnew=ratio.fnew,
        mnew=ratio.mnew,
        err=ratio.err,
        mnew_flag=ratio.mnew_flag,
        err_flag=ratio.err_flag,
        auroc=auroc(answers.novelty[~unseen], answers.novelty[unseen]),
        fpr95=fpr95(answers.novelty[~unseen], answers.novelty[unseen]),
        macro_f1=f1.all,
        macro_f1_known=f1.known,
        macro_f1_unseen=f1.unseen,
        classes_unseen=sum(c.items > 0 for c in own),
        classes_found=len(found),
        delay_median=float(statistics.median(c.delay_items or 0 for c in found)) if found else None,
        fragments=statistics.fmean(len(c.clusters) for c in found) if found else None,
        clusters_announced=len(clusters),
        false_clusters=false,
        false_per_10k=10_000 * false / len(answers) if len(answers) else 0.0,
        corrected=sum(c.is_corrected for c in clusters),
        drifts_told=len(drifts),
        unseen_told_as_drift=sum(drift.is_unseen for drift in drifts),
        id_switches=id_switches(answers, own),
        accuracy=partition.accuracy,
        nmi=partition.nmi,
        ari=partition.ari,
        oracle_accuracy=top.accuracy,
        oracle_nmi=top.nmi,
        oracle_ari=top.ari,
        oracle_f1_this_gate=top.f1_this_gate,
        oracle_f1_any_gate=top.f1_any_gate,
    )
    return Scored(measures=measures, classes=own, clusters=clusters, ceilings=tops, drifts=drifts)


def written(measure: Measure, value: float | None) -> str:
    """A value as people read it."""
    if value is None:
        return "-"
    if measure.written == "count" and float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.3f}" if measure.written == "share" else f"{value:,.1f}"
