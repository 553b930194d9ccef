"""The header `traceparent`: valid ones are understood, and no other is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telemetry.trace_context import TraceContext, parse_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def hexadecimal(digits: int) -> st.SearchStrategy[str]:
    return st.text("0123456789abcdef", min_size=digits, max_size=digits)


contexts = st.builds(
    TraceContext,
    hexadecimal(32).filter(lambda text: text.strip("0")),
    hexadecimal(16).filter(lambda text: text.strip("0")),
    st.booleans(),
)


@given(contexts)
def test_a_header_is_read_as_it_was_written(context: TraceContext) -> None:
    """There and back."""
    assert context == parse_traceparent(context.header)


@given(contexts, hexadecimal(2), hexadecimal(2), st.text(max_size=20))
def test_later_versions_may_have_more(context: TraceContext, version: str, flags: str, more: str) -> None:
    """Their first four fields are those of version 00, which has nothing else; ff is no version."""
    plain = f"{version}-{context.trace_id}-{context.span_id}-{flags}"
    expected = TraceContext(context.trace_id, context.span_id, bool(int(flags, 16) & 1))

    assert (None if version == "ff" else expected) == parse_traceparent(plain)
    assert (None if version in ("00", "ff") else expected) == parse_traceparent(f"{plain}-{more}")


@given(st.text(max_size=80))
def test_anything_else_is_as_if_it_were_not_there(text: str) -> None:
    """Whatever is in the header, nothing is raised; what is taken is well-formed."""
    found = parse_traceparent(text)

    assert found is None or (len(found.trace_id), len(found.span_id)) == (32, 16)


@pytest.mark.parametrize(
    "header",
    [
        "",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00_{TRACE}_{SPAN}_01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01x",
        f"01-{TRACE}-{SPAN}-01-{'x' * 1000}",
        f"\u0660\u0660-{TRACE}-{SPAN}-01",
    ],
)
def test_headers_that_are_not_valid(header: str) -> None:
    """By the specification: zeros, capitals, missing and surplus fields, other signs; and one without end."""
    assert parse_traceparent(header) is None


def test_the_example_of_the_specification() -> None:
    """Sampled, as its last bit says."""
    assert TraceContext(TRACE, SPAN, True) == parse_traceparent(f"00-{TRACE}-{SPAN}-01")
    assert TraceContext(TRACE, SPAN, False) == parse_traceparent(f"00-{TRACE}-{SPAN}-fe")
