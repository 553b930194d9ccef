"""The two gates together: what they say of an item, of held-out items, and what is left of that by what clusters claim.

    z ─► known gate (known.py) ──────► p, nearest ─┐
      ├► stream gate (stream_gate/) ─► features ───┴► judge ─► p of all reasons: accepted? fed to the clusterer?
      └► promoted classes (promoted.py) ─────────────────────► taken for a class that people made of a cluster?

Which of the two count is the operator's to say (`EngineParams.gates`). Where the recent stream is not compared with
known items, because nobody wants it or there are too few to compare with, the clusterer is fed beyond the operator's
rate instead (background.py).
"""

from collections.abc import Iterable, Sequence

import numpy as np

from model.bundle import KnownArrays
from service.clustering.background import Background
from service.clustering.cluster_space import ClusterSpace
from service.clustering.known import KnownGate
from service.clustering.params import EngineParams
from service.clustering.promoted import Promoted
from service.clustering.stream_gate import StreamGate, cores
from service.records import NO_CLUSTER, Bools, Float32s, Float64s, Observed, VerdictKind

_DIGITS = 12

Said = tuple[VerdictKind, int, float]
"""What an item is: kind, cluster or NO_CLUSTER, novelty."""


class Gates:
    """Known gate and stream gate of one stream under the engine's parameters. Owned by the engine.

    Attributes:
        known: The known gate.
        stream: The stream gate.
        promoted: The classes that people made of clusters.
        background: What of known items would reach the clusterer now.
        squeeze: What is left of the operator's rate, with what announced clusters claim of known items.
    """

    def __init__(self, known: KnownArrays, space: ClusterSpace, params: EngineParams) -> None:
        self.known = KnownGate(known)
        self.stream = StreamGate(known, params.known_error_rate)
        self.promoted = Promoted(known, self.known, space)
        self.squeeze = 1.0
        self._arrays = known
        self._space = space
        self.use(params)

    def use(self, params: EngineParams) -> None:
        """Decide with other parameters from the next item on. Claims are to be weighed anew."""
        self._params = params
        if params.gates == "items":  # what it knows of the stream will have a gap when it is on again
            self.stream.clear()
        self.stream.retune(params.known_error_rate, alone=params.gates == "stream")
        self.look_at_held_out()

    @property
    def has_stream(self) -> bool:
        """Whether there is a stream gate, and the operator wants it."""
        return self._params.gates != "items" and self.stream.is_on

    @property
    def feeding_rate(self) -> float:
        """The p-value up to which an item goes to the clusterer."""
        params = self._params
        is_wide = (
            not self.has_stream and params.backend == "firstseen"
        )  # river's are held to all that they are fed
        return max(params.known_error_rate, params.feeding_rate) if is_wide else params.known_error_rate

    # What is said of items

    def decide(self, z: Float32s, ids: tuple[str, ...], t: Float64s, *, first_seq: int) -> Observed:
        """What they say of a batch; changes nothing. See `Engine.decide`.

        An item that a class of people's takes still goes to the clusterer, so that its cluster goes on. The core that
        an item lies in is one of the bundle's classes, whoever takes it: what is missing there tells of drift.
        """
        said = self.known.decide(z)
        features = self.stream.features(z) if self.has_stream else np.empty((len(z), 0), dtype=np.float16)
        judged = self.stream.judge(said.p, features)
        rate = self._params.known_error_rate
        accepted = judged.p > rate
        claimed = np.where(accepted, NO_CLUSTER, judged.clusters)
        taken = self.promoted.taken(z, ~accepted, rate)
        # A claim knows its cluster's neighbours as well, which a prototype does not.
        is_taken = (taken.cluster != NO_CLUSTER) & (claimed == NO_CLUSTER)
        fed = (judged.p <= self.feeding_rate) | is_taken
        return Observed(
            first_seq=first_seq,
            ids=ids,
            t=np.asarray(t, dtype=np.float64),
            nearest=np.where(is_taken, taken.label, said.nearest),
            accepted=accepted | is_taken,
            fed=fed,
            core=cores(said.nearest, said.p),
            claimed=claimed,
            taken=np.where(is_taken, taken.cluster, NO_CLUSTER),
            novelty=1.0 - np.where(is_taken, taken.p, judged.p),
            distance=np.where(is_taken, taken.distance, said.distance),
            features=features,
            z_fed=np.ascontiguousarray(z[fed], dtype=np.float32),
        )

    def passed(self, novelty: Sequence[float], accepted: Sequence[bool]) -> list[Said]:
        """`verdict` of items that did not go to the clusterer: all of them at once, where clusters have no claims."""
        if self.feeding_rate > self._params.known_error_rate:
            return [
                self.verdict(one, NO_CLUSTER, accepted=is_accepted)
                for one, is_accepted in zip(novelty, accepted, strict=True)
            ]
        assert all(accepted)  # else they would have gone there
        return [(VerdictKind.KNOWN, NO_CLUSTER, one) for one in novelty]

    def verdict(self, novelty: float, cluster: int, *, accepted: bool) -> Said:
        """What an item is, in the light of what the clusterer says of it.

        Args:
            novelty: 1 - p of all reasons.
            cluster: The announced cluster that it is in, or NO_CLUSTER.
            accepted: What the gates said.

        Returns:
            Kind, cluster and novelty of the verdict.
        """
        if self.feeding_rate > self._params.known_error_rate:
            p, threshold = self.weighed(1.0 - novelty, cluster)
            accepted = p > threshold
            novelty = 1.0 - min(1.0, p / self.squeeze)
        if accepted:
            return VerdictKind.KNOWN, NO_CLUSTER, novelty
        return (VerdictKind.OUTLIER if cluster == NO_CLUSTER else VerdictKind.CLUSTER), cluster, novelty

    def weighed(self, p: float, cluster: int) -> tuple[float, float]:
        """A p-value in the light of what clusters claim, and what it must be above for an item to be known.

        Args:
            p: Of all reasons.
            cluster: The announced cluster that the item is in, or NO_CLUSTER.
        """
        rate, feeding = self._params.known_error_rate, self.feeding_rate
        if feeding <= rate:
            return p, rate
        # Clusters have claims: background.py. Rounded: 1 - (1 - p) is not p to the last bit, and p is often the rate.
        claimed = rate / feeding if cluster != NO_CLUSTER else 1.0
        return round(p * claimed, _DIGITS), round(rate * self.squeeze, _DIGITS)

    def limit(self, cluster: int) -> float:
        """The p-value of a single reason below which that reason alone makes an item of `cluster` new."""
        rate, feeding = self._params.known_error_rate, self.feeding_rate
        if feeding <= rate:
            return self.stream.limit(rate)
        return self.stream.limit((feeding if cluster != NO_CLUSTER else rate) * self.squeeze, digits=_DIGITS)

    # What is said of held-out items

    def look_at_held_out(self) -> None:
        """Take anew what of known items would reach the clusterer: the gates say something else now."""
        known, judged, p = self._arrays, self.stream.judged, self.stream.held_out_p
        is_fed = p <= self.feeding_rate
        fed = judged[is_fed]
        self.background = Background(
            self._space.project(known.calibration_embeddings[fed]),
            p[is_fed],
            known.calibration_labels[fed],
            np.bincount(known.calibration_labels[judged], minlength=len(known.prototypes)),
        )

    def weigh_claims(self, inside: Iterable[Bools]) -> None:
        """Take `squeeze` anew: bool (R,) for each announced cluster, which background items lie in it."""
        rate, feeding = self._params.known_error_rate, self.feeding_rate
        claimed = list(inside) if feeding > rate else []
        self.squeeze = 1.0
        if claimed:
            self.squeeze = self.background.squeezed(np.logical_or.reduce(claimed), rate=rate, feeding=feeding)
