"""An item that crashes the engine, while the process is killed at the very step that puts it aside."""

import contextlib

import httpx

from tests.faults.registry import scenario
from tests.faults.rig import Rig, Service
from tests.service.crashing import WHITE
from tests.service.waiting import until


@scenario("asked", "done", "told")
def poison_item(rig: Rig, moment: str) -> Service:
    """An item crashes the engine, and SIGKILL at the step that puts it aside: it is refused alone, for good."""
    rng = rig.rng
    redis = rig.redis()
    proxy = rig.proxy(redis)
    front = rig.front()
    settings = {"snapshot_every_items": rng.choice([40, 20_000])}
    service = rig.serve(at=proxy, is_fragile=True, **settings).ready()
    front.point_to(service.url)
    sender = rig.client(front, rig.items(300), pause_s=0.002)
    sender.has(rng.randint(20, 100))
    died = proxy.at_step("quarantine", moment, service.process.kill)
    early = _answer_to_white(front.url)
    assert early is None or moment == "told", "an answer before it was durable"
    until(died.is_set, "it is killed")
    service.wait()
    rig.note("service killed")
    service = rig.serve(at=proxy, is_fragile=True, **settings)
    front.point_to(service.ready().url)
    refused = [until(lambda: _answer_to_white(front.url), "the item is answered") for _ in range(3)]
    assert all(answer == refused[0] for answer in [*refused, early or refused[0]])
    assert refused[0]["type"] == "/problems/quarantined", refused[0]
    sender.finish()
    assert _in_quarantine(service) == ["white"]
    rig.note("item in quarantine")
    died = proxy.at_step("drop_letters", moment, service.process.kill)
    with contextlib.suppress(httpx.TransportError):
        service.http.delete("/dlq", params={"all": "true"})
    assert died.wait(10), "it is not killed"
    service.wait()
    rig.note("service killed")
    service = rig.serve(at=proxy, is_fragile=True, **settings).ready()
    assert _in_quarantine(service) == (["white"] if moment == "asked" else [])
    return service


def _in_quarantine(service: Service) -> list[str]:
    return [letter["id"] for letter in service.get("/dlq")["items"]]


def _answer_to_white(url: str) -> dict[str, str] | None:
    """The problem with the item; None where there is no answer, or none for good."""
    try:
        answer = httpx.post(f"{url}/classify", json={"id": "white", "x": WHITE}, timeout=60, trust_env=False)
    except httpx.TransportError:
        return None
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        return None
    problem: dict[str, str] = answer.json()
    del problem["instance"]  # of each request its own
    return problem
