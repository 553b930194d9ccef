"""Known-class scores: how strange is an item for each class? One file a score; `gate.py` combines them."""

from model.scores.gate import SCORES, Gate, LayerSlice, layer_slices

__all__ = ["SCORES", "Gate", "LayerSlice", "layer_slices"]
