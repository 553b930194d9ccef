"""The front door of `model/datasets`: names and paths."""

import gzip
import hashlib
import os
import re
import struct
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from model.datasets import DATASETS, TEXTS, DataError, input_kind, load_dataset
from model.datasets.idx import FILES
from model.datasets.published import PUBLISHED


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("FIRSTSEEN_DATA")
    if folder is None:
        pytest.skip("needs the published data sets: set FIRSTSEEN_DATA to a folder that has them")
    return Path(folder)


def test_digits_come_without_a_data_folder() -> None:
    """The default data set needs nothing but its name."""
    assert load_dataset("digits", data_dir=None).x.shape == (1797, 1, 8, 8)


@pytest.mark.parametrize("name", sorted([*PUBLISHED, *TEXTS]))
def test_downloads_need_a_data_folder(name: str) -> None:
    """Without a folder to put files into, the message names the ways to give one."""
    with pytest.raises(DataError, match=f"{name} needs a data folder.*--data or FIRSTSEEN_DATA"):
        load_dataset(name, data_dir=None)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    """Neither a name nor a folder: the message lists what there is."""
    with pytest.raises(DataError, match="no data set 'minst'.*" + ", ".join(DATASETS)):
        load_dataset("minst", data_dir=tmp_path)


def test_a_folder_is_a_data_set(tmp_path: Path) -> None:
    """The path of a folder with four IDX files loads under the folder's name."""
    for name in FILES:
        shape = (2, 3, 3) if "images" in name else (2,)
        values = bytes(range(int(np.prod(shape))))
        (tmp_path / name).write_bytes(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + values)
    data = load_dataset(str(tmp_path), data_dir=None)

    assert tmp_path.name == data.name
    assert data.x.shape == (4, 1, 3, 3)
    assert data.labels == ("0", "1")


def test_a_server_that_fails_is_named(tmp_path: Path) -> None:
    """A refused download names the address and the folder for the file, and leaves nothing broken."""
    transport = httpx.MockTransport(lambda _: httpx.Response(503))
    address = PUBLISHED["mnist"].address + FILES[0] + ".gz"

    with pytest.raises(DataError) as refused:
        load_dataset("mnist", data_dir=tmp_path, transport=transport)
    assert address in str(refused.value)
    assert str(tmp_path / "mnist") in str(refused.value)
    assert list((tmp_path / "mnist").iterdir()) == []


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_the_real_files_load(real_data: Path, name: str) -> None:
    """The published files load without a download: 70,000 items, ten classes, about 7,000 each."""

    def no_download(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"{request.url} must not be asked for")

    data = load_dataset(name, data_dir=real_data, transport=httpx.MockTransport(no_download))

    assert data.x.shape == (70_000, 1, 28, 28)
    assert (data.x.min(), data.x.max()) == (0, 255)
    assert PUBLISHED[name].labels == data.labels
    assert np.bincount(data.y).min() > 6000


@pytest.mark.parametrize(
    ("name", "texts", "classes", "first"),
    [
        ("clinc150", 23_700, 151, "what expression would i use to say i love you"),
        ("stackoverflow", 20_000, 20, "How do I fill a DataSet or a DataTable from a LINQ"),
        ("20newsgroups", 18_796, 20, "Archive-name: atheism/resources"),
    ],
)
def test_the_real_texts_load(real_data: Path, name: str, texts: int, classes: int, first: str) -> None:
    """The published texts load without a download, as many as their authors count."""

    def no_download(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"{request.url} must not be asked for")

    data = load_dataset(name, data_dir=real_data, transport=httpx.MockTransport(no_download))

    assert (texts, classes) == (len(data.y), len(data.labels))
    assert any(text.startswith(first) for text in data.x.tolist())
    assert np.bincount(data.y).min() >= 150


def test_a_file_of_texts_is_a_data_set(tmp_path: Path) -> None:
    """Given its columns; without, the message says how to give them."""
    path = tmp_path / "tickets.jsonl"
    path.write_text('{"q": "where?", "kind": "lost"}\n{"q": "hi", "kind": "hello"}\n')

    assert ("hello", "lost") == load_dataset(str(path), data_dir=None, text="q", label="kind").labels
    with pytest.raises(DataError, match=r"tickets\.jsonl is a table: name .* --label .* --text"):
        load_dataset(str(path), data_dir=None)


def test_the_first_mnist_digit_is_the_famous_five(real_data: Path) -> None:
    """The train part comes first and labels belong to images: MNIST opens with a 5, its test with a 7."""
    data = load_dataset("mnist", data_dir=real_data)

    assert data.labels[data.y[0]] == "5"
    assert data.labels[data.y[60_000]] == "7"


def test_every_published_file_has_a_checksum() -> None:
    """The table has an address to join names to, an MD5 for each of the four files, and ten classes."""
    for published in PUBLISHED.values():
        assert published.address.endswith("/")
        assert set(FILES) == published.md5.keys()
        assert {len(hashlib.md5(b"", usedforsecurity=False).hexdigest())} == set(
            map(len, published.md5.values())
        )
        assert len(set(published.labels)) == 10


def test_gzip_is_not_needed(tmp_path: Path) -> None:
    """A folder may hold its files gzipped, plain, or both kinds."""
    for i, name in enumerate(FILES):
        shape = (2, 3, 3) if "images" in name else (2,)
        raw = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + bytes(range(int(np.prod(shape))))
        path = tmp_path / (name if i % 2 else f"{name}.gz")
        path.write_bytes(raw if i % 2 else gzip.compress(raw))

    assert len(load_dataset(str(tmp_path), data_dir=None).y) == 4


def arrays(path: Path, *shape: int) -> Path:
    np.savez(path, x=np.zeros((2, *shape)), y=[0, 1])
    return path


def test_files_are_read_by_their_endings(tmp_path: Path) -> None:
    """A table, a table of texts, vectors, images: one front door."""
    (tmp_path / "flows.v1.csv").write_text("bytes,note,class\n1,ab,x\n2,ab,y\n3,cd,x\n")
    flows = str(tmp_path / "flows.v1.csv")
    table = load_dataset(flows, data_dir=None, label="class", categories=("bytes",), drop=("note",))

    assert (table.name, table.input.kind, table.x.tolist()) == ("flows", "table", [[0], [1], [2]])
    assert load_dataset(flows, data_dir=None, label="class", text="note").input.kind == "text"
    assert load_dataset(str(arrays(tmp_path / "v.npz", 3)), data_dir=None).input.kind == "table"
    assert load_dataset(str(arrays(tmp_path / "i.npz", 3, 3)), data_dir=None).input.kind == "image"


def test_the_kind_of_input_is_known_before_reading(tmp_path: Path) -> None:
    """It decides which settings suit; what is not there counts as images."""
    (tmp_path / "flows.csv").write_text("")
    flows = str(tmp_path / "flows.csv")

    assert input_kind("mnist") == input_kind("cifar10") == input_kind(str(tmp_path)) == "image"
    assert input_kind("clinc150") == input_kind(flows, text="note") == "text"
    assert input_kind("nsl-kdd") == input_kind(flows) == "table"
    assert input_kind(str(arrays(tmp_path / "v.npz", 3))) == "table"
    assert input_kind(str(arrays(tmp_path / "i.npz", 3, 3))) == "image"
    assert input_kind("nowhere") == "image"


def test_a_folder_of_images_is_a_data_set(tmp_path: Path) -> None:
    """By sub-folders, at the size asked for."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(tmp_path / name / "1.png")

    assert load_dataset(str(tmp_path), data_dir=None, image_size=8).input.shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("dataset", "options", "problem"),
    [
        ("digits", {"label": "x"}, "digits takes no --label. Leave it out"),
        ("mnist", {"image_size": 8}, "mnist takes no --image-size"),
        ("cifar10", {"text": "x"}, "cifar10 takes no --text"),
        ("nsl-kdd", {"drop": ("x",)}, "nsl-kdd takes no --drop"),
        ("flows.csv", {"image_size": 8, "label": "a"}, "flows.csv takes no --image-size"),
        ("flows.csv", {"text": "a", "label": "a", "drop": ("a",)}, "flows.csv takes no --drop beside --text"),
        ("flows.csv", {"text": "a"}, "name the one of classes with --label, too"),
        ("v.npz", {"label": "x"}, "v.npz takes no --label"),
        ("images", {"drop": ("x",)}, "images takes no --drop"),
        ("notes.txt", {}, "notes.txt is no data set by its name"),
    ],
)
def test_options_that_would_be_given_in_vain_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: str, options: dict[str, Any], problem: str
) -> None:
    """A data set says which option it does not take, and what to do."""
    monkeypatch.chdir(tmp_path)
    Path("flows.csv").write_text("a\n1\n")
    Path("notes.txt").write_text("")
    Path("images").mkdir()
    arrays(Path("v.npz"), 3)

    with pytest.raises(DataError, match=re.escape(problem)):
        load_dataset(dataset, data_dir=tmp_path, **options)


@pytest.mark.parametrize("file", [None, "a/photo.webp", "photo.webp", "a/b/deep.png", "readme.txt"])
def test_a_folder_without_images_is_told_what_to_hold(tmp_path: Path, file: str | None) -> None:
    """Where there is no IDX file either, nobody meant these; where there is one, the others are asked for."""
    if file is not None:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(b"x")
    with pytest.raises(
        DataError, match=r"no PNG or JPEG in it or in a sub-folder.*Put the images of each class"
    ):
        load_dataset(str(tmp_path), data_dir=None)

    (tmp_path / FILES[0]).write_bytes(b"x")
    with pytest.raises(DataError, match="idx"):
        load_dataset(str(tmp_path), data_dir=None)
