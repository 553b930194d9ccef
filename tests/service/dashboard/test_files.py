"""What is served: files of two folders, by name; and the wheel has them."""

import subprocess
import sys
import tomllib
import zipfile
from glob import glob
from pathlib import Path

import pytest

from service.dashboard.fetch import VENDOR, missing
from service.dashboard.files import MEDIA_TYPES, PAGE, STATIC, VendorMissing, read_files

ROOT = Path(__file__).parents[3]

fetched = pytest.mark.skipif(
    bool(missing()), reason="the libraries are not here: python -m service.dashboard.fetch"
)


@fetched
def test_ours_are_asked_for_again_theirs_are_kept() -> None:
    """By their place."""
    files = read_files()

    assert not files[PAGE].is_immutable
    assert not files["js/main.js"].is_immutable
    assert files["vendor/uplot-1.6.32/uplot.js"].is_immutable
    assert all(file.media_type in MEDIA_TYPES.values() for file in files.values())


@fetched
def test_a_name_is_all_there_is() -> None:
    """No name leads out of the folders, and what has another suffix is not served."""
    names = read_files().keys()

    assert not [name for name in names if ".." in name or name.startswith(("/", "."))]
    assert not [name for name in names if name.endswith((".py", ".integrity"))]


@fetched
def test_an_etag_is_of_the_bytes() -> None:
    """The same bytes the same tag; every file another."""
    first, again = read_files(), read_files()

    assert {name: f.etag for name, f in first.items()} == {name: f.etag for name, f in again.items()}
    assert len({f.etag for f in first.values()}) == len({f.body for f in first.values()})
    assert first["js/main.js"].gzipped == again["js/main.js"].gzipped


def test_without_the_libraries_it_says_what_to_run(tmp_path: Path) -> None:
    """In one sentence."""
    with pytest.raises(VendorMissing, match=r"python -m service\.dashboard\.fetch"):
        read_files(vendor=tmp_path)


def test_what_is_served_is_what_is_packed() -> None:
    """Each file matches a glob of the package's data, as setuptools reads it: its stars match no hidden file."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        globs = tomllib.load(file)["tool"]["setuptools"]["package-data"]["service"]
    root = str(ROOT / "service")
    packed = {Path(path) for one in globs for path in glob(f"{root}/{one}", recursive=True)}  # noqa: PTH207 - that one's stars do
    ours = {path for folder in (STATIC, VENDOR) for path in folder.rglob("*") if path.is_file()}

    assert ours <= packed


@pytest.mark.slow
@fetched
def test_a_wheel_has_the_dashboard(tmp_path: Path) -> None:
    """Built as `make wheel` builds it, without a network: what was unpacked from it serves what is served here."""
    done = subprocess.run(
        [
            sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index",
            "--wheel-dir", str(tmp_path), str(ROOT),
        ],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )  # fmt: skip
    if "setuptools" in done.stderr and done.returncode:
        pytest.skip("setuptools is not installed beside the tests, and there may be no network to get it")
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "unpacked")
    folder = tmp_path / "unpacked" / "service" / "dashboard"

    assert read_files() == read_files(folder / "static", folder / "vendor")
