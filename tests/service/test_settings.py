"""Settings: from the environment and the command line, checked, and nothing read behind anybody's back."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.clustering.params import EngineParams
from service.errors import InvalidSetting
from service.settings import PREFIX, Settings
from service.state.durability import Tier


def test_defaults() -> None:
    """Nothing has to be set."""
    assert 8765 == Settings.read({}).port


def test_variable() -> None:
    """Every setting is a variable."""
    found = Settings.read({"FIRSTSEEN_PORT": "99", "FIRSTSEEN_DATA_DIR": "/x", "FIRSTSEEN_THREADS": "3"})

    assert (99, Path("/x"), 3) == (found.port, found.data_dir, found.threads)


def test_option_wins() -> None:
    """An option that is given wins over a variable; one that is not does not."""
    found = Settings.read({"FIRSTSEEN_PORT": "99", "FIRSTSEEN_STREAM": "a"}, port=7, stream=None)

    assert (7, "a") == (found.port, found.stream)


def test_empty_is_unset() -> None:
    """An empty variable is none, as compose files write it."""
    assert 8765 == Settings.read({"FIRSTSEEN_PORT": "", "FIRSTSEEN_REDIS_URL": ""}).port


def test_others_are_ignored() -> None:
    """Variables of others do not matter."""
    assert Settings.read({}) == Settings.read({"PATH": "/bin", "PORT": "1", "first_seen": "x"})


def test_what_clients_read_is_theirs() -> None:
    """A key for clients may be set where a service starts."""
    assert Settings.read({}) == Settings.read({"FIRSTSEEN_API_KEY": "fs_x"})


def test_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is passed counts."""
    monkeypatch.setenv("FIRSTSEEN_PORT", "99")

    assert 8765 == Settings.read({}).port


def test_typing_error() -> None:
    """A variable that names no setting is refused, with the one that was meant."""
    with pytest.raises(InvalidSetting, match=r"FIRSTSEEN_PROT is not a setting.*FIRSTSEEN_PORT\?"):
        Settings.read({"FIRSTSEEN_PROT": "1"})


def test_nothing_like_it() -> None:
    """Where nothing is alike, no guess is made."""
    with pytest.raises(InvalidSetting, match=r"not a setting of firstseen\.$"):
        Settings.read({"FIRSTSEEN_XYZZYQ": "1"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keys", "never"),
        ("allow_open", "perhaps"),
        ("origins", "*"),
        ("webhooks_private", "10.0.0.1/8"),
        ("webhooks_private", "yes"),
        ("origins", "https://a.example/path"),
        ("hosts", "http://a"),
        ("key_items_per_s", "0"),
        ("key_burst", "0"),
        ("key_streams", "-1"),
        ("port", "-1"),
        ("port", "70000"),
        ("port", "http"),
        ("stream", "a b"),
        ("stream", "x" * 65),
        ("device", "tpu"),
        ("max_batch", "0"),
        ("known_error_rate", "0"),
        ("known_error_rate", "1"),
        ("false_alarm_rate", "nan"),
        ("lease_ms", "1"),
        ("send_timeout_s", "0"),
        ("backend", "moa"),
        ("durability", "maybe"),
        ("replicas", "0"),
        ("log_level", "loud"),
    ],
)
def test_out_of_range(name: str, value: str) -> None:
    """A value that cannot be is refused by name, with what it is for."""
    variable = PREFIX + name.upper()
    with pytest.raises(InvalidSetting) as refused:
        Settings.read({variable: value})

    assert str(refused.value).startswith(f"{variable}={value!r}: ")
    assert str(Settings.model_fields[name].description) in str(refused.value)


def test_an_option_is_named() -> None:
    """A value that came from an option is refused by the option's name, although the variable is set too."""
    with pytest.raises(InvalidSetting, match=r"^--max-batch 0: "):
        Settings.read({"FIRSTSEEN_MAX_BATCH": "5"}, max_batch=0)


def test_a_variable_is_named_beside_an_option() -> None:
    """A good option is not blamed for a bad variable."""
    with pytest.raises(InvalidSetting, match=r"^FIRSTSEEN_MAX_BATCH='0': "):
        Settings.read({"FIRSTSEEN_MAX_BATCH": "0"}, port=7)


def test_stream_in_words() -> None:
    """What a stream may be called is said in words, not as a regular expression."""
    with pytest.raises(InvalidSetting, match="1 to 64 letters, digits") as refused:
        Settings.read({"FIRSTSEEN_STREAM": "a b"})

    assert "[A-Z" not in str(refused.value)


def test_frozen() -> None:
    """Settings do not change."""
    with pytest.raises(ValueError, match="frozen"):
        Settings.read({}).port = 1  # type: ignore[misc]


def test_every_setting_is_described() -> None:
    """Each has a sentence for the table in the README."""
    assert all((field.description or "").endswith(".") for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://me:secret@host:1/0", "redis://host:1/0"),
        ("rediss://:p@ss@host", "rediss://host"),
        ("redis://host/0?password=s3cret", "redis://host/0"),
        ("redis://host?password=s3cret", "redis://host"),
        ("redis://me@host:1/0?a=b@s3cret", "redis://***"),
        ("redis://:s3/cret@host/0", "redis://***"),
        ("redis://:s3?cret@host/0", "redis://***"),
        ("redis://:s3#cret@host/0", "redis://***"),
        ("redis://[::1]:6379/0#s3cret", "redis://[::1]:6379/0"),
        ("unix:///run/redis.sock?password=s3cret", "unix:///run/redis.sock"),
        ("unix://me:s3cret@/run/redis.sock", "unix:///run/redis.sock"),
        ("me:s3cret@host", "***"),
        ("redis://host/0", "redis://host/0"),
        (None, None),
    ],
)
def test_password(url: str | None, shown: str | None) -> None:
    """The password of Redis is not shown."""
    assert shown == Settings.read({}, redis_url=url).shown()["redis_url"]


@pytest.mark.parametrize(
    ("smaller", "larger"), [("dedup_horizon", "max_batch"), ("max_bodies_bytes", "max_body_bytes")]
)
def test_settings_that_contradict_each_other(smaller: str, larger: str) -> None:
    """Two values that cannot hold together are refused by both names; equal ones can."""
    variables = PREFIX + smaller.upper(), PREFIX + larger.upper()
    with pytest.raises(InvalidSetting) as refused:
        Settings.read({variables[0]: "9999", variables[1]: "10000"})

    assert all(variable in str(refused.value) for variable in variables)
    assert 9999 == getattr(Settings.read({variables[0]: "9999", variables[1]: "9999"}), smaller)


def test_replicas_need_a_redis_of_ones_own() -> None:
    """The embedded store has no replicas: the tier is refused with what to give."""
    replicated = {"FIRSTSEEN_DURABILITY": "replicated", "FIRSTSEEN_REPLICAS": "2"}
    with pytest.raises(InvalidSetting, match="FIRSTSEEN_REDIS_URL, or choose FIRSTSEEN_DURABILITY=fsync"):
        Settings.read(replicated)

    settings = Settings.read({**replicated, "FIRSTSEEN_REDIS_URL": "redis://host"})
    assert (Tier.REPLICATED, 2) == (settings.durability, settings.replicas)


@pytest.mark.parametrize(("given", "expected"), [(None, 0.03), (0.2, 0.2)])
def test_engine_params(given: Any, expected: float) -> None:
    """The bundle's rate holds unless the operator sets one; the radius is the bundle's."""
    settings = Settings.read({}, known_error_rate=given)
    params = settings.engine_params(known_error_rate=0.03, cluster_radius=1.5)

    assert (expected, 1.5, 0.01, "firstseen") == (
        params.known_error_rate,
        params.clustering_threshold,
        params.false_alarm_rate,
        params.backend,
    )


def test_backend() -> None:
    """River forms the clusters where it is asked for."""
    settings = Settings.read({"FIRSTSEEN_BACKEND": "river"})

    assert "river" == settings.engine_params(known_error_rate=0.03, cluster_radius=1.5).backend


@pytest.mark.parametrize("rate", [1e-9, 1e-300, 5e-324])
def test_no_message_has_hundreds_of_digits(rate: float) -> None:
    """However small the rate that nothing can be calibrated for."""
    with pytest.raises(InvalidSetting, match=r"at least (999999999|1e\+300) are needed") as refused:
        Settings.read({}).engine_params(known_error_rate=rate, cluster_radius=1.0, calibration_scores=9)

    assert len(str(refused.value)) < 400


@given(scores=st.integers(1, 10**7))
def test_the_smallest_rate_of_a_bundle(scores: int) -> None:
    """A rate under 1 / (n + 1) would switch novelty off: it is refused, and the rate that is advised is not."""

    def params(rate: float) -> EngineParams:
        return Settings.read({}, known_error_rate=rate).engine_params(
            known_error_rate=0.5, cluster_radius=1.0, calibration_scores=scores
        )

    with pytest.raises(InvalidSetting, match=f"{scores} items to calibrate with") as refused:
        params(0.99 / (scores + 1))
    advised = re.search(r"to ([0-9.]+) or more", str(refused.value))
    assert advised is not None

    assert float(advised[1]) == params(float(advised[1])).known_error_rate
    assert 1 / (scores + 1) == params(1 / (scores + 1)).known_error_rate
