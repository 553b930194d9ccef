"""Ridge logistic regression of weighted items, by Newton's method (iteratively reweighted least squares).

    minimise over w, b   sum_i m_i log(1 + exp(-t_i (x_i w + b)))  +  penalty / 2 |w|^2,     t_i in {-1, 1}

(Hastie, Tibshirani and Friedman 2009, section 4.4.1.) The problem is convex and small, F of a hundred and some
thousand items, so a handful of Newton steps, each one weighted least squares, solve it: 10 to 20 ms on one core. The
intercept is not penalised. A step that would raise the loss is halved, so a poor start does no harm. Pure;
deterministic on one machine, but not to the last bit between machines, since it multiplies matrices: whoever keeps a
fit keeps the numbers, not the recipe.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from service.records import Bools, Float64s

_MOST_STEPS = 12
_SMALLEST_STEP = 1e-3
_MOST_HALVINGS = 30
_SLACK = 1e-9
"""Relative; what rounding may add to the loss where it does not change any more."""
_INTERCEPT_PENALTY = 1e-6


def fit_logistic(
    x: NDArray[np.floating], positive: Bools, mass: Float64s, *, penalty: float, start: Float64s | None = None
) -> Float64s:
    """Fit.

    Args:
        x: float (n, F).
        positive: bool (n,), which items have t = 1.
        mass: float64 (n,), m_i, at least 0.
        penalty: above 0.
        start: float64 (F + 1,), where to begin; None: at 0.

    Returns:
        float64 (F + 1,): w, then b. x @ w + b is the logarithm of the odds.

    Raises:
        LinAlgError: Items are not finite, or so large that nothing comes of them.
    """
    design = np.concatenate([x, np.ones((len(x), 1))], axis=1, dtype=np.float64)
    ridge = np.full(design.shape[1], penalty)
    ridge[-1] = _INTERCEPT_PENALTY

    def loss(w: Float64s, odds: Float64s) -> float:
        return float(mass @ (np.logaddexp(0.0, odds) - positive * odds) + 0.5 * ridge @ np.square(w))

    w = np.zeros(design.shape[1]) if start is None else start.astype(np.float64)
    odds = design @ w
    now = loss(w, odds)
    for _ in range(_MOST_STEPS):
        p = expit(odds)
        gradient = design.T @ (mass * (p - positive)) + ridge * w
        hessian = (design.T * (mass * p * (1.0 - p))) @ design + np.diag(ridge)
        step = cho_solve(cho_factor(hessian, check_finite=False), gradient, check_finite=False)
        odds = design @ (w - step)
        for _ in range(_MOST_HALVINGS):
            if loss(w - step, odds) <= now + _SLACK * abs(now):
                break
            step = step / 2.0  # a full step leads astray only where the start is far off
            odds = design @ (w - step)
        w = w - step
        now = loss(w, odds)
        if np.abs(step).max() < _SMALLEST_STEP:
            break
    if not np.isfinite(w).all():
        raise np.linalg.LinAlgError("no weights come of these items")
    return np.asarray(w, dtype=np.float64)


def log_odds(x: NDArray[np.floating], w: NDArray[np.floating]) -> Float64s:
    """What fits say of items.

    Sums along the last axis rather than a matrix product: the bits are the same for every batch size and every BLAS.

    Args:
        x: float (B, F).
        w: float (m, F + 1), of `fit_logistic`.

    Returns:
        float64 (B, m).
    """
    x64, w64 = x.astype(np.float64), w.astype(np.float64)
    out = np.empty((len(x64), len(w64)))
    for row in range(len(w64)):
        out[:, row] = (x64 * w64[row, :-1]).sum(axis=1) + w64[row, -1]
    return out
