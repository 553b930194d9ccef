"""Classes that people made: which items are of one, the same in any batch, and after a restart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.clustering.blob import SnapshotUnreadable
from service.clustering.promoted import FEWEST_MEMBERS, MOST_MEMBERS, Promoted, nearest_of
from service.records import NO_CLUSTER, Float32s
from tests.service.clustering.overlapping import APART, FAR, K, engine, overlapping


def members(which: int, n: int = 60, seed: int = 0) -> Float32s:
    return overlapping().items(np.random.default_rng(seed), np.full(n, which))


def promoted(**of: tuple[int, int]) -> Promoted:
    """Prototypes of classes of the world: name -> (class, label)."""
    found = Promoted(overlapping().known, engine().gate, engine().space)
    for cluster, (which, label) in enumerate(of.values(), 1):
        found.put(cluster, label, found.made_of(members(which)))
    return found


def test_items_of_the_class_are_taken_and_others_are_not() -> None:
    """Nearly all of it; hardly any of another class that no known class accepted either."""
    own = promoted(new=(APART, K))
    its = own.taken(members(APART, 300, 1), np.ones(300, dtype=np.bool_), 0.02)
    other = own.taken(members(FAR, 300, 1), np.ones(300, dtype=np.bool_), 0.02)

    assert (its.cluster == 1).mean() > 0.9
    assert set(its.label[its.cluster == 1].tolist()) == {K}
    assert (other.cluster == NO_CLUSTER).mean() > 0.9
    assert ((its.p > 0.02) == (its.cluster == 1)).all()


def test_what_a_known_class_accepted_is_taken_only_where_that_is_farther() -> None:
    """Items of the bundle's classes stay there; one of the new class that was accepted by mistake is taken."""
    own, nobody = promoted(new=(APART, K)), np.zeros(200, dtype=np.bool_)

    assert (own.taken(members(0, 200, 2), nobody, 0.02).cluster == NO_CLUSTER).all()
    assert (own.taken(members(APART, 200, 2), nobody, 0.02).cluster == 1).mean() > 0.9


def test_of_two_classes_the_nearer_takes_the_item() -> None:
    """And of two prototypes of one class either."""
    own = promoted(one=(APART, K), two=(FAR, K + 1), three=(FAR, K + 1))
    taken = own.taken(
        np.concatenate([members(APART, 50, 3), members(FAR, 50, 3)]), np.ones(100, np.bool_), 0.02
    )

    assert set(taken.cluster[:50].tolist()) <= {NO_CLUSTER, 1}
    assert set(taken.cluster[50:].tolist()) <= {NO_CLUSTER, 2, 3}
    assert own.has_class(K + 1)
    own.drop(2)
    assert own.has_class(K + 1)
    own.drop(3)
    assert not own.has_class(K + 1)
    assert {1: K} == own.classes


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 40))
def test_an_item_is_taken_alike_in_any_batch(seed: int, cut: int) -> None:
    """To the bit."""
    own = promoted(one=(APART, K), two=(FAR, 0))
    rng = np.random.default_rng(seed)
    z = overlapping().items(rng, rng.integers(0, 7, 40))
    refused = rng.random(40) < 0.5
    whole = own.taken(z, refused, 0.02)
    parts = [own.taken(z[part], refused[part], 0.02) for part in (slice(0, cut), slice(cut, None))]

    for name in ("cluster", "label", "p", "distance"):
        assert getattr(whole, name).tobytes() == np.concatenate([getattr(p, name) for p in parts]).tobytes()


def test_state_and_back() -> None:
    """Equal states give equal arrays, and what is said of items is the same to the bit; none is a state as well."""
    for own in (promoted(), promoted(one=(APART, K), two=(FAR, 0))):
        again = promoted()
        again.restore(own.state(), K + 1)
        z, refused = members(APART, 20, 4), np.ones(20, dtype=np.bool_)

        assert all(own.state()[name].tobytes() == again.state()[name].tobytes() for name in own.state())
        assert own.taken(z, refused, 0.02).p.tobytes() == again.taken(z, refused, 0.02).p.tobytes()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clusters", np.array([0], dtype=np.int64)),
        ("labels", np.array([K + 1], dtype=np.int64)),
        ("sizes", np.array([59], dtype=np.int64)),
        ("members", np.zeros((60, 3), dtype=np.float32)),
        ("scores", np.full(60, np.nan, dtype=np.float32)),
        ("scores", np.arange(60, 0, -1).astype(np.float32)),
        ("more", np.zeros(1)),
    ],
)
def test_a_state_that_cannot_be_is_refused(name: str, value: object) -> None:
    """Before anything is made of it."""
    with pytest.raises(SnapshotUnreadable, match="prototype"):
        promoted().restore({**promoted(one=(APART, K)).state(), name: value}, K + 1)  # type: ignore[dict-item]


def test_a_prototype_has_enough_members_and_not_too_many() -> None:
    """Those from elsewhere are held to it."""
    own = promoted()

    assert own.fault_of(own.made_of(members(APART, FEWEST_MEMBERS))) is None
    assert "members" in (own.fault_of(own.made_of(members(APART, FEWEST_MEMBERS - 1))) or "")
    assert "members" in (own.fault_of(own.made_of(members(APART, MOST_MEMBERS + 1))) or "")


def test_members_that_are_all_one_spot() -> None:
    """Scores of 0: the spot is of the class, and nothing else."""
    own = promoted()
    spot = np.repeat(members(APART, 1), 8, axis=0)
    own.put(1, K, own.made_of(spot))
    taken = own.taken(np.concatenate([spot[:1], members(FAR, 1)]), np.ones(2, dtype=np.bool_), 0.02)

    assert [1, NO_CLUSTER] == taken.cluster.tolist()


def test_the_nearest_is_found_however_many_there_are() -> None:
    """Equal to all distances at once."""
    rng = np.random.default_rng(0)
    x, own = rng.normal(size=(300, 5)), rng.normal(size=(700, 5))
    away = np.sqrt(np.square(x[:, None] - own).sum(axis=-1))

    assert away.min(axis=1).tobytes() == nearest_of(x, own).tobytes()
    apart = np.sqrt(np.square(own[:, None] - own).sum(axis=-1)) + np.diag(np.full(700, np.inf))
    np.testing.assert_array_equal(apart.min(axis=1), nearest_of(own, own, is_same=True))
