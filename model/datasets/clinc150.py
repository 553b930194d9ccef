"""CLINC150: 22,500 short questions to an assistant, 150 intents of 150 each, and 1,200 that are none of them.

The official parts (train, val, test) are joined. The 1,200 out-of-scope questions are the class "oos". They are
no class that could be learnt, since they have nothing in common but that no intent fits: always hold them out.

Reference:
    Larson et al., An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction. EMNLP 2019.
    Licensed under CC BY 3.0.
"""

from pathlib import Path

import httpx

from model.datasets.labelled import DataError, LabelledData
from model.datasets.published_file import PublishedFile, obtain
from model.datasets.texts import text_data
from model.manifest import strict_json

OUT_OF_SCOPE = "oos"
FILE = PublishedFile(
    name="data_full.json",
    address="https://raw.githubusercontent.com/clinc/oos-eval/828f8093932c8fe6ca7936c3d2e52903b1c523de/data/data_full.json",
    sha256="36923c3705a59e08fe9c3883d8bc2dd966ef93e22cb78ac41171782a698d56e0",
)
PARTS = ("train", "val", "test", "oos_train", "oos_val", "oos_test")


def load_clinc150(folder: Path, *, client: httpx.Client, file: PublishedFile = FILE) -> LabelledData:
    """Load CLINC150 from a folder, downloading what is absent.

    Args:
        folder: where `data_full.json` is, or is to be put.
        client: used only for what is absent.
        file: the file; another one for tests.

    Returns:
        the parts in the order of `PARTS`, 23,700 texts.

    Raises:
        DataError: the download failed, or the file is broken or not the published one.
    """
    path = obtain(file, folder, client=client)
    try:
        parts = strict_json(path.read_bytes())
        rows = [(str(text), str(label)) for part in PARTS for text, label in parts[part]]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not the JSON of CLINC150 ({error}). Delete it; it is downloaded again."
        ) from error
    return text_data(
        [text for text, _ in rows],
        [label for _, label in rows],
        name="clinc150",
        source=f"CLINC150, {file.address}",
    )
