"""Two engines along one log: one makes its steps again, the other would have made them otherwise.

    fed to the clusterer   the embedding is in the log: the gates are asked anew
    not fed                of these the log has what the gates said, p, and not the embedding. Where p is above the
                           other rate, the answer is known; where it is not, it cannot be told, and is counted so
    a fit                  the logged one, as long as the other engine would have begun the same; else one of its own
    a decision             made, where there is such a cluster; else left out, and counted

So with the same settings nothing differs, to the bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.clustering.stream_gate import FitJob, StreamFit
from service.decisions import Decision
from service.errors import ClientError, DecisionRefused
from service.pipeline.recovery import replay_entry
from service.records import NO_CLUSTER, Bools, Observed, Verdict
from service.roundtrip.comparing import Comparison
from service.roundtrip.standing import step as replayed
from service.state.packing import Entry


class NotTested(ClientError):
    """A backtest cannot be as asked; the message says what to give."""


def changed(params: EngineParams, changes: Mapping[str, Any]) -> EngineParams:
    """Parameters with other values; raises NotTested for what cannot be."""
    try:
        return replace(params, **changes)
    except (TypeError, ValueError) as error:
        raise NotTested(f"These settings cannot be: {error}") from None


class Twins:
    """The two engines on their way along the log."""

    def __init__(self, was: Engine, would: Engine, changes: Mapping[str, Any]) -> None:
        self.was, self.would = was, would
        self._changes = changes
        self.comparison = Comparison()
        self.unfed = self.left_out = self.own_fits = 0
        self._verdicts: tuple[Verdict, ...] = ()
        if would.seq:
            self._configure(was.params, takes_a_place=False)

    def step(self, entry: Entry) -> None:
        """One entry of the log."""
        if isinstance(entry, EngineParams):
            replay_entry(self.was, entry)
            self._configure(entry, takes_a_place=True)
        elif isinstance(entry, StreamFit):
            fit = self._fit(entry)
            replay_entry(self.was, entry)
            if fit is None:
                self.would.seq += 1
            else:
                self.would.refit(fit)
        elif isinstance(entry, tuple):
            replayed(self.was, entry, self._told)
            self._items(entry[0], self._verdicts)
        else:
            self._decide(entry.decision)
            replay_entry(self.was, entry)

    def _told(self, _: Observed, verdicts: tuple[Verdict, ...]) -> None:
        self._verdicts = verdicts

    def _configure(self, params: EngineParams, *, takes_a_place: bool) -> None:
        other = changed(params, self._changes)
        if other.backend != params.backend:
            raise NotTested("A stream keeps its clusterer for life, and another one needs all embeddings.")
        if other == self.would.params and not takes_a_place:
            return
        self.would.configure(other)
        if not takes_a_place:
            self.would.seq -= 1

    def _decide(self, decision: Decision) -> None:
        """A decision of people; under other settings its cluster may be another, or none."""
        try:
            self.would.curate(decision)
        except DecisionRefused:
            self.left_out += 1
            self.would.seq += 1

    # Fits

    def _fit(self, logged: StreamFit) -> StreamFit | None:
        """The fit that the other engine would have had here; None for none."""
        would = self.would
        if not would.gates.has_stream:
            return None
        job = would.fit_job()
        if _is_same(job, self.was.fit_job()):
            return logged
        self.own_fits += 1
        return would.stream.solve(job)

    # Items

    def _items(self, batch: Observed, was: Sequence[Verdict]) -> None:
        observed, untold = self._observed(batch)
        would = self.would.apply(observed).verdicts
        self.comparison.add(
            was, [None if hidden else one for one, hidden in zip(would, untold.tolist(), strict=True)]
        )

    def _observed(self, batch: Observed) -> tuple[Observed, Bools]:
        """What the other gates would have said, and of which items that cannot be told."""
        gates = self.would.gates
        width = gates.stream.dim if gates.has_stream else 0
        features = batch.features
        if features.shape[1] != width:
            if width:
                raise NotTested(
                    "The stream gate needs features of every item, and with the settings of then the log has none."
                )
            features = np.empty((len(batch), 0), dtype=np.float16)
        fed = np.flatnonzero(batch.fed)
        ids = tuple(batch.ids[n] for n in fed.tolist())
        anew = gates.decide(batch.z_fed, ids, batch.t[fed], first_seq=batch.first_seq)
        rate, p = self.would.params.known_error_rate, 1.0 - batch.novelty
        untold = ~batch.fed & (p <= rate)
        self.unfed += int((~batch.fed & (p <= gates.feeding_rate)).sum())
        columns: dict[str, Any] = {
            "nearest": batch.nearest.copy(),
            "accepted": np.ones(len(batch), dtype=np.bool_),
            "fed": np.zeros(len(batch), dtype=np.bool_),
            "core": batch.core.copy(),
            "taken": np.full(len(batch), NO_CLUSTER, dtype=np.int64),
            "claimed": np.full(len(batch), NO_CLUSTER, dtype=np.int64),
            "novelty": np.where(untold, np.nextafter(1.0 - rate, 0.0), batch.novelty),
            "distance": batch.distance.copy(),
        }
        for name, column in columns.items():
            column[fed] = getattr(anew, name)
        return (
            replace(batch, **columns, features=features, z_fed=anew.z_fed),
            untold,
        )


def _is_same(one: FitJob, other: FitJob) -> bool:
    """Whether two jobs would come to the same fit."""
    for name in ("features", "cores", "births", "clusters", "refused"):
        if not np.array_equal(getattr(one, name), getattr(other, name)):
            return False
    if one.refreshed != other.refreshed or one.earlier.keys() != other.earlier.keys():
        return False
    if one.weights is None or other.weights is None:
        return one.weights is other.weights
    if not np.array_equal(one.weights, other.weights):
        return False
    return all(np.array_equal(row, other.earlier[cluster]) for cluster, row in one.earlier.items())
