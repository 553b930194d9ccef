"""A fit: shares, log r, memberships, joins, partings. From a job alone, so it can be made beside everything else.

Its time is bounded, however long the stream and however many clusters there are: at most MOST_FITTED held-out items
and WINDOW of the stream, REFRESHED memberships, and for each of these a look at no more than WINDOW / FEWEST_MEMBERS
other clusters. With 96 features on one core 10 to 40 ms, and a tenth of a second with forty clusters in the window.
"""

import numpy as np

from model.bundle import KnownArrays
from service.clustering.logistic import fit_logistic
from service.clustering.stream_gate import constants
from service.clustering.stream_gate.held_out import Half
from service.clustering.stream_gate.joins import find_joins, within_classes
from service.clustering.stream_gate.membership import fit_membership
from service.clustering.stream_gate.partings import find_partings, usual_distance
from service.clustering.stream_gate.records import FitJob, StreamFit, check_fit, membership_width
from service.clustering.stream_gate.shares import core_confusion, estimated_shares


class Fitter:
    """What every fit of a stream is made with; never changed, so several threads may use it.

    Args:
        known: a bundle's arrays.
        held_out: the half that fits see.
    """

    def __init__(self, known: KnownArrays, held_out: Half) -> None:
        self._held_out = held_out
        self._features = held_out.features.astype(np.float32)
        self._confusion = core_confusion(known.calibration_p, known.calibration_labels)
        self._within = within_classes(self._features, held_out.labels)
        self._usual = usual_distance(self._features, held_out.labels, self._within)

    def solve(self, job: FitJob) -> StreamFit:
        """Make a fit.

        Raises:
            ValueError, RuntimeError: The window is such that none comes of it. Nothing was changed.
        """
        shares = estimated_shares(self._confusion, job.cores)
        known = self._held_out.mass(shares)
        window = job.features.astype(np.float32)
        n, F = window.shape
        weights = fit_logistic(
            np.concatenate([self._features, window]),
            np.arange(len(known) + n) >= len(known),
            np.concatenate([known * n, np.ones(n)]),
            penalty=constants.PENALTY * n / constants.WINDOW,
            start=None if job.weights is None else job.weights.astype(np.float64),
        ).astype(np.float32)
        members = [fit_membership(job, window, self._features, known, c, weights) for c in job.refreshed]
        fit = StreamFit(
            weights=weights,
            shares=shares.astype(np.float32),
            members=np.array(members, dtype=np.float32).reshape(-1, membership_width(F)),
            clusters=np.array(job.refreshed, dtype=np.int64),
            joins=find_joins(job, window, self._within, constants.AS_NEAR * self._usual),
            partings=find_partings(job, window, self._within, constants.AS_FAR * self._usual),
        )
        check_fit(fit, F=F, K=len(self._confusion))
        return fit
