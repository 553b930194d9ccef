"""`firstseen clusters` against a running service: what a person reads, what a program reads, and what goes wrong."""

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from typer.testing import CliRunner

from service.access.rights import Scope
from service.cli import main as cli
from service.cli.clusters import until_when
from service.settings import Settings
from tests.service import digits
from tests.service.inside import Inside, running
from tests.service.keyed import key_of, put

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def service() -> Iterator[Inside]:
    with tempfile.TemporaryDirectory(prefix="fs-") as folder:
        settings = Settings.read({}, data_dir=Path(folder), log_level="warning")
        with running(settings, digits.bundle()) as inside:
            with httpx.Client(base_url=inside.url, timeout=60, trust_env=False) as http:
                http.post("/classify", json={"items": list(digits.stream_items())}).raise_for_status()
            yield inside


@pytest.fixture
def url(service: Inside) -> Iterator[str]:
    """Whatever a test decides is taken back behind it."""
    with httpx.Client(base_url=service.url, timeout=60, trust_env=False) as http:
        made = http.get("/decisions", params={"limit": 1}).json()["decisions"]
        before = made[0]["decision"] if made else -1
        yield service.url
        while standing := [
            one
            for one in http.get("/decisions").json()["decisions"]
            if one["decision"] > before and one["undone_by"] is None and one["action"] != "undo"
        ]:
            http.post(f"/clusters/{standing[0]['cluster']}/undo").raise_for_status()


class Ended:
    """What a command said and how it ended."""

    def __init__(self, *arguments: str, said: str = "") -> None:
        # wide, so that no cell of a table is folded
        ended = CliRunner(env={"COLUMNS": "250"}).invoke(cli.app, ["clusters", *arguments], input=said)
        self.status, self.out, self.err = ended.exit_code, ended.stdout, " ".join(ended.stderr.split())
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception

    @property
    def json(self) -> Any:
        """Among what the service in this process logs."""
        return json.JSONDecoder().raw_decode(self.out[self.out.index("{\n") :])[0]


def largest(url: str) -> int:
    clusters = httpx.get(f"{url}/clusters", trust_env=False).json()["clusters"]
    number: int = max(clusters, key=lambda one: one["items"])["id"]
    return number


class TestLooking:
    def test_list(self, url: str) -> None:
        """A line a cluster, the largest first."""
        there = httpx.get(f"{url}/clusters", trust_env=False).json()["clusters"]
        ended = Ended("list", "--url", url)
        lines = [line for line in ended.out.splitlines() if "evidence" in line or "10^" in line]

        assert 0 == ended.status
        assert 1 + len(there) == len(lines)
        assert str(largest(url)) == lines[1].split()[0]

    def test_list_leaves_out_what_was_dismissed(self, url: str) -> None:
        """Unless asked for; and says that there is more."""
        one = largest(url)
        assert 0 == Ended("dismiss", str(one), "--url", url).status
        shown = {
            option: {c["id"] for c in Ended("list", "--json", *option, "--url", url).json["clusters"]}
            for option in ((), ("--all",), ("--dismissed",))
        }

        assert one not in shown[()]
        assert {one} == shown[("--dismissed",)] == shown[("--all",)] - shown[()]
        assert "1 more is not shown; --all" in Ended("list", "--url", url).err

    def test_nothing_to_list(self, url: str) -> None:
        """Is said."""
        ended = Ended("list", "--name", "no such name", "--url", url)

        assert (0, True) == (ended.status, "There is no such cluster." in ended.out)

    def test_show(self, url: str) -> None:
        """Its evidence, and what was decided about it."""
        one = str(largest(url))
        Ended("name", one, "scratched", "--why", "seen on line 3", "--url", url)
        ended = Ended("show", one, "--url", url)

        assert 0 == ended.status
        for part in (f"{one} 'scratched'", "10^", "seen on line 3", "open"):
            assert part in ended.out
        assert (
            httpx.get(f"{url}/clusters/{one}", trust_env=False).json()
            == Ended("show", one, "--json", "--url", url).json
        )

    def test_history(self, url: str) -> None:
        """Newest first, of one cluster or of all; what was taken back says by what."""
        one = str(largest(url))
        Ended("name", one, "first", "--url", url)
        Ended("undo", one, "--why", "it is not", "--url", url)
        made = Ended("history", one, "--json", "--most", "2", "--url", url).json["decisions"]
        ended = Ended("history", "--url", url)

        assert ["undo", "name"] == [m["action"] for m in made]
        assert f"is called 'first', taken back by {made[0]['decision']}" in ended.out
        assert "it is not" in ended.out

    def test_others_text_is_text(self, url: str) -> None:
        """A name with markup in it is a name with markup in it."""
        one = str(largest(url))
        assert 0 == Ended("name", one, "[red]<b>\u202eevil", "--url", url).status
        shown = Ended("list", "--url", url).out

        assert r"[red]<b>\u202eevil" in shown
        assert "\x1b" not in shown


class TestDeciding:
    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("name", "{}", "a"), "is called 'a'"),
            (("promote", "{}", "new", "--yes"), "is the known class 'new'"),
            (("link", "{}", "8", "--yes"), "is part of the known class '8'"),
            (("dismiss", "{}"), "until it comes 5 times as often"),
            (("dismiss", "{}", "--until", "2099-12-24"), "until 2099-12-24 00:00 UTC"),
            (
                ("dismiss", "{}", "--until-rate", "2", "--until", "3d"),
                "until it comes 2 times as often or 20",
            ),
        ],
    )
    def test_what_is_said(self, url: str, arguments: tuple[str, ...], said: str) -> None:
        """What was done, and how to take it back, which does that."""
        one = str(largest(url))
        ended = Ended(*(word.format(one) for word in arguments), "--url", url)
        line = next(line for line in ended.out.splitlines() if line.startswith("Decision"))
        back = line.partition("firstseen clusters ")[2].split()

        assert 0 == ended.status
        assert said in line
        assert "is taken back" in Ended(*back, "--url", url).out

    def test_merge(self, url: str) -> None:
        """It shows both, and asks."""
        young, old = sorted(
            c["id"] for c in httpx.get(f"{url}/clusters", trust_env=False).json()["clusters"]
        )[:2]
        ended = Ended("merge", str(old), str(young), "--url", url, said="y\n")

        assert 0 == ended.status
        assert f"Cluster {old}" in ended.err
        assert f"Cluster {young}" in ended.err
        assert f"cluster {old} goes into {young}" in ended.out
        assert young == httpx.get(f"{url}/clusters/{old}", trust_env=False).json()["merged_into"]

    @pytest.mark.parametrize("said", ["n\n", "\n"])
    def test_no(self, url: str, said: str) -> None:
        """Nothing is decided without a yes."""
        ended = Ended("promote", str(largest(url)), "new", "--url", url, said=said)

        assert 1 == ended.status
        assert "Nothing was decided" in ended.err
        assert httpx.get(f"{url}/clusters/{largest(url)}", trust_env=False).json()["label"] is None

    def test_nobody_to_ask(self, url: str) -> None:
        """A script that forgets --yes decides nothing."""
        ended = Ended("promote", str(largest(url)), "new", "--url", url)

        assert 1 == ended.status
        assert "Give --yes where nobody can be asked" in ended.err
        assert httpx.get(f"{url}/clusters/{largest(url)}", trust_env=False).json()["label"] is None

    def test_split_preview(self, url: str) -> None:
        """A line a part; nothing is decided."""
        one = str(largest(url))
        parts = Ended("split", one, "--preview", "--json", "--url", url).json["parts"]
        ended = Ended("split", one, "--preview", "--url", url)
        rows = [line for line in ended.out.splitlines() if "leaves" in line or "stays" in line]

        assert 0 == ended.status
        assert ["stays", *["leaves"] * (len(parts) - 1)] == [line.split()[1] for line in rows]

    def test_split_into_what_is_not_there(self, url: str) -> None:
        """Exit status 2, and how many parts there are."""
        ended = Ended("split", str(largest(url)), "--part", "99", "--yes", "--url", url)

        assert 2 == ended.status
        assert "has parts 1 to" in ended.err or "one part" in ended.err


class TestWhatGoesWrong:
    def test_refused(self, url: str) -> None:
        """Exit status 1, and what to do."""
        ended = Ended("name", "999999", "a", "--url", url)

        assert 1 == ended.status
        assert "no cluster 999999" in ended.err

    @pytest.mark.parametrize(
        "arguments",
        [
            ("show",),
            ("show", "x"),
            ("show", "0"),
            ("name", "1"),
            ("list", "--all", "--dismissed"),
            ("dismiss", "1", "--until", "soon"),
            ("dismiss", "1", "--until-rate", "0.5"),
            ("dismiss", "1", "--until", "2020-01-01"),
            ("show", "1", "--url", "x"),
        ],
    )
    def test_asked_wrongly(self, arguments: tuple[str, ...]) -> None:
        """Exit status 2."""
        assert 2 == Ended(*arguments).status

    def test_what_the_service_calls_wrong(self, url: str) -> None:
        """Exit status 2 as well: it is wrong as it was asked, and not as things stand."""
        ended = Ended("name", str(largest(url)), "two\nlines", "--url", url)

        assert 2 == ended.status
        assert "one line of text" in ended.err

    def test_nobody_there(self) -> None:
        """Exit status 3."""
        ended = Ended("list", "--url", "http://127.0.0.1:1", "--patience", "0")

        assert 3 == ended.status
        assert "did not answer" in ended.err

    def test_keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who may read may not decide; who may is named in the trail."""
        read, curate = (
            key_of(scopes=frozenset({Scope.READ})),
            key_of(scopes=frozenset({Scope.CURATE, Scope.READ})),
        )
        with tempfile.TemporaryDirectory(prefix="fs-") as folder:
            put(Path(folder), read[0], curate[0])
            with running(Settings.read({}, data_dir=Path(folder)), digits.bundle()) as inside:
                without = Ended("list", "--url", inside.url)
                monkeypatch.setenv("FIRSTSEEN_API_KEY", read[1])
                may_look, may_not = (
                    Ended("list", "--url", inside.url),
                    Ended("name", "1", "a", "--url", inside.url),
                )
                monkeypatch.setenv("FIRSTSEEN_API_KEY", curate[1])
                may = Ended("name", "1", "a", "--url", inside.url)

        assert (2, 0, 2, 1) == (without.status, may_look.status, may_not.status, may.status)
        assert "FIRSTSEEN_API_KEY" in without.err
        assert "scope curate" in may_not.err
        assert "no cluster 1" in may.err


@pytest.mark.parametrize(
    "command", ["list", "show", "history", "name", "promote", "link", "merge", "split", "dismiss", "undo"]
)
def test_help(command: str) -> None:
    """Every command explains itself, with an example and its exit statuses."""
    ended = Ended(command, "--help")

    assert 0 == ended.status
    assert "Example" in ended.out
    assert "Exit status" in ended.out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3d", datetime(2026, 11, 29, 12, tzinfo=UTC)),
        ("12h", datetime(2026, 11, 27, tzinfo=UTC)),
        ("2026-12-24", datetime(2026, 12, 24, tzinfo=UTC)),
        ("2026-12-24T18:00", datetime(2026, 12, 24, 18, tzinfo=UTC)),
        ("2026-12-24T18:00+01:00", datetime(2026, 12, 24, 17, tzinfo=UTC)),
        ("2026-12-24T18:00:00Z", datetime(2026, 12, 24, 18, tzinfo=UTC)),
    ],
)
def test_until(text: str, expected: datetime) -> None:
    """A date, a time, or for how long; what has no zone is UTC."""
    assert expected == until_when(text, now=NOW)


@pytest.mark.parametrize("text", ["", "soon", "3", "-3d", "24.12.2026", "999999w"])
def test_what_is_no_until(text: str) -> None:
    """Is refused with some that are."""
    with pytest.raises(typer.BadParameter, match="3d"):
        until_when(text, now=NOW)
