"""What lies in the store is not what should: damaged snapshots, state of another bundle."""

from service.state.keys import Keys
from service.state.snapshots import Description
from tests.faults.registry import scenario
from tests.faults.rig import Rig, Service
from tests.faults.scenarios.owners import fingerprint
from tests.faults.servers import RedisServer
from tests.service import digits

_SETTINGS = {"snapshot_every_items": 50, "chunk_bytes": 4096}


def _chunks(redis: RedisServer, which: str) -> list[str]:
    """Keys of the chunks of `cur` or `prev`."""
    keys = Keys("default", digits.bundle().manifest.bundle_id)
    kept = Description.parse(redis.command("HGET", keys.head, which))
    return keys.chunks(kept.generation, kept.chunks)


def _damage(rig: Rig, redis: RedisServer, which: str, how: str) -> tuple[str, bytes]:
    """Hurt one chunk; the key and what it held."""
    key = rig.rng.choice(_chunks(redis, which))
    before: bytes = redis.command("GET", key)
    if how == "missing":
        redis.command("DEL", key)
    else:
        at = rig.rng.randrange(len(before))
        redis.command(
            "SET", key, before[:at] + bytes([before[at] ^ 1 << rig.rng.randrange(8)]) + before[at + 1 :]
        )
    rig.note("chunk damaged")
    return key, before


@scenario("a bit", "missing")
def snapshot_damaged(rig: Rig, how: str) -> Service:
    """A chunk of the newer snapshot is damaged: the older one and the log give the same state."""
    redis = rig.redis()
    service = rig.serve(at=redis, **_SETTINGS).ready()
    rig.http(service, rig.items(rig.rng.randint(200, 300)), chunk=20).finish()
    before = service.get("/info")
    rig.kill(service)
    _damage(rig, redis, "cur", how)
    service = rig.serve(at=redis, **_SETTINGS).ready()
    after = service.get("/info")
    assert service.said("snapshot_skipped"), "it says which snapshot was left out"
    assert before["state_hash"] == after["state_hash"]
    rig.http(service, rig.items(120), chunk=20).finish()  # and the damaged one goes with the next save
    return service


@scenario()
def both_snapshots_damaged(rig: Rig) -> Service:
    """Both snapshots are damaged and the log is trimmed: it refuses to start and says what to do."""
    redis = rig.redis()
    service = rig.serve(at=redis, **_SETTINGS).ready()
    rig.http(service, rig.items(rig.rng.randint(200, 300)), chunk=20).finish()
    rig.kill(service)
    was = [_damage(rig, redis, which, "a bit") for which in ("cur", "prev")]
    service = rig.serve(at=redis, **_SETTINGS)
    assert service.wait() == 1
    last = service.log.strip().splitlines()[-1]
    assert "no snapshot of stream" in last, last
    assert "backup" in last, last
    for key, value in was:  # the backup
        redis.command("SET", key, value)
    service = rig.serve(at=redis, **_SETTINGS).ready()
    rig.client(service, rig.items(60)).finish()
    return service


@scenario("killed", "stopped")
def other_bundle(rig: Rig, how: str) -> Service:
    """Another bundle on old state is refused, naming both, and the state is as it was."""
    redis = rig.redis()
    service = rig.serve(at=redis, **_SETTINGS).ready()
    rig.client(service, rig.items(rig.rng.randint(60, 200))).finish()
    if how == "killed":
        rig.kill(service)
    else:
        assert service.stop() == 0
    before = fingerprint(redis)
    other = rig.serve("other", at=redis, bundle=digits.variant_dir(), **_SETTINGS)
    assert other.wait() == 1
    rig.note("other bundle refused")
    last = other.log.strip().splitlines()[-1]
    assert digits.bundle().manifest.bundle_id in last, last
    assert digits.variant().manifest.bundle_id in last, last
    assert before == fingerprint(redis), "the refused one changed something"
    service = rig.serve(at=redis, **_SETTINGS).ready()
    rig.client(service, rig.items(60)).finish()
    return service
