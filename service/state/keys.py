"""Every key that firstseen has in Redis.

A stream's keys share the hash tag `{stream}`, so that they live on one cluster slot and one Function may
touch them together. `<b>` is the bundle id: state of one embedding space can never be read by another.

| key                      | type   | content                                 | written by      | bound      |
|--------------------------|--------|-----------------------------------------|-----------------|------------|
| fs:{stream}:bundle       | string | id of the bundle that owns the state    | acquire, once   | 1          |
| fs:{stream}:epoch        | string | the fencing token, `<epoch> <owner>`    | acquire         | 1          |
| fs:{stream}:lease        | string | the owner; expires                      | acquire, renew  | 1          |
| fs:{stream}:kept         | string | what an upgrade left: `<bundle> <seq>`  | move            | 1          |
| fs:{stream}:<b>:head     | hash   | where log and snapshots stand           | append, save    | 9 fields   |
| fs:{stream}:<b>:log      | stream | one entry a batch                       | append          | see below  |
| fs:{stream}:<b>:ids:<g>  | hash   | item id -> verdict bytes                | append          | 2 at most  |
| fs:{stream}:<b>:snap:<k>:<n> | string | chunk n of snapshot k (snapshots.py) | save | 3 snapshots |
| fs:{stream}:<b>:events   | stream | what became of clusters, one entry each | append          | 10,000     |
| fs:{stream}:<b>:payloads | hash   | item id -> payload of a cluster's member | append         | bytes, set |
| fs:{stream}:hooks        | hash   | webhook -> what it is and how it stands | record_hooks    | 50         |
| fs:{stream}:pending      | hash   | webhook and event -> what is to be told | record_hooks    | 50 x 1000  |
| fs:{stream}:deliveries   | stream | tries to tell a webhook, the latest     | record_hooks    | 5000       |
| fs:{stream}:<b>:dlq      | hash   | item id -> what crashed the engine      | quarantine      | 1000       |
| fs:{stream}:<b>:hand     | string | what is in hand while that is in doubt  | set_hand        | 1          |
| fs:{stream}:+<t>:<rest>  | any    | what adopt or move t makes fs:{stream}:<rest> | import, upgrade | 1 at a time |
| fs:keys                  | hash   | API keys of all streams, hashed         | firstseen keys  | 1000 keys  |
| fs:ticket:<digest>       | string | what a ticket opens; expires            | POST /tickets   | 30 s each  |
| fs:streams               | set    | the names of all streams there are      | acquire, adopt  | 10,000     |

**head** has `seq` (the seq after the last durable item), `horizon` (fixed when the stream is made), `idgen`
(the newest generation of ids), `gen` (the last snapshot generation handed out), `cur` and `prev` (the two
snapshots that are kept, each `<generation> <seq> <chunks> <bytes> <blake2b, hex>`), `trimmed` (the log is
complete from this seq on), `saving` (`<generation> <chunks>` of a save under way; what an interrupted one
leaves is found by it) and `events` (how many there have been).

**log**: the entry of the batch whose first item has seq s has the id `s-1`, so an entry is found by its seq
and no second numbering exists. Fields: `n` items in the batch, `p` payload, `s` 16 bytes blake2b of the
record and 16 of its verdicts, `e` the epoch that wrote it. It is trimmed behind the *older* of the two
snapshots, never by length.

**ids** is the dedup window. With horizon H the ids of a batch go to generation `g = last seq // H`; reads
look at g and g-1 of the present seq, g-2 is unlinked: the last H ids are always remembered,
never more than 2 H and a batch that began before them (which has H items at most).

**events** is the outbox: an event is there exactly when the batch that caused it is in the log, since one Function
writes both. The n-th event (from 1) of the entry of seq s has the id `s-n`, which a replay would give it again. Fields:
`e` the event (events.py), `k` its number in the stream, from 1. The oldest leave when there are more than MOST_EVENTS;
who reads on from one that left sees that some are missing.

**payloads** has what the members of clusters looked like (payloads.py), as far as that is kept: at most
FIRSTSEEN_PAYLOADS_BYTES of it, and when that is full, what comes then goes without.

**hooks**, **pending** and **deliveries** are of the stream and not of its bundle: who wants to be told stays when a
new bundle takes over. A hook's field has its secrets, since they have to sign; its cursor names the bundle whose outbox
it is in (service/webhooks/hooks.py). When `pending` is full for a hook its cursor waits, and when the outbox has moved
past a cursor meanwhile the hook is told how many events it missed.

**dlq** holds the items that crashed the engine (dead_letters.py): the field is the item's id, or `~<epoch>-<n>` for one
without. An item with a verdict may still have a letter here, where a retry ended between the two writes; the verdict
counts.

**streams** tells which streams there are without a scan of all keys. A name comes in by the Function that makes the
stream, and again whenever it is taken, so one of an older version is there once it has been served; who reads it asks
for the bundle key as well, which says whether the stream is still there. Like keys and tickets it is without the
hash tag: a cluster, whose slots a Function may not cross, is refused anyway (wire.py). When it is full no stream is
made, and those there are go on.

**kept** tells of which bundle the stream was before it was moved to another (moving.py), and where it stood; all of its
keys under that bundle are still there, for one step back, and leave with the next move.

**hand** is there while somebody owns the stream, and afterwards where he did not leave in order: that is how an heir
knows (hand.py). While it is not known why, it also names the items that are about to be stepped.

**keys** and **ticket** are of no stream (key_store.py): who may come in is asked before it is known to which.
"""

import re

STREAM_PATTERN = r"[A-Za-z0-9._-]{1,64}"
"""What a stream may be called."""

STREAMS = "fs:streams"
"""The key of all names."""

MOST_STREAMS = 10_000
"""Names there may be."""

MOST_EVENTS = 10_000
"""Events of a stream that are kept."""

_STREAM = re.compile(STREAM_PATTERN)
_BUNDLE = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def is_stream_name(name: str) -> bool:
    """Whether a stream may be called so: 1 to 64 of `A-Z a-z 0-9 . _ -`."""
    return _STREAM.fullmatch(name) is not None


class Keys:
    """The names of one stream's keys under one bundle.

    stream: 1 to 64 of `A-Z a-z 0-9 . _ -`; bundle_id: 1 to 128 of those and `:`.
    ValueError says what to send.
    """

    def __init__(self, stream: str, bundle_id: str) -> None:
        if not is_stream_name(stream):
            raise ValueError(f"stream name {stream!r}: send 1 to 64 letters, digits, '.', '_' or '-'")
        if not _BUNDLE.fullmatch(bundle_id):
            raise ValueError(f"bundle id {bundle_id!r}: send 1 to 128 letters, digits, '.', '_', ':' or '-'")
        self.stream = stream
        self.bundle_id = bundle_id
        self.shared = shared = f"fs:{{{stream}}}:"
        self.own = f"{shared}{bundle_id}:"
        self.bundle = f"{shared}bundle"
        self.epoch = f"{shared}epoch"
        self.lease = f"{shared}lease"
        self.kept = f"{shared}kept"
        self.head = f"{self.own}head"
        self.log = f"{self.own}log"
        self.events = f"{self.own}events"
        self.payloads = f"{self.own}payloads"
        self.dead_letters = f"{self.own}dlq"
        self.hand = f"{self.own}hand"
        self.hooks = f"{shared}hooks"
        self.pending = f"{shared}pending"
        self.deliveries = f"{shared}deliveries"
        self.every = f"{shared}*"
        self.every_staged = f"{shared}+*"

    def ids(self, generation: int) -> str:
        """The verdicts of id generation `generation` (also of one below 0, which is never written)."""
        return f"{self.own}ids:{generation}"

    def chunk(self, generation: int, n: int) -> str:
        """Chunk `n` of snapshot generation `generation`."""
        return f"{self.own}snap:{generation}:{n}"

    def chunks(self, generation: int, count: int) -> list[str]:
        """All chunk keys of a snapshot, in order."""
        return [self.chunk(generation, n) for n in range(count)]

    def staged(self, key: str, token: str) -> str:
        """Where the import `token` writes what is to be `key`; no bundle id begins with `+`."""
        return f"{self.shared}+{token}:{key.removeprefix(self.shared)}"

    def is_staged(self, key: str) -> bool:
        """Whether an import that did not end left it, or writes it now."""
        return key.startswith(f"{self.shared}+")

    def generation_of_ids(self, key: str) -> int | None:
        """G of an `ids` key; None for another."""
        found = re.fullmatch(re.escape(f"{self.own}ids:") + r"(\d{1,18})", key)
        return int(found[1]) if found else None

    def place_of_chunk(self, key: str) -> tuple[int, int] | None:
        """Generation and number of a `snap` key; None for another."""
        found = re.fullmatch(re.escape(f"{self.own}snap:") + r"(\d{1,18}):(\d{1,18})", key)
        return (int(found[1]), int(found[2])) if found else None


STREAM_NAMES = "fs:{*}:bundle"
"""Matches one key of every stream."""


API_KEYS = "fs:keys"
"""The hash of all API keys."""


def ticket_key(digest: bytes) -> str:
    """Where the ticket of this digest is kept."""
    return f"fs:ticket:{digest.hex()}"


def stream_of(bundle_key: str) -> str:
    """The stream that a key matched by STREAM_NAMES belongs to."""
    return bundle_key.removeprefix("fs:{").removesuffix("}:bundle")


def log_entry(first_seq: int) -> str:
    """The id of the log entry whose first item has this seq."""
    return f"{first_seq}-1"


def log_from(first_seq: int) -> str:
    """A log id below the entry of this seq and above all entries before it."""
    return f"{first_seq}-0"
