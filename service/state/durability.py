"""What an acknowledgement promises: three tiers, and what each asks of the server.

    tier         an acknowledged item survives                            asks of the server       costs
    fsync        kill -9 and power loss of the server's machine           appendfsync always       an fsync a batch
    relaxed      a crash of firstseen; of the server's or its machine's   appendfsync everysec     nothing
                 crash all but what came in the last two seconds          or always
    replicated   the loss of the server's machine and disk, where a       appendfsync always,      an fsync here and
                 replica that has it becomes the primary                  WAITAOF, replicas        on the replicas

All tiers want the append-only file, and an eviction policy that throws nothing away. In `replicated` a write is
acknowledged after WAITAOF has said that this server and so many replicas have it in their files. WAITAOF speaks of
the last write *of its own connection*, so both go over one connection, one after the other; and a resend that the
server recognises makes a small write again, so that there is something to wait for. After taking the stream the owner
waits once for all that it found there, which a predecessor may have written and never seen confirmed.

Pure: what the server said goes in, sentences come out.
"""

from dataclasses import dataclass
from enum import StrEnum


class Tier(StrEnum):
    """The durability that an operator chose."""

    FSYNC = "fsync"
    RELAXED = "relaxed"
    REPLICATED = "replicated"


@dataclass(frozen=True, kw_only=True)
class Durability:
    """A tier, and for `replicated` on how many replicas (at least 1) an item must be before it is acknowledged."""

    tier: Tier = Tier.FSYNC
    replicas: int = 1

    @property
    def may_forget(self) -> bool:
        """Whether the server may come back with less than was acknowledged, and nothing is wrong."""
        return self.tier is Tier.RELAXED

    @property
    def awaited_replicas(self) -> int:
        """How many replicas a write waits for; 0 in the tiers without."""
        return self.replicas if self.tier is Tier.REPLICATED else 0

    @property
    def appendfsync(self) -> str:
        """The setting of the append-only file that the tier is made for."""
        return "everysec" if self.tier is Tier.RELAXED else "always"


@dataclass(frozen=True, kw_only=True)
class ServerFacts:
    """What a server says of itself.

    appendfsync: None where it may not be asked (managed servers forbid CONFIG). aof_is_written: the last write of the
    file went well. aof_is_whole: it holds all there is; not yet, while it is made anew after it was seen off.
    skips_fsync: no-appendfsync-on-rewrite, by which no write is synced while the file is rewritten.
    """

    name: str
    version: tuple[int, ...]
    eviction: str
    has_aof: bool
    appendfsync: str | None
    aof_is_written: bool = True
    aof_is_whole: bool = True
    skips_fsync: bool = False


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A sentence each. unsafe: an acknowledged item may be lost; unknown: could not be checked; impossible: the tier
    cannot be had here at all.
    """

    unsafe: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    impossible: tuple[str, ...] = ()


_GOOD_FSYNC = {
    Tier.FSYNC: ("always",),
    Tier.RELAXED: ("everysec", "always"),
    Tier.REPLICATED: ("always",),
}
_WAITAOF_SINCE = (7, 2)


def judge(facts: ServerFacts, durability: Durability) -> Findings:
    """What stands between this server and the tier; each sentence says what to set."""
    unsafe, unknown, impossible = [], [], []
    if facts.eviction != "noeviction":
        unsafe.append(
            f"maxmemory-policy is {facts.eviction}, which may throw state away: set `maxmemory-policy "
            "noeviction` in redis.conf, or run CONFIG SET maxmemory-policy noeviction"
        )
    if not facts.has_aof:
        unsafe.append(
            "the append-only file is off, so a crash forgets acknowledged items: set `appendonly yes` in "
            "redis.conf, or run CONFIG SET appendonly yes"
        )
    elif facts.appendfsync is None:
        unknown.append(
            "CONFIG GET is not allowed here, so appendfsync could not be checked: "
            f"make sure it is {durability.appendfsync}"
        )
    elif facts.appendfsync not in _GOOD_FSYNC[durability.tier]:
        unsafe.append(
            f"appendfsync is {facts.appendfsync}, so a power cut forgets acknowledged items: set `appendfsync "
            f"{durability.appendfsync}` in redis.conf, or run CONFIG SET appendfsync {durability.appendfsync}"
            + (
                ", or choose FIRSTSEEN_DURABILITY=relaxed"
                if facts.appendfsync == "everysec" and durability.tier is Tier.FSYNC
                else ""
            )
        )
    if facts.has_aof and not facts.aof_is_whole:
        unsafe.append(
            "the append-only file is being made and does not hold everything yet, so a crash would forget it all: wait "
            "until INFO persistence says aof_rewrite_in_progress:0"
        )
    if facts.has_aof and facts.skips_fsync and durability.tier is not Tier.RELAXED:
        unsafe.append(
            "no-appendfsync-on-rewrite is yes, so what comes while the file is rewritten is not synced: set "
            "`no-appendfsync-on-rewrite no` in redis.conf, or run CONFIG SET no-appendfsync-on-rewrite no"
        )
    if facts.has_aof and not facts.aof_is_written:
        unsafe.append(
            "the server could not write its append-only file (aof_last_write_status is err): look whether its disk is "
            "full; it says so in its log"
        )
    if durability.tier is Tier.REPLICATED and facts.version[:2] < _WAITAOF_SINCE:
        shown = ".".join(map(str, facts.version))
        impossible.append(
            f"FIRSTSEEN_DURABILITY=replicated needs WAITAOF, which {facts.name} {shown} does not have: use Redis 7.2, "
            "Valkey 7.2 or newer, or FIRSTSEEN_DURABILITY=fsync"
        )
    return Findings(unsafe=tuple(unsafe), unknown=tuple(unknown), impossible=tuple(impossible))
