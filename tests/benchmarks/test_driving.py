"""Requests put together beforehand, and what came of them."""

import os

import pytest

from benchmarks.bare_echo import echoing
from benchmarks.driving import Drive, cpu_of, drive, request


def test_a_request_is_bytes() -> None:
    """Head, length, headers, body."""
    assert b"POST /a HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\nx: y\r\n\r\nhi" == request(
        "/a", b"hi", headers={"x": "y"}
    )


def test_percentiles() -> None:
    """In milliseconds."""
    done = Drive(requests=3, elapsed_s=1, cpu_s=0, store_s=0, latencies_s=(0.001, 0.002, 0.003))

    assert 2 == pytest.approx(done.percentile_ms(50))


async def test_an_answer_that_is_no_200_is_an_error() -> None:
    """Figures of refusals would be fine ones."""
    async with echoing() as (port, pid):
        with pytest.raises(RuntimeError, match="422"):
            await drive(
                port,
                [request("/json", b"{}", headers={"content-type": "application/json"})],
                in_flight=1,
                pid=pid,
            )


def test_processor_time() -> None:
    """Of a process and its children; it only grows."""
    before = cpu_of(os.getpid())
    sum(range(100_000))

    assert cpu_of(os.getpid())[0] >= before[0] >= 0
