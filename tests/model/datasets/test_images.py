"""Folders of images: what is read from a file, what is refused, and that a refusal names the file."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model.datasets import DataError
from model.datasets.images import MOST_PIXELS, is_image_folder, load_images, read_image


def save(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16], **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def plain(value: int, height: int = 8, width: int = 8) -> NDArray[np.uint8]:
    return np.full((height, width), value, dtype=np.uint8)


def red(side: int = 8) -> NDArray[np.uint8]:
    return np.tile(np.array([200, 10, 10], dtype=np.uint8), (side, side, 1))


def bomb(path: Path, side: int) -> Path:
    """Write a PNG whose header promises side x side pixels, and which holds none."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    return path


def test_a_folder_a_class(tmp_path: Path) -> None:
    """Sub-folders are classes in alphabetical order, files in the order of their names; the rest is counted."""
    save(tmp_path / "dog" / "b.png", plain(30))
    save(tmp_path / "dog" / "a.png", plain(20))
    save(tmp_path / "cat" / "z.JPG", plain(10))
    (tmp_path / "dog" / "notes.txt").write_text("good dogs")
    (tmp_path / ".DS_Store").write_bytes(b"clutter")
    data = load_images(tmp_path, name="pets", size=4)

    assert data.labels == ("cat", "dog")
    assert data.y.tolist() == [0, 1, 1]
    assert data.x[:, 0, 0, 0].tolist() == [10, 20, 30]
    assert "3 grey images" in data.source
    assert "1 other files left out" in data.source


def test_a_list_of_files(tmp_path: Path) -> None:
    """`labels.csv` names files, in folders or not, and any of its columns can be the label."""
    save(tmp_path / "1.png", plain(1))
    save(tmp_path / "deep" / "2.png", plain(2))
    (tmp_path / "labels.csv").write_text(
        "file,label,place\n1.png,cat,home\ndeep/2.png,dog,home\n1.png,cat,away\n"
    )

    assert load_images(tmp_path, name="pets").labels == ("cat", "dog")
    assert load_images(tmp_path, name="pets", label="place").y.tolist() == [1, 1, 0]


def test_grey_or_colour(tmp_path: Path) -> None:
    """One image with a colour makes a set of colour images; greys saved as RGB stay grey."""
    save(tmp_path / "a" / "1.png", np.repeat(plain(7)[..., None], 3, axis=2))
    save(tmp_path / "b" / "1.png", plain(9))

    assert load_images(tmp_path, name="set").input.shape == (1, 32, 32)

    save(tmp_path / "b" / "2.png", red())
    data = load_images(tmp_path, name="set")

    assert data.input.shape == (3, 32, 32)
    assert data.x[2, :, 0, 0].tolist() == [200, 10, 10]


def test_the_middle_square_is_kept(tmp_path: Path) -> None:
    """A wide image loses its sides, nothing is squeezed."""
    wide = np.concatenate([plain(0, 8, 8), plain(100, 8, 8), plain(0, 8, 8)], axis=1)

    assert (read_image(save(tmp_path / "wide.png", wide), 8) == 100).all()


def test_images_are_turned_upright(tmp_path: Path) -> None:
    """A camera's note on how it was held is followed: orientation 3 is upside down."""
    exif = Image.Exif()
    exif[0x0112] = 3
    halves = np.concatenate([plain(0, 4, 8), plain(255, 4, 8)])
    upright = read_image(save(tmp_path / "turned.jpg", halves, exif=exif, quality=100), 8)

    assert upright[0].min() > 200
    assert upright[-1].max() < 50


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    """The colour under a transparent pixel is not seen."""
    clear = np.concatenate([red(), np.zeros((8, 8, 1), dtype=np.uint8)], axis=2)

    assert (read_image(save(tmp_path / "clear.png", clear), 8) == 255).all()


def test_sixteen_bits_become_eight(tmp_path: Path) -> None:
    """White stays white; Pillow alone would cut everything above 255."""
    deep = np.full((8, 8), 65535, dtype=np.uint16)
    deep[:, :] = 257 * 100

    assert (read_image(save(tmp_path / "deep.png", deep), 8) == 100).all()


@pytest.mark.parametrize("side", [int(MOST_PIXELS**0.5) + 1, 60_000])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    """A few bytes that promise thousands of millions of pixels are refused by name before any is decoded."""
    with pytest.raises(DataError, match=r"bomb\.png has .*more than 64,000,000"):
        read_image(bomb(tmp_path / "bomb.png", side), 8)


def test_a_truncated_image_is_refused(tmp_path: Path) -> None:
    """Half a file is named, not half used."""
    for name in ("half.png", "half.jpg"):
        noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
        path = save(tmp_path / name, noise)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

        with pytest.raises(DataError, match=rf"{name} cannot be decoded.*undamaged copy"):
            read_image(path, 8)


@pytest.mark.parametrize("raw", [b"", b"GIF89a" + bytes(40), b"%PDF-1.4", b"\xff\xd8\xff\xe0" + bytes(10)])
def test_other_formats_are_refused_whatever_their_name(tmp_path: Path, raw: bytes) -> None:
    """Only the decoders for PNG and JPEG ever run."""
    (tmp_path / "x.png").write_bytes(raw)

    with pytest.raises(DataError, match=r"x\.png cannot be decoded"):
        read_image(tmp_path / "x.png", 8)


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    """An empty sub-folder is a mistake that is easily made."""
    save(tmp_path / "cat" / "1.png", plain(1))
    (tmp_path / "dog").mkdir()

    with pytest.raises(DataError, match="dog holds no PNG or JPEG files"):
        load_images(tmp_path, name="pets")


def test_an_image_beside_the_classes_is_named(tmp_path: Path) -> None:
    """It has no class, and is not dropped in silence."""
    save(tmp_path / "cat" / "1.png", plain(1))
    save(tmp_path / "stray.png", plain(1))

    with pytest.raises(DataError, match=r"stray\.png lies beside the class folders"):
        load_images(tmp_path, name="pets")


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("file,label\n", "lists no files"),
        ("image,label\n1.png,cat\n", "no column 'file'; it has image, label"),
        ("file,kind\n1.png,cat\n", "no column 'label'; it has file, kind"),
        ("file,label\n1.png,\n", "line 2: a file and its label"),
        ("file,label\n1.png,cat\n2.png,dog\n", "line 3: there is no file '2.png'"),
        ("file,label\n../1.png,cat\n", "is not inside the folder"),
        ("file,label\n/etc/passwd,cat\n", "is not inside the folder"),
        ('file,label\n"1.png,cat\n', "no CSV file in UTF-8"),
        ("file,label\n\udce4.png,cat\n", "no CSV file in UTF-8"),
    ],
)
def test_a_list_that_cannot_be_followed(tmp_path: Path, rows: str, problem: str) -> None:
    """What is wrong with `labels.csv` is said with its line."""
    save(tmp_path / "1.png", plain(1))
    (tmp_path / "labels.csv").write_bytes(rows.encode(errors="surrogateescape"))

    with pytest.raises(DataError, match=problem):
        load_images(tmp_path, name="pets")


@pytest.mark.parametrize("size", [0, 3, 513])
def test_sizes_have_bounds(tmp_path: Path, size: int) -> None:
    """A side of nothing, and one that fills the memory, are refused before anything is read."""
    with pytest.raises(DataError, match=f"4 to 512 pixels a side, not {size}"):
        load_images(tmp_path, name="pets", size=size)


def test_a_label_column_needs_a_list(tmp_path: Path) -> None:
    """With one folder a class there is no column to choose."""
    save(tmp_path / "cat" / "1.png", plain(1))

    with pytest.raises(DataError, match=r"no labels\.csv with a column 'kind'"):
        load_images(tmp_path, name="pets", label="kind")


def test_image_folders_are_recognised(tmp_path: Path) -> None:
    """By a list, or by images in it or right below; a folder of other things is none."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "t10k-labels-idx1-ubyte").write_bytes(b"")

    assert not is_image_folder(tmp_path)
    assert not is_image_folder(tmp_path / "other")

    save(tmp_path / "cat" / "1.jpeg", plain(1))

    assert is_image_folder(tmp_path)
    assert is_image_folder(tmp_path / "cat")
