"""Signatures, against the library that the Standard Webhooks project publishes."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.webhooks.signing import PREFIX, headers_of, key_of, make_secret

SECRET = make_secret(bytes(range(32)))
OTHER = make_secret(bytes(range(1, 33)))


def now() -> float:
    """Asked for anew in each test: the peer takes no message that is five minutes old."""
    return datetime.now(tz=UTC).timestamp()


def test_the_published_example() -> None:
    """The vector of the specification's own reference libraries."""
    headers = headers_of(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        t=1614265330,
        body=b'{"test": 2432232314}',
    )

    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == headers["webhook-signature"]
    assert "1614265330" == headers["webhook-timestamp"]


@given(
    st.binary(min_size=24, max_size=64),
    st.text(max_size=200),
    st.from_regex(r"[a-z0-9:~-]{1,40}", fullmatch=True),
)
def test_the_peer_verifies_whatever_is_signed(luck: bytes, text: str, id: str) -> None:
    """Any secret, any body, any id."""
    body = text.encode("utf-8", "replace")
    headers = headers_of([make_secret(luck)], id=id, t=now(), body=body)

    Webhook(make_secret(luck)).verify(body, headers, json_parse=False)


@given(st.integers(0, 40), st.integers(1, 255))
def test_a_changed_body_is_not_verified(at: int, by: int) -> None:
    """Whichever byte it is."""
    body = bytearray(b'{"type":"cluster.emerged","data":{"n":1}}')
    headers = headers_of([SECRET], id="a", t=now(), body=bytes(body))
    body[at % len(body)] ^= by

    with pytest.raises((WebhookVerificationError, UnicodeDecodeError)):
        Webhook(SECRET).verify(bytes(body), headers, json_parse=False)


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_while_a_secret_is_rotated_either_verifies(secret: str) -> None:
    """Both signatures are there, with a space between."""
    headers = headers_of([SECRET, OTHER], id="a", t=now(), body=b"{}")

    Webhook(secret).verify(b"{}", headers)
    assert 2 == len(headers["webhook-signature"].split(" "))


def test_an_old_message_is_not_taken() -> None:
    """The time is signed, so a message cannot be played again later."""
    past = now() - timedelta(minutes=10).total_seconds()

    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(SECRET).verify(b"{}", headers_of([SECRET], id="a", t=past, body=b"{}"))


@given(st.binary(min_size=24, max_size=64))
def test_a_secret_is_what_it_was_made_of(luck: bytes) -> None:
    """Round trip."""
    assert luck == key_of(make_secret(luck))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "whsec_",
        "whsec_abc",
        SECRET.removeprefix(PREFIX),
        f"{SECRET}!",
        PREFIX + base64.b64encode(bytes(23)).decode(),
        PREFIX + base64.b64encode(bytes(65)).decode(),
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(text: str) -> None:
    """The message says what to send; what was sent may have been a secret of something else."""
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        key_of(text)
    assert len(text) <= len(PREFIX) or text not in str(caught.value)
