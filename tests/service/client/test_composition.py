"""What comes from outside."""

import pytest

from service.client import composition


@pytest.mark.parametrize(
    ("given", "environment", "expected"),
    [("a", "b", "a"), (None, "b", "b"), (None, None, None), (None, "", None), ("", "b", None)],
)
def test_the_key(
    monkeypatch: pytest.MonkeyPatch, given: str | None, environment: str | None, expected: str | None
) -> None:
    """The one given wins; an empty one is none, so that it can be turned off."""
    monkeypatch.delenv(composition.API_KEY, raising=False)
    if environment is not None:
        monkeypatch.setenv(composition.API_KEY, environment)

    assert expected == composition.api_key(given)


def test_ids_are_new() -> None:
    """And such that the service takes them."""
    new_id = composition.ids()
    made = [new_id() for _ in range(1000)]

    assert 1000 == len(set(made))
    assert all(1 <= len(id) <= 256 and not id.startswith("~") for id in made)
