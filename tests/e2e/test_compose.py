"""The containers, for real: `docker compose up` from this checkout, the digits streamed through, then every way to
stop them.

One project a run, under a name and a port of its own, so that it meets no other; it is taken down, volumes included,
whatever happens. What is compared before and after is what a user sees: verdicts by id, clusters, and the hash of
the whole state.
"""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.cli.demo import HOLD_OUT, DemoStream, make_stream
from service.client import StreamClient
from service.records import Verdict, VerdictKind
from service.scoring import score

ROOT = Path(__file__).resolve().parents[2]
UP = ("up", "--detach", "--wait", "--wait-timeout", "300")
CONTAINERS = ("service", "redis")
STATES = ("candidate", "emerging", "established", "fading", "gone")
Verdicts = dict[str, dict[str, Any]]
VARIABLES = ("BUNDLE", "BUNDLES", "FIRSTSEEN_STREAM")
"""Of the compose file, left at their defaults whatever the shell or .env says."""

BUILD_S = 1800
"""For building the image and training the bundle, with nothing cached."""


def _has_engine() -> bool:
    if shutil.which("docker") is None:
        return False
    asked = (("docker", "info"), ("docker", "compose", "version"))
    return all(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in asked)


pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(BUILD_S),
    pytest.mark.skipif(
        not _has_engine(),
        reason="no Docker engine with compose v2: `docker info` or `docker compose version` fails",
    ),
]


@dataclass(frozen=True, kw_only=True)
class Compose:
    """One compose project of this checkout."""

    project: str
    port: int

    def __call__(self, *arguments: str, must: bool = True) -> str:
        """Run `docker compose ARGUMENTS`; returns what it printed, fails with that when `must`."""
        done = subprocess.run(
            ("docker", "compose", "--file", "docker-compose.yml", "--project-name", self.project, *arguments),
            cwd=ROOT,
            env={**os.environ, **dict.fromkeys(VARIABLES, ""), "FIRSTSEEN_PORT": str(self.port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if must and done.returncode != 0:
            pytest.fail(f"docker compose {' '.join(arguments)}\n{done.stdout}", pytrace=False)
        return done.stdout

    def get(self, path: str) -> Any:
        """JSON from the service, over the published port."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=60).raise_for_status().json()

    def stream(
        self, items: Sequence[dict[str, Any]], *, on_count: Callable[[int], None] = lambda _: None
    ) -> Verdicts:
        """Send items over the WebSocket; returns the answers by id. `on_count` is told how many there are."""
        answers: Verdicts = {}

        def on_result(message: dict[str, Any]) -> None:
            assert message["id"] not in answers
            answers[message["id"]] = {name: value for name, value in message.items() if name != "position"}
            on_count(len(answers))

        async def frames() -> AsyncIterator[Sequence[dict[str, Any]]]:
            for start in range(0, len(items), 16):
                yield items[start : start + 16]

        client = StreamClient(f"ws://127.0.0.1:{self.port}/stream", on_result=on_result, patience_s=120)
        asyncio.run(client.run(frames()))
        return answers

    def seen(self) -> dict[str, Any]:
        """What must survive: clusters of every state, counts, and the hash of the state."""
        info = self.get("/info")
        return {
            "clusters": {s: self.get(f"/clusters?state={s}")["clusters"] for s in STATES},
            **{name: info[name] for name in ("seq", "state_hash", "verdicts", "known", "bundle")},
        }


@dataclass(frozen=True, kw_only=True)
class Streamed:
    """The project after the whole stream."""

    compose: Compose
    stream: DemoStream
    verdicts: Mapping[str, dict[str, Any]]


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    project = Compose(project=f"firstseen-e2e-{os.getpid()}", port=port)
    try:
        project(*UP, "--build")
        yield project
    except pytest.fail.Exception:
        sys.stdout.write(project("logs", "--no-color", must=False))
        raise
    finally:
        project("--profile", "train", "down", "--volumes", "--timeout", "5", must=False)


@pytest.fixture(autouse=True)
def logs(compose: Compose) -> Iterator[None]:
    """What the containers said during a test; pytest shows it when the test fails."""
    began = datetime.now(UTC).isoformat()
    yield
    sys.stdout.write(compose("logs", "--no-color", "--since", began, must=False))


@pytest.fixture(scope="module")
def streamed(compose: Compose) -> Streamed:
    stream = make_stream(0)
    return Streamed(compose=compose, stream=stream, verdicts=compose.stream(stream.items))


def test_up_serves_digits_without_the_held_out(compose: Compose) -> None:
    """A newcomer's `up --build --wait` ends with a service that is ready, safe, and knows all digits but 3 and 7."""
    ready, info = compose.get("/readyz"), compose.get("/info")

    assert {"ready": True, "reason": None, "warnings": [], "durability": "fsync"} == ready
    assert sorted(set("0123456789") - set(HOLD_OUT)) == sorted(info["bundle"]["labels"])
    assert "redis" == info["store"]


def test_every_item_is_answered_and_both_new_digits_are_found(streamed: Streamed) -> None:
    """Each digit gets one verdict, and the 3s and the 7s a cluster each."""
    shown = [c for s in STATES[1:] for c in streamed.compose.get(f"/clusters?state={s}")["clusters"]]
    verdicts = [Verdict(**v | {"verdict": VerdictKind(v["verdict"])}) for v in streamed.verdicts.values()]

    result = score(
        streamed.stream.truth,
        HOLD_OUT,
        sorted(verdicts, key=lambda v: v.seq),
        {c["id"]: c["emerged_seq"] for c in shown if c["emerged_seq"] is not None},
        {c["id"]: c["exemplars"] for c in shown},
    )

    assert {item["id"] for item in streamed.stream.items} == streamed.verdicts.keys()
    assert len(HOLD_OUT) == result.clusters_found


def _restart(compose: Compose) -> None:
    compose("restart", *CONTAINERS)


def _stop(compose: Compose) -> None:
    compose("stop", *CONTAINERS)


def _recreate(compose: Compose) -> None:
    compose("down")


def _kill_service(compose: Compose) -> None:
    compose("kill", "--signal", "SIGKILL", "service")


def _kill_redis(compose: Compose) -> None:
    compose("kill", "--signal", "SIGKILL", "redis")


def _kill_both(compose: Compose) -> None:
    compose("kill", "--signal", "SIGKILL", *CONTAINERS)


@pytest.mark.parametrize(
    "harm",
    [_restart, _stop, _kill_service, _kill_redis, _kill_both, _recreate],
    ids=lambda f: f.__name__.strip("_"),
)
def test_the_same_clusters_are_found_afterwards(streamed: Streamed, harm: Callable[[Compose], None]) -> None:
    """However the containers end, the next ones have the same clusters and state, to the bit."""
    compose = streamed.compose
    before = compose.seen()
    assert before["seq"] >= len(streamed.verdicts)

    harm(compose)
    compose(*UP)

    assert before == compose.seen()


def test_a_resent_stream_gets_the_verdicts_it_had_and_counts_nothing_twice(streamed: Streamed) -> None:
    """Sent again to a service that was killed, each id has its verdict from before, and the state does not move."""
    compose = streamed.compose
    before = compose.seen()
    _kill_service(compose)
    compose(*UP)

    again = compose.stream(streamed.stream.items)

    assert streamed.verdicts == again
    assert before == compose.seen()


@pytest.mark.parametrize("victim", CONTAINERS)
def test_what_is_killed_in_mid_stream_loses_nothing(streamed: Streamed, victim: str) -> None:
    """SIGKILL between two frames: the client goes on by itself, and every item has one verdict that stays."""
    compose = streamed.compose
    items = [{**item, "id": f"{victim}-{item['id']}"} for item in streamed.stream.items]
    seq = compose.get("/info")["seq"]

    def kill_halfway(count: int) -> None:
        if count == len(items) // 2:
            compose("kill", "--signal", "SIGKILL", victim)
            compose(*UP)

    first = compose.stream(items, on_count=kill_halfway)

    assert {item["id"] for item in items} == first.keys()
    assert set(range(seq, seq + len(items))) == {verdict["seq"] for verdict in first.values()}
    assert first == compose.stream(items)


def test_a_stop_is_in_order(streamed: Streamed) -> None:
    """SIGTERM reaches the processes themselves: they end with 0 within their grace, not by SIGKILL (137)."""
    compose = streamed.compose

    compose("stop", *CONTAINERS)
    ended = [
        json.loads(line) for line in compose("ps", "--all", "--format", "json", *CONTAINERS).splitlines()
    ]
    compose(*UP)

    assert dict.fromkeys(CONTAINERS, 0) == {c["Service"]: c["ExitCode"] for c in ended}


def test_the_image_brings_compiled_code(compose: Compose) -> None:
    """On the kind of processor that built it, a start compiles nothing, although nothing can be written."""
    compose("up", "--detach", "--wait", "--force-recreate", "service")
    logged = compose("logs", "--no-color", "--no-log-prefix", "service").splitlines()
    events = [json.loads(line)["event"] for line in logged if line.startswith("{")]

    assert "kernels_loaded" in events
    assert "compiling" not in events


def test_another_processor_compiles_at_start(compose: Compose) -> None:
    """Code for a processor that the image was not built on is made and kept in the container's /tmp."""
    other = ("--env", "NUMBA_CPU_NAME=generic", "--env", "NUMBA_CPU_FEATURES=")
    ahead = ("--entrypoint", "python", "service", "-m", "service.compiling.precompile")
    said = compose("run", "--rm", "--no-TTY", "--no-deps", *other, *ahead)

    assert "Done. It is kept in /tmp/" in said


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers_are_confined(compose: Compose, container: str) -> None:
    """Process 1 is not root, has no capability and can get none, and the root file system cannot be written."""
    lines = compose("exec", "-T", container, "cat", "/proc/1/status").splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    writing = compose("exec", "-T", container, "touch", "/written", must=False)

    assert "0" not in status["Uid"] + status["Gid"]
    assert {"0000000000000000"} == {
        value for name in ("CapEff", "CapPrm", "CapBnd") for value in status[name]
    }
    assert ["1"] == status["NoNewPrivs"]
    assert "Read-only file system" in writing


def test_only_the_service_is_published_and_only_to_this_machine(compose: Compose) -> None:
    """There is no authentication yet: other machines reach neither the service nor Redis."""
    containers = [json.loads(line) for line in compose("ps", "--format", "json").splitlines()]

    published = {
        (c["Service"], p["URL"]) for c in containers for p in c["Publishers"] or [] if p["PublishedPort"]
    }

    assert {("service", "127.0.0.1")} == published


def test_an_unknown_bundle_is_not_trained_but_explained(compose: Compose) -> None:
    """Asked for a bundle that is not there, `first_bundle` says which command makes it, and fails."""
    said = compose(
        "run", "--rm", "--no-TTY", "--entrypoint", "first_bundle", "first-bundle", "nothing", must=False
    )

    assert "there is no bundle /bundles/nothing" in said
    assert "docker compose run --rm train" in said


def test_train_makes_another_bundle_in_the_volume(compose: Compose) -> None:
    """The documented `run --rm train` writes a bundle that `inspect` verifies."""
    compose(
        "run",
        "--rm",
        "--no-TTY",
        "train",
        "digits",
        "--hold-out",
        "1",
        "--epochs",
        "2",
        "--out",
        "/bundles/other",
    )

    shown = json.loads(
        compose("run", "--rm", "--no-TTY", "--no-deps", "service", "inspect", "/bundles/other", "--json")
    )

    assert "1" not in shown["labels"]
