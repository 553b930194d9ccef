"""How much of what items looked like is kept: the operator's bounds, a value of its own since the settings know it."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class PayloadLimits:
    """What an operator allows; see `service.pipeline.payloads`.

    Attributes:
        keep: Whether payloads are kept.
        most_bytes: Of one payload, as it is stored.
        most_bytes_in_all: Of all payloads of a stream.
    """

    keep: bool = True
    most_bytes: int = 64 * 1024
    most_bytes_in_all: int = 64 * 1024 * 1024
