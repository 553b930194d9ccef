"""What an operator can set, read once, frozen, printed at start.

Every setting is an environment variable `FIRSTSEEN_<NAME>`; the common ones are options of `firstseen serve`
too, which win. A variable that starts with FIRSTSEEN_ and names no setting is refused: a typing error must not
leave a default in force.
"""

import difflib
import math
from collections.abc import Mapping
from decimal import ROUND_CEILING, Context, Decimal
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.access.origins import read_hosts, read_origins
from service.clustering.params import Backend, EngineParams, Gates
from service.errors import InvalidSetting
from service.pipeline.payload_limits import PayloadLimits
from service.state.durability import Durability, Tier
from service.state.keys import STREAM_PATTERN
from service.webhooks.addresses import read_networks

PREFIX = "FIRSTSEEN_"

CLIENT_VARIABLES = frozenset({f"{PREFIX}API_KEY"})
"""What clients read, on a machine where there may also be a service."""

MIB = 1024 * 1024


class Settings(BaseSettings):
    """The settings of one process; `Settings.read` makes them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8765, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    keys: Literal["auto", "required", "off"] = Field(
        "auto",
        description=(
            "When an API key is needed. auto: as soon as there is one (`firstseen keys add`); required: always; off: "
            "never, since something in front looks after it."
        ),
    )
    allow_open: bool = Field(
        default=False,
        description="With auto: listen elsewhere than on loopback although there is no key; anybody may do anything.",
    )
    origins: str | None = Field(
        None,
        description="Web pages that may ask, beside the service's own: https://app.example, between commas.",
    )
    hosts: str | None = Field(
        None,
        description=(
            "Names by which it may be asked while no key is needed, beside addresses and localhost; between commas."
        ),
    )
    key_items_per_s: float | None = Field(
        None,
        gt=0,
        le=1e9,
        description="Items a second that a key may send, unless it has its own limit; empty: no limit.",
    )
    key_burst: int | None = Field(None, ge=1, description="... and at once; empty: those of one second.")
    key_connections: int | None = Field(
        None,
        ge=1,
        description=(
            "WebSockets and streams of lines that a key may have open, unless it has its own limit; empty: no limit."
        ),
    )
    key_streams: int | None = Field(
        16, ge=0, description="Streams that a key may create, unless it has its own limit."
    )
    data_dir: Path = Field(
        Path("firstseen-data"), description="Folder of the embedded store; unused with a Redis URL."
    )
    redis_url: str | None = Field(
        None, description="redis://, rediss:// or unix:// address; empty: the embedded store."
    )
    durability: Tier = Field(
        Tier.FSYNC,
        description=(
            "What an acknowledgement promises. fsync: it is on disk; relaxed: it will be within two seconds; "
            "replicated: it is on disk here and on FIRSTSEEN_REPLICAS replicas."
        ),
    )
    replicas: int = Field(
        1,
        ge=1,
        le=100,
        description="Replicas that must have an item before it is acknowledged; with replicated.",
    )
    stream: str = Field(
        "default",
        pattern=rf"^{STREAM_PATTERN}$",
        description=(
            "Name of the stream that is always open, and of who names none: 1 to 64 letters, digits, dots, underscores "
            "or hyphens."
        ),
    )
    max_streams: int = Field(
        16,
        ge=1,
        le=1000,
        description=(
            "Most streams open at once; beyond it the one used least recently is closed, or requests get 503."
        ),
    )
    data: Path | None = Field(None, description="Folder of data sets for `firstseen train`.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where to embed; auto: a GPU if there is one."
    )
    runtime: Literal["auto", "torch", "onnx"] = Field(
        "auto",
        description=(
            "What embeds: torch, or onnxruntime from the bundle's embedder.onnx (on the CPU); auto: of those that are "
            "there and right, the one that is faster at start."
        ),
    )
    threads: int = Field(1, ge=1, le=256, description="CPU threads of one embedding call.")
    max_batch: int = Field(
        256, ge=1, le=65536, description="Most items embedded, decided and committed at once."
    )
    queue_items: int = Field(
        8192, ge=1, description="Most items waiting; beyond it HTTP gets 503 and sockets wait."
    )
    connections: int = Field(
        2000, ge=1, description="Most connections at once, HTTP and WebSocket; beyond it requests get 503."
    )
    max_body_bytes: int = Field(8 * MIB, ge=1024, description="Largest HTTP body.")
    max_bodies_bytes: int = Field(
        64 * MIB, ge=1024, description="Most bytes of all HTTP bodies at once; beyond it requests get 503."
    )
    max_items: int = Field(4096, ge=1, description="Most items in one request or frame.")
    max_pixels: int = Field(
        16_000_000, ge=1, description="Most pixels of one PNG or JPEG; a larger one is not decoded."
    )
    ws_window: int = Field(1024, ge=1, description="Most items a socket may have unanswered.")
    ws_delay_s: float = Field(
        1.0,
        gt=0,
        description="How long items of a socket should wait at most: a slow engine grants fewer at once.",
    )
    ws_max_bytes: int = Field(MIB, ge=1024, description="Largest WebSocket frame.")
    ws_connections: int = Field(1000, ge=1, description="Most WebSockets and streams of lines at once.")
    ws_ping_s: float = Field(
        20.0, gt=0, description="Time between pings of a WebSocket, and how long one may take to be answered."
    )
    send_timeout_s: float = Field(
        30.0, gt=0, description="Who reads too little of what waits for him for so long is cut off."
    )
    watch_queue: int = Field(
        256, ge=1, description="Events a slow watcher may be behind before it is cut off."
    )
    request_timeout_s: float = Field(
        30.0, gt=0, description="Longest wait for the body of a request, and then for its verdicts."
    )
    lease_ms: int = Field(5000, ge=500, description="How long a dead owner keeps the stream from the next.")
    dedup_horizon: int = Field(
        1_000_000, ge=1, description="Items whose ids are surely remembered; fixed when the stream is made."
    )
    snapshot_every_items: int = Field(20_000, ge=1, description="Items between snapshots of the state.")
    allow_unsafe_redis: bool = Field(
        default=False,
        description="Serve although Redis may forget acknowledged items; /readyz says so.",
    )
    keep_payloads: bool = Field(
        default=True,
        description=(
            "Keep what members of clusters looked like, so that a person can look at a cluster; false: what is kept is "
            "forgotten, too."
        ),
    )
    payload_bytes: int = Field(
        64 * 1024, ge=0, description="Largest payload kept; of a larger one only the id is shown."
    )
    payloads_bytes: int = Field(
        64 * MIB, ge=0, description="Most bytes of payloads kept of a stream; beyond it new ones are not."
    )
    known_error_rate: float | None = Field(
        None, gt=0, lt=1, description="Rate at which known items may be called new; empty: the bundle's."
    )
    false_alarm_rate: float = Field(
        0.01,
        gt=0,
        lt=1,
        description=(
            "Chance of ever announcing a cluster that known classes explain, where their items look like the "
            "calibration data and the rate measured there (a 95 % confidence bound) holds."
        ),
    )
    backend: Backend = Field(
        "firstseen",
        description="Who forms the clusters: firstseen, or river to compare with; fixed when the stream is made.",
    )
    gates: Gates = Field(
        "both",
        description=(
            "What may call an item new: items (each by itself), stream (the recent stream compared with known items, "
            "where the bundle has enough of them), or both."
        ),
    )
    webhooks_private: str | None = Field(
        None,
        description=(
            "Networks that webhooks may go to, also by http, beside public addresses by https: 10.20.0.0/16, fd00::/8, "
            "between commas; true: all."
        ),
    )
    dashboard: bool = Field(
        default=True,
        description=(
            "Show the dashboard at `/`, and keep the recent points that its map draws; false: neither, and `/` leads "
            "to the documentation of the API."
        ),
    )
    log_format: Literal["auto", "console", "json"] = Field("auto", description="auto: console on a terminal.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level logged.")
    log_requests: bool = Field(
        default=True,
        description="A log line for each request, health checks apart; they are counted all the same.",
    )
    telemetry: Literal["off", "otlp"] = Field(
        "off",
        description=(
            "otlp: traces of requests and batches go to an OpenTelemetry collector, set by the standard OTEL_ "
            "variables; needs the extra `telemetry`."
        ),
    )

    @pydantic.field_validator("origins")
    @classmethod
    def _origins(cls, listed: str | None) -> str | None:
        read_origins(listed or "")
        return listed

    @pydantic.field_validator("hosts")
    @classmethod
    def _hosts(cls, listed: str | None) -> str | None:
        read_hosts(listed or "")
        return listed

    @pydantic.field_validator("webhooks_private")
    @classmethod
    def _networks(cls, listed: str | None) -> str | None:
        read_networks(listed or "")
        return listed

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the signature is pydantic's
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values come from `read` alone: nothing reads the environment behind its back."""
        return (init_settings,)

    @classmethod
    def read(cls, environ: Mapping[str, str], **options: Any) -> "Settings":  # noqa: ANN401 - typed by the fields
        """Settings from environment variables, overridden by those `options` that are not None.

        Raises:
            InvalidSetting: An unknown FIRSTSEEN_ variable or a value out of range; the message names the
                variable, or the option where the value came from one.
        """
        values: dict[str, Any] = {}
        for variable, value in environ.items():
            if not variable.startswith(PREFIX) or variable in CLIENT_VARIABLES:
                continue
            name = variable.removeprefix(PREFIX).lower()
            if name not in cls.model_fields:
                close = difflib.get_close_matches(name, cls.model_fields, n=1)
                hint = f" Did you mean {PREFIX}{close[0].upper()}?" if close else ""
                raise InvalidSetting(f"{variable} is not a setting of firstseen.{hint}")
            if value != "":
                values[name] = value
        given = {name: value for name, value in options.items() if value is not None}
        values |= given
        try:
            settings = cls(**values)
        except pydantic.ValidationError as invalid:
            problem = invalid.errors()[0]
            name = ".".join(str(part) for part in problem["loc"])
            source = f"--{name.replace('_', '-')} " if name in given else f"{PREFIX}{name.upper()}="
            is_pattern = problem["type"] == "string_pattern_mismatch"  # whose message is a regular expression
            reason = "Not a name that can be used" if is_pattern else problem["msg"]
            raise InvalidSetting(
                f"{source}{problem['input']!r}: {reason}. "
                f"{cls.model_fields[name].description if name in cls.model_fields else ''}"
            ) from None
        settings._check_together()
        return settings

    def _check_together(self) -> None:
        """What no setting can tell on its own."""
        if self.dedup_horizon < self.max_batch:
            raise InvalidSetting(
                f"{PREFIX}DEDUP_HORIZON ({self.dedup_horizon}) is below {PREFIX}MAX_BATCH ({self.max_batch}): the ids "
                "of one batch could not all be remembered. Raise the first, or lower the second (--max-batch)."
            )
        if self.durability is Tier.REPLICATED and not self.redis_url:
            raise InvalidSetting(
                f"{PREFIX}DURABILITY=replicated needs a Redis that has replicas, and the embedded store has none: give "
                f"{PREFIX}REDIS_URL, or choose {PREFIX}DURABILITY=fsync."
            )
        if self.max_bodies_bytes < self.max_body_bytes:
            raise InvalidSetting(
                f"{PREFIX}MAX_BODIES_BYTES ({self.max_bodies_bytes}) is below {PREFIX}MAX_BODY_BYTES "
                f"({self.max_body_bytes}): the largest body could never be taken. Raise the first, or lower the second."
            )

    def engine_params(
        self, *, known_error_rate: float, cluster_radius: float, calibration_scores: int | None = None
    ) -> EngineParams:
        """The engine's parameters: the bundle's calibration under what the operator has set.

        Args:
            known_error_rate: The bundle's, which holds unless the operator set one.
            cluster_radius: The bundle's, in units of its cluster space.
            calibration_scores: n, the fewest that a p-value rests on (`service/evaluation/fewest_scores.py`); None
                leaves the rate unchecked.

        Raises:
            InvalidSetting: The rate is below 1 / (n + 1), the smallest p-value there is (see
                `model/calibrate.py`): nothing would ever be called new. The message names a rate that works.
        """
        rate = self.known_error_rate or known_error_rate
        if calibration_scores is not None and 1 / (calibration_scores + 1) > rate:
            smallest = Context(prec=3, rounding=ROUND_CEILING).divide(
                Decimal(1), Decimal(calibration_scores + 1)
            )
            raise InvalidSetting(
                f"This bundle has {calibration_scores} items to calibrate with, and at a known error rate of "
                f"{rate:g} at least {math.ceil(min(1 / rate, 1e300)) - 1:.15g} are needed, or nothing would ever be "
                f"called new. "
                f"Raise the known error rate (--known-error-rate or {PREFIX}KNOWN_ERROR_RATE) to {smallest:f} "
                "or more, or train with more items."
            )
        return EngineParams(
            known_error_rate=rate,
            clustering_threshold=cluster_radius,
            false_alarm_rate=self.false_alarm_rate,
            gates=self.gates,
            backend=self.backend,
        )

    def payload_limits(self) -> PayloadLimits:
        """Which payloads are kept."""
        return PayloadLimits(
            keep=self.keep_payloads, most_bytes=self.payload_bytes, most_bytes_in_all=self.payloads_bytes
        )

    def promised(self) -> Durability:
        """What an acknowledgement promises, as the store wants it."""
        return Durability(tier=self.durability, replicas=self.replicas)

    def shown(self) -> dict[str, Any]:
        """All settings for the log and /info; of the Redis URL only scheme, host, port and path."""
        values = self.model_dump(mode="json")
        if self.redis_url is not None:
            values["redis_url"] = _without_secrets(self.redis_url)
        return values


def _without_secrets(url: str) -> str:
    """Scheme, host, port and path of a URL.

    A user, a password and the query (which may hold a password too) go. Where an unescaped character of a password
    may have moved a part of it into the path or the query, only the scheme is left.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    place = rest.partition("?")[0].partition("#")[0]
    host, slash, path = place.partition("/")
    if rest.count("@") != host.count("@"):
        return f"{scheme}://***"
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"
