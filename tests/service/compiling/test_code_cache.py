"""Compiled code on disk: found again, never in the way, and read only as it was written and from whom it may be."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest

from service.compiling.code_cache import MOST_FOLDERS, CodeCache, digest, is_trusted, place

NAME = "numba-0123456789abcdef"


def add_one(x: int) -> int:
    return x + 1


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where this test's code is kept."""
    found = place(NAME, [tmp_path])
    assert found is not None
    return found


def fresh(folder: Path) -> Any:
    """The function as a new process has it: not compiled."""
    made = numba.njit(add_one)
    made._cache = CodeCache(add_one, folder)
    return made


def compiled_anew(function: Any, x: int = 1) -> int:
    """How often a call had to compile."""
    assert x + 1 == function(x)
    return sum(function.stats.cache_misses.values())


def kept(folder: Path) -> Any:
    """A function whose code is on disk."""
    function = fresh(folder)
    assert 1 == compiled_anew(function)
    assert function._cache.is_whole()
    return function


def code_of(folder: Path) -> Path:
    return next(folder.glob("*.nbc"))


def test_the_next_process_compiles_nothing(folder: Path) -> None:
    """What one compiled, the other loads."""
    kept(folder)

    assert 0 == compiled_anew(fresh(folder))


def test_other_types_are_kept_beside(folder: Path) -> None:
    """Code for integers and for floats is loaded from the same folder."""
    function = kept(folder)
    assert 2.5 == function(1.5)

    again = fresh(folder)
    assert 2.5 == again(1.5)
    assert 0 == compiled_anew(again)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 16
    file.write_bytes(content)


@pytest.mark.parametrize("harm", [cut, empty, flip, Path.unlink])
@pytest.mark.parametrize("suffix", ["nbi", "nbc", "sha256"])
def test_what_is_damaged_is_compiled_anew_and_replaced(
    folder: Path, suffix: str, harm: Callable[[Path], None]
) -> None:
    """A crash or a bad disk costs the time to compile, once; damaged code is never run."""
    kept(folder)
    harm(next(folder.glob(f"*.{suffix}")))

    damaged = fresh(folder)
    assert not damaged._cache.is_whole()
    assert 1 == compiled_anew(damaged)
    assert 0 == compiled_anew(fresh(folder))


def test_a_folder_that_is_gone_is_made_again(folder: Path) -> None:
    """Clearing caches under a running process does no harm."""
    function = fresh(folder)
    shutil.rmtree(folder)

    assert 1 == compiled_anew(function)
    assert 0 == compiled_anew(fresh(folder))


def test_code_that_cannot_be_written_is_used_all_the_same(tmp_path: Path) -> None:
    """Where the folder became a file, as when the disk is full, the call that compiled gives its result."""
    (tmp_path / NAME).write_text("in the way")

    function = fresh(tmp_path / NAME)
    assert 1 == compiled_anew(function)
    assert not function._cache.is_whole()


_ONE_OF_MANY = """
import sys
from pathlib import Path
import numba
from service.compiling.code_cache import CodeCache

def add_one(x):
    return x + 1

sys.stdin.readline()  # all begin at once
for _ in range(8):
    made = numba.njit(add_one)
    made._cache = CodeCache(add_one, Path(sys.argv[1]))
    assert made(1) == 2 and made(1.5) == 2.5
"""


def test_processes_that_compile_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Each of them works all the time, and what they leave is whole."""
    folder = tmp_path / NAME
    script = tmp_path / "one_of_many.py"
    script.write_text(_ONE_OF_MANY)
    running = [
        subprocess.Popen(
            [sys.executable, str(script), str(folder)],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    assert [(0, "")] * 3 == [(p.wait(), p.communicate()[1]) for p in running]
    assert [] == [file.name for file in folder.iterdir() if file.suffix not in {".nbi", ".nbc", ".sha256"}]


def test_old_folders_leave(tmp_path: Path) -> None:
    """An edit after the other does not fill the disk."""
    for n in range(MOST_FOLDERS + 5):
        (tmp_path / f"numba-{n}").mkdir()
        os.utime(tmp_path / f"numba-{n}", (n, n))
    (tmp_path / "others").mkdir()
    kept(tmp_path / "numba-new")

    left = {path.name for path in tmp_path.iterdir()}
    assert {"others", "numba-new", *(f"numba-{n}" for n in range(6, MOST_FOLDERS + 5))} == left


class TestPlace:
    def test_the_first_that_can_be_written(self, tmp_path: Path) -> None:
        """The subfolder is made there."""
        (tmp_path / "file").touch()
        wanted = [tmp_path / "file" / "below", tmp_path / "second", tmp_path / "third"]

        assert tmp_path / "second" / NAME == place(NAME, wanted)
        assert (tmp_path / "second" / NAME).is_dir()

    def test_nowhere(self, tmp_path: Path) -> None:
        """Without a place there is none."""
        (tmp_path / "file").touch()

        assert None is place(NAME, [tmp_path / "file"])

    def test_code_that_can_only_be_read_will_do(self, tmp_path: Path) -> None:
        """Who may not write loads what is there, and where there is none goes to the next place."""
        for name in ("full", "empty", "own"):
            (tmp_path / name / NAME).mkdir(parents=True)
        kept(tmp_path / "full" / NAME)
        (tmp_path / "own" / NAME).rmdir()
        (tmp_path / "own").chmod(0o777)
        for path in (tmp_path / "full" / NAME, tmp_path / "empty" / NAME, tmp_path):
            path.chmod(0o555)

        assert f"full/{NAME}" == _place_seen_by_other(tmp_path, "full", "own")
        assert f"own/{NAME}" == _place_seen_by_other(tmp_path, "empty", "own")
        assert "None" == _place_seen_by_other(tmp_path, "empty")


_OTHER = """
import os, sys
from pathlib import Path
from service.compiling.code_cache import place

if os.geteuid() == 0:  # root could write everywhere
    os.setuid(10001)
print(place(sys.argv[1], map(Path, sys.argv[2:])))
"""


def _place_seen_by_other(tmp_path: Path, *names: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _OTHER, NAME, *names],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="users have no ids here")
class TestTrust:
    def test_own(self, tmp_path: Path) -> None:
        """A folder of this user's is trusted."""
        assert is_trusted(tmp_path)

    @pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
    def test_open_to_others(self, tmp_path: Path, mode: int) -> None:
        """One in which everybody or a group may write is not, and is passed over."""
        (tmp_path / "open" / NAME).mkdir(parents=True)
        (tmp_path / "open" / NAME).chmod(mode)

        assert not is_trusted(tmp_path / "open" / NAME)
        assert tmp_path / "next" / NAME == place(NAME, [tmp_path / "open", tmp_path / "next"])

    def test_under_an_open_umask(self, tmp_path: Path) -> None:
        """Where users share a group by default, neither the folder nor a file is made open to it."""
        before = os.umask(0o002)
        try:
            folder = place(NAME, [tmp_path / "new"])
            assert folder is not None
            kept(folder)
        finally:
            os.umask(before)

        assert is_trusted(folder)
        assert [0o644] * 3 == [file.stat().st_mode & 0o777 for file in folder.iterdir()]

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
    def test_of_somebody_else(self, tmp_path: Path) -> None:
        """Another user's is trusted only if that user owns the sources too."""
        os.chown(tmp_path, 10001, 10001)

        assert not is_trusted(tmp_path)
        assert is_trusted(tmp_path, owners=[10001])


def test_a_digest_knows_where_its_parts_end() -> None:
    """Text that moves from one source to the next gives another."""
    assert digest([b"ab", b"c"]) != digest([b"a", b"bc"])
    assert digest([b"ab", b"c"]) == digest(iter([b"ab", b"c"]))
