"""How fast is each stage of the service by itself: embedding, the step, the durable append?

Nothing runs beside it and nothing is shared: the same batches go through the net in the runtime that the service would
choose, through the engine (gates, clusterer, and what the log keeps, as bytes), and into an embedded store with an
fsync a batch. The slowest is what a service could reach that does the others at no cost.
"""

from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.report import Row
from benchmarks.running import device
from model.bundle import Bundle
from service.clustering.engine import Engine
from service.clustering.params import EngineParams
from service.embedding import Embedder
from service.state.embedded import EmbeddedServer
from service.state.packing import pack_configure, pack_items, pack_verdict
from service.state.store import Append, StreamStore, connect


async def stages_alone(bundle: Bundle, x: Any, folder: Path, *, batch: int, batches: int) -> list[Row]:  # noqa: ANN401 - an array
    """A row a stage: items a second.

    Args:
        bundle: Served.
        x: Payloads, float32 (N, *shape).
        folder: Empty, for the store.
        batch: Items a batch.
        batches: How many of them.
    """
    calibration = bundle.manifest.calibration
    params = EngineParams(
        known_error_rate=calibration.known_error_rate, clustering_threshold=calibration.cluster_radius
    )
    embedder = Embedder(bundle, device=device(), threads=1, runtime="auto", clock=perf_counter)
    parts = [[x[(n * batch + k) % len(x)] for k in range(batch)] for n in range(batches)]
    embedder.embed(parts[0])
    start = perf_counter()
    embedded = [embedder.embed(part) for part in parts]
    embed_s = perf_counter() - start

    first = Engine(bundle.known, bundle.manifest.labels, params)  # loads the compiled loops
    first.apply(first.decide(embedded[0], tuple(f"w{k}" for k in range(batch)), np.full(batch, 1e9)))
    engine = Engine(bundle.known, bundle.manifest.labels, params)
    engine.configure(params)
    records: list[Append] = []
    start = perf_counter()
    for n, z in enumerate(embedded):
        ids = tuple(f"s{n}-{k}" for k in range(batch))
        observed = engine.decide(z, ids, np.full(batch, 1e9))
        result = engine.apply(observed)
        records.append(
            Append(
                first_seq=observed.first_seq,
                count=batch,
                payload=pack_items(observed, result.verdicts),
                verdicts=[(v.id, pack_verdict(v, bundle.manifest.labels)) for v in result.verdicts],
            )
        )
    step_s = perf_counter() - start

    async with EmbeddedServer(folder) as server:
        client = connect(server.url)
        store = StreamStore(client, stream="alone", bundle_id=bundle.manifest.bundle_id, owner="benchmark")
        await store.open()
        await store.acquire()
        await store.append(Append(first_seq=0, count=1, payload=pack_configure(params), verdicts=()))
        start = perf_counter()
        for record in records:
            await store.append(record)
        append_s = perf_counter() - start
        await client.aclose()
    items = batch * batches
    stages = {f"embed, {embedder.runtime}": embed_s, "step": step_s, "durable append": append_s}
    return [
        {
            "stage": name,
            "items_per_s": round(items / seconds, 1),
            "us_an_item": round(1e6 * seconds / items, 2),
        }
        for name, seconds in stages.items()
    ]
