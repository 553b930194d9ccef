"""NSL-KDD: connections of a simulated network, normal ones and attacks, by two files.

    KDDTrain+_20Percent.txt     25,192 rows: normal and 21 attacks
    KDDTest+.txt                22,544 rows: normal and 37 attacks, 18 of which are not in the other file (`NEW`)

A line has 41 features, the attack's name, and a difficulty from 0 to 21, which is left out. The loader returns both
files' rows, the training file's first. The label "attack" is the attack's name; "type" is one of normal, dos
(denial of service), probe, r2l (remote to local) and u2r (user to root), after the tables of DARPA 1998 and KDD 99;
the one for the attacks of the test file is that of most of the literature (some count httptunnel among u2r and
worm among r2l).

The files are those of the Canadian Institute for Cybersecurity (https://www.unb.ca/cic/datasets/nsl.html), which asks
for a form to be filled in; what is downloaded is a copy of them at a fixed revision.

Reference:
    Tavallaee, Bagheri, Lu, Ghorbani: A Detailed Analysis of the KDD CUP 99 Data Set. CISDA 2009.
"""

import csv
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx

from model.datasets.labelled import DataError, LabelledData
from model.datasets.published_file import PublishedFile, obtain
from model.datasets.table import load_table
from model.datasets.table_file import CHUNK_ROWS, Chunk

_ADDRESS = "https://raw.githubusercontent.com/defcom17/NSL_KDD/27bbbdf5c5cccf9970b8b6037a0f19dc09c5a0a9/"
FILES = (
    PublishedFile(
        name="KDDTrain+_20Percent.txt",
        address=f"{_ADDRESS}KDDTrain%2B_20Percent.txt",
        sha256="7ea86479faab5ca2190b7f18b4982fb058ce5bf2b46e0e1017d0d9ef90f9c16e",
    ),
    PublishedFile(
        name="KDDTest+.txt",
        address=f"{_ADDRESS}KDDTest%2B.txt",
        sha256="fa46b0935342616aa83b7c2578db355b6a7aaabbc492248172c7a1e8b7ab8f84",
    ),
)

FEATURES = (
    "duration", "protocol_type", "service", "flag", "src_bytes", "dst_bytes", "land", "wrong_fragment", "urgent",
    "hot", "num_failed_logins", "logged_in", "num_compromised", "root_shell", "su_attempted", "num_root",
    "num_file_creations", "num_shells", "num_access_files", "num_outbound_cmds", "is_host_login", "is_guest_login",
    "count", "srv_count", "serror_rate", "srv_serror_rate", "rerror_rate", "srv_rerror_rate", "same_srv_rate",
    "diff_srv_rate", "srv_diff_host_rate", "dst_host_count", "dst_host_srv_count", "dst_host_same_srv_rate",
    "dst_host_diff_srv_rate", "dst_host_same_src_port_rate", "dst_host_srv_diff_host_rate", "dst_host_serror_rate",
    "dst_host_srv_serror_rate", "dst_host_rerror_rate", "dst_host_srv_rerror_rate",
)  # fmt: skip

TYPES = {
    "normal": ("normal",),
    "dos": ("apache2", "back", "land", "mailbomb", "neptune", "pod", "processtable", "smurf", "teardrop", "udpstorm",
            "worm"),
    "probe": ("ipsweep", "mscan", "nmap", "portsweep", "saint", "satan"),
    "r2l": ("ftp_write", "guess_passwd", "httptunnel", "imap", "multihop", "named", "phf", "sendmail", "snmpgetattack",
            "snmpguess", "spy", "warezclient", "warezmaster", "xlock", "xsnoop"),
    "u2r": ("buffer_overflow", "loadmodule", "perl", "ps", "rootkit", "sqlattack", "xterm"),
}  # fmt: skip
"""The attacks of each type."""

NEW = (
    "apache2", "httptunnel", "mailbomb", "mscan", "named", "perl", "processtable", "ps", "saint", "sendmail",
    "snmpgetattack", "snmpguess", "sqlattack", "udpstorm", "worm", "xlock", "xsnoop", "xterm",
)  # fmt: skip
"""The attacks that only the test file has."""

_ATTACK, _TYPE = "attack", "type"
_TYPE_OF = {attack: name for name, attacks in TYPES.items() for attack in attacks}


def load_nsl_kdd(folder: Path, *, client: httpx.Client, label: str | None = None) -> LabelledData:
    """Load NSL-KDD from a folder, downloading what is absent.

    Args:
        folder: where the files are, or are to be put.
        client: used only for what is absent.
        label: "attack" or "type"; None is "attack".

    Returns:
        47,736 rows of 41 columns, the training file's first.

    Raises:
        DataError: a download failed, a file is not the published one, or there is no such label.
    """
    label = _ATTACK if label is None else label
    if label not in {_ATTACK, _TYPE}:
        raise DataError(f"nsl-kdd has no label {label!r}. Choose {_ATTACK} or {_TYPE}.")
    return load_table(
        Connections([obtain(file, folder, client=client) for file in FILES]),
        called=f"NSL-KDD ({' and '.join(file.name for file in FILES)})",
        name="nsl-kdd",
        label=label,
        drop=[_TYPE if label == _ATTACK else _ATTACK],
    )


class Connections:
    """The rows of several files, one file after the other, without the difficulty and with the attack's type.

    Attributes:
        columns: the features, "attack", "type".
    """

    columns = (*FEATURES, _ATTACK, _TYPE)

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def chunks(self) -> Iterator[Chunk]:
        """Read all files.

        Raises:
            DataError: a line has another number of fields, or an attack that NSL-KDD does not have.
        """
        for path in self._paths:
            with path.open(encoding="ascii", errors="replace", newline="") as text:
                lines = enumerate(csv.reader(text), start=1)
                while chunk := [
                    _row(path, number, row) for number, row in itertools.islice(lines, CHUNK_ROWS)
                ]:
                    yield dict(zip(self.columns, zip(*chunk, strict=True), strict=True))


def _row(path: Path, number: int, fields: list[str]) -> list[str]:
    if len(fields) != len(FEATURES) + 2:
        raise DataError(f"{path}, line {number}, has {len(fields)} fields, not {len(FEATURES) + 2}.")
    attack = fields[len(FEATURES)]
    if attack not in _TYPE_OF:
        raise DataError(f"{path}, line {number}: NSL-KDD has no attack {attack[:40]!r}.")
    return [*fields[:-1], _TYPE_OF[attack]]
