"""Auxiliaries: what training asks of a net besides its objective, without looking at the classes.

    none        nothing
    two-views   know an item again in another view of it (SimCLR), on the layer "penultimate"

An auxiliary has parameters of its own, which are trained beside the net and thrown away.
"""

from model.auxiliary.two_views import TwoViews, nt_xent

__all__ = ["AUXILIARIES", "TwoViews", "nt_xent"]

AUXILIARIES = ("none", "two-views")
