"""`firstseen replay` without the terminal: what may be replayed, and what is refused with what to do."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bundle import Bundle, BundleError
from model.datasets import DataError, LabelledData, load_dataset
from model.datasets.split import split
from service.evaluation.backtest import BacktestConfig, InvalidReplay, backtest, pool_of
from service.evaluation.schedule import InvalidSchedule
from service.report.records import Report
from service.settings import Settings
from tests.service import texts


def digits() -> LabelledData:
    return load_dataset("digits", data_dir=None)


def replayed(bundle_dir: Path, **options: Any) -> Report:
    told: list[tuple[str, int, int]] = []
    report = backtest(
        BacktestConfig(bundle=bundle_dir, **options),
        Settings.read({}, device="cpu"),
        lambda stage, done, total, _: told.append((stage, done, total)),
    )
    assert all(done <= total for _, done, total in told)
    return report


def test_nothing_that_was_used(digits_bundle: Bundle) -> None:
    """Of the data the bundle was trained on, neither fitting nor calibration items are replayed; all else is."""
    data = digits()
    parts = split(data, ("3", "7"), seed=0)
    pool = pool_of(digits_bundle, data, None)

    assert ("3", "7") == pool.unseen
    assert {*parts.fresh.tolist(), *parts.unseen.tolist()} == {*pool.rows.tolist()}
    assert [data.labels[int(data.y[row])] for row in pool.rows] == list(pool.labels)
    assert () == pool.notes


def test_same_data_under_another_name(digits_bundle: Bundle) -> None:
    """It is the content that says what was used, not the name."""
    other = dataclasses.replace(digits(), name="elsewhere")

    assert (
        pool_of(digits_bundle, digits(), None).rows.tolist()
        == pool_of(digits_bundle, other, None).rows.tolist()
    )


def test_other_data(digits_bundle: Bundle) -> None:
    """Of other data all items of the classes are replayed, and that is said."""
    data = digits()
    other = dataclasses.replace(data, name="other", x=np.ascontiguousarray(data.x[:, :, ::-1]))
    pool = pool_of(digits_bundle, other, ["7"])

    assert int((data.y != 3).sum()) == len(pool.rows)
    assert "trained on other data" in pool.notes[0]
    assert "left out: 3" in pool.notes[1]


def test_changed_data(digits_bundle: Bundle) -> None:
    """Data that has the trained name and other items is refused: nobody can tell what was used."""
    changed = dataclasses.replace(digits(), x=np.ascontiguousarray(digits().x[:, :, ::-1]))
    with pytest.raises(InvalidReplay, match="others now"):
        pool_of(digits_bundle, changed, None, is_named_so=True)


@pytest.mark.parametrize(
    ("unseen", "says"),
    [
        (["8"], "trained on the class '8'"),
        (["eleven"], "does not know: 3, 7"),
        (["3", "3"], "names a class twice"),
    ],
)
def test_wrong_unseen(digits_bundle: Bundle, unseen: list[str], says: str) -> None:
    """A class that is not unseen, not there, or there twice."""
    with pytest.raises(InvalidReplay, match=says):
        pool_of(digits_bundle, digits(), unseen)


def test_strange_data(digits_bundle: Bundle) -> None:
    """Data without any class of the bundle says which classes there are."""
    strange = dataclasses.replace(digits(), labels=tuple(f"d{n}" for n in range(10)))
    with pytest.raises(InvalidReplay, match="d0, d1"):
        pool_of(digits_bundle, strange, None)


def test_labels_drive_no_terminal(digits_bundle: Bundle) -> None:
    """A bundle may come from anywhere; what a message quotes of it is escaped."""
    labels = ("\x1b[31mred\n", *digits_bundle.manifest.labels[1:])
    manifest = digits_bundle.manifest.model_copy(update={"labels": labels})
    strange = dataclasses.replace(digits(), labels=tuple(f"d{n}" for n in range(10)))
    with pytest.raises(InvalidReplay, match=r"knows \(\\x1b\[31mred\\n, 1, 2"):
        pool_of(dataclasses.replace(digits_bundle, manifest=manifest), strange, None)


@pytest.mark.parametrize("field", ["dataset", "categories", "drop", "hold_out", "seed"])
def test_a_bundle_that_tells_nonsense_of_its_training(
    digits_bundle: Bundle, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """Is refused before anything is done by it."""
    config = {**digits_bundle.manifest.config, field: {"no": "sense"}}
    manifest = digits_bundle.manifest.model_copy(update={"config": config})
    other = dataclasses.replace(digits_bundle, manifest=manifest)
    monkeypatch.setattr("service.evaluation.backtest.read_bundle", lambda _: other)
    with pytest.raises(BundleError, match=f"config.{field}"):
        replayed(digits_bundle.path)


def test_report(digits_dir: Path, digits_bundle: Bundle) -> None:
    """Two short streams: shortened to the pool, which is said, and summed up."""
    report = replayed(digits_dir, share=0.3, seeds=2, seed=5)

    assert digits_bundle.manifest.bundle_id == report.bundle_id
    assert ("digits", ("3", "7"), [5, 6]) == (report.dataset, report.unseen, [r.seed for r in report.runs])
    assert "shortened from 10,000" in report.notes[0]
    assert report.summary["known_accuracy"].runs == 2
    assert report.summary["known_accuracy"].mean > 0.9
    assert report.summary["auroc"].mean > 0.9
    assert report.runs[0].measures.known_items <= len(split(digits(), ("3", "7"), seed=0).fresh)
    assert {"embedding", "cluster space"} == {top.space for top in report.runs[0].ceilings}
    assert digits_bundle.manifest.calibration.known_error_rate == report.parameters["known_error_rate"]


def test_null(digits_dir: Path) -> None:
    """The null stream has known items only."""
    report = replayed(digits_dir, null=True, length=200)

    assert () == report.unseen
    assert (200, 0) == (report.runs[0].measures.items, report.runs[0].measures.unseen_items)


def test_schedule_file(digits_dir: Path, tmp_path: Path) -> None:
    """A schedule of one's own, with drift: noise on known items makes them new."""
    file = tmp_path / "s.json"
    noisy = {"length": 200, "drifts": [{"kind": "noise", "strength": [[0, 0.5]]}]}
    file.write_text(json.dumps(noisy), encoding="utf-8")
    loud = replayed(digits_dir, schedule=file, null=True).runs[0].measures
    file.write_text(json.dumps({"length": 200}), encoding="utf-8")
    quiet = replayed(digits_dir, schedule=file).runs[0].measures

    assert quiet.fnew is not None
    assert loud.fnew is not None
    assert quiet.fnew < 0.1 < loud.fnew


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"label": "intent"}, DataError, "takes no --label"),
        ({"text": "words"}, DataError, "takes no --text"),
        ({"share": 0.6}, InvalidSchedule, "lower some share"),
        ({"schedule": Path("s.json"), "length": 5}, InvalidSchedule, "leave --length"),
        ({"schedule": Path("nowhere.json")}, InvalidSchedule, "nowhere.json"),
        ({"length": 10**12}, InvalidSchedule, "100,000,000 items"),
        ({"null": True, "unseen": ("3",)}, InvalidReplay, "leave --unseen or --null out"),
        ({"data": "a/" * 5000}, DataError, "There is no data set 'a/a/"),
        ({"data": "a" * 300}, DataError, "There is no data set 'aaa"),
    ],
)
def test_refused(digits_dir: Path, options: dict[str, Any], error: type[Exception], says: str) -> None:
    """What cannot be replayed says what to change."""
    with pytest.raises(error, match=says):
        replayed(digits_dir, **options)


def test_unknown_drift(digits_dir: Path, tmp_path: Path) -> None:
    """A drift that these items cannot have names those they can."""
    file = tmp_path / "s.toml"
    file.write_text('[[drifts]]\nkind = "rain"\nstrength = [[0, 1.0]]\n', encoding="utf-8")
    with pytest.raises(InvalidSchedule, match="noise, brightness"):
        replayed(digits_dir, schedule=file)


def test_texts(tmp_path: Path) -> None:
    """A bundle of texts is replayed with texts: its own file, and another one with the same columns; words may go."""
    bundle = texts.bundle()
    own = replayed(bundle.path, share=0.3)
    texts.write_file(tmp_path / "more.jsonl")
    with (tmp_path / "more.jsonl").open("a", encoding="utf-8") as file:
        file.write('\n{"question": "sing", "intent": "music"}\n')
    (tmp_path / "s.json").write_text('{"length": 100, "drifts": [{"kind": "words", "strength": [[0, 1.0]]}]}')
    other = replayed(bundle.path, data=str(tmp_path / "more.jsonl"), schedule=tmp_path / "s.json")

    assert {"flight", "recipe"} == {*own.unseen}
    assert own.summary["known_accuracy"].mean > 0.8
    assert "trained on other data" in other.notes[0]
    assert other.summary["known_accuracy"].mean < own.summary["known_accuracy"].mean


def test_texts_for_images(digits_dir: Path, tmp_path: Path) -> None:
    """Data of another kind is refused, and both kinds are named."""
    texts.write_file(tmp_path / "more.jsonl")
    with pytest.raises(InvalidReplay, match="8x8"):
        replayed(digits_dir, data=str(tmp_path / "more.jsonl"), label="intent", text="question")


def test_items_that_do_not_fit(digits_dir: Path, tmp_path: Path) -> None:
    """Items of the same kind that the bundle does not take: the first is named."""
    data = digits()
    np.savez(tmp_path / "big.npz", x=np.kron(data.x[:, 0], np.ones((2, 2))).astype(np.uint8), y=data.y)
    with pytest.raises(InvalidReplay, match="Item 0 of big"):
        replayed(digits_dir, data=str(tmp_path / "big.npz"))
