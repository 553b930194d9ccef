"""Out, trained on, and back in: classes that people made of clusters are known to the next bundle, ids and all kept."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from model.bundle import read_bundle
from model.config import TrainConfig
from model.datasets.exported import load_export
from model.export import run as train
from model.inputs import decode_item
from service.cli import main as cli
from service.clustering import snapshot
from service.decisions import Action
from service.embedding import Embedder
from service.records import VerdictKind
from service.roundtrip.writers import FORMATS
from service.state.embedded import EmbeddedServer
from service.state.packing import unpack_verdict
from service.state.store import StreamStore
from tests.service import digits
from tests.service.roundtrip.sending import Sending, sent, truth
from tests.service.state.conftest import MakeStore, client, make_store, server, stream

__all__ = ["client", "make_store", "server", "stream"]

runner = CliRunner()


async def ask(*words: str | Path, status: int = 0) -> dict[str, Any]:
    """The JSON of a command, which has an event loop of its own."""
    answer = await asyncio.to_thread(runner.invoke, cli.app, [*map(str, words), "--json"])
    assert status == answer.exit_code, answer.output
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


async def curated(store: StreamStore) -> Sending:
    """A stream in which people have found the 3s and the 7s."""
    await store.open()
    await store.acquire()
    sending = Sending(store, digits.bundle())
    await sending.configure()
    await sending.send(0, 300)
    await sending.save()
    await sending.send(300, 600)
    for label in ("3", "7"):
        first, *others = sending.clusters_of(label)
        await sending.decide(Action.NAME, first, label=f"=digit {label}")
        await sending.decide(Action.PROMOTE, first, label=label)
        for other in others:
            await sending.decide(Action.LINK, other, label=label)
    await sending.send(600, 660)
    await store.release()
    return sending


def of_now(sending: Sending) -> list[tuple[object, ...]]:
    """What people see of clusters that stays whatever the bundle."""
    shown = [c for c in sending.engine.clusters() if c.label is not None]
    return [(c.id, c.name, c.label, c.state, c.items, c.parent_id) for c in shown]


def items_file(folder: Path) -> Path:
    path = folder / "items.jsonl"
    lines = [json.dumps({"id": id, "x": x}) for id, x in sent() if id is not None]
    path.write_text("\n".join(lines))
    return path


def stored_verdicts(
    data: Sequence[bytes | None], ids: Sequence[str], labels: tuple[str, ...]
) -> list[object]:
    return [d and unpack_verdict(d, id=id, labels=labels) for d, id in zip(data, ids, strict=True)]


@pytest.mark.slow
async def test_what_people_found_is_known_to_the_next_bundle(
    server: EmbeddedServer,
    stream: str,
    make_store: MakeStore,
    tmp_path: Path,
) -> None:
    """Export, train beside the first data set, upgrade: ids, names and decisions are equal, and 3s and 7s are known."""
    sending = await curated(
        make_store(stream=stream, bundle_id=digits.bundle().manifest.bundle_id, horizon=1000)
    )
    old, new, items = digits.bundle_dir(), tmp_path / "new", items_file(tmp_path)
    place = ["--redis-url", f"unix://{server.socket}", "--stream", stream]
    before, after = tmp_path / "before", tmp_path / "after"

    # Out, and trained on
    await ask("export", old, "--out", before, "--items", items, *place)
    config = TrainConfig(dataset=str(before), beside="digits", epochs=10, threads=1, rehearse=False)
    manifest = train(
        config, data_dir=None, out=new, created=datetime(2026, 3, 2, tzinfo=UTC), progress=lambda *_: None
    )

    assert {"3", "7"} == set(manifest.labels) - set(digits.bundle().manifest.labels)

    # Shown, then moved
    shown = await ask("upgrade", old, new, "--items", items, "--dry-run", *place)
    assert (["3", "7"], [], False) == (sorted(shown["gained"]), shown["lost"], shown["is_done"])
    assert all(fate["is_kept"] for fate in shown["fates"])
    move = ["upgrade", str(old), str(new), "--items", str(items), *place]
    unwanted = await asyncio.to_thread(runner.invoke, cli.app, move, input="n\n")
    assert (1, True) == (unwanted.exit_code, "nothing was changed" in unwanted.stderr)
    done = await ask("upgrade", old, new, "--items", items, "--yes", *place)
    assert done["is_done"]
    assert (await ask("state", "verify", new, *place))["ok"]
    again = await asyncio.to_thread(runner.invoke, cli.app, ["upgrade", str(old), str(new), "--yes", *place])
    assert "already: nothing is left to be done" in str(again.exception)

    # What stays
    await ask("export", new, "--out", after, "--items", items, *place)
    assert rows(before, "decisions") == rows(after, "decisions")
    seen = {c["id"]: c for c in rows(after, "clusters")}
    for id, name, label, state, count, parent in of_now(sending):
        c = seen[id]  # type: ignore[index]  # ids are numbers
        assert (name, label, state, count, parent) == (
            c["name"], c["label"], c["state"], c["items"], c["parent_id"]
        )  # fmt: skip
    given = [v for v in sending.verdicts if not v.id.startswith("~")]
    bundle = read_bundle(new)
    store = make_store(stream=stream, bundle_id=manifest.bundle_id, horizon=1000)
    loaded = await store.load()
    assert loaded.snapshot is not None
    engine = snapshot.load(loaded.snapshot, bundle.known, manifest.labels)
    ids = [v.id for v in given]
    assert given == stored_verdicts(await store.lookup(ids), ids, engine.labels)

    # What is better: the net itself knows them
    fresh = [item for item in digits.stream_items()[660:] if truth(item["id"]) in ("3", "7")]
    z = Embedder(bundle, device="cpu", threads=1).embed(
        [decode_item(item["x"], manifest.input) for item in fresh]
    )
    said = engine.step(z, tuple(item["id"] for item in fresh), np.zeros(len(fresh))).verdicts
    right = [v.label == truth(v.id) for v in said if v.verdict is VerdictKind.KNOWN]
    assert len(fresh) > 10
    assert sum(right) >= 0.8 * len(fresh)

    # And back
    assert (await ask("upgrade", new, old, "--back", "--yes", *place))["is_done"]
    assert (await ask("state", "verify", old, *place))["ok"]
    await ask("export", old, "--out", tmp_path / "again", *place)
    assert rows(before, "decisions") == rows(tmp_path / "again", "decisions")


async def test_every_format_is_the_same_data_set(
    server: EmbeddedServer, stream: str, make_store: MakeStore, tmp_path: Path
) -> None:
    """To the trainer: the classes that people decided, and the items as they were sent."""
    sending = await curated(
        make_store(stream=stream, bundle_id=digits.bundle().manifest.bundle_id, horizon=1000)
    )
    items, place = items_file(tmp_path), ["--redis-url", f"unix://{server.socket}", "--stream", stream]
    forms = [form for form in FORMATS if form in ("jsonl", "csv") or find_spec("pyarrow") is not None]
    for form in forms:
        told = ["--format", form, "--items", items, *place]
        await ask("export", digits.bundle_dir(), "--out", tmp_path / form, *told)
    first, *others = [load_export(tmp_path / form, decided_only=True) for form in forms]

    assert {"3", "7"} == set(first.labels)
    assert sending.engine.seq
    for other in others:
        assert (first.labels, first.source) == (other.labels, other.source)
        assert np.array_equal(first.x, other.x)
        assert np.array_equal(first.y, other.y)


async def test_a_dry_run_names_the_streams_that_would_stay_behind(
    server: EmbeddedServer, stream: str, make_store: MakeStore
) -> None:
    """A service has one bundle: with the new one it could not open them. Nothing is changed."""
    for name in (stream, f"{stream}-other"):
        store = make_store(stream=name, bundle_id=digits.bundle().manifest.bundle_id, horizon=1000)
        await store.open()
        await store.acquire()
        await Sending(store, digits.bundle()).configure()
        await store.release()
    place = ["--redis-url", f"unix://{server.socket}", "--stream", stream]
    shown = await ask("upgrade", digits.bundle_dir(), digits.variant_dir(), "--dry-run", *place)

    assert (False, True, False) == (
        shown["is_done"],
        f"{stream}-other" in shown["others"],
        stream in shown["others"],
    )
    assert (await ask("state", "verify", digits.bundle_dir(), *place))["ok"]


async def test_a_backtest_tells_what_would_differ(
    server: EmbeddedServer,
    stream: str,
    make_store: MakeStore,
    tmp_path: Path,
) -> None:
    """With settings as they were nothing; with others something; through the same net under another id, little."""
    sending = await curated(
        make_store(stream=stream, bundle_id=digits.bundle().manifest.bundle_id, horizon=1000)
    )
    old, place = digits.bundle_dir(), ["--redis-url", f"unix://{server.socket}", "--stream", stream]
    rate = sending.engine.params.known_error_rate
    same = await ask("backtest", old, "--set", f"known_error_rate={rate}", *place)
    other = await ask("backtest", old, "--set", "known_error_rate=0.001", *place)
    through = await ask(
        "backtest", old, "--bundle", digits.variant_dir(), "--items", items_file(tmp_path), *place
    )

    assert not same["differs"]
    assert (660, 660, 0) == (same["compared"]["items"], same["compared"]["same"], same["left_out"])
    assert other["differs"]
    assert other["compared"]["items"] == 660
    assert through["without_items"] == sum(v.id.startswith("~") for v in sending.verdicts)
    assert through["bundle"] == digits.variant().manifest.bundle_id


async def test_who_brings_items_to_a_log_without_any_is_not_asked_to_bring_them(
    server: EmbeddedServer, stream: str, make_store: MakeStore, tmp_path: Path
) -> None:
    """Two snapshots took them out of the log, and only a decision came since."""
    store = make_store(stream=stream, bundle_id=digits.bundle().manifest.bundle_id, horizon=1000)
    await store.open()
    await store.acquire()
    sending = Sending(store, digits.bundle())
    await sending.configure()
    await sending.send(0, 600)
    for _ in range(2):
        await sending.decide(Action.NAME, sending.clusters_of("3")[0], label="a name")
        await sending.save()
    await store.release()
    place = ["--redis-url", f"unix://{server.socket}", "--stream", stream]
    words = [digits.bundle_dir(), "--bundle", digits.variant_dir(), "--items", items_file(tmp_path), *place]
    answer = await asyncio.to_thread(runner.invoke, cli.app, ["backtest", *map(str, words)])

    assert 1 == answer.exit_code
    assert "Nothing has been sent" in str(answer.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["backtest", "BUNDLE"], "Say what would have been otherwise"),
        (["backtest", "BUNDLE", "--set", "rate"], "SETTING=VALUE"),
        (["backtest", "BUNDLE", "--set", "known_error_rate=much"], "is a number"),
        (["export", "BUNDLE", "--out", "OUT", "--what", "verdict"], "--what takes"),
        (["export", "BUNDLE", "--out", "OUT", "--items", "nowhere.jsonl"], "no file nowhere.jsonl"),
        (["export", "BUNDLE", "--out", "OUT/deeper/still"], "Cannot write"),
        (["upgrade", "BUNDLE", "BUNDLE", "--redis-url", "unix:///nowhere"], "as it was, or moved whole"),
        (["export", "BUNDLE", "--out", "MINE"], "is there already"),
        (["export", "BUNDLE", "--out", "MINE", "--force"], "something else than an export"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(words: list[str], said: str, tmp_path: Path) -> None:
    """In one line."""
    places = {"BUNDLE": digits.bundle_dir(), "OUT": tmp_path / "out", "MINE": tmp_path}
    (tmp_path / "thesis.txt").write_text("mine")
    for name, path in places.items():
        words = [word.replace(name, str(path)) for word in words]
    answer = runner.invoke(cli.app, words)

    assert said in str(answer.exception)
    assert [tmp_path / "thesis.txt"] == list(tmp_path.iterdir())
