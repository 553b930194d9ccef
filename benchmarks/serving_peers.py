"""The same model behind LitServe and behind Ray Serve, which keep nothing: for scale.

Each gets the bundle's `embedder.onnx`, batches up to 64 requests, and answers with the nearest known prototype, by the
same runtime on one thread. They neither cluster nor remember, and an answer is lost with the process. One item a
request, JSON, as `serving_ratios` sends it.

They are not of this project's environment: `--peers-python PATH` names an interpreter that has litserve and ray[serve]
(onnxruntime may come from here, it is appended to the path). Without one, and without them here, a row says why it has
no figures.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.bare_echo import free_port, until_open
from benchmarks.driving import drive, request
from benchmarks.report import Row, log
from model.bundle import Bundle

_START_S = 120.0
_WARM_UP = 50

_COMMON = """
import sys
import numpy as np
def load(graph, path):  # all of it here: Ray sends this function to another process, which has none of our globals
    import sys
    sys.path += path
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape[1:]
    return session, shape
def nearest(session, shape, prototypes, most, rows):
    x = np.asarray(rows, dtype=np.float32).reshape(len(rows), *shape) / np.float32(most)
    z = session.run(None, {"x": x})[0]
    d = ((z[:, None] - prototypes[None]) ** 2).sum(2)
    return [{"nearest": int(k), "distance": float(v)} for k, v in zip(d.argmin(1), d.min(1))]
graph, port, most, path = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4:]
prototypes = np.load(graph + ".npy")
"""

_LITSERVE = (
    _COMMON
    + """
import litserve
class Api(litserve.LitAPI):
    def setup(self, device): self.session, self.shape = load(graph, path)
    def decode_request(self, request): return request["x"]
    def batch(self, inputs): return inputs
    def predict(self, rows): return nearest(self.session, self.shape, prototypes, most, rows)
    def unbatch(self, output): return output
    def encode_response(self, output): return output
if __name__ == "__main__":
    litserve.LitServer(Api(max_batch_size=64, batch_timeout=0.0005, api_path="/classify"), accelerator="cpu").run(
        port=port, log_level="warning", generate_client_file=False)
"""
)

_RAY = (
    _COMMON
    + """
import time, ray
from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse
@serve.deployment(max_ongoing_requests=256)
class Api:
    def __init__(self): self.session, self.shape = load(graph, path)
    @serve.batch(max_batch_size=64, batch_wait_timeout_s=0.0005)
    async def predict(self, rows): return nearest(self.session, self.shape, prototypes, most, rows)
    async def __call__(self, request: Request):  # a response of its own has a length, others come in chunks
        return JSONResponse(await self.predict((await request.json())["x"]))
ray.init(num_cpus=2, include_dashboard=False, logging_level="error")
serve.start(http_options={"host": "127.0.0.1", "port": port})
serve.run(Api.bind(), route_prefix="/classify")
while True: time.sleep(1)
"""
)

PEERS = {"litserve": _LITSERVE, "ray": _RAY}


async def peers(bundle: Bundle, x: Any, *, python: Path | None, requests: int) -> list[Row]:  # noqa: ANN401 - an array
    """A row a peer and number in flight.

    Args:
        bundle: With an ONNX graph.
        x: Items, uint8 or float32 (N, n), raw.
        python: An interpreter that has them; None: this one.
        requests: A row.
    """
    rows: list[Row] = []
    for name, source in PEERS.items():
        why = _missing(name, bundle, python)
        if why is None:
            try:
                rows += await _measure(name, source, bundle, x, python=python, requests=requests)
            except (TimeoutError, RuntimeError, OSError) as error:
                why = f"it failed: {type(error).__name__} {str(error)[:200]}"
        if why is not None:
            log(f"{name}: skipped, {why}")
            rows.append(_row(name, 0, None, None, None, None, why))
    return rows


def _missing(name: str, bundle: Bundle, python: Path | None) -> str | None:
    if bundle.onnx is None:
        return "the bundle has no embedder.onnx"
    if python is None:
        return None if find_spec(name) else f"{name} is not installed; give --peers-python"
    found = subprocess.run([str(python), "-c", f"import {name}"], capture_output=True, check=False)
    return None if found.returncode == 0 else f"{python} has no {name}"


async def _measure(
    name: str,
    source: str,
    bundle: Bundle,
    x: Any,  # noqa: ANN401 - an array
    *,
    python: Path | None,
    requests: int,
) -> list[Row]:
    assert bundle.onnx is not None
    port = free_port()
    most = getattr(bundle.manifest.input, "maximum", 1.0)
    with tempfile.TemporaryDirectory(prefix="fs-") as scratch:
        graph = Path(scratch) / "embedder.onnx"
        graph.write_bytes(bundle.onnx)
        np.save(f"{graph}.npy", bundle.known.prototypes)
        script = Path(scratch) / "peer.py"
        script.write_text(source, encoding="utf-8")
        spec = find_spec("onnxruntime")
        extra = [str(Path(spec.origin).parents[1])] if spec is not None and spec.origin else []
        process = await asyncio.create_subprocess_exec(
            *(str(python or sys.executable), str(script), str(graph), str(port), str(most), *extra),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"RAY_USAGE_STATS_ENABLED": "0"},
            start_new_session=True,
        )

        def one(n: int) -> bytes:
            body = json.dumps({"id": f"p{n}", "x": x[n % len(x)].tolist()}).encode()
            return request("/classify", body, headers={"content-type": "application/json"})

        try:
            async with asyncio.timeout(_START_S):
                await _until_it_answers(process, port, one(0))
            rows = []
            for in_flight in (1, 32):
                await drive(port, [one(n) for n in range(_WARM_UP)], in_flight=in_flight, pid=process.pid)
                done = await drive(
                    port, [one(n) for n in range(requests)], in_flight=in_flight, pid=process.pid
                )
                cpu_us = 1e6 * (done.cpu_s + done.store_s) / requests
                rate = requests / done.elapsed_s
                rows.append(
                    _row(name, in_flight, done.percentile_ms(50), done.percentile_ms(99), cpu_us, rate, "")
                )
            return rows
        finally:
            await asyncio.to_thread(_end, process.pid)
            await process.wait()


async def _until_it_answers(process: asyncio.subprocess.Process, port: int, sent: bytes) -> None:
    """Wait until it answers a request well: a port may be open long before a model is behind it.

    Raises:
        RuntimeError: It ended.
    """
    while process.returncode is None:
        with suppress(RuntimeError, OSError, EOFError, StopIteration):
            await until_open(port, 1.0)
            await drive(port, [sent], in_flight=1, pid=process.pid)
            return
        await asyncio.sleep(0.2)
    raise RuntimeError(f"it ended with {process.returncode} before it answered")


def _row(
    name: str,
    in_flight: int,
    p50: float | None,
    p99: float | None,
    cpu_us: float | None,
    rate: float | None,
    note: str,
) -> Row:
    def short(value: float | None) -> float | None:
        return None if value is None else round(value, 2)

    return {
        "peer": name,
        "in_flight": in_flight,
        "p50_ms": short(p50),
        "p99_ms": short(p99),
        "cpu_us": short(cpu_us),
        "items_per_s": short(rate),
        "note": note,
    }


def _end(pid: int) -> None:
    """End the peer and all that it started."""
    with suppress(psutil.NoSuchProcess):
        peer = psutil.Process(pid)
        family = [*peer.children(recursive=True), peer]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(family, timeout=5)
        for process in alive:
            with suppress(psutil.NoSuchProcess):
                process.kill()
