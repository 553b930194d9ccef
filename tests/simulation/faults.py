"""The faults of a plan, made to happen to a world.

Each begins at once, or lies in wait for its victim's n-th callback from now, and ends by itself.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from service.clustering.params import EngineParams
from service.state.snapshots import BadSnapshot, Description, join
from tests.simulation import small
from tests.simulation.network import Fate, Gremlin, Weather
from tests.simulation.plan import Episode
from tests.simulation.process import DAY_S, Process

if TYPE_CHECKING:
    from tests.simulation.world import World

_WORDS = (
    *(b"fs1_commit",) * 4,
    *(b"HGET", b"fs1_acquire", b"fs1_renew", b"XRANGE"),
    *(b"fs1_begin_snapshot", b"fs1_put_chunk", b"fs1_flip_snapshot", b"fs1_trim"),
)
"""What a gremlin waits for."""


class Faults:
    """All that can happen to one world."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._loop = world.loop
        self._network = world.network

    def suffer(self, episode: Episode) -> None:
        """Let a fault begin; it ends by itself."""
        self._world.note("fault", episode.kind)
        self._world.counts.faults[episode.kind] += 1
        getattr(self, f"_{episode.kind}")(episode)

    def _victim(self, episode: Episode) -> Process | None:
        """Mostly the one that serves."""
        serving = self._world.ready()
        if serving is not None and episode.pick < 0.7:
            return serving
        return (
            self._world.processes[int(episode.pick * len(self._world.processes))]
            if self._world.processes
            else None
        )

    def _later(self, episode: Episode, then: Callable[[], None]) -> None:
        self._loop.call_later(episode.lasts_s, then)

    def _kill(self, episode: Episode) -> None:
        if (process := self._victim(episode)) is not None:
            process.light(1 + int(episode.size**2 * 150), lambda: self._world.kill(process))

    def _pause(self, episode: Episode) -> None:
        if (process := self._victim(episode)) is not None:
            lasts_s = self._world.plan.lease_ms / 1000 * (0.2 + 3 * episode.pick)
            process.light(1 + int(episode.size**2 * 80), lambda: self._stop(process, lasts_s))

    def _stop(self, process: Process, lasts_s: float) -> None:
        self._world.note("stopped", process.name)
        self._loop.stop_host(process)
        self._loop.call_later(lasts_s, self._loop.resume_host, process)
        # Whoever watches over it starts another, unless a lock keeps that one out.
        if not self._world.plan.is_alone and len(self._world.processes) == 1:
            self._loop.call_later(lasts_s * self._world.rng.random(), self._start_beside)

    def _start_beside(self) -> None:
        if not self._world.is_over and len(self._world.processes) <= 2:
            self._world.start()

    def _restart(self, episode: Episode, params: EngineParams | None = None) -> None:
        if (process := self._victim(episode)) is not None:
            self._loop.create_task(self._world.restart(process, params))

    def _configure(self, episode: Episode) -> None:
        radius = 1.5 + round(episode.size, 2)
        self._restart(episode, replace(small.PARAMS, clustering_threshold=radius))

    def _clock(self, episode: Episode) -> None:
        self._world.skew_s = DAY_S if episode.size < 0.5 else -DAY_S
        for process in self._world.processes:
            process.skew_s = self._world.skew_s
        if episode.pick < 0.3:  # the store's own, and forward: every lease has run out
            self._world.store_skew_s += DAY_S

    def _storm(self, episode: Episode) -> None:
        share = 0.1 + 0.5 * episode.size
        kind = int(episode.pick * 4)
        shares = [share if kind == n else 0.0 for n in range(3)]
        self._network.weather = Weather(*shares) if kind < 3 else Weather(*(share / 3,) * 3)
        self._loop.call_later(3 * episode.lasts_s, self._calm)

    def _gremlin(self, episode: Episode) -> None:
        word = _WORDS[int(episode.pick * len(_WORDS))]
        fate: Fate = ("lost request", "lost reply", "late")[int(episode.size * 3)]
        self._network.gremlins.append(Gremlin(word, fate, 1 + int(episode.lasts_s * 2)))

    def _calm(self) -> None:
        self._network.weather = Weather()
        self._network.gremlins.clear()

    def _away(self, episode: Episode) -> None:
        self._network.is_away = True
        self._network.break_connections()
        self._later(episode, self._back)

    def _back(self) -> None:
        self._network.is_away = self._network.is_loading = False

    def _reboot(self, episode: Episode) -> None:
        self._network.is_away = True
        self._network.break_connections()
        self._loop.call_later(episode.lasts_s / 2, self._load)
        self._later(episode, self._back)

    def _load(self) -> None:
        self._network.is_away, self._network.is_loading = False, True

    def _full(self, episode: Episode) -> None:
        self._network.server.is_full = True
        self._later(episode, self._room)

    def _room(self) -> None:
        self._network.server.is_full = False

    def _corrupt(self, episode: Episode) -> None:
        """Flip a bit in the newest snapshot, or the one before, unless the other is bad already."""
        data = self._network.server.data
        head = data.get(self._world.keys.head.encode(), {})
        found = [Description.parse(head[name]) for name in (b"cur", b"prev") if name in head]
        if len(found) < 2 and int(head.get(b"trimmed", b"0")) > 0:
            return
        for description in found:
            names = self._world.keys.chunks(description.generation, description.chunks)
            try:
                join(description, [data.get(name.encode()) for name in names])
            except BadSnapshot:
                return
        if found:
            description = found[0 if episode.pick < 0.8 else -1]
            name = self._world.keys.chunk(description.generation, 0).encode()
            at = 16 + int(episode.size * (len(data[name]) - 16))
            data[name] = data[name][:at] + bytes([data[name][at] ^ 1]) + data[name][at + 1 :]
            self._world.oracle.has_hurt_snapshots = True

    def _fail_over(self, episode: Episode) -> None:
        replica = self._network.server.fork()
        if episode.pick < 0.5:
            replica.libraries.clear()
        self._network.break_connections(replica)
        self._network.is_away = True
        self._later(episode, self._back)

    def heal(self) -> None:
        """No fault from now on; what is wrong now is mended."""
        self._calm()
        self._back()
        self._room()
        for process in list(self._world.processes):
            process.fuse = None
            self._loop.resume_host(process)
        self._world.start_again()
