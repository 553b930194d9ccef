"""Headers read once: joined where they repeat, bounded where they have a form."""

import pytest

from service.api.formats.head import Head, media_type_of
from service.errors import InvalidHeader


def test_repeated_headers_are_joined() -> None:
    """RFC 9110 section 5.2."""
    found = Head.of([(b"accept", b"a/b"), (b"host", b"here"), (b"accept", b"c/d")])

    assert "a/b, c/d" == found.text(b"accept")
    assert "here" == found.text(b"host")
    assert "?" == found.text(b"none", "?")


def test_a_header_with_a_form_is_bounded() -> None:
    """One that is absurdly long is not even looked at."""
    found = Head.of([(b"firstseen-shape", b" 1,2 "), (b"firstseen-dtype", b"x" * 2000)])

    assert "1,2" == found.short("Firstseen-Shape")
    assert found.short("Idempotency-Key") is None
    with pytest.raises(InvalidHeader, match="Firstseen-Dtype is over 1024"):
        found.short("Firstseen-Dtype")


@pytest.mark.parametrize(
    "value", ["application/json", "Application/JSON; charset=utf-8", " application/json ;"]
)
def test_media_type(value: str) -> None:
    """Without parameters, in lower case."""
    assert "application/json" == media_type_of(value)
    assert "application/json" == Head({b"content-type": value.encode()}).media_type
