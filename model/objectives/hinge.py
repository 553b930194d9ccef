"""The original clustering head: K trainable centres, nearest one wins, trained by hinge embedding.

With d_k = |x - c_k|, an item of class y is pulled until it is within `pull` of its own centre and pushed
until it is at least `push` from every other:

    L_item    = max(0, d_y - pull) + sum_{j != y} max(0, push - d_j)
    L_centres = mean over pairs j < k of max(0, separation - |c_j - c_k|)
    L         = mean over items of L_item + L_centres

The two hinges are those of the hinge embedding loss (Hadsell, Chopra and LeCun 2006 with plain distances;
torch's `HingeEmbeddingLoss`), applied to item-centre instead of item-item pairs: B x K terms, not B x B.
The pull has a margin of its own, so that a class is a ball of some size and not a point; a class squeezed
to a point takes its unseen relatives with it.

Centres start `separation` apart (`model.objectives.centres`) and L_centres keeps them there, or two similar
classes would share one. With push = separation - pull an item within its ball costs nothing at all, and the
loss can reach 0 exactly.

The head can name known classes only: every place has a nearest centre. What is new is decided later, by the
calibrated distance.
"""

import torch
from torch import Tensor, nn

from model.objectives.centres import well_separated
from model.objectives.objective import Objective, squared_distances

_SMALLEST_SQUARE = 1e-12  # below it the distance's gradient, x / d, is taken as 0


class Hinge(Objective):
    """The loss and its centres.

    Args:
        classes: K.
        dim: D.
        generator: places the centres.
        pull: radius of a class, in units of the output.
        separation: distance kept between centres, above 2 `pull`.
    """

    rate = 1.0

    def __init__(
        self,
        classes: int,
        dim: int,
        generator: torch.Generator,
        *,
        pull: float = 1.0,
        separation: float = 6.0,
    ) -> None:
        super().__init__()
        if not 0 < 2 * pull < separation:
            raise ValueError("the hinge objective needs separation above 2 pull, and pull above 0")
        self.centres = nn.Parameter(well_separated(classes, dim, separation, generator))
        self.pull = pull
        self.push = separation - pull
        self.separation = separation

    def scores(self, x: Tensor) -> Tensor:
        """Return minus the distances to the centres: (B, D) -> (B, K)."""
        return -_distances(x, self.centres)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return L for a batch: (B, D), int64 (B,) -> scalar, at least 0."""
        distances = -self.scores(x)
        own = nn.functional.one_hot(y, distances.shape[1]).bool()
        pulled = torch.relu(distances - self.pull)
        pushed = torch.relu(self.push - distances)
        items = torch.where(own, pulled, pushed).sum(1).mean()
        return items + self._crowding()

    def _crowding(self) -> Tensor:
        """Return L_centres, 0 when there is a single class."""
        classes = len(self.centres)
        upper = torch.triu_indices(classes, classes, offset=1, device=self.centres.device)
        gaps = _distances(self.centres, self.centres)[upper[0], upper[1]]
        return torch.relu(self.separation - gaps).sum() / max(len(gaps), 1)


def _distances(x: Tensor, centres: Tensor) -> Tensor:
    return squared_distances(x, centres).clamp(min=_SMALLEST_SQUARE).sqrt()
