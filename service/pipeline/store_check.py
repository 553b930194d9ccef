"""Does Redis still keep what is acknowledged? Looked at when the stream is taken, and again while it is served.

Somebody may switch the append-only file off, or memory may be given an eviction policy, under a running service. Then
nothing more is acknowledged until it is mended; what an operator should merely know becomes a warning of `/readyz`.
"""

import structlog

from service.pipeline.asking import Asking
from service.pipeline.readiness import Readiness
from service.state.errors import StoreMisconfigured
from service.state.store import ServerInfo, StreamStore

log = structlog.get_logger("firstseen.pipeline")


class StoreCheck:
    """The settings of one store, as seen last.

    Args:
        store: Whose.
        asking: How it is asked.
        readiness: Is told what is unsafe.
    """

    def __init__(self, store: StreamStore, asking: Asking, readiness: Readiness) -> None:
        self._store = store
        self._asking = asking
        self._readiness = readiness
        self.warnings: tuple[str, ...] = ()

    async def open(self) -> None:
        """Look for the first time. Raises StoreMisconfigured: it is not safe to begin."""
        self._note(await self._asking.until_answered(self._store.open))

    async def again(self) -> None:
        """Look while it is served."""
        try:
            self._note(await self._asking.until_answered(self._store.check))
        except StoreMisconfigured as unsafe:
            self._readiness.store_is_unsafe(str(unsafe))
        else:
            self._readiness.store_is_unsafe(None)

    def _note(self, info: ServerInfo) -> None:
        """Keep the warnings; say each once."""
        for warning in info.warnings:
            if warning not in self.warnings:
                log.warning("redis_unsafe", warning=warning)
        self.warnings = info.warnings
