"""The picture is sound SVG that shows what was recorded."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from benchmarks.picture import draw, name_of
from benchmarks.recording import Emergence, Recording

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def recording() -> Recording:
    """Four known items, then four 7s, of which the last two came after the cluster's announcement."""
    return Recording(
        truth=("0", "1", "0", "1", "7", "7", "7", "7"),
        unseen=("7",),
        clusters=np.array([-1, -1, -1, 0, 0, 0, 5, 5]),
        points=np.array(
            [[0, 0], [4, 0], [0, 1], [4, 1], [2, 3], [2, 4], [2, 3.5], [2.5, 3]], dtype=np.float64
        ),
        landmarks=np.array([[0, 0], [4, 0]], dtype=np.float64),
        labels=("0", "1"),
        emergences=(Emergence(cluster=5, at=5, items=2),),
    )


def test_there_is_one_tick_an_item(recording: Recording) -> None:
    """No item is left out of the timeline, and none is in two lanes."""
    ticks = [
        path.attrib["d"].count("M")
        for path in ET.fromstring(draw(recording)).iter(f"{SVG}path")  # noqa: S314 - our own text
        if path.attrib["class"].startswith("tick")
    ]

    assert [3, 3, 2] == ticks


def test_every_map_has_every_landmark_and_the_dots_so_far(recording: Recording) -> None:
    """Three moments: at the announcement, halfway, at the end; known items are not drawn."""
    maps = ET.fromstring(draw(recording)).findall(f"{SVG}g")  # noqa: S314 - our own text

    assert [["0", "1"]] * 3 == [[t.text for t in m.findall(f"{SVG}text")[:-1]] for m in maps]
    assert [3, 4, 5] == [sum(p.attrib["d"].count("M") for p in m.findall(f"{SVG}path")) for m in maps]
    assert ["after 6 items", "after 7 items", "after 8 items"] == [
        m.findall(f"{SVG}text")[-1].text for m in maps
    ]


def test_the_announcement_is_marked_with_its_size(recording: Recording) -> None:
    """A reader sees how few items it took."""
    assert "cluster 5 emerges with 2 items" in draw(recording)


def test_a_cluster_is_named_for_most_of_its_items(recording: Recording) -> None:
    """And one that no item got has no name to show."""
    assert name_of(recording, 5) == "cluster 5: 7s"
    assert name_of(recording, 9) == "cluster 9: ?s"


def test_a_stream_in_which_nothing_emerged_can_be_drawn(recording: Recording) -> None:
    """The maps are there all the same."""
    quiet = Recording(
        **{
            **{name: getattr(recording, name) for name in Recording.__dataclass_fields__},
            "clusters": np.array([-1, -1, -1, 0, 0, 0, 0, 0]),
            "emergences": (),
        }
    )

    assert len(ET.fromstring(draw(quiet)).findall(f"{SVG}g")) == 3  # noqa: S314 - our own text
