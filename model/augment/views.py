"""Views: what a net sees of an item while it is trained.

    kind of input    gentle                     strong
    image            affine (and flip)          affine, further; light; erase (and flip)
    table            as it is                   corrupt
    vector, text     as it is                   corrupt, then noise

The gentle view is what an objective alone trains on: an item a little moved is an item of the same class, and
that is all it must know. The strong one is for the self-supervised auxiliary (`model/auxiliary`), whose task,
to know an item again in another view, is only worth something where it is hard. Both keep shape, and images
their range.

A table's row is corrupted as it is, codes of categories and missing cells included: every cell takes what some row
has there. Noise has no meaning for a code. A text is changed after it was encoded, as the vector that a net's
frozen part has made of it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from model.augment.affine import AffineLimits, affine
from model.augment.corrupt import corrupt
from model.augment.erase import EraseLimits, erase
from model.augment.flip import flip
from model.augment.light import LightLimits, light
from model.augment.noise import noise
from model.inputs import InputSpec

View = Callable[[Tensor, torch.Generator], Tensor]
"""From float32 (B, *shape) and a CPU generator to float32 (B, *shape)."""

STRONG_AFFINE = AffineLimits(rotation_degrees=15.0, scale=0.2, shift=0.1)
CORRUPTED_SHARE = 0.3
NOISE_SCALE = 0.1


def gentle_view(spec: InputSpec, *, mirrored: bool) -> View | None:
    """Return the view an objective alone trains on; None where items are left as they are.

    Args:
        spec: what an item is.
        mirrored: whether images may be mirrored.
    """
    if spec.kind != "image":
        return None

    def view(x: Tensor, generator: torch.Generator) -> Tensor:
        moved = affine(x, generator, AffineLimits())
        return flip(moved, generator) if mirrored else moved

    return view


def strong_view(spec: InputSpec, *, mirrored: bool) -> View:
    """Return the view of which the auxiliary takes two.

    Args:
        spec: what an item is.
        mirrored: whether images may be mirrored.
    """
    if spec.kind == "image":
        return lambda x, generator: _strong_image(x, generator, mirrored=mirrored)
    if spec.kind == "table":
        return lambda x, generator: corrupt(x, generator, CORRUPTED_SHARE)
    return _strong_vector


def _strong_image(x: Tensor, generator: torch.Generator, *, mirrored: bool) -> Tensor:
    moved = affine(x, generator, STRONG_AFFINE)
    lit = light(moved, generator, LightLimits())
    erased = erase(lit, generator, EraseLimits())
    return flip(erased, generator) if mirrored else erased


def _strong_vector(x: Tensor, generator: torch.Generator) -> Tensor:
    return noise(corrupt(x, generator, CORRUPTED_SHARE), generator, NOISE_SCALE)
