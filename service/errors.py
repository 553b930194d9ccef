"""What can go wrong at the service's edge, as one tree.

Two halves. `ClientError`: the sender can mend it, and the message says what to send. `Unavailable`: nothing is
wrong with what was sent; send the same again after `retry_after_s`. Everything else is a bug of ours and says
so (`InternalError`). `service.api.failures` maps each class to a status and a WebSocket close code.
"""

from typing import Self


class FirstseenError(Exception):
    """Base of all errors that reach a client."""

    def __copy__(self) -> Self:
        """The same, not yet raised: without traceback, cause and context; `__init__` is not run again."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        return twin


class ClientError(FirstseenError):
    """The sender can mend it; the message says what to send."""


class InvalidItem(ClientError):
    """One item cannot be classified as it was sent. The others of its request are not affected."""


class ItemQuarantined(ClientError):
    """The item crashed the engine twice, the last time alone; it is in quarantine and was not counted. The others of
    its request are not affected. Under the same id it is refused from now on, until a person looks at it:
    `firstseen dlq list`, then `firstseen dlq retry` or `firstseen dlq drop`.
    """


class UnknownDeadLetter(ClientError):
    """No item in quarantine has this id."""


class UnknownWebhook(ClientError):
    """There is no webhook of this id; GET /webhooks lists those there are."""


class WebhooksFull(ClientError):
    """The stream has as many webhooks as it may; remove one first."""


class PayloadNotKept(ClientError):
    """The item in quarantine was too large to be kept. To try it again, drop it here and send it anew."""


class InvalidBody(ClientError):
    """The request as a whole cannot be understood."""


class BodyTooLarge(ClientError):
    """The request is larger than the service takes at once."""


class HeadTooLarge(ClientError):
    """The request line and the headers are larger than any that the service has a use for."""


class BodyTooSlow(ClientError):
    """The body did not come as fast as the service waits for one."""


class ForeignOrigin(ClientError):
    """A browser sent this for a page of another site. Such pages may neither send items nor watch."""


class WrongHost(ClientError):
    """While no key is needed, the service may only be asked by an address, as localhost, or by a name that it was told
    (`FIRSTSEEN_HOSTS`): a web page could have given it any other one.
    """


class Unauthorized(ClientError):
    """A key is needed, `Authorization: Bearer fs_...` or `X-API-Key`, and this is none that is valid here. The operator
    makes one with `firstseen keys add`. A browser opens a WebSocket with a ticket (`POST /tickets`).
    """

    def __init__(self, message: str, *, is_wrong: bool = False) -> None:
        """`is_wrong`: something was presented, and it is of no use."""
        super().__init__(message)
        self.is_wrong = is_wrong


class Forbidden(ClientError):
    """The key is valid, and may not do this, or not on this stream."""

    def __init__(self, message: str, *, scope: str = "") -> None:
        """`scope`: what it would need."""
        super().__init__(message)
        self.scope = scope


class OverQuota(ClientError):
    """The key has used what it may: items a second, connections, or streams. Where waiting helps, `Retry-After` and
    `RateLimit` say how long.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: None where waiting alone does not help."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class UnsupportedMediaType(ClientError):
    """The body's content type is not one that the service reads."""


class UnsupportedEncoding(ClientError):
    """The body is compressed in a way that the service does not read; Accept-Encoding lists those it does."""


class NotAcceptable(ClientError):
    """The answer cannot be given in any of the media types that the Accept header lists."""


class InvalidHeader(ClientError):
    """A header of the request has a value that cannot be."""


class KeyReused(ClientError):
    """The Idempotency-Key was sent before, with another body. Each request has a key of its own; only a request that is
    sent again, unchanged, has the same one.
    """


class UnknownStream(ClientError):
    """There is no such stream. Sending items to one makes it, where that is allowed; looking at one does not."""


class DecisionRefused(ClientError):
    """A decision about a cluster cannot be carried out; nothing was changed."""


class UnknownCluster(DecisionRefused):
    """No cluster has, or ever had, this id."""


class UnknownDecision(DecisionRefused):
    """No decision has this place in the stream, or it is so long ago that it is not remembered."""


class CannotDecide(DecisionRefused):
    """The cluster is not such, or not any more, that this can be decided about it. The message says what to do."""


class InvalidDecision(DecisionRefused):
    """A decision lacks something, or has a value that cannot be."""


class UnknownPath(ClientError):
    """The service has nothing under this path."""


class WrongMethod(ClientError):
    """The path is there, but not for this HTTP method."""


class InvalidParameter(ClientError):
    """A parameter in the path or the query has a value that cannot be."""


class InvalidSetting(ClientError):
    """A setting has a value, or a name, that cannot be."""


class Unavailable(FirstseenError):
    """Nothing is wrong with what was sent. Send the same again in a moment."""

    retry_after_s = 1


class Overloaded(Unavailable):
    """As much is waiting, being received or connected as the service lets."""


class TooManyStreams(Unavailable):
    """As many streams are open as may be, and each is in use: another cannot be opened now."""


class StreamFails(Unavailable):
    """The stream could not be served, for a reason that a person should look at. It is tried again after a pause; the
    other streams go on.
    """

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotReady(Unavailable):
    """The service is starting, stepping down, or stopping."""


class KeysNotKnown(Unavailable):
    """The service has just started, and the store has not told it the keys yet: nobody gets in."""


class EngineFails(Unavailable):
    """The engine fails also at what it is known to be able to do: it is not what was sent."""


class TooManyQuarantined(Unavailable):
    """So many items crashed the engine within a minute that the stream pauses: a person should look."""


class StoreAway(Unavailable):
    """Redis cannot be reached; nothing can be acknowledged until it is back."""


class OutcomeUnknown(Unavailable):
    """The answer did not come in time. The item may or may not be durable: send it again under the same id."""


class DeadlineMissed(Unavailable):
    """The deadline that the client gave (`Firstseen-Deadline-Ms`) passed while its items waited. What was not in hand
    by then was not counted; send it again, with more time or when there is less to do.
    """


class ClientGone(Unavailable):
    """The client closed its connection while its items waited. They were not counted; nobody reads this."""


class InternalError(FirstseenError):
    """Not the sender's fault and not the weather's."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} This is a bug in firstseen.")
