"""A group is trained, its peers' settings are chosen on design streams, and every stream goes through everybody."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import discovery_runs
from benchmarks.discovery_cells import VARIANTS, Cell, key_of
from benchmarks.discovery_entries import Entry, Settings
from benchmarks.discovery_peers import Answers, BehindGate, TooSlow
from benchmarks.discovery_runs import OURS, GroupRuns, Setup, base_of, run_group
from benchmarks.discovery_suite import Group
from benchmarks.streams import Float64s, Int64s
from model.configs import named_config
from service.records import Float32s


class Lone:
    """A clusterer with one cluster for everything."""

    def learn_many(self, x: Float64s) -> None:
        pass

    def predict_many(self, x: Float64s) -> Int64s:
        return np.zeros(len(x), dtype=np.int64)


class Endless:
    """A peer whose time is always up."""

    def answer(self, z: Float32s, x: Float64s) -> tuple[Int64s, Float64s]:  # noqa: ARG002
        raise TooSlow


def entry(name: str, *, module: str = "numpy", slow: bool = False) -> Entry:
    def make(cell: Cell, settings: Settings) -> Answers:
        return Endless() if slow else BehindGate(cell, Lone(), rate=settings["rate"])

    return Entry(name=name, module=module, make=make, grid={"rate": (0.02, 0.1)})


GROUP = Group(
    name="digits",
    config="digits",
    changes={"epochs": 1, "max_items": 700},
    reported=(("3", "7"),),
    design=(("1", "5"),),
    apart=("9",),
    length=150,
)


class Counts(Lone):
    """Notes how many items went through it, of which the gate refused all."""

    def __init__(self, seen: list[int]) -> None:
        self._seen = seen
        self._seen.append(0)

    def learn_many(self, x: Float64s) -> None:
        self._seen[-1] += len(x)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cells")


@pytest.fixture(scope="module")
def found(cache: Path) -> GroupRuns:
    """One reported cell, two streams, two peers of which one is too slow, and one that is not installed."""
    entries = (entry("quick"), entry("slow", slow=True), entry("absent", module="no_such_package"))
    return run_group(GROUP, Setup(data_dir=None, cache=cache, streams=2, entries=entries))


def test_every_stream_has_a_run_of_every_method_that_has_settings(found: GroupRuns) -> None:
    """Ours and its variants first."""
    expected = [*VARIANTS, "quick"]

    for runs in (found.runs, found.nulls):
        assert expected * 2 == [run["method"] for run in runs]
        assert [0] * len(expected) + [1] * len(expected) == [run["stream"] for run in runs]


def test_design_streams_are_shorter(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice takes a stream for each point of a grid; what is reported has its whole length."""
    seen: list[int] = []
    counting = Entry(
        name="counts",
        module="numpy",
        make=lambda cell, _: BehindGate(cell, Counts(seen), rate=1.0),
        grid={"rate": (0.1,)},
    )
    monkeypatch.setattr(discovery_runs, "LENGTH", 100)
    run_group(GROUP, Setup(data_dir=None, cache=cache, streams=1, entries=(counting,)))
    chosen, reported, null = seen

    assert chosen <= 100 < reported
    assert reported <= 150 >= null


def test_what_was_chosen_is_told(found: GroupRuns) -> None:
    """None for who was too slow; nothing of who is not there."""
    assert {"quick", "slow"} == set(found.settings)
    assert found.settings["slow"] is None
    assert found.settings["quick"] is not None


def test_splits_are_told_apart(found: GroupRuns) -> None:
    """With trainings of their own: 0 is the design's."""
    assert {"reported": (("3", "7"),), "design": (("1", "5"),)} == dict(found.splits)
    assert [1] == [record["training"] for record in found.items]


def test_null_streams_have_nothing_new_and_the_others_all_of_it(found: GroupRuns) -> None:
    """So there is no AUROC in the first, and no class is missing in the second."""
    assert {0} == {run["classes_unseen"] for run in found.nulls}
    assert {2} == {run["classes_unseen"] for run in found.runs}
    assert all(run["auroc"] is None for run in found.nulls)


def test_a_group_whose_null_streams_another_sends_has_none(cache: Path) -> None:
    """The others go on as ever."""
    found = run_group(replace(GROUP, nulls=False), Setup(data_dir=None, cache=cache, streams=1, entries=()))

    assert () == found.nulls
    assert list(VARIANTS) == [run["method"] for run in found.runs]


def test_the_ceiling_is_looked_for_once(found: GroupRuns) -> None:
    """It depends on the stream and the embedding, not on the method."""
    assert [run["method"] == OURS for run in found.runs] == [
        run["oracle_accuracy"] is not None for run in found.runs
    ]


def test_items_are_told_apart_one_by_one(found: GroupRuns) -> None:
    """Unseen ones and those that stand apart, each by themselves."""
    (record,) = found.items

    assert record["item_auroc"] > 0.5
    assert record["oos_auroc"] > 0.5
    assert record["item_accuracy"] > 0.5
    assert record["seconds"] > 0.0


def test_without_streams_only_items_are_looked_at(cache: Path) -> None:
    """No design cell is trained, and no setting chosen."""
    group = Group(
        name="items",
        config="digits",
        changes={"epochs": 1, "max_items": 700},
        reported=(("3", "7"),),
        design=(),
        apart=("9",),
        streams=False,
    )
    found = run_group(group, Setup(data_dir=None, cache=cache))

    assert ((), (), {}) == (found.runs, found.nulls, dict(found.settings))
    assert len(found.items) == 1


def test_a_device_is_for_all_trainings_and_an_encoder_for_sentences() -> None:
    """On the processor with the usual encoder nothing changes, so what was trained before is found again."""
    sentences, images = (
        Group(name=name, config=name, changes={"epochs": 3}, reported=(), design=())
        for name in ("clinc150-minilm", "mnist")
    )
    plain = Setup(data_dir=None, cache=Path())
    other = Setup(data_dir=None, cache=Path(), device="cuda", encoder="a folder")

    assert replace(named_config("mnist"), threads=1, epochs=3) == base_of(images, plain)
    assert replace(base_of(images, plain), device="cuda") == base_of(images, other)
    assert replace(base_of(sentences, plain), device="cuda", encoder="a folder") == base_of(sentences, other)
    assert key_of(base_of(images, plain)) != key_of(base_of(images, other))
