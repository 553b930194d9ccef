"""What people send as items, and what is wrong with it, in words."""

import copy
import pickle
from collections import UserDict, defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.dbstream import DBSTREAM
from service.clustering.rows import Features, matrix, moments

NAN, INF = float("nan"), float("inf")
LARGEST = np.finfo(np.float64).max


def read_only(x: list[Any]) -> Any:
    array = np.array(x, dtype=np.float64)
    array.setflags(write=False)
    return array


def unaligned(x: list[Any]) -> Any:
    array = np.empty(8 * np.size(x) + 1, dtype=np.uint8)[1:].view(np.float64).reshape(np.shape(x))
    array[...] = x
    return array


class Frame:
    """What this code sees of a data frame: the names of its columns, and that it is an array of numbers."""

    def __init__(self, columns: list[Any], values: list[list[Any]]) -> None:
        self.columns = columns
        self._values = np.array(values)

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray[Any, Any]:
        return self._values


# One item


@given(
    st.dictionaries(st.text() | st.integers(), st.floats(allow_nan=False, allow_infinity=False), min_size=1)
)
def test_an_item_is_read_in_the_order_of_the_first(x: dict[Any, float]) -> None:
    """Whatever its own order is; any finite number passes, the largest as well."""
    features = Features.of(x)
    turned = dict(reversed(x.items()))

    assert [list(x.values())] == features.row(turned).tolist()


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (True, 1.0),
        (3, 3.0),
        (np.float32(0.5), 0.5),
        (np.int8(-3), -3.0),
        (Decimal("0.25"), 0.25),
        (np.array(2), 2.0),
    ],
)
def test_what_is_a_number_is_taken(value: Any, number: float) -> None:
    """Of whatever type it is."""
    assert [[number]] == Features(["a"]).row({"a": value}).tolist()


@pytest.mark.parametrize("value", [LARGEST, -LARGEST])
def test_the_largest_numbers_are_finite(value: float) -> None:
    """Though their sum and the sum of their squares are not."""
    assert [[value] * 3] == Features("abc").row(dict.fromkeys("abc", value)).tolist()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), np.float32("nan"), Decimal("Infinity")]
)
def test_a_number_that_is_not_finite_is_refused_by_name(value: Any) -> None:
    """The message says which feature it is, and what to send."""
    with pytest.raises(ValueError, match=r"^Feature 'b' is .*; send finite numbers\.$"):
        Features("abc").row({"a": LARGEST, "b": value, "c": LARGEST})


@pytest.mark.parametrize("value", [None, "1.5", b"1", 1j, [1.0], np.ones(2), object(), 10**400, np.str_("1")])
def test_what_is_no_number_is_refused_by_name(value: Any) -> None:
    """A text that looks like a number is none."""
    with pytest.raises(ValueError, match=r"^Feature 'b' is .*; send a number that a float64 can hold\.$"):
        Features("ab").row({"a": 1.0, "b": value})


@pytest.mark.parametrize(
    ("x", "complaint"),
    [
        ({"a": 1.0}, "missing: 'b'."),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, "unknown: 'c'."),
        ({"a": 1.0, "c": 1.0}, "missing: 'b'; unknown: 'c'."),
        ({}, "missing: 'a', 'b'."),
    ],
)
def test_other_features_are_refused_by_name(x: dict[str, float], complaint: str) -> None:
    """Features may neither come nor go: a missing one is no zero."""
    with pytest.raises(
        ValueError, match=r"^Every item must have the 2 features of the first one\. "
    ) as refused:
        Features("ab").row(x)

    assert str(refused.value).endswith(complaint)


def test_a_mapping_that_makes_things_up_is_not_asked_to() -> None:
    """It gets no new keys, and what it lacks is missing."""
    x: defaultdict[str, float] = defaultdict(float, a=1.0, c=2.0)
    with pytest.raises(ValueError, match="missing: 'b'; unknown: 'c'"):
        Features("ab").row(x)

    assert {"a": 1.0, "c": 2.0} == x


def test_any_mapping_is_an_item() -> None:
    """It need not be a dict."""
    assert [[1.0, 2.0]] == Features("ab").row(UserDict({"b": 2.0, "a": 1.0})).tolist()


@pytest.mark.parametrize("x", [None, 3.0, "ab", [1.0, 2.0], np.ones(2)])
def test_what_is_no_mapping_is_refused(x: Any) -> None:
    """As the first item, and as a later one."""
    for read in (Features.of, Features("ab").row):
        with pytest.raises(ValueError, match="An item is a mapping of feature names to numbers, not "):
            read(x)


def test_an_item_has_features() -> None:
    """At least one."""
    with pytest.raises(ValueError, match="The item has no features; send at least one"):
        Features.of({})


def test_a_name_is_given_once() -> None:
    """Columns of a data frame may be two of one name; features may not."""
    with pytest.raises(ValueError, match="Feature 'a' is there twice"):
        Features(["a", "b", "a"])


def test_names_of_numpys_types_are_names() -> None:
    """They are kept as Python's own, which can be stored."""
    names = Features([np.int64(1), np.float64(0.5), np.str_("a")]).names

    assert [int, float, str] == [type(name) for name in names]


def test_features_can_be_copied() -> None:
    """The copy has a row of its own."""
    features = Features("ab")
    for other in (copy.deepcopy(features), pickle.loads(pickle.dumps(features))):  # noqa: S301 - our own bytes
        row = features.row({"a": 1.0, "b": 2.0})
        other.row({"a": 3.0, "b": 4.0})

        assert [[1.0, 2.0]] == row.tolist()


def test_features_of_any_name_can_be_learnt_but_not_all_be_stored() -> None:
    """Texts and numbers are stored as what they are; others would come back as something else."""
    db = DBSTREAM()
    db.learn_one({"a": 1.0, 2: 2.0, 0.5: 3.0})
    names = list(DBSTREAM.from_bytes(db.to_bytes()).clone(include_attributes=True)._features.names)

    assert ["a", 2, 0.5] == names


@pytest.mark.parametrize("name", [("a", 1), True, None, 2**64, -(2**63) - 1, "\ud800", "a\udfff"])
def test_a_name_that_cannot_be_stored_is_refused_then(name: Any) -> None:
    """It can be learnt all the same."""
    db = DBSTREAM()
    db.learn_one({name: 1.0})

    assert 1 == db.n_micro_clusters
    with pytest.raises(TypeError, match="rename them"):
        db.to_bytes()


@pytest.mark.parametrize("name", [2**64 - 1, -(2**63), "\U0001f600", "", 1e300])
def test_a_name_at_the_limit_is_stored(name: Any) -> None:
    """And comes back."""
    db = DBSTREAM()
    db.learn_one({name: 1.0})

    assert db.predict_one({name: 1.0}) == DBSTREAM.from_bytes(db.to_bytes()).predict_one({name: 1.0})


# Matrices


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1, 2], [3, 4]], dtype=np.float32),
        np.array([[1, 2], [3, 4]], dtype=np.uint8),
        np.array([[1, 2], [3, 4]], dtype=">f8"),
        np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]),
        np.array([[1.0, 9.0, 2.0, 9.0], [0.0] * 4, [3.0, 9.0, 4.0, 9.0]])[::2, ::2],
        np.array([[3.0, 4.0], [1.0, 2.0]])[::-1],
        np.array([[1, 2.0], [Decimal(3), True * 4]], dtype=object),
        read_only([[1, 2], [3, 4]]),
        unaligned([[1, 2], [3, 4]]),
        [[1, 2], [3, 4]],
        np.ma.array([[1.0, 2.0], [3.0, 4.0]], mask=False),
        ((1.0, 2.0), (3.0, 4.0)),
        [np.array([1, 2]), np.array([3, 4])],
    ],
)
def test_any_matrix_of_numbers_is_taken(X: Any) -> None:
    """Of any type of number and in any layout; it becomes what there is compiled code for."""
    rows, features = matrix(X, None)

    assert [[1.0, 2.0], [3.0, 4.0]] == rows.tolist()
    assert (np.float64, True) == (rows.dtype, rows.flags.carray)
    assert [0, 1] == features.names


def test_what_is_right_already_is_not_copied() -> None:
    """Reading a batch costs no second batch."""
    X = np.ones((5, 3))

    assert np.shares_memory(X, matrix(X, None)[0])


def test_columns_are_put_in_order() -> None:
    """A data frame's columns go by name, those of the first item first."""
    first, features = matrix(Frame(["a", "b"], [[1.0, 2.0]]), None)
    second, same = matrix(Frame(["b", "a"], [[20.0, 10.0], [40.0, 30.0]]), features)

    assert [[1.0, 2.0], [10.0, 20.0], [30.0, 40.0]] == [*first.tolist(), *second.tolist()]
    assert same is features


def test_a_matrix_without_names_goes_by_place() -> None:
    """Once features have names, a bare matrix has them in that order."""
    rows, features = matrix([[1.0, 2.0]], Features("ab"))

    assert ["a", "b"] == features.names
    assert [[1.0, 2.0]] == rows.tolist()


@pytest.mark.parametrize(
    ("X", "complaint"),
    [
        (np.ones(3), r"matrix, one row an item, not of shape \(3,\)"),
        (np.ones((2, 2, 2)), r"not of shape \(2, 2, 2\)"),
        (5.0, r"not of shape \(\)"),
        (np.float64(5.0), r"not of shape \(\)"),
        (np.empty((0, 2)), r"at least one item of at least one feature, not a batch of shape \(0, 2\)"),
        (np.empty((2, 0)), r"not a batch of shape \(2, 0\)"),
        ([], r"not of shape \(0,\)"),
        (np.ones((2, 3)), "These items have 3 features; the first one had 2"),
        ([[1.0, 2.0], [3.0]], "Items must be numbers, one row an item: "),
        ([["1", "2"]], "Items must be numbers, one row an item, not <U1"),
        (np.array([["1", 2.0]], dtype=object), "Items must be numbers, one row an item, not object"),
        (np.array([[b"1", 2.0]], dtype=object), "Items must be numbers, one row an item, not object"),
        (np.array([[1j, 2.0]]), "not complex128"),
        (np.array([["2020-01-01", "2020-01-02"]], dtype="M8[D]"), "not datetime64"),
        (np.array([[{}, 2.0]], dtype=object), "Items must be numbers, one row an item: "),
        ([[10**400, 2]], "Items must be numbers, one row an item: "),
        (None, r"not of shape \(\)"),
        ("text", "not <U4"),
        (scipy.sparse.csr_matrix([[1.0, 2.0]]), r"not a sparse matrix; send what its `.toarray\(\)` gives"),
        (scipy.sparse.coo_array([[1.0, 2.0]]), r"toarray\(\)"),
        (np.ma.array([[1.0, 2.0]], mask=[[False, True]]), "none of them masked; fill them in"),
        ([np.ma.array([1.0, 2.0], mask=[False, True])], "none of them masked"),
        ([[1.0, None]], "Item 0 of the batch has nan as feature 'b'; send finite numbers"),
        ([[LARGEST, LARGEST], [1.0, np.nan]], "Item 1 of the batch has nan as feature 'b'"),
        ([[1.0, 2.0], [np.inf, 2.0]], "Item 1 of the batch has inf as feature 'a'"),
        (np.array([[2.0, -np.inf]], dtype=np.float32), "Item 0 of the batch has -inf as feature 'b'"),
        (Frame(["a", "c"], [[1.0, 2.0]]), "missing: 'b'; unknown: 'c'"),
        (Frame(["a"], [[1.0]]), "missing: 'b'"),
        (Frame(["a", "a"], [[1.0, 2.0]]), "Feature 'a' is there twice"),
    ],
)
def test_what_is_wrong_with_a_matrix_is_said(X: Any, complaint: str) -> None:
    """In words that tell what to send."""
    with pytest.raises(ValueError, match=complaint):
        matrix(X, Features("ab"))


def test_a_first_data_frame_names_its_features_once() -> None:
    """Or else their names would be of no use."""
    with pytest.raises(ValueError, match="Feature 'a' is there twice"):
        matrix(Frame(["a", "a"], [[1.0, 2.0]]), None)


def test_the_largest_numbers_are_items() -> None:
    """One row or many; nothing overflows on the way."""
    for B in (1, 3):
        rows, _ = matrix(np.full((B, 4), -LARGEST), None)

        assert [[-LARGEST] * 4] * B == rows.tolist()


# Times


@pytest.mark.parametrize(
    "t",
    [
        [1, 2],
        (1.0, 2.0),
        np.array([1, 2], dtype=np.int32),
        np.array([1.0, 9.0, 2.0])[::2],
        read_only([1.0, 2.0]),
        unaligned([1.0, 2.0]),
    ],
)
def test_times_are_numbers(t: Any) -> None:
    """Of any type and layout."""
    times = moments(t, 2)

    assert [1.0, 2.0] == times.tolist()
    assert (np.float64, True) == (times.dtype, times.flags.carray)


@pytest.mark.parametrize(
    ("t", "complaint"),
    [
        ([1.0], r"Send one time an item: 2 items, times of shape \(1,\)"),
        ([1.0, 2.0, 3.0], r"times of shape \(3,\)"),
        (5.0, r"times of shape \(\)"),
        ([[1.0, 2.0]], r"times of shape \(1, 2\)"),
        ([], r"times of shape \(0,\)"),
        ([1.0, np.nan], "Times must be finite numbers"),
        ([1.0, None], "Times must be finite numbers"),
        ([1.0, np.inf], "Times must be finite numbers"),
        (["1", "2"], "Times must be numbers, not <U1"),
        (np.array(["2020-01-01"] * 2, dtype="M8[s]"), "Times must be numbers, not datetime64"),
        ([1.0, {}], "Times must be numbers: "),
    ],
)
def test_what_is_wrong_with_times_is_said(t: Any, complaint: str) -> None:
    """In words that tell what to send."""
    with pytest.raises(ValueError, match=complaint):
        moments(t, 2)


# What nobody should send


GOOD = {"a": 0.0, "b": 0.0, "c": 0.0}
BAD: list[tuple[Callable[[DBSTREAM], object], str]] = [
    (lambda db: db.learn_one({**GOOD, "b": NAN}), "Feature 'b' is nan"),
    (lambda db: db.learn_one({**GOOD, "b": None}), "Feature 'b' is None"),
    (lambda db: db.learn_one({**GOOD, "b": "1"}), "Feature 'b' is '1'"),
    (lambda db: db.predict_one({**GOOD, "b": INF}), "Feature 'b' is inf"),
    (lambda db: db.learn_one({"a": 0.0}), "missing: 'b', 'c'"),
    (lambda db: db.predict_one({**GOOD, "d": 0.0}), "unknown: 'd'"),
    (lambda db: db.learn_one({}), "missing"),
    (lambda db: db.learn_one(None), "not NoneType"),  # type: ignore[arg-type]
    (lambda db: db.learn_many([[0.0] * 3, [0.0, NAN, 0.0]]), "Item 1 of the batch has nan as feature 'b'"),
    (lambda db: db.learn_many(np.zeros((2, 4))), "4 features; the first one had 3"),
    (lambda db: db.learn_many(np.zeros((0, 3))), "at least one item"),
    (lambda db: db.learn_many(np.zeros(3)), "matrix, one row an item"),
    (lambda db: db.predict_many(np.full((2, 3), INF)), "has inf"),
    (lambda db: db.predict([["a"] * 3]), "Items must be numbers"),
    (lambda db: db.partial_fit(None), "matrix, one row an item"),  # type: ignore[arg-type]
    (lambda db: db.learn_many(np.zeros((2, 3)), t=[1e3]), "one time an item: 2 items"),
    (lambda db: db.learn_many(np.zeros((2, 3)), t=[1e3, NAN]), "Times must be finite"),
    (lambda db: db.learn_one(GOOD, t="now"), "Times must be numbers"),  # type: ignore[arg-type]
    (lambda db: db.learn_one(GOOD, t=1e300), "too far for a fading_factor of 0.001"),
]
COUNTED: tuple[Callable[[DBSTREAM], object], str] = (lambda db: db.learn_one(GOOD, t=1e3), "Leave t out")
TIMED: tuple[Callable[[DBSTREAM], object], str] = (lambda db: db.learn_one(GOOD), "Send t")


@pytest.mark.parametrize("is_timed", [False, True])
def test_bad_input_is_refused_and_changes_nothing(is_timed: bool) -> None:
    """Whatever is wrong with it, in words that say what to send."""
    db = DBSTREAM()
    for n, place in enumerate(np.random.default_rng(0).normal(0.0, 2.0, (50, 3)).tolist()):
        db.learn_one(dict(zip("abc", place, strict=True)), t=float(n) if is_timed else None)
    before = db.to_bytes()
    for send, complaint in [*BAD, TIMED if is_timed else COUNTED]:
        is_about_time = "ime" in complaint or "far" in complaint
        with pytest.raises(
            ValueError, match=complaint if is_timed or not is_about_time else "Leave t out, as before"
        ):
            send(db)

        assert before == db.to_bytes()


def test_a_bad_first_item_leaves_no_trace() -> None:
    """Neither a width nor names nor whether items bring times."""
    db = DBSTREAM()
    before = db.to_bytes()
    for send, _ in BAD:
        try:
            send(db)
        except ValueError:
            assert before == db.to_bytes()
        else:  # nothing was wrong with it as the first
            db = DBSTREAM()
    db.learn_many([[1.0, 2.0]], t=[3.0])

    assert 1 == db.n_micro_clusters


def test_rivers_arithmetic_knows_no_times() -> None:
    """It counts items, as river does."""
    with pytest.raises(ValueError, match="leave t out"):
        DBSTREAM(river_online=True).learn_one({"a": 1.0}, t=1.0)


def test_nothing_but_items_goes_by_place() -> None:
    """What river's own clusterer takes second is a weight, not a time."""
    for learn in (DBSTREAM().learn_many, DBSTREAM().predict_learn_many):
        with pytest.raises(TypeError, match="positional"):
            learn(np.zeros((2, 3)), [1.0, 2.0])  # type: ignore[operator]
    with pytest.raises(TypeError, match="positional"):
        DBSTREAM().learn_one({"a": 1.0}, 2.0)  # type: ignore[misc]
