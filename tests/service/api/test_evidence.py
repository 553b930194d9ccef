"""The evidence of clusters of every kind of item, from the running service: what they are, and what sets them apart."""

import base64
import io
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from model.bundle import Bundle, read_bundle
from model.configs import starting_config
from model.export import run
from service.api.evidence import EXAMPLE_EVIDENCE, ClusterEvidenceOut
from service.describing.evidence import ClusterEvidence
from service.settings import Settings
from tests.service import digits, texts
from tests.service.api.test_table import KNOWN, NEW, rows
from tests.service.inside import running

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    '=HYPERLINK("http://x")',
    "\u202egnp.exe",
    "{{7*7}}",
)


def served(bundle: Bundle, folder: Path, **settings: Any) -> Any:
    return running(Settings.read({}, data_dir=folder, **settings), bundle)


def send(http: httpx.Client, items: list[dict[str, Any]]) -> None:
    for at in range(0, len(items), 64):
        assert 200 == http.post("/classify", json={"items": items[at : at + 64]}).status_code


def largest(http: httpx.Client) -> int:
    clusters = http.get("/clusters").json()["clusters"]
    assert clusters, "no cluster was announced"
    return int(max(clusters, key=lambda cluster: cluster["items"])["id"])


def evidence(http: httpx.Client, cluster: int) -> dict[str, Any]:
    answer = http.get(f"/clusters/{cluster}/evidence")
    assert 200 == answer.status_code, answer.text
    found: dict[str, Any] = answer.json()
    assert set(found) == set(ClusterEvidence.__dataclass_fields__)
    return found


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Digits, the whole stream of them."""
    with (
        served(digits.bundle(), tmp_path_factory.mktemp("digits")) as inside,
        httpx.Client(base_url=inside.url, timeout=60) as http,
    ):
        send(http, list(digits.stream_items()))
        yield http


def test_a_cluster_of_pictures_is_shown_in_pictures(pictures: httpx.Client) -> None:
    """Medoid first, each member once, PNGs of the picture's size, and their average."""
    found = evidence(pictures, largest(pictures))
    shown = found["exemplars"]

    assert "medoid" == shown[0]["role"]
    assert {"medoid", "newest", "diverse", "boundary"} == {one["role"] for one in shown}
    assert len({one["id"] for one in shown}) == len(shown)
    assert 0 == shown[0]["distance"]
    for png in [*(one["picture"] for one in shown), found["average"]]:
        assert (8, 8) == Image.open(io.BytesIO(base64.b64decode(png))).size
    assert all(one["kept"] and one["payload"] is None for one in shown)
    assert found["members"] == found["payloads"] > 8
    assert (found["terms"], found["features"]) == ([], [])
    assert f"like {found['verdict']['nearest']}, no. {found['cluster']['id']}" == found["suggested_name"]


def test_figures_are_those_of_the_stream(pictures: httpx.Client) -> None:
    """The cluster as everywhere; its items when they came; what its tests have cost."""
    cluster = largest(pictures)
    found = evidence(pictures, cluster)

    assert pictures.get(f"/clusters/{cluster}").json() == found["cluster"]
    assert 0 < sum(found["arrivals"]) <= found["cluster"]["items"]
    assert 0 < found["rate"] <= 1000
    assert 0 < found["budget"]["own"] <= found["budget"]["spent"] <= found["budget"]["alpha"]
    assert found["cluster"]["evidence"]["log10_e"] >= found["cluster"]["evidence"]["log10_threshold"]
    assert found["verdict"]["answer"] in ("new", "drift")
    assert found["verdict"]["reason"].endswith(".")
    assert found == evidence(pictures, cluster)


def test_a_cluster_that_is_not_there(pictures: httpx.Client) -> None:
    """Neither shown nor forgotten; nor is a word an id."""
    for method, path in (("GET", "evidence"), ("DELETE", "payloads")):
        assert 404 == pictures.request(method, f"/clusters/999999/{path}").status_code
        assert 422 == pictures.request(method, f"/clusters/x/{path}").status_code


def test_every_cluster_has_its_evidence(pictures: httpx.Client) -> None:
    """Candidates and those that are gone, too."""
    for state in ("candidate", "variant", "emerging", "established", "fading", "gone"):
        for cluster in pictures.get("/clusters", params={"state": state}).json()["clusters"]:
            found = evidence(pictures, cluster["id"])

            assert cluster["parent_id"] == found["lineage"]["parent_id"]
            assert (found["members"] == 0) == (not found["exemplars"])


def test_the_examples_of_its_page_run(pictures: httpx.Client) -> None:
    """One after the other, as they stand, but for the port; what is forgotten is not kept."""
    page = (Path(__file__).parents[3] / "docs" / "evidence.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    script = "\n".join([*blocks, "curl -s $at/$id/evidence"]).replace("8765", str(pictures.base_url.port))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    shown, forgotten, after = _documents(done.stdout)

    assert shown["suggested_name"].startswith("like ")
    assert shown["payloads"] == forgotten["forgotten"] > 0
    assert 0 == after["payloads"]


def _documents(text: str) -> list[dict[str, Any]]:
    """JSON documents, one behind the other."""
    found, at = [], 0
    while at < len(text):
        document, at = json.JSONDecoder().raw_decode(text, at)
        found.append(document)
    return found


def test_what_is_forgotten_is_gone_and_the_cluster_stays(pictures: httpx.Client) -> None:
    """Everything but the payloads is as before; forgetting again finds none."""
    before = max(
        (evidence(pictures, c["id"]) for c in pictures.get("/clusters").json()["clusters"]),
        key=lambda found: found["payloads"],
    )
    cluster = before["cluster"]["id"]
    state = pictures.get("/info").json()["state_hash"]
    answer = pictures.delete(f"/clusters/{cluster}/payloads")
    after = evidence(pictures, cluster)

    assert before["payloads"] > 0
    assert {"forgotten": before["payloads"]} == answer.json()
    assert {"forgotten": 0} == pictures.delete(f"/clusters/{cluster}/payloads").json()
    assert state == pictures.get("/info").json()["state_hash"]
    assert 0 == after["payloads"]
    assert after["average"] is None
    assert [(one["role"], one["id"]) for one in before["exemplars"]] == [
        (one["role"], one["id"]) for one in after["exemplars"]
    ]
    assert not any(one["kept"] or one["picture"] for one in after["exemplars"])


def test_a_cluster_of_texts_is_told_in_terms(tmp_path: Path) -> None:
    """Words of the new intent, and none that every question has; hostile ones come back as they were sent."""
    with served(texts.bundle(), tmp_path) as inside, httpx.Client(base_url=inside.url, timeout=60) as http:
        known = [
            item for intent in ("card", "weather", "music", "alarm") for item in texts.items("k", intent, 60)
        ]
        send(http, known)
        new = texts.items("n", "flight", 90)
        for n, hostile in enumerate(HOSTILE):
            new.insert(40 + 9 * n, {"id": f"x-{n} {hostile}", "x": f"book a flight to rome {hostile}"})
        send(http, new)
        found = evidence(http, largest(http))
        words = {word for term in found["terms"] for word in term["term"].split()}

        assert words & {"flight", "rome", "plane", "tickets", "early"}
        assert not words & {"a", "please", "to", "how", "i"}
        assert found["suggested_name"].split(",")[0] == found["terms"][0]["term"]
        assert found["exemplars"][0]["payload"].split()
        sent = {item["id"]: item["x"] for item in new + known}
        assert all(sent[one["id"]] == one["payload"] for one in found["exemplars"] if one["kept"])
        assert all(one["picture"] is None for one in found["exemplars"])


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Trained on three kinds of connections; the fourth is new."""
    folder = tmp_path_factory.mktemp("tables")
    labelled = [
        {**row, "kind": name}
        for seed, (name, kind) in enumerate((KNOWN | {"scan": NEW}).items())
        for row in rows(kind, 240, seed)
    ]
    (folder / "flows.jsonl").write_text("\n".join(map(json.dumps, labelled)))
    changes = {"label": "kind", "categories": ("port",), "hold_out": ("scan",)}
    run(
        starting_config(str(folder / "flows.jsonl"), None, changes),
        data_dir=None,
        out=folder / "bundle",
        progress=lambda *_: None,
        created=digits.CREATED,
    )
    return read_bundle(folder / "bundle")


def test_a_cluster_of_rows_is_told_in_columns(tables: Bundle, tmp_path: Path) -> None:
    """The protocol that nobody had, and the bytes that are high; rows come back as objects."""
    with served(tables, tmp_path) as inside, httpx.Client(base_url=inside.url, timeout=60) as http:
        for seed, kind in enumerate(KNOWN.values()):
            send(http, [{"x": x} for x in rows(kind, 80, 100 + seed)])
        send(http, [{"id": f"n{n}", "x": x} for n, x in enumerate(rows(NEW, 80, 200))])
        found = evidence(http, largest(http))
        told = {feature["feature"]: feature for feature in found["features"]}

        assert "icmp" == told["protocol"]["value"]
        assert told["bytes"]["z"] > 2
        assert "protocol icmp" in found["suggested_name"] or "bytes high" in found["suggested_name"]
        assert {"protocol", "port", "bytes", "seconds"} == set(found["exemplars"][0]["payload"])
        assert "icmp" == found["exemplars"][0]["payload"]["protocol"]


def test_payloads_that_are_not_kept_are_not_shown(tmp_path: Path) -> None:
    """The rest is: who the members are, and how far they lie."""
    with (
        served(digits.bundle(), tmp_path, keep_payloads=False) as inside,
        httpx.Client(base_url=inside.url, timeout=60) as http,
    ):
        send(http, list(digits.stream_items()))
        found = evidence(http, largest(http))

        assert found["members"] > 8
        assert 0 == found["payloads"]
        assert not any(one["kept"] for one in found["exemplars"])


def test_it_is_the_same_after_a_restart(tmp_path: Path) -> None:
    """From snapshot and log, and the payloads beside."""
    found = []
    for _ in range(2):
        with (
            served(digits.bundle(), tmp_path) as inside,
            httpx.Client(base_url=inside.url, timeout=60) as http,
        ):
            send(http, list(digits.stream_items()))
            cluster = largest(http)
            found.append(evidence(http, cluster))
    for one in found:
        one.pop("seq")  # the settings of the second start take a place

    assert found[0] == found[1]


def test_the_example_is_one() -> None:
    """That of the schema has every field, and that of the docs is the same."""
    shown = ClusterEvidenceOut.model_validate(EXAMPLE_EVIDENCE)
    text = (Path(__file__).parents[3] / "docs/evidence.md").read_text(encoding="utf-8")
    block = json.loads(text.partition("```json\n")[2].partition("```")[0])

    assert EXAMPLE_EVIDENCE.keys() == set(ClusterEvidence.__dataclass_fields__)
    assert EXAMPLE_EVIDENCE["cluster"].keys() == shown.cluster.model_dump().keys()
    assert {**block, "cluster": EXAMPLE_EVIDENCE["cluster"]} == EXAMPLE_EVIDENCE
