"""K points in R^D that start well separated.

The clustering heads begin from centres that no pair of classes has to share. How far apart K points can be
depends on D:

    K <= D + 1   a regular simplex: all pairs at the same distance, the best there is
    D = 1        evenly spaced on a line
    otherwise    on a sphere, chosen by farthest-point traversal (Gonzalez 1985) among random directions: each
                 next point is the candidate farthest from all chosen ones, within a factor two of the best

Whichever it is, the set is centred, and scaled so that the closest pair is exactly `separation` apart.

Example: three centres in two dimensions, 4 apart, are an equilateral triangle of side 4 around the origin.
"""

import torch
from torch import Tensor

_CANDIDATES_PER_CLASS = 64


def well_separated(classes: int, dim: int, separation: float, generator: torch.Generator) -> Tensor:
    """Place K centres so that the closest two are `separation` apart.

    Args:
        classes: K, at least 1.
        dim: D, at least 1.
        separation: smallest distance between two centres, above 0.
        generator: decides the simplex's rotation and the sphere's candidates.

    Returns:
        float32 (K, D), mean 0. One class alone gets the origin.
    """
    if classes == 1:
        return torch.zeros(1, dim)
    if dim == 1:
        points = torch.arange(classes, dtype=torch.float64)[:, None]
    elif classes <= dim + 1:
        points = _simplex(classes, dim, generator)
    else:
        points = _farthest_points(classes, dim, generator)
    points = points - points.mean(0)
    return (points * (separation / torch.pdist(points).min())).float()


def _simplex(classes: int, dim: int, generator: torch.Generator) -> Tensor:
    """Return a randomly rotated regular simplex: float64 (K, D)."""
    corners = torch.eye(classes, dtype=torch.float64) - 1 / classes  # (K, K), of rank K - 1
    _, _, basis = torch.linalg.svd(corners)
    flat = corners @ basis[: classes - 1].T  # (K, K - 1): the same corners without the empty dimension
    rotation, _ = torch.linalg.qr(torch.randn(dim, classes - 1, dtype=torch.float64, generator=generator))
    rotated: Tensor = flat @ rotation.T
    return rotated


def _farthest_points(classes: int, dim: int, generator: torch.Generator) -> Tensor:
    """Return K spread directions: float64 (K, D), each of length one."""
    draws = torch.randn(classes * _CANDIDATES_PER_CLASS, dim, dtype=torch.float64, generator=generator)
    candidates = torch.nn.functional.normalize(draws, dim=1)
    chosen = [0]
    nearest = torch.cdist(candidates, candidates[:1])[:, 0]
    while len(chosen) < classes:
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, torch.cdist(candidates, candidates[chosen[-1:]])[:, 0])
    return candidates[chosen]
