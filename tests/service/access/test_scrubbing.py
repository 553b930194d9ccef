"""No secret stays in a line of log."""

from hypothesis import given
from hypothesis import strategies as st

from service.access.scrubbing import scrub
from service.access.tokens import make_ticket, make_token
from service.webhooks.signing import make_secret

KEY = make_token(b"12345", b"s" * 32)
TICKET = make_ticket(b"t" * 32)


@given(st.text(max_size=20), st.text(max_size=20))
def test_in_any_text(before: str, after: str) -> None:
    """Wherever they stand, and whatever around them."""
    shown = scrub(f"{before}{KEY}{after} ?ticket={TICKET}&a=b")

    assert KEY not in shown
    assert TICKET not in shown
    assert KEY[12:] not in shown
    assert f"{KEY[:12]}***" in shown, "its id stays"
    assert "?ticket=fst_***&a=b" in shown


@given(st.text(max_size=60))
def test_other_text_stays(text: str) -> None:
    """What holds no secret is not changed."""
    assert text == scrub(text)


@given(st.binary(min_size=24, max_size=64))
def test_a_secret_of_a_webhook(luck: bytes) -> None:
    """Nothing of it stays, whatever stands around it."""
    secret = make_secret(luck)
    scrubbed = scrub(f'{{"secret": "{secret}"}} and {secret}.')

    assert '{"secret": "whsec_***"} and whsec_***.' == scrubbed
