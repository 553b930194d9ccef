"""How the kernels are compiled, and where the result is kept."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import pytest

from service.compiling.compiled import compiled, digest_of_sources, is_kept, kept_in

ROOT = Path(__file__).parents[3]


@compiled
def ratio(a: float, b: float) -> float:
    return a / b


@compiled
def product_and_sum(a: float, b: float, c: float) -> float:
    return a * b + c


@numba.njit(error_model="numpy")  # type: ignore[untyped-decorator]
def both(a: float, b: float, c: float) -> tuple[float, float]:
    return ratio(a, b), product_and_sum(a, b, c)


def test_numbers_are_those_of_the_source() -> None:
    """No fused multiply-add: each operation is rounded by itself. Division by zero raises nothing."""
    a = 1 + 2.0**-30
    quotient, total = both(a, 0.0, 1.0)
    _, rounded = both(a, a, -(1 + 2.0**-29))

    assert float("inf") == quotient
    assert 1.0 == total
    assert a * a - (1 + 2.0**-29) == rounded == 0.0


def test_an_edit_of_any_source_gives_another_digest(tmp_path: Path) -> None:
    """What a kernel calls counts as well as its own file."""
    (tmp_path / "a.py").write_text("x = 1")
    digests = [digest_of_sources(tmp_path)]
    (tmp_path / "b.py").write_text("x = 1")
    digests.append(digest_of_sources(tmp_path))
    (tmp_path / "b.py").write_text("x = 2")
    digests.append(digest_of_sources(tmp_path))
    (tmp_path / "notes.txt").write_text("no code")

    assert 3 == len(set(digests))
    assert digests[-1] == digest_of_sources(tmp_path)


def test_only_entries_are_kept() -> None:
    """A Python function, or one that only kernels call, has no code of its own on disk."""
    assert None is kept_in(ratio)
    assert not is_kept(ratio)
    assert None is kept_in(test_only_entries_are_kept)


def in_a_process(code: str, **environment: str) -> str:
    """What a new interpreter prints."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


_WHERE = """
from service.clustering.kernels import entries
from service.compiling.compiled import kept_in
print(kept_in(entries.refresh))
"""


class TestWhere:
    def test_beside_the_sources(self) -> None:
        """In a checkout or a user's own environment, code is where Python's own is."""
        beside = ROOT / "service" / "clustering" / "kernels" / "__pycache__"

        assert beside == Path(in_a_process(_WHERE)).parent

    def test_where_the_user_says(self, tmp_path: Path) -> None:
        """NUMBA_CACHE_DIR names another place, and it alone."""
        (tmp_path / "file").touch()

        assert tmp_path == Path(in_a_process(_WHERE, NUMBA_CACHE_DIR=str(tmp_path))).parent
        assert "None" == in_a_process(_WHERE, NUMBA_CACHE_DIR=str(tmp_path / "file"))

    @pytest.mark.parametrize(
        "processor",
        [{"NUMBA_CPU_NAME": "x86-64-v3"}, {"NUMBA_CPU_FEATURES": ""}, {"NUMBA_CPU_NAME": "generic"}],
    )
    def test_processors_do_not_meet(self, tmp_path: Path, processor: dict[str, str]) -> None:
        """Code for another processor has a folder of its own."""
        cache = {"NUMBA_CACHE_DIR": str(tmp_path)}

        assert in_a_process(_WHERE, **cache) != in_a_process(_WHERE, **cache, **processor)

    def test_settings_do_not_meet(self, tmp_path: Path) -> None:
        """Nor does code that is not optimized, checks bounds, or can be debugged meet the usual one."""
        settings = [{}, {"NUMBA_OPT": "0"}, {"NUMBA_BOUNDSCHECK": "1"}, {"NUMBA_DEBUGINFO": "1"}]
        places = {in_a_process(_WHERE, NUMBA_CACHE_DIR=str(tmp_path), **setting) for setting in settings}

        assert len(settings) == len(places)


def test_it_can_be_debugged_without_compiling() -> None:
    """Under NUMBA_DISABLE_JIT kernels are Python functions, and nothing is kept."""
    code = """
import numpy as np
from service.clustering.dbstream import DBSTREAM
from service.clustering.kernels import entries
from service.compiling.compiled import kept_in
db = DBSTREAM(minimum_weight=1.5)
print(kept_in(entries.refresh), db.predict_learn_many(np.zeros((3, 2))).tolist())
"""
    assert "None [-1, -1, 1]" == in_a_process(code, NUMBA_DISABLE_JIT="1")
