"""Real processes that are killed, stopped, cut off and started again: nothing acknowledged changes, none is orphaned.

Tests compare with `reference`: what one undisturbed run says of the same items in the same order. That is more than
the oracle of the scenarios can know (oracle.py): that what was hurt says what was not hurt would have said.
"""

import json
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.service import digits
from tests.service.processes import Serve, none_left
from tests.service.waiting import until

pytestmark = pytest.mark.slow

N = 600
CHUNK = 20

Verdicts = dict[str, dict[str, Any]]


def chunks(start: int = 0) -> list[list[dict[str, Any]]]:
    items = list(digits.stream_items()[:N])
    return [items[at : at + CHUNK] for at in range(start, N, CHUNK)]


def clusters(service: Serve) -> list[dict[str, Any]]:
    """All clusters, but for the times, which come from the clock."""
    states = ("candidate", "emerging", "established", "fading", "gone")
    found = [c for state in states for c in service.get("/clusters", state=state)["clusters"]]
    return [{k: v for k, v in cluster.items() if k not in ("first_t", "last_t")} for cluster in found]


def state(service: Serve) -> tuple[Any, ...]:
    info = service.get("/info")
    return info["state_hash"], info["seq"], info["verdicts"], info["known"]


Forked = Callable[..., Serve]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[Verdicts, list[dict[str, Any]]]:
    """Verdicts and clusters of an undisturbed run, of a process started plainly."""
    with Serve(digits.bundle_dir(), tmp_path_factory.mktemp("reference")) as service:
        service.ready()
        verdicts = {r["id"]: r for chunk in chunks() for r in service.classify(chunk)}
        found = clusters(service)
        assert 0 == service.stop()
    assert found, "a comparison without clusters would show little"
    return verdicts, found


class Sender:
    """Sends all chunks from a thread, each again until it is answered; notes every answer."""

    def __init__(self) -> None:
        self.url = ""
        self.got: Verdicts = {}
        self.changed: list[str] = []
        self.refused: list[httpx.Response] = []
        self._thread = threading.Thread(target=self._run)

    def start(self, url: str) -> None:
        """Send to `url` from now on."""
        self.url = url
        if self._thread.ident is None:
            self._thread.start()

    def finish(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()

    def has(self, n: int) -> None:
        """Wait until `n` items are answered."""
        until(lambda: len(self.got) >= n, f"{n} items are answered")

    def _run(self) -> None:
        with httpx.Client(timeout=60, trust_env=False) as http:
            for chunk in chunks():
                until(lambda chunk=chunk: self._send(http, chunk), "a chunk is answered")  # type: ignore[misc]

    def _send(self, http: httpx.Client, chunk: list[dict[str, Any]]) -> bool:
        try:
            answer = http.post(f"{self.url}/classify", json={"items": chunk})
        except httpx.TransportError:
            return False
        if answer.status_code != httpx.codes.OK:
            assert 503 == answer.status_code, answer.text
            self.refused.append(answer)
            return False
        for result in answer.json()["results"]:
            if self.got.setdefault(result["id"], result) != result:
                self.changed.append(result["id"])
        return True


def resend(service: Serve) -> Verdicts:
    return {r["id"]: r for chunk in chunks() for r in service.classify(chunk)}


@contextmanager
def hanging(service: Serve) -> Iterator[None]:
    """The service's store does not answer, and the service knows."""
    store = service.store()
    store.suspend()
    try:
        until(lambda: not service.is_ready(), "it is not ready")
        yield
    finally:
        if store.is_running():
            store.resume()


def grown_by_refusals(service: Serve) -> int:
    """Bytes by which 50 refused requests of 1000 items each make the service grow, after ten of them."""
    me = psutil.Process(service.process.pid)
    body = json.dumps({"items": [{"x": digits.raw()}] * 1000}).encode()
    before = 0
    for n in range(60):
        assert 503 == service.http.post("/classify", content=body).status_code
        before = me.memory_info().rss if n == 9 else before
    return int(me.memory_info().rss - before)


class TestKilled:
    def test_again_and_again(
        self, forked: Forked, tmp_path: Path, reference: tuple[Verdicts, list[dict[str, Any]]]
    ) -> None:
        """Kill -9 at random instants: the resent stream gives every id the verdict it had, nothing counts twice."""
        seed = random.SystemRandom().randrange(2**32)
        print("seed", seed)  # noqa: T201 - shown when it fails
        rng = random.Random(seed)
        sender = Sender()
        for _ in range(3):
            with forked(
                digits.bundle_dir(), tmp_path, snapshot_every_items=rng.choice([37, 111, 20_000])
            ) as service:
                service.ready()
                sender.start(service.url)
                sender.has(min(N, len(sender.got) + rng.randint(1, 200)))
                threading.Event().wait(rng.random() * 0.02)  # an instant that no batch ends at
                family = service.family()
                service.kill()
                none_left(family)
        with forked(digits.bundle_dir(), tmp_path) as service:
            service.ready()
            sender.start(service.url)
            sender.finish()
            before = state(service)

            assert [] == sender.changed
            assert reference[0] == sender.got
            assert reference[0] == resend(service)
            assert reference[1] == clusters(service)
            assert before == state(service)

    def test_store(
        self, forked: Forked, tmp_path: Path, reference: tuple[Verdicts, list[dict[str, Any]]]
    ) -> None:
        """Kill -9 of the embedded store: it is started again, and the stream goes on as if nothing had been."""
        sender = Sender()
        with forked(digits.bundle_dir(), tmp_path) as service:
            service.ready()
            sender.start(service.url)
            for n in (100, 300):
                sender.has(n)
                store = service.store()
                store.kill()
                store.wait()
            sender.finish()
            service.ready()

            assert [] == sender.changed
            assert reference[0] == sender.got == resend(service)
            assert reference[1] == clusters(service)
            family = service.family()
            assert 0 == service.stop()
            none_left(family)


def test_stopped(forked: Forked, tmp_path: Path, reference: tuple[Verdicts, list[dict[str, Any]]]) -> None:
    """Told to stop in mid-stream it drains, snapshots and ends with 0 in under 5 s; the next one goes on.

    On a machine with much else to do the snapshot may not be done in time; then it says so, and the log has it all.
    """
    sender = Sender()
    is_saved = False
    for signum, answered in ((signal.SIGTERM, 200), (signal.SIGINT, 400)):
        with forked(digits.bundle_dir(), tmp_path) as service:
            service.ready()
            sender.start(service.url)
            sender.has(answered)
            family = service.family()
            assert 0 == service.stop(signum, within_s=5)
            none_left(family)
            is_saved = bool(service.said("snapshot"))
            assert is_saved or service.said("stopped_without_snapshot"), service.log
    with forked(digits.bundle_dir(), tmp_path) as service:
        service.ready()
        sender.start(service.url)
        sender.finish()

        assert is_saved == (service.said("restored")[0]["entries"] == 0), "a snapshot has it all"
        assert reference[0] == sender.got
        assert reference[1] == clusters(service)


class TestFolder:
    def test_two_services(self, forked: Forked, tmp_path: Path) -> None:
        """A second service on the same folder is refused by name, and does not disturb the first."""
        with forked(digits.bundle_dir(), tmp_path / "data") as first:
            first.ready().classify(chunks()[0])
            before = state(first)
            with forked(digits.bundle_dir(), tmp_path / "data") as second:
                assert 1 == second.wait()
                last = second.log.strip().splitlines()[-1]
                assert f"in use by process {first.process.pid}" in last
                assert "--data-dir" in last
                assert "Traceback" not in second.log
            assert before == state(first)

    def test_another_bundle(self, forked: Forked, tmp_path: Path) -> None:
        """Another bundle on a stream's folder is refused naming both; the state is as it was."""
        with forked(digits.bundle_dir(), tmp_path) as service:
            service.ready().classify(chunks()[0])
            before = state(service)
            service.stop()
        with forked(digits.variant_dir(), tmp_path) as other:
            assert 1 == other.wait()
            last = other.log.strip().splitlines()[-1]
            assert digits.bundle().manifest.bundle_id in last
            assert json.loads((digits.variant_dir() / "manifest.json").read_text())["bundle_id"] in last
            assert "Traceback" not in other.log
        with forked(digits.bundle_dir(), tmp_path) as service:
            assert before == state(service.ready())

    def test_another_error_rate(self, forked: Forked, tmp_path: Path) -> None:
        """A new error rate is an entry of the log; after a kill the replay over both rates is exact."""
        parts = chunks()
        got: Verdicts = {}
        with forked(digits.bundle_dir(), tmp_path) as service:
            got |= {r["id"]: r for chunk in parts[:5] for r in service.ready().classify(chunk)}
            service.kill()
        with forked(digits.bundle_dir(), tmp_path, "--known-error-rate", "0.2") as service:
            seq = service.ready().get("/info")["seq"]
            assert 5 * CHUNK + 2 == seq, "a place for each setting of the parameters"
            got |= {r["id"]: r for chunk in parts[5:10] for r in service.classify(chunk)}
            before = state(service)
            service.kill()
        with forked(digits.bundle_dir(), tmp_path, "--known-error-rate", "0.2") as service:
            assert before == state(service.ready())
            again = {r["id"]: r for chunk in parts[:10] for r in service.classify(chunk)}
            assert got == again


class TestRedisAway:
    def test_hangs(self, forked: Forked, tmp_path: Path) -> None:
        """Alive, not ready, and saying why: items get 503 with Retry-After and are not kept; it resumes by itself,
        and when told to stop while the store hangs it ends with 0 in under 5 s and leaves no orphan.
        """
        item = {"id": "while-away", "x": digits.raw()}
        with forked(digits.bundle_dir(), tmp_path, request_timeout_s=2, lease_ms=600) as service:
            service.ready().classify(chunks()[0])
            with hanging(service):
                answer = service.http.post("/classify", json=item)
                ready = service.http.get("/readyz")
                before = service.get("/info")

                assert 503 == answer.status_code
                assert "1" == answer.headers["retry-after"]
                assert "/problems/store-away" == answer.json()["type"]
                assert "Redis does not answer" in ready.json()["reason"]
                assert 200 == service.http.get("/livez").status_code
                assert 200 == service.http.get("/metrics").status_code
                assert grown_by_refusals(service) < 10e6, "what is refused is kept"

            service.ready()
            assert before["seq"] == service.classify([item])[0]["seq"]

            family = service.family()
            with hanging(service):
                assert 0 == service.stop(within_s=5)
                none_left(family)


def test_no_redis_at_the_start(forked: Forked, tmp_path: Path) -> None:
    """Without its Redis the service starts, says what is wrong in /readyz, and stops when told."""
    with forked(digits.bundle_dir(), tmp_path, redis_url=f"unix://{tmp_path}/none.sock") as service:
        answer = until(lambda: service.http.get("/readyz"), "it answers")
        until(
            lambda: "Redis" in (service.http.get("/readyz").json()["reason"] or ""),
            "the reason is told",
        )

        assert 503 == answer.status_code
        assert 503 == service.http.get("/clusters").status_code
        assert 0 == service.stop(within_s=5)


@pytest.mark.timeout(180)
def test_memory(tmp_path: Path) -> None:
    """From the first batch of 100,000 items to the last the service and its store grow by less than 100 MB together.

    How much they have by then is a matter of the machine and its libraries; wherever it is, it is less than 800 MB.
    """
    numbers = [json.dumps(item["x"]) for item in digits.stream_items()]
    resident: list[list[float]] = []
    with Serve(digits.bundle_dir(), tmp_path) as service:
        service.ready()
        for n in range(25):
            items = (f'{{"id":"{n}-{k}","x":{numbers[(n + k) % len(numbers)]}}}' for k in range(4000))
            body = f'{{"items":[{",".join(items)}]}}'.encode()
            assert 200 == service.http.post("/classify", content=body).status_code
            resident.append([process.memory_info().rss / 1e6 for process in service.family()])
        assert 100_001 == service.get("/info")["seq"]
    first, last = resident[0], resident[-1]
    print("MB resident, service and store:", first, last)  # noqa: T201 - for whoever asks with -s

    assert sum(last) - sum(first) < 100, resident
    assert sum(last) < 800, resident
