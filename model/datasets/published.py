"""The published IDX data sets that can be loaded by name: MNIST and Fashion-MNIST.

A table row says where the four files are published, their MD5 there, and what the classes are called. A file
that is already in the data folder is used; a gzipped one must be the published one, an unzipped one is only
checked for its form. A file that is absent is downloaded.

References:
    LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition. 1998.
    Xiao, Rasul, Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms.
    2017.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from model.datasets.download import download, file_md5
from model.datasets.idx import FILES, find_file, load_idx
from model.datasets.labelled import DataError, LabelledData


@dataclass(frozen=True, kw_only=True)
class Published:
    """One data set.

    Attributes:
        address: the folder it is published in, ending with "/".
        md5: of every gzipped file, by the file's name without ".gz".
        labels: the name of class 0, 1, ...
    """

    address: str
    md5: Mapping[str, str]
    labels: tuple[str, ...]


PUBLISHED: Mapping[str, Published] = {
    "mnist": Published(
        address="https://ossci-datasets.s3.amazonaws.com/mnist/",
        md5={
            "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
        },
        labels=tuple("0123456789"),
    ),
    "fashion-mnist": Published(
        address="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        md5={
            "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
        },
        labels=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
}


def load_published(name: str, published: Published, folder: Path, *, client: httpx.Client) -> LabelledData:
    """Load a published data set from a folder, downloading what is absent.

    Args:
        name: its short name.
        published: its row of the table.
        folder: where its files are, or are to be put.
        client: used only for what is absent.

    Returns:
        x float32 (N, 1, H, W) in 0..255, the train part first.

    Raises:
        DataError: a download failed, or a file is broken or not the published one.
    """
    for file in FILES:
        path = find_file(folder, file)
        if path is None:
            download(
                f"{published.address}{file}.gz", folder / f"{file}.gz", md5=published.md5[file], client=client
            )
        elif path.suffix == ".gz" and file_md5(path) != published.md5[file]:
            raise DataError(
                f"{path} is not the published file: its MD5 is not {published.md5[file]}. "
                "Delete it, and it is downloaded again."
            )
    return load_idx(folder, name=name, source=published.address, labels=published.labels)
