import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from model.datasets.clinc150 import PARTS, load_clinc150
from model.datasets.labelled import DataError
from model.datasets.published_file import PublishedFile


def loaded(folder: Path, content: Any) -> Any:
    raw = json.dumps(content).encode()
    file = PublishedFile(name="x.json", address="https://x", sha256=hashlib.sha256(raw).hexdigest())
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=raw))
    return load_clinc150(folder, client=httpx.Client(transport=transport), file=file)


def test_parts_are_joined_in_order(tmp_path: Path) -> None:
    """Whatever order the file has them in; the questions out of scope are a class."""
    rows = {part: [[f"text of {part}", "oos" if "oos" in part else "card"]] for part in reversed(PARTS)}

    data = loaded(tmp_path, rows)

    assert [f"text of {part}" for part in PARTS] == data.x.tolist()
    assert ("card", "oos") == data.labels
    assert [0, 0, 0, 1, 1, 1] == data.y.tolist()


@pytest.mark.parametrize(
    "content", [[], {}, {"train": []}, dict.fromkeys(PARTS, 1), {part: [["a"]] for part in PARTS}]
)
def test_json_of_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    """With what to do."""
    with pytest.raises(DataError, match="is not the JSON of CLINC150"):
        loaded(tmp_path, content)
