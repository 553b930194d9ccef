"""Objectives: what training asks of a net's output, one loss a file.

    proxy-anchor   pull items to their class's proxy, by cosine, hardest first; the default
    hinge          a clustering head: nearest of K well-separated trainable centres, hinge-embedding loss
    rbf            a clustering layer: P = exp(-|x - c|^2 / r^2) with trainable centres and radii

All share `Objective`: parameters of their own (proxies, centres, radii) that are trained beside the net and
left behind afterwards, a loss, and the class they would answer.
"""

from model.objectives.build import OBJECTIVES, build_objective
from model.objectives.hinge import Hinge
from model.objectives.objective import Objective
from model.objectives.proxy_anchor import ProxyAnchor
from model.objectives.rbf import Rbf

__all__ = ["OBJECTIVES", "Hinge", "Objective", "ProxyAnchor", "Rbf", "build_objective"]
