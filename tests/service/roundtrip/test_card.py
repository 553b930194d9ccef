"""The card of a dataset folder: YAML that says what a loader needs, and that no name breaks out of."""

import json
from dataclasses import replace
from typing import Any

from service.roundtrip.card import Written, card
from service.roundtrip.tables import CLUSTERS, VERDICTS

WRITTEN = [
    Written(table=VERDICTS, file="verdicts/train-00000-of-00001.parquet", rows=3, size=900, sha256="ab"),
    Written(table=CLUSTERS, file="clusters/train-00000-of-00001.parquet", rows=1, size=300, sha256="cd"),
]


def head_of(text: str) -> dict[str, Any]:
    """The YAML, each line of which is a name and a value of JSON."""
    _, head, _ = text.split("---\n", 2)
    pairs = [line.split(": ", 1) for line in head.splitlines()]
    return {name: json.loads(value) for name, value in pairs}


def test_each_table_is_a_configuration_with_its_file() -> None:
    """The first is the default."""
    configs = head_of(card(WRITTEN, stream="s", bundle_id="b", seq=4, notes=[]))["configs"]

    assert ["verdicts", "clusters"] == [config["config_name"] for config in configs]
    assert [True, None] == [config.get("default") for config in configs]
    assert [[{"split": "train", "path": one.file}] for one in WRITTEN] == [c["data_files"] for c in configs]


def test_each_column_has_its_type() -> None:
    """Lists say of what."""
    infos = head_of(card(WRITTEN, stream="s", bundle_id="b", seq=4, notes=[]))["dataset_info"]
    features = {one["name"]: one.get("dtype") or ("list", one["list"]) for one in infos[1]["features"]}

    assert ("int64", "string", "bool", ("list", "string")) == tuple(
        features[name] for name in ("id", "state", "dismissed", "exemplars")
    )
    assert list(CLUSTERS.names) == list(features)


def test_a_table_without_rows_is_no_configuration() -> None:
    """The library refuses to load a split of nothing, and `datasets.load_dataset` of the others must work."""
    text = card([replace(WRITTEN[0], rows=0), WRITTEN[1]], stream="s", bundle_id="b", seq=4, notes=[])
    head = head_of(text)

    assert [("clusters", True)] == [(one["config_name"], one["default"]) for one in head["configs"]]
    assert ["clusters"] == [one["config_name"] for one in head["dataset_info"]]
    assert "There are none." in text


def test_a_note_stays_out_of_the_yaml() -> None:
    """What is written below it cannot end it."""
    text = card(WRITTEN, stream="s", bundle_id="b", seq=4, notes=["---\nconfigs: []"])

    assert 2 == len(head_of(text)["configs"])
