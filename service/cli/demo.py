"""`firstseen demo`: the whole product in two minutes, on real data, by the same roads a user takes.

    train digits without 3 and 7 ─► bundle ─► `firstseen serve` as a process of its own
    (meanwhile, on a machine's first run, the clusterer is compiled)
    stream: digits the net knows; then 3s and 7s mixed with more of them ─► WS /stream
    watch:  verdicts by kind, clusters as they emerge ─► a table, honest about what was missed
    name:   each cluster as what most of its exemplars are ─► later 3s and 7s are known (demo_naming.py)
    upgrade, where asked: export, retrain, move the stream ─► they still are (demo_upgrade.py)

No digit of the stream was used for fitting or calibration. With `crash`, the service is killed (SIGKILL) in
mid-stream and started again, then the *whole* stream is sent again: every id must get the verdict it had.
"""

import asyncio
import json
import shlex
import shutil
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from rich.console import Console
from rich.live import Live
from rich.text import Text
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from model.config import TrainConfig
from model.datasets import load_dataset
from model.datasets.split import split
from model.export import run as train_bundle
from service.cli.demo_naming import Accuracy, accuracy_of, accuracy_table, name_clusters, show_commands
from service.cli.demo_screen import DemoScreen, results_table
from service.cli.demo_upgrade import BUNDLE, RETRAINED, export_named, move_to_retrained
from service.cli.progress import ReportsProgress, stages
from service.cli.writable import check_writable
from service.client import AsyncClient, StreamClient
from service.compiling.precompile import meanwhile
from service.errors import FirstseenError
from service.ingest.protocol import JSON
from service.records import Verdict, VerdictKind
from service.scoring import StreamScore, score

DATASET = "digits"
HOLD_OUT = ("3", "7")
KNOWN_FIRST = 0.6
"""Share of the known items that come before the first 3 or 7."""

LATER = 0.2
"""Share of all items, 3s and 7s included, that come after the clusters were named."""

_MARKER = ".firstseen-demo"
_START_S = 180.0
_CRASH_AT = 0.6


class DemoFailed(FirstseenError):
    """The demo could not be shown."""


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """The options of `firstseen demo`."""

    once: bool
    json_file: Path | None
    crash: bool
    rate: float
    port: int
    folder: Path
    seed: int
    upgrade: bool


@dataclass(frozen=True, kw_only=True)
class DemoStream:
    """The items in order, those that come after the clusters are named, and what all of them really are."""

    items: tuple[dict[str, Any], ...]
    later: tuple[dict[str, Any], ...]
    truth: dict[str, str]


def run_demo(config: DemoConfig, screen: Console) -> int:
    """Show it; 0 when both classes were found (and, with crash or upgrade, nothing was lost).

    Training is done here, in the main thread and outside of asyncio, so that Ctrl-C ends it at once.

    Raises:
        DemoFailed: The folder or the service cannot be used; the message says what to do.
        CannotWrite: Nor the JSON file.
        StepFailed: A command of the upgrade failed.
    """
    folder = _fresh_folder(config.folder)
    if config.json_file is not None:
        check_writable(config.json_file, "--json")
    _heading(screen, "1 Train", f"on handwritten digits, without {' and '.join(HOLD_OUT)}")
    train_config = TrainConfig(dataset=DATASET, hold_out=HOLD_OUT, seed=config.seed)
    with meanwhile() as compiling, stages(screen) as progress:
        train_bundle(
            train_config,
            data_dir=None,
            out=folder / BUNDLE,
            progress=progress,
            created=datetime.now(UTC),
        )
        _wait_for_compiler(compiling, progress)
    return asyncio.run(_show(config, screen, folder, known_error_rate=train_config.known_error_rate))


async def _show(config: DemoConfig, screen: Console, folder: Path, *, known_error_rate: float) -> int:
    """Serve the bundle, stream, and print what was found; the exit status."""
    stream = make_stream(config.seed)
    service = _Service(folder, config.port)
    try:
        _heading(screen, "2 Serve", f"at {service.url}, state in {folder / 'data'}")
        await service.start()
        _heading(screen, "3 Stream", f"{len(stream.items)} digits that the net has never seen\n")
        verdicts, announced, exemplars, lost = await _stream(config, service, stream, screen)
        result = score(stream.truth, HOLD_OUT, verdicts, announced, exemplars)
        screen.print("", results_table(result, known_error_rate=known_error_rate))
        accuracy, changed = await _name(config, service, stream, screen, folder)
        table = table_of(result, seed=config.seed, crash=config.crash, lost=lost, accuracy=accuracy)
        if config.upgrade:
            table["clusters_changed_by_upgrade"] = changed
        if config.json_file is not None:
            config.json_file.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
        if config.crash:
            kept = (
                "every id has the verdict it had" if not lost else f"{len(lost)} verdicts CHANGED: {lost[:5]}"
            )
            screen.print(Text(f"Killed in mid-stream, started again, all sent again: {kept}."))
        found_all = result.clusters_found == len(HOLD_OUT) and not lost and not changed
        if not config.once:
            await _leave_up(service, screen, folder)
        return 0 if found_all else 1
    finally:
        await service.stop()


async def _name(
    config: DemoConfig, service: "_Service", stream: DemoStream, screen: Console, folder: Path
) -> tuple[dict[str, dict[str, Accuracy]], list[int]]:
    """Name what was discovered, send what is left, and ask again after a kill -9 and after an upgrade.

    After the upgrade only what was unseen is asked about: the retrained net may have been fitted on later known digits.

    Returns:
        Accuracy by moment and class, and the clusters that the upgrade changed.
    """
    _heading(
        screen, "4 Name", "each cluster as what most of its exemplars are; from then on it is a known class\n"
    )
    found: dict[str, dict[str, Accuracy]] = {}
    changed: list[int] = []
    async with AsyncClient(service.url) as client:
        shown = (await client.clusters()).clusters
        known = sorted({*stream.truth.values()} - {*HOLD_OUT})
        show_commands(screen, await name_clusters(client, shown, stream.truth, known))
        if config.upgrade:
            await export_named(folder, screen)
        found["as they came"] = _accuracy(await client.classify(stream.later), stream)
        service.kill()
        await service.start()
        found["after a kill -9"] = _accuracy(await client.classify(stream.later, learn=False), stream)
        if config.upgrade:
            _heading(screen, "5 Upgrade", "to a net that has learnt what was named")
            before = {c.id: (c.name, c.label) for c in (await client.clusters()).clusters}
            await service.stop()
            await move_to_retrained(folder, screen, dataset=DATASET, seed=config.seed)
            service.bundle = folder / RETRAINED
            await service.start()
            after = {c.id: (c.name, c.label) for c in (await client.clusters()).clusters}
            changed = [id for id, called in before.items() if after.get(id) != called]
            answers = await client.classify(stream.later, learn=False)
            found["after an upgrade"] = {label: _accuracy(answers, stream)[label] for label in HOLD_OUT}
    screen.print("", accuracy_table(found))
    if config.upgrade:
        kept = (
            f"clusters {changed} CHANGED" if changed else "all clusters have the id, name and class they had"
        )
        screen.print(Text(f"Moved to a bundle that was trained on what was named: {kept}."))
    return found, changed


def _accuracy(answers: Sequence[Any], stream: DemoStream) -> dict[str, Accuracy]:
    """By class; those that were unseen come first."""
    known = sorted({*stream.truth.values()} - {*HOLD_OUT})
    return accuracy_of(answers, stream.truth, [*HOLD_OUT, *known])


def _wait_for_compiler(is_compiling: Callable[[], bool], progress: ReportsProgress) -> None:
    """The service needs the clusterer compiled; on a machine's first run that can take longer than the training."""
    if not is_compiling():
        return
    progress("compile", 0, 1, "the clusterer, once for this machine")
    while is_compiling():
        time.sleep(0.05)
    progress("compile", 1, 1, "the clusterer, once for this machine")


def _heading(screen: Console, title: str, rest: str) -> None:
    """A step of the demo. `rest` is text: what looks like markup may be part of a path."""
    screen.print(Text.assemble("\n", (title, "bold"), " ", rest), soft_wrap=True)


def make_stream(seed: int) -> DemoStream:
    """Digits unseen in training and calibration: known ones, then others among 3s and 7s; some of all for later."""
    data = load_dataset(DATASET, data_dir=None)
    parts = split(data, HOLD_OUT, seed=seed)
    order = np.random.default_rng(seed)
    known, new = order.permutation(parts.fresh), order.permutation(parts.unseen)
    first, rest, known_later = np.split(
        known, [int(len(known) * share) for share in (KNOWN_FIRST, 1 - LATER)]
    )
    now, new_later = np.split(new, [int(len(new) * (1 - LATER))])
    mixed = order.permutation(np.concatenate([rest, now]))
    later = order.permutation(np.concatenate([known_later, new_later]))

    def items(rows: Iterable[int]) -> tuple[dict[str, Any], ...]:
        return tuple({"id": f"digit-{row}", "x": data.x[row].ravel().tolist()} for row in rows)

    every = [*first.tolist(), *mixed.tolist(), *later.tolist()]
    return DemoStream(
        items=items([*first.tolist(), *mixed.tolist()]),
        later=items(later.tolist()),
        truth={f"digit-{row}": data.labels[int(data.y[row])] for row in every},
    )


def table_of(
    result: StreamScore,
    *,
    seed: int,
    crash: bool,
    lost: Sequence[str],
    accuracy: Mapping[str, Mapping[str, Accuracy]],
) -> dict[str, Any]:
    """The results as JSON: the same keys whether or not all was found."""
    table: dict[str, Any] = {
        "dataset": DATASET,
        "held_out": list(HOLD_OUT),
        "seed": seed,
        **{name: value for name, value in asdict(result).items() if name != "classes"},
        "classes": {label: asdict(s) | {"clusters": list(s.clusters)} for label, s in result.classes.items()},
        "named": {
            moment: {label: one.as_json() for label, one in by_class.items()}
            for moment, by_class in accuracy.items()
        },
    }
    if crash:
        table["verdicts_changed_by_crash"] = list(lost)
    return table


async def _stream(
    config: DemoConfig, service: "_Service", stream: DemoStream, screen: Console
) -> tuple[list[Verdict], dict[int, int], dict[int, list[str]], list[str]]:
    """Send the stream; returns verdicts in order, seq of each announcement, exemplars, ids whose verdict changed."""
    emitted: dict[str, Verdict] = {}
    changed: list[str] = []
    shown = DemoScreen(len(stream.items))
    crash_at = int(len(stream.items) * _CRASH_AT) if config.crash else None
    killed = asyncio.Event()

    def on_result(message: dict[str, Any]) -> None:
        verdict = Verdict(
            **{name: message[name] for name in Verdict.__dataclass_fields__}
            | {"verdict": VerdictKind(message["verdict"])}
        )
        before = emitted.setdefault(verdict.id, verdict)
        if before != verdict:
            changed.append(verdict.id)
        shown.count(len(emitted), verdict)
        if crash_at is not None and len(emitted) == crash_at:
            killed.set()

    async def crash_once() -> None:
        await killed.wait()
        shown.note("kill -9")
        service.kill()
        await service.start()
        shown.note("restarted")

    with Live(shown, console=screen, refresh_per_second=10, transient=not screen.is_terminal) as live:
        watching = asyncio.create_task(_watch(service, shown))
        crashing = asyncio.create_task(crash_once())
        client = StreamClient(f"{service.ws_url}/stream", on_result=on_result)
        await client.run(_paced(stream.items, config.rate))
        if config.crash:
            await crashing
            shown.note("sending all again")
            again = StreamClient(f"{service.ws_url}/stream", on_result=on_result)
            await again.run(_paced(stream.items, 0))
        clusters = await service.clusters()
        shown.show(clusters)
        live.refresh()
        for task in (watching, crashing):
            task.cancel()
        await asyncio.gather(watching, crashing, return_exceptions=True)
    announced = {c["id"]: c["emerged_seq"] for c in clusters if c["emerged_seq"] is not None}
    exemplars = {c["id"]: c["exemplars"] for c in clusters}
    return sorted(emitted.values(), key=lambda v: v.seq), announced, exemplars, changed


async def _paced(items: Sequence[dict[str, Any]], rate: float) -> AsyncIterator[Sequence[dict[str, Any]]]:
    """Single items at `rate` a second; frames of 64 when it is 0."""
    if rate <= 0:
        for start in range(0, len(items), 64):
            yield items[start : start + 64]
        return
    started = time.monotonic()
    for n, item in enumerate(items):
        await asyncio.sleep(max(0.0, started + n / rate - time.monotonic()))
        yield [item]


async def _watch(service: "_Service", shown: DemoScreen) -> None:
    """Follow the clusters, over restarts of the service."""
    while True:
        try:
            async with connect(f"{service.ws_url}/watch", subprotocols=[Subprotocol(JSON)]) as socket:
                async for frame in socket:
                    message = json.loads(frame)
                    if message["type"] == "event":
                        shown.event(message)
        except (OSError, ConnectionClosed):
            pass
        await asyncio.sleep(0.1)


async def _leave_up(service: "_Service", screen: Console, folder: Path) -> None:
    """Tell what can be done now, and wait for Ctrl-C."""
    again = shlex.join(["firstseen", "serve", str(service.bundle), "--data-dir", str(folder / "data")])
    screen.print(
        Text.assemble(
            ("\nThe service is still running at ", "bold green"),
            (service.url, "bold green"),
            f"\n  {service.url}/           see what it has discovered, and say what it is"
            f"\n  {service.url}/docs       the API, to try"
            f"\nCtrl-C stops it. Start it again, as it was, with\n  {again}",
        ),
        soft_wrap=True,
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stop.set)
    ended = asyncio.create_task(service.wait())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({ended, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (ended, stopping):
        task.cancel()
    screen.print("\nStopping: draining, saving a snapshot ...", highlight=False)


def _fresh_folder(folder: Path) -> Path:
    """An empty folder; only one that a demo made is cleared."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / _MARKER).exists():
            raise DemoFailed(f"{folder} is not empty and not of an earlier demo; give another --folder.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / _MARKER).touch()
    return folder


class _Service:
    """`firstseen serve` as a child process."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = _free_port(port)
        self._process: asyncio.subprocess.Process | None = None
        self.bundle = folder / BUNDLE
        self.url = f"http://127.0.0.1:{self._port}"
        self.ws_url = f"ws://127.0.0.1:{self._port}"

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        with (self._folder / "service.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "service.cli.main", "serve", str(self.bundle)),
                *("--port", str(self._port), "--data-dir", str(self._folder / "data")),
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours: we stop it in order
            )
        async with httpx.AsyncClient(base_url=self.url) as http:
            deadline = time.monotonic() + _START_S
            while time.monotonic() < deadline:
                if self._process.returncode is not None:
                    break
                try:
                    if (await http.get("/readyz")).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.05)
        raise DemoFailed(f"The service did not start; see {self._folder / 'service.log'}.")

    async def clusters(self) -> list[dict[str, Any]]:
        """All clusters that were ever announced."""
        async with httpx.AsyncClient(base_url=self.url) as http:
            shown = (await http.get("/clusters")).json()["clusters"]
            gone = (await http.get("/clusters", params={"state": "gone"})).json()["clusters"]
        return [*shown, *gone]

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()

    async def wait(self) -> None:
        """Until it ends by itself."""
        assert self._process is not None
        await self._process.wait()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that is not enough."""
        if self._process is None or self._process.returncode is not None:
            return
        self._process.terminate()
        try:
            async with asyncio.timeout(10):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


def _free_port(port: int) -> int:
    """The port, or another where it is taken."""
    for wanted in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise DemoFailed("No port is free on 127.0.0.1.")
