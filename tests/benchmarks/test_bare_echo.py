"""The echoes send back what they got."""

from benchmarks.bare_echo import echoing
from benchmarks.driving import drive, request

JSON = {"content-type": "application/json"}


async def test_both_echo() -> None:
    """JSON through pydantic, octets as they are."""
    async with echoing() as (port, pid):
        bodies = [
            request("/json", b'{"id": "a", "x": [1, 2]}', headers=JSON),
            request("/raw", b"\x00\x01", headers={}),
        ]
        done = await drive(port, bodies, in_flight=1, pid=pid)

    assert 2 == done.requests == len(done.latencies_s)
    assert done.elapsed_s >= sum(done.latencies_s) > 0
