"""redis-py's own client, cut off from its sockets: commands go to a link, replies come back as redis-py reads them.

So the names of its methods, the forms of its replies and the classes of its errors are not imitated but its own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from redis import exceptions as rx
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from service.state.wire import connect
from tests.simulation.lua import ReplyError
from tests.simulation.server import SimulatedServer

_CLASSES = {
    "LOADING": rx.BusyLoadingError,
    "OOM": rx.OutOfMemoryError,
    "READONLY": rx.ReadOnlyError,
    "NOSCRIPT": rx.NoScriptError,
}
"""redis-py has a class for these codes, and drops the code from the message."""


class Link(Protocol):
    """What carries commands to a server and back."""

    async def exchange(self, commands: Sequence[Sequence[bytes]], /) -> list[Any]:
        """The reply of each, a ReplyError where it is one. Raises what redis-py raises for a broken connection."""


class Direct:
    """A link without distance."""

    def __init__(self, server: SimulatedServer) -> None:
        self.server = server

    async def exchange(self, commands: Sequence[Sequence[bytes]]) -> list[Any]:
        return [answered(self.server, args) for args in commands]


def answered(server: SimulatedServer, args: Sequence[bytes]) -> Any:
    """The reply to one command, errors as values."""
    try:
        return server.execute(args)
    except ReplyError as error:
        return error


class SimulatedRedis(Redis):
    """A client on a link."""

    link: Link

    @classmethod
    def on(cls, link: Link) -> Self:
        """A client that behaves as `connect`'s: it sends each command once."""
        client = cls(connection_pool=connect(Path("simulated")).connection_pool)
        client.link = link
        return client

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        (reply,) = await self.link.exchange([encoded(args)])
        return read(self.response_callbacks, args[0], reply, options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "SimulatedPipeline":  # noqa: ARG002
        """Commands that go together."""
        pipeline = SimulatedPipeline(self.connection_pool, self.response_callbacks, False, None)
        pipeline.link = self.link
        return pipeline


class SimulatedPipeline(Pipeline):
    """Commands that go together."""

    link: Link

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands, self.command_stack = self.command_stack, []
        replies: list[Any] = []
        sent = await self.link.exchange([encoded(args) for args, _ in commands])
        for (args, options), reply in zip(commands, sent, strict=True):
            try:
                replies.append(read(self.response_callbacks, args[0], reply, options))
            except rx.ResponseError as error:
                if raise_on_error:
                    raise
                replies.append(error)
        return replies


def encoded(args: Sequence[Any]) -> list[bytes]:
    """As redis-py packs a command: a name of two words is two arguments."""
    name, *rest = args
    return name.encode().split() + [
        arg if isinstance(arg, bytes) else arg.encode() if isinstance(arg, str) else repr(arg).encode()
        for arg in rest
    ]


def read(callbacks: Any, name: Any, reply: Any, options: dict[str, Any]) -> Any:
    """A reply as redis-py hands it out."""
    if isinstance(reply, ReplyError):
        code, _, rest = str(reply).partition(" ")
        if code in _CLASSES:
            raise _CLASSES[code](rest)
        raise rx.ResponseError(rest if code == "ERR" else str(reply))
    options.pop("keys", None)
    callback = callbacks.get(name)
    return reply if callback is None else callback(reply, **options)
