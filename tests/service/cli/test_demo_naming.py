"""A person names what was discovered: by what is shown of it, and by nothing else."""

import io
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from service.cli.demo_naming import Accuracy, accuracy_of, accuracy_table, kind_of, name_clusters
from service.client import Verdict
from service.client.answers import SplitPart, SplitPreview
from tests.service.told import exemplar

TRUTH = {**{f"a{n}": "a" for n in range(9)}, **{f"b{n}": "b" for n in range(9)}}


class Said:
    """A client that notes what it is told to decide; a split gives ids from 90 on."""

    def __init__(self, shown: Sequence[Sequence[str]], parts: Sequence[Sequence[str]] = ()) -> None:
        self.clusters: Any = [SimpleNamespace(id=n) for n, _ in enumerate(shown, start=1)]
        self._shown: dict[int, Sequence[str]] = dict(enumerate(shown, start=1))
        self.decided: list[tuple[Any, ...]] = []
        self._parts = tuple(
            SplitPart(members=(n,), items=1, exemplars=tuple(map(exemplar, ids)))
            for n, ids in enumerate(parts)
        )

    async def evidence(self, id: int) -> dict[str, Any]:
        return {"exemplars": [{"id": shown} for shown in self._shown[id]]}

    async def split_preview(self, id: int) -> SplitPreview:
        return SplitPreview(cluster=id, seq=1, parts=self._parts)

    async def split(self, id: int, parts: Iterable[Any], *, why: str) -> SimpleNamespace:
        assert why
        left = [tuple(part) for part in parts]
        self.decided.append(("split", id, left))
        self._shown[id] = [one.id for one in self._parts[0].exemplars]
        created = tuple(90 + n for n in range(len(left) - 1))
        self._shown |= {
            new: [one.id for one in part.exemplars]
            for new, part in zip(created, self._parts[1:], strict=True)
        }
        return SimpleNamespace(created=created)

    async def promote(self, id: int, label: str, *, why: str) -> None:
        assert why
        self.decided.append(("promote", id, label))

    async def link(self, id: int, label: str, *, why: str) -> None:
        assert why
        self.decided.append(("link", id, label))


@pytest.mark.parametrize(
    ("exemplars", "expected"),
    [(["a1", "a2", "a3", "b1"], "a"), (["a1", "b1"], None), ([], None), (["x"], None)],
)
def test_kind(exemplars: list[str], expected: str | None) -> None:
    """Three of four are enough; of what is of two kinds, or unknown, nothing is said."""
    assert expected == kind_of(exemplars, TRUTH)


async def test_the_first_of_a_kind_is_promoted() -> None:
    """What is a class by now is linked to it."""
    said = Said([["a1"], ["b1"], ["a2"]])
    commands = await name_clusters(said, said.clusters, TRUTH, known=["b"])  # type: ignore[arg-type]

    assert [("promote", 1, "a"), ("link", 2, "b"), ("link", 3, "a")] == said.decided
    assert "firstseen clusters promote 1 a" == commands[0]


async def test_two_kinds_are_split() -> None:
    """Each part is named as what is shown of it."""
    said = Said([["a1", "b1"]], parts=[["a1", "a2"], ["b1"]])
    await name_clusters(said, said.clusters, TRUTH, known=[])  # type: ignore[arg-type]

    assert [("split", 1, [(0,), (1,)]), ("promote", 1, "a"), ("promote", 90, "b")] == said.decided


@pytest.mark.parametrize("parts", [[["a1", "b1"]], [["a1", "b1"], ["a2", "b2"]], [["a1"], ["a2"]]])
async def test_what_no_split_makes_clear_has_no_name(parts: list[list[str]]) -> None:
    """Nothing is decided about it."""
    said = Said([["a1", "b1"]], parts=parts)
    await name_clusters(said, said.clusters, TRUTH, known=[])  # type: ignore[arg-type]

    assert [] == said.decided


def test_accuracy() -> None:
    """Only its own class is right; an outlier is not, nor is a cluster that happens to be of that class."""

    def answer(id: str, verdict: str, label: str | None) -> Verdict:
        return Verdict(
            id=id,
            seq=1,
            verdict=verdict,
            label=label,
            cluster_id=None,
            novelty=0.0,
            nearest="a",
            distance=0.0,
        )

    found = accuracy_of(
        [answer("a1", "known", "a"), answer("a2", "outlier", None), answer("b1", "known", "a")],
        TRUTH,
        ["a", "b"],
    )

    assert {"a": (2, 1, 0.5), "b": (1, 0, 0.0)} == {k: (v.items, v.right, v.share) for k, v in found.items()}


def test_a_moment_may_be_of_some_classes_only() -> None:
    """What was not asked of a moment has no figure there."""
    of_both = Accuracy(items=4, right=3)
    screen = Console(file=io.StringIO(), width=100)
    screen.print(accuracy_table({"now": {"a": of_both, "b": of_both}, "later": {"a": of_both}}))
    lines = screen.file.getvalue().splitlines()  # type: ignore[attr-defined]  # a StringIO

    assert 2 == next(line for line in lines if "as" in line.split()).count("75.0%")
    assert 1 == next(line for line in lines if "bs" in line.split()).count("75.0%")
