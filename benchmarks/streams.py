"""Streams with a known answer, the same for every clusterer.

For speed, M micro-clusters of radius 1 on demand:

    filaments          straight chains of balls, far apart: the first two of the d dimensions tell any two chains apart,
                       so a search that gives up a distance early has an easy time
    blobs              balls with centres at random in all d dimensions, packed until they nearly touch, every item
                       between one and its neighbours: no few dimensions decide anything, the hard case

For quality:

    moons_and_circles  two moons beside two rings: four classes that no centroid can tell apart; 2-D
    drifting           Gaussians that walk through space, each as far as several of its own diameters
    embeddings         40 classes on the unit sphere as an encoder makes them: related classes lie together, spread is
                       the same for no two; drawn with unequal frequency
    topics             the same, but classes appear and vanish: about a dozen are alive at any time
    digits             scikit-learn's handwritten digits (Alpaydin & Kaynak 1998), shuffled, on 16 principal axes
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits, make_circles, make_moons

Float64s = NDArray[np.float64]
Int64s = NDArray[np.int64]

BALLS_A_CHAIN = 10
_SPACING = 1.2
"""Distance of neighbouring balls of a chain, in radii: they overlap, so they share density."""
_JITTER = 0.25
"""RMS distance of an item from its place on the chain, in radii, in any dimension."""

_APART = 1.05
"""Least distance of two centres of `blobs`, in radii: nearer ones would be one micro-cluster."""
_NEIGHBOURS = 2
"""An item of `blobs` lies between a ball and so many of its nearest."""
_BLOB_JITTER = 0.3
"""RMS distance of an item of `blobs` from its place, in radii, in any dimension."""

EMBEDDING_D = 64
EMBEDDING_CLASSES = 40
_FAMILIES = 10
"""Groups of related classes among the 40."""
DIGITS_D = 16


@dataclass(frozen=True, kw_only=True)
class Stream:
    """`x`: float64 (N, d); `y`: int64 (N,) the true class. The first three are laid out for a radius of 1."""

    x: Float64s
    y: Int64s

    @property
    def classes(self) -> int:
        """How many true classes it has."""
        return len(np.unique(self.y))


@dataclass(frozen=True, kw_only=True)
class Topics(Stream):
    """A stream whose classes come and go, with probes that are never part of it.

    Attributes:
        lives: int64 (K, 2): class k has items from index lives[k, 0] on, and none from lives[k, 1] on.
        probes: float64 (P, d): further items of the classes.
        probes_y: int64 (P,): their classes.
    """

    lives: Int64s
    probes: Float64s
    probes_y: Int64s


def filaments(*, d: int, micro_clusters: int, items: int, seed: int) -> Stream:
    """Items along straight chains of overlapping balls.

    The first items visit every ball in turn, so that about `micro_clusters` are there early; the others are
    drawn at random.

    Args:
        d: Dimensions, 2 or more.
        micro_clusters: How many balls to lay out.
        items: N.
        seed: Same seed, same stream.
    """
    random = np.random.default_rng(seed)
    chains = max(1, micro_clusters // BALLS_A_CHAIN)
    # One chain a row of a coarse grid: far enough apart that no item is between two.
    starts = np.zeros((chains, d))
    side = int(np.ceil(np.sqrt(chains)))
    starts[:, 0] = (np.arange(chains) % side) * (BALLS_A_CHAIN * _SPACING + 10.0)
    starts[:, 1] = (np.arange(chains) // side) * 10.0
    ball = np.concatenate(
        [
            np.arange(min(items, chains * BALLS_A_CHAIN)),
            random.integers(0, chains * BALLS_A_CHAIN, size=max(0, items - chains * BALLS_A_CHAIN)),
        ]
    )
    chain = ball // BALLS_A_CHAIN
    along = (ball % BALLS_A_CHAIN) * _SPACING + random.uniform(-0.5, 0.5, size=len(ball)) * _SPACING
    x = starts[chain] + random.normal(scale=_JITTER / np.sqrt(d), size=(len(ball), d))
    x[:, 0] += along
    return Stream(x=x, y=chain.astype(np.int64))


def blobs(*, d: int, micro_clusters: int, items: int, seed: int) -> Stream:
    """Items among balls that lie as close as random places in all d dimensions can.

    The first items visit every ball, at its centre. Each of the others is a random mean, the ball's own centre
    counting half or more, of a ball and its two nearest, with noise: it is in several balls at once, mostly.

    Args:
        d: Dimensions, 2 or more.
        micro_clusters: M, how many balls to lay out.
        items: N.
        seed: Same seed, same stream. The class of an item is its ball.
    """
    random = np.random.default_rng(seed)
    centers = _packed(d, micro_clusters, random)
    M = len(centers)
    ball = np.concatenate([np.arange(min(items, M)), random.integers(0, M, size=max(0, items - M))])
    near = _nearest(centers, min(_NEIGHBOURS, M - 1))
    x = centers[ball]
    rest = slice(min(items, M), items)
    share = random.dirichlet(np.ones(near.shape[1] + 1), size=items)[rest, 1:] / 2.0
    for column in range(near.shape[1]):
        towards = centers[near[ball[rest], column]] - centers[ball[rest]]
        x[rest] += share[:, column, None] * towards
    x[rest] += random.normal(scale=_BLOB_JITTER / np.sqrt(d), size=x[rest].shape)
    return Stream(x=x, y=ball.astype(np.int64))


def moons_and_circles(*, items: int, seed: int) -> Stream:
    """Two interleaved half moons and, beside them, a ring in a ring, shuffled; in 2-D."""
    half = items // 2
    moons, moon = make_moons(half, noise=0.05, random_state=seed)
    rings, ring = make_circles(items - half, noise=0.03, factor=0.4, random_state=seed)
    x = np.concatenate([moons, rings + np.array([4.0, 0.25])]) / 0.2  # a radius of 1 is then .2 of a moon
    y = np.concatenate([moon, ring + 2])
    order = np.random.default_rng(seed).permutation(items)
    return Stream(x=x[order], y=y[order].astype(np.int64))


def drifting(*, items: int, seed: int, d: int = 8, classes: int = 8, travel: float = 12.0) -> Stream:
    """Gaussians of spread 1 in every direction together (1 / sqrt(d) in each) that walk straight on.

    Args:
        items: N.
        seed: Same seed, same stream.
        d: Dimensions.
        classes: K.
        travel: How far each centre goes from the first item to the last, in spreads. They start 6 or more from
            each other and may come as near as 4.
    """
    random = np.random.default_rng(seed)
    time = np.linspace(0.0, 1.0, items)
    while True:
        starts = random.normal(scale=6.0 / np.sqrt(d), size=(classes, d))
        ways = travel * _unit(random.normal(size=(classes, d)))
        gaps = [_apart(starts + t * ways) for t in np.linspace(0.0, 1.0, 101)]
        if gaps[0] > 6.0 and min(gaps) > 4.0:
            break
    y = random.integers(0, classes, size=items)
    x = starts[y] + time[:, None] * ways[y] + random.normal(scale=1.0 / np.sqrt(d), size=(items, d))
    return Stream(x=x, y=y.astype(np.int64))


def embeddings(*, items: int, seed: int) -> Stream:
    """40 classes of unit vectors in 64 dimensions, all of them there from beginning to end.

    A class is drawn with a probability of rank^-0.5, so the most frequent has about six times the items of the least.
    """
    random = np.random.default_rng(seed)
    sphere = _Sphere(random)
    frequency = random.permutation(1.0 / np.sqrt(np.arange(1, EMBEDDING_CLASSES + 1)))
    y = random.choice(EMBEDDING_CLASSES, size=items, p=frequency / frequency.sum())
    return Stream(x=sphere.draw(y), y=y.astype(np.int64))


def topics(*, items: int, seed: int, alive: int = 12, probes_a_class: int = 5) -> Topics:
    """The classes of `embeddings`, but each only for a while: about `alive` at a time.

    Births are spread evenly over the stream, each class lives alive / 40 of it, so that at every moment some
    have just come and others are about to go. Among those alive, all are equally frequent.
    """
    random = np.random.default_rng(seed)
    sphere = _Sphere(random)
    span = items * alive / EMBEDDING_CLASSES
    births = (np.arange(EMBEDDING_CLASSES) + 0.5) / EMBEDDING_CLASSES * (items + span) - span
    lives = np.clip(np.stack([births, births + span], axis=1), 0, items).astype(np.int64)
    lives = lives[random.permutation(EMBEDDING_CLASSES)]
    lots = random.random(items)
    y = np.empty(items, dtype=np.int64)
    for n in range(items):
        there = np.flatnonzero((lives[:, 0] <= n) & (n < lives[:, 1]))
        y[n] = there[int(lots[n] * len(there))]
    probes_y = np.repeat(np.arange(EMBEDDING_CLASSES), probes_a_class)
    return Topics(x=sphere.draw(y), y=y, lives=lives, probes=sphere.draw(probes_y), probes_y=probes_y)


def digits(*, items: int, seed: int) -> Stream:
    """1,797 handwritten digits on their 16 largest principal axes (85 % of the variance), shuffled.

    Axes keep their own spread; all are scaled alike, so that an item is 1 from the mean of all, RMS. A stream
    longer than the set goes through it again, in another order.
    """
    random = np.random.default_rng(seed)
    raw, label = load_digits(return_X_y=True)
    centred = raw - raw.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    scores = centred @ axes[:, ::-1][:, :DIGITS_D]
    scores /= np.sqrt(np.square(scores).sum(axis=1).mean())
    rounds = -(-items // len(raw))
    order = np.concatenate([random.permutation(len(raw)) for _ in range(rounds)])[:items]
    return Stream(x=np.ascontiguousarray(scores[order]), y=label[order].astype(np.int64))


class _Sphere:
    """40 classes on the unit sphere: 10 families of 4; relatives have a cosine of about .4, strangers of 0."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        family = _unit(random.normal(size=(_FAMILIES, EMBEDDING_D)))
        own = _unit(random.normal(size=(EMBEDDING_CLASSES, EMBEDDING_D)))
        members = np.arange(EMBEDDING_CLASSES) % _FAMILIES
        self._means = _unit(np.sqrt(0.4) * family[members] + np.sqrt(0.6) * own)
        # Encoders spread a class along a few directions more than along the others, and some classes more than others.
        self._spread = random.uniform(0.45, 0.7, size=EMBEDDING_CLASSES)
        axes = random.gamma(2.0, size=EMBEDDING_D)
        self._axes = np.sqrt(axes / axes.sum())

    def draw(self, y: Int64s) -> Float64s:
        noise = self._random.normal(size=(len(y), EMBEDDING_D)) * self._axes
        return _unit(self._means[y] + self._spread[y, None] * noise)


def _unit(x: Float64s) -> Float64s:
    scaled: Float64s = x / np.linalg.norm(x, axis=-1, keepdims=True)
    return scaled


def _apart(x: Float64s) -> float:
    """Least distance of two rows of float64 (n, d)."""
    d2 = np.square(x[:, None, :] - x[None, :, :]).sum(axis=-1)
    np.fill_diagonal(d2, np.inf)
    return float(np.sqrt(d2.min()))


def _packed(d: int, M: int, random: np.random.Generator) -> Float64s:
    """float64 (M, d): random places, at least `_APART` from each other, in as small a cloud as takes them readily.

    In few dimensions the places fill a cube, in many they are a Gaussian cloud: there all pairs are nearly equally
    far from each other, and the least RMS distance of 1.6 keeps neighbours in reach of an item between them.
    """
    rms = 1.6
    while True:
        candidates = 3 * M
        if d <= 3:
            places = random.uniform(-0.5, 0.5, size=(candidates, d)) * rms * np.sqrt(6.0 / d)
        else:
            places = random.normal(scale=rms / np.sqrt(2.0 * d), size=(candidates, d))
        kept = _spaced(places, M)
        if len(kept) == M:
            return places[kept]
        rms *= 1.1


def _spaced(places: Float64s, M: int) -> Int64s:
    """Greedily, in order: the first rows of places that are `_APART` from all kept before; at most M."""
    kept = np.empty(M, dtype=np.int64)
    chosen = np.empty((M, places.shape[1]))
    squares = np.empty(M)
    n = 0
    block = 512
    for start in range(0, len(places), block):
        rows = places[start : start + block]
        own = np.square(rows).sum(axis=1)
        free = (own[:, None] + squares[:n] - 2.0 * rows @ chosen[:n].T >= _APART**2).all(axis=1)
        within = own[:, None] + own - 2.0 * rows @ rows.T >= _APART**2
        taken: list[int] = []
        for row in np.flatnonzero(free).tolist():
            if within[row, taken].all():
                taken.append(row)
        taken = taken[: M - n]
        kept[n : n + len(taken)] = start + np.array(taken, dtype=np.int64)
        chosen[n : n + len(taken)] = rows[taken]
        squares[n : n + len(taken)] = own[taken]
        n += len(taken)
        if n == M:
            break
    return kept[:n]


def _nearest(centers: Float64s, k: int) -> Int64s:
    """int64 (M, k): the k nearest other rows of each row."""
    squares = np.square(centers).sum(axis=1)
    found = np.empty((len(centers), k), dtype=np.int64)
    for start in range(0, len(centers), 512):
        rows = slice(start, start + 512)
        d2 = squares[rows, None] + squares - 2.0 * centers[rows] @ centers.T
        d2[np.arange(len(d2)), np.arange(start, start + len(d2))] = np.inf
        found[rows] = np.argsort(d2, axis=1)[:, :k]
    return found
