"""What a cluster stands for, whether it was right, and which classes were found."""

from hypothesis import given
from hypothesis import strategies as st

from service.scoring.answers import Answers
from service.scoring.clusters import FEWEST_ITEMS, ClassScore, ClusterScore, classes, judge, judge_drifts
from tests.service.answered import answers


def judged(found: Answers) -> dict[int, tuple[str, str | None]]:
    return {c.cluster: (c.judgement, c.stands_for) for c in judge(found)}


def one(found: Answers, label: str = "x") -> ClassScore:
    return next(c for c in classes(found, judge(found)) if c.label == label)


def test_right() -> None:
    """A cluster of a new class, announced after the class had come."""
    found = answers("axxxxxx", "a . 1 1 1 1 1")

    assert {1: ("right", "x")} == judged(found)
    assert ((1,), 2, 2) == (one(found).clusters, one(found).found_at, one(found).delay_items)


def test_known() -> None:
    """Half of known items is as bad as all of them, be they of one known class or of many."""
    assert {1: ("known", "a")} == judged(answers("aaa", "1 1 1", unseen="x"))
    assert "known" == judged(answers("abxx", "1 1 1 1", at={1: 3}))[1][0]
    assert {1: ("right", "x")} == judged(answers("xabxx", "1 1 1 1 1"))


def test_early() -> None:
    """A cluster that was announced before its class came cannot have been about it, whatever it holds later."""
    found = answers("a a x x x x x x", "a a 1 1 1 1 1 1", at={1: 1})

    assert {1: ("early", "x")} == judged(found)
    assert one(found).found_at is None
    assert 0.0 == one(found).in_cluster


def test_about_something_else() -> None:
    """Announced with known items only, it was not about the new class that came to it later, though that was there."""
    shown = {1: ["i0", "i1"]}
    found = answers("aa xxxxxxx", ". . . 1 1 1 1 1 1", at={1: 2}, exemplars=shown)

    assert {1: ("early", "x")} == judged(found)
    assert {1: ("right", "x")} == judged(
        answers("aa xxxxxxx", ". . . 1 1 1 1 1 1", at={1: 2}, exemplars={1: ["i0", "i2"]})
    )


def test_empty() -> None:
    """A cluster without any item stands for nothing."""
    assert {1: ("empty", None)} == judged(answers("axx", "a . .", at={1: 2}))


def test_exemplars_stand_in() -> None:
    """A class that stopped right after its announcement was found, by the items shown with it."""
    found = answers("xxxxx", ". . . . .", at={1: 4}, exemplars={1: ["i0", "i1", "i2", "i3", "i4"]})

    assert {1: ("right", "x")} == judged(found)
    assert (4, 5, 0.0) == (one(found).found_at, one(found).delay_items, one(found).in_cluster)


def test_exemplars_count_once() -> None:
    """An exemplar that was answered with the cluster is one item."""
    assert 2 == judge(answers("xx", ". 1", at={1: 1}, exemplars={1: ["i0", "i1"]}))[0].items


def test_fragments() -> None:
    """Two clusters of one class are fragments of it; neither is false, and the first tells the delay."""
    found = answers("x" * 12, ". " + "1 " * 5 + "2 " * 6)

    assert {1: ("right", "x"), 2: ("right", "x")} == judged(found)
    assert ((1, 2), 2) == (one(found).clusters, one(found).delay_items)


def test_a_retracted_cluster_stands_for_nothing() -> None:
    """A new class announced and then told to be a drift is not found: its one cluster is right, and has ended."""
    labels, said = "axxxxxx", "a . 1 1 1 1 1"
    kept, gone = one(answers(labels, said)), one(answers(labels, said, drifted_at={1: 6}))
    (cluster,) = judge(answers(labels, said, drifted_at={1: 6}))

    assert (2, (1,)) == (kept.found_at, kept.clusters)
    assert (None, None, (), 0.0) == (gone.found_at, gone.delay_items, gone.clusters, gone.in_cluster)
    assert (True, False, False) == (cluster.is_right, cluster.stands, cluster.is_corrected)


def test_the_next_cluster_of_a_class_finds_it_after_all() -> None:
    """Counted from there: the first one was taken back."""
    found = answers("x" * 12, "1 " * 6 + "2 " * 6, drifted_at={1: 6})

    assert ((2,), 6, 7) == (one(found).clusters, one(found).found_at, one(found).delay_items)


def test_a_corrected_cluster_stays_false() -> None:
    """Somebody was called for nothing, and that it was taken back is told besides."""
    (cluster,) = judge(answers("aaaa", "a 1 1 .", drifted_at={1: 3}, unseen="x"))

    assert ("known", False, True, 3) == (
        cluster.judgement,
        cluster.is_right,
        cluster.is_corrected,
        cluster.retracted_at,
    )


def test_what_is_told_to_be_a_drift() -> None:
    """Rightly where half of its items or more are known, by those it was shown with if nobody was answered with it."""
    found = answers(
        "aax xbx", ". . . . . .", exemplars={1: ["i0", "i2"], 2: ["i3", "i4", "i5"], 3: []},
        drifted_at={2: 5, 1: 2, 3: 5},
    )  # fmt: skip

    assert [(1, 2, 2, False), (2, 5, 3, True), (3, 5, 0, False)] == [
        (d.cluster, d.told_at, d.items, d.is_unseen) for d in judge_drifts(found)
    ]
    assert ["a", "x", None] == [d.mostly for d in judge_drifts(found)]


def test_too_few_items_find_nothing() -> None:
    """A cluster for every item is right each time and has found nothing."""
    found = answers("x" * 8, "1 2 3 4 5 6 7 8")

    assert {("right", "x")} == set(judged(found).values())
    assert one(found).found_at is None
    assert one(found).delay_items is None


def test_the_first_cluster_with_enough_items_counts() -> None:
    """A splinter before it does not shorten the delay."""
    found = answers("x" * 8, "9 . . 1 1 1 1 1")

    assert 5 == FEWEST_ITEMS
    assert (3, 4) == (one(found).found_at, one(found).delay_items)


def test_mixed() -> None:
    """A cluster of two new classes stands for the larger one; the other one is not found."""
    found = answers("xyxyxyxyxyx", "1 " * 11)

    assert {1: ("right", "x")} == judged(found)
    assert one(found, "y").found_at is None
    assert 0.0 == one(found, "y").in_cluster


def test_never_came() -> None:
    """An unseen class without items has a line that says so."""
    own = one(answers("aa", "a a", unseen="x"))

    assert (0, None, None, 0.0, None) == (own.items, own.first_at, own.delay_items, own.caught, own.auroc)


def test_taken_for() -> None:
    """What hides a class is named: the known class that most of it was taken for."""
    own = one(answers("abxxxx", "a b b b a ."))

    assert ("b", 0.5, 0.25) == (own.taken_for, own.taken_share, own.caught)


def test_auroc_of_a_class() -> None:
    """Each class against all known items: one hides, one does not."""
    found = answers("aaxy", "a a a .", novelty=[0.1, 0.3, 0.2, 0.9])

    assert (0.5, 1.0) == (one(found, "x").auroc, one(found, "y").auroc)


@given(st.text("abxy", min_size=1, max_size=40), st.data(), st.permutations([1, 2, 3, 4]))
def test_numbers_mean_nothing(labels: str, data: st.DataObject, order: list[int]) -> None:
    """Renumbering the clusters renumbers the result and changes nothing else."""
    said = data.draw(
        st.lists(
            st.sampled_from(["a", "b", ".", "1", "2", "3", "4"]), min_size=len(labels), max_size=len(labels)
        )
    )
    renumbered = [str(order[int(s) - 1]) if s.isdigit() else s for s in said]
    before = answers(labels, " ".join(said), unseen="xy")
    after = answers(labels, " ".join(renumbered), unseen="xy")

    def plain(c: ClusterScore, number: int) -> tuple[object, ...]:
        return number, c.announced_at, c.judgement, c.stands_for, c.items, c.purity

    assert [plain(c, order[c.cluster - 1]) for c in judge(before)] == [
        plain(c, c.cluster) for c in judge(after)
    ]
    assert [c.delay_items for c in classes(before, judge(before))] == [
        c.delay_items for c in classes(after, judge(after))
    ]


@given(st.text("abxy", max_size=40), st.data())
def test_every_cluster_is_judged_once(labels: str, data: st.DataObject) -> None:
    """Right clusters are those of the classes, and a class is found by one of its own."""
    said = data.draw(
        st.lists(st.sampled_from(["a", ".", "1", "2", "3"]), min_size=len(labels), max_size=len(labels))
    )
    found = answers(labels, " ".join(said), unseen="xy")
    clusters = judge(found)
    own = classes(found, clusters)

    assert {c for s in own for c in s.clusters} == {c.cluster for c in clusters if c.is_right}
    for c in own:
        assert c.in_cluster <= c.caught <= 1.0
        if c.found_at is not None:
            assert c.clusters
            assert c.first_at is not None
            assert c.found_at >= c.first_at
            assert c.delay_items is not None
            assert 1 <= c.delay_items <= c.items
