"""Draw a stream while it is discovered, as SVG: the picture in the README.

    python -m benchmarks.picture [--bundle FOLDER] [--seed 1] [--out docs/images/discovery.svg]

Above, the timeline: one tick an item, in the lane of the verdict it got, with a mark where a cluster emerged.
Below, cluster space from above at three moments: known classes are landmarks (discs of half their typical radius),
the dots are the items that the known gate did not accept, coloured as they were answered. Without --bundle one is
trained, which takes seconds. The SVG is plain text, the same for the same bundle, and reads on light and dark.
"""

import tempfile
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.recording import Recording, record
from benchmarks.training import train_digits
from service.cli.demo import HOLD_OUT

WIDTH = 900
_LEFT, _RIGHT = 92, 888
_LANES_TOP, _LANE = 80, 19
_MAP = 286
_COLORS = ("#3b82f6", "#d946ef", "#0d9488", "#ef4444", "#8b5cf6", "#84cc16")

_STYLE = """
text{font:12px system-ui,sans-serif;fill:#1f2937}
.title{font-size:14px;font-weight:600}
.quiet{fill:#6b7280}
.mark{stroke:#6b7280;stroke-dasharray:3 3}
.known{stroke:#9ca3af}
.outlier{stroke:#f59e0b}
.land{fill:#9ca3af;fill-opacity:.16;stroke:#9ca3af}
.frame{fill:none;stroke:#9ca3af;stroke-opacity:.5}
.new{fill:#9ca3af;fill-opacity:.12}
.dot{stroke-width:4.4;stroke-linecap:round;stroke-opacity:.8;fill:none}
.tick{stroke-width:1.1;fill:none}
@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.quiet{fill:#9ca3af}}
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Record, draw, write."""
    options = ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--bundle", type=Path, help="digits without 3 and 7; trained anew when left out")
    options.add_argument("--seed", type=int, default=1, help="that of the demo")
    options.add_argument("--out", type=Path, default=Path("docs/images/discovery.svg"))
    given = options.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        bundle = given.bundle or Path(scratch) / "bundle"
        if given.bundle is None:
            train_digits(bundle, hold_out=HOLD_OUT, seed=given.seed)
        recording = record(bundle, seed=given.seed)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(draw(recording), encoding="utf-8")
    print(f"{given.out}: {len(recording.truth)} items, {len(recording.emergences)} clusters")


def draw(recording: Recording) -> str:
    """The SVG."""
    ids = [emergence.cluster for emergence in recording.emergences]
    color = {cluster: _COLORS[n % len(_COLORS)] for n, cluster in enumerate(ids)}
    lanes_bottom = _LANES_TOP + _LANE * (2 + len(ids))
    maps_top = lanes_bottom + 66
    height = maps_top + _MAP + 36
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'role="img">',
        "<title>A stream of digits while two classes that the net has never seen are discovered</title>",
        f"<style>{_STYLE}</style>",
        *_timeline(recording, color, lanes_bottom),
        *_maps(recording, color, maps_top),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def name_of(recording: Recording, cluster: int) -> str:
    """A cluster by what most of the items that got it really are."""
    truth = Counter(
        t for t, c in zip(recording.truth, recording.clusters.tolist(), strict=True) if c == cluster
    )
    most = min(truth, key=lambda label: (-truth[label], label), default="?")
    return f"cluster {cluster}: {most}s"


def _timeline(recording: Recording, color: dict[int, str], bottom: int) -> list[str]:
    total = len(recording.truth)
    step = (_RIGHT - _LEFT) / total
    first = next((n for n, t in enumerate(recording.truth) if t in recording.unseen), total)
    new_x = _LEFT + first * step
    unseen = " and ".join(f"{label}s" for label in recording.unseen)
    parts = [
        f'<text class="title" x="12" y="20">{total} digits, in order, by the answer each got</text>',
        f'<rect class="new" x="{new_x:.0f}" y="{_LANES_TOP - 4}" width="{_RIGHT - new_x:.0f}" '
        f'height="{bottom - _LANES_TOP + 4}"/>',
        f'<text class="quiet" x="{new_x + 4:.0f}" y="{bottom + 16}">from here on {unseen} are among them, '
        "which the net was never shown</text>",
    ]
    lanes = [(-1, "known", 'class="tick known"'), (0, "outlier", 'class="tick outlier"')]
    lanes += [(c, name_of(recording, c), f'class="tick" stroke="{paint}"') for c, paint in color.items()]
    for row, (kind, name, style) in enumerate(lanes):
        y = _LANES_TOP + row * _LANE
        ticks = "".join(
            f"M{_LEFT + n * step:.1f} {y}v{_LANE - 6}"
            for n in np.flatnonzero(recording.clusters == kind).tolist()
        )
        parts.append(f'<text x="12" y="{y + 11}">{name}</text><path {style} d="{ticks}"/>')
    for n, emergence in enumerate(recording.emergences):
        x = _LEFT + emergence.at * step
        y = 40 + 14 * (n % 3)
        where = f'x="{x + 4:.0f}"' if x < WIDTH * 0.7 else f'x="{x - 4:.0f}" text-anchor="end"'
        parts.append(
            f'<path class="mark" d="M{x:.1f} {y - 8}V{bottom}"/>'
            f'<text {where} y="{y}">cluster {emergence.cluster} emerges with {emergence.items} items</text>'
        )
    return parts


def _maps(recording: Recording, color: dict[int, str], top: int) -> list[str]:
    moments = _moments(recording)
    gap = 12
    size = (WIDTH - 24 - gap * (len(moments) - 1)) / len(moments)
    to_map = _fit(recording, size)
    radius = to_map(np.array([[0.5, 0.0]]))[0, 0] - to_map(np.array([[0.0, 0.0]]))[0, 0]
    parts = [
        f'<text class="title" x="12" y="{top - 12}">Cluster space at three moments: known classes are landmarks, '
        "new ones grow between them</text>"
    ]
    for n, (stop, caption) in enumerate(moments):
        parts.append(f'<g transform="translate({12 + n * (size + gap):.0f} {top})">')
        parts.append(f'<rect class="frame" width="{size:.0f}" height="{_MAP}"/>')
        for label, (x, y) in zip(recording.labels, to_map(recording.landmarks).tolist(), strict=True):
            parts.append(
                f'<circle class="land" cx="{x:.0f}" cy="{y:.0f}" r="{radius:.0f}"/>'
                f'<text class="quiet" text-anchor="middle" x="{x:.0f}" y="{y + 4:.0f}">{label}</text>'
            )
        shown = to_map(recording.points[:stop])
        for kind, style in [
            (0, 'class="dot outlier"'),
            *((c, f'class="dot" stroke="{p}"') for c, p in color.items()),
        ]:
            dots = shown[recording.clusters[:stop] == kind]
            inside = dots[((dots > 2) & (dots < [size - 2, _MAP - 2])).all(axis=1)]
            parts.append(f'<path {style} d="{"".join(f"M{x:.0f} {y:.0f}h0" for x, y in inside.tolist())}"/>')
        parts.append(f'<text class="quiet" x="2" y="{_MAP + 18}">{caption}</text></g>')
    return parts


def _moments(recording: Recording) -> list[tuple[int, str]]:
    """(items so far, caption): the first announcement, halfway from there to the end, the end."""
    total = len(recording.truth)
    first = recording.emergences[0].at + 1 if recording.emergences else total // 3
    half = (first + total) // 2
    return [(n, f"after {n} items") for n in (first, half, total)]


def _fit(recording: Recording, width: float) -> "_Fit":
    """The map's projection: landmarks and what was answered with a cluster fill the frame."""
    seen = np.concatenate([recording.landmarks, recording.points[recording.clusters > 0]])
    low, high = seen.min(axis=0) - 1.2, seen.max(axis=0) + 1.2
    scale = min(width / (high - low)[0], _MAP / (high - low)[1])
    middle = (low + high) / 2
    return _Fit(scale, middle, np.array([width / 2, _MAP / 2]))


class _Fit:
    """Cluster-space coordinates (n, 2) to pixels (n, 2)."""

    def __init__(self, scale: float, middle: NDArray[np.float64], center: NDArray[np.float64]) -> None:
        self._scale, self._middle, self._center = scale, middle, center

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        moved: NDArray[np.float64] = (x - self._middle) * self._scale + self._center
        return moved


if __name__ == "__main__":
    main()
