"""The figures are well-formed, and say what the rows say."""

import xml.etree.ElementTree as ET

import pytest

from benchmarks.clusterer_plots import Axis, churn_plot, flatness_plot, plots, quality_plot, speed_plot
from benchmarks.report import Row

SVG = "{http://www.w3.org/2000/svg}"


def speed_rows() -> list[Row]:
    return [
        {
            "stream": stream,
            "d": d,
            "M": M,
            "learn_per_s": 1e6 / M,
            "predict_learn_per_s": 9e5 / M,
            "river_learn_per_s": 1e4 / M,
            "river_predict_learn_per_s": 1e3 / M,
            "live_bytes": 100 * M * d,
            "river_bytes": 900 * M * d,
        }
        for stream in ("filaments", "blobs")
        for d in (2, 32)
        for M in (10, 1000)
    ]


def quality_rows() -> list[Row]:
    return [
        {"stream": stream, "clusterer": name, "ari": ari, "ari_worst": ari}
        for stream in ("digits", "moons & circles")
        for name, ari in (("firstseen DBSTREAM", 1.0), ("river DBSTREAM", 0.5), ("slow", None))
    ]


COURSE = {
    "firstseen DBSTREAM": [{"items": 100, "share": 0.0}],
    "river DBSTREAM": [{"items": 200, "share": 0.5}],
}
FLAT = [{"items_learnt": 10**n, "us_per_item": 2.0 + 0.1 * n} for n in (4, 5, 6)]


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own text


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}text")]


def circles(svg: str) -> list[tuple[str, float, float]]:
    """(style, x, y) of each dot."""
    return [
        (dot.attrib["class"], float(dot.attrib["cx"]), float(dot.attrib["cy"]))
        for dot in parsed(svg).iter(f"{SVG}circle")
    ]


def test_there_is_a_figure_for_each_question_that_was_measured() -> None:
    """And none for what was not."""
    report = {"speed": speed_rows(), "flatness": FLAT, "quality": quality_rows(), "churn_course": COURSE}

    assert ["speed", "flatness", "quality", "churn"] == list(plots(report))
    assert ["speed"] == list(plots({**report, "flatness": [], "quality": [], "churn_course": {}}))


def test_every_dot_is_inside_the_figure() -> None:
    """Also where a line has one point only."""
    for svg in (
        speed_plot(speed_rows()),
        speed_plot(speed_rows()[:1]),
        flatness_plot(FLAT),
        flatness_plot(FLAT[:1]),
    ):
        root = parsed(svg)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        assert circles(svg)
        assert all(0 <= x <= width and 0 <= y <= height for _, x, y in circles(svg))


def test_speed_has_a_panel_for_each_stream_and_d_and_one_for_bytes() -> None:
    """Faster is higher, and ours is blue."""
    svg = speed_plot(speed_rows())
    panel = circles(svg)[:8]  # the first: two sizes for each of four lines
    ours, river = ([y for style, _, y in panel if style == f"dot {who}"] for who in ("ours", "river"))

    assert 3 * 2 == texts(svg).count("d = 2") + texts(svg).count("d = 32")
    assert {"filaments", "blobs", "bytes"} <= set(texts(svg))
    assert max(ours[0], ours[2]) < min(river[0], river[2])  # upwards is less


def test_quality_shows_the_index_and_leaves_out_who_was_too_slow() -> None:
    """From 0 on the left to 1 on the right of each stream's column; names are escaped."""
    svg = quality_plot(quality_rows())
    (_, ours, _), (_, river, _), (_, ours_again, _), (_, river_again, _) = circles(svg)

    assert "moons & circles" in texts(svg)
    assert "slow" in texts(svg)
    assert ours - river == pytest.approx(ours_again - river_again)
    assert ours > river


def test_churn_has_a_strip_and_a_mean_for_each_peer() -> None:
    """In per cent."""
    said = texts(churn_plot({**COURSE, "mute": []}))

    assert {"firstseen DBSTREAM", "0.0 %", "river DBSTREAM", "50.0 %", "mute", "no answers"} <= set(said)


@pytest.mark.parametrize(("is_log", "value", "expected"), [(False, 50.5, 50.0), (True, 10.0, 50.0)])
def test_an_axis_goes_from_numbers_to_pixels(is_log: bool, value: float, expected: float) -> None:
    """Linear, or by ratio."""
    axis = Axis(low=1.0, high=100.0, begin=0.0, end=100.0, is_log=is_log, ticks=())

    assert expected == pytest.approx(axis(value))
    assert (axis(1.0), axis(100.0)) == (0.0, 100.0)
