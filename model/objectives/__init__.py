"""Objectives: what training asks of a net's output, one loss a file.

    proxy-anchor         pull items to their class's proxy, by cosine, hardest first; the default
    supcon               supervised contrastive: items against the items of their batch
    normalised-softmax   cross-entropy of cosines with one proxy a class
    hinge                a clustering head: nearest of K well-separated trainable centres, hinge-embedding loss
    rbf                  a clustering layer: P = exp(-|x - c|^2 / r^2) with trainable centres and radii

All share `Objective`: representatives of their own (proxies, centres, radii, running means) that are formed
beside the net and left behind afterwards, a loss, and the class they would answer.
"""

from model.objectives.build import OBJECTIVES, build_objective
from model.objectives.hinge import Hinge
from model.objectives.normalised_softmax import NormalisedSoftmax
from model.objectives.objective import Objective
from model.objectives.proxy_anchor import ProxyAnchor
from model.objectives.rbf import Rbf
from model.objectives.supcon import SupCon

__all__ = [
    "OBJECTIVES",
    "Hinge",
    "NormalisedSoftmax",
    "Objective",
    "ProxyAnchor",
    "Rbf",
    "SupCon",
    "build_objective",
]
