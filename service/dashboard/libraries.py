"""Which libraries the page uses: from npm's registry, each at one version, its archive known by its SHA-512.

No bundler and no Node: a library is here because it has one file that is an ES module, makes no code from text (no
`eval`, no `new Function`) and no markup from text (no `innerHTML`), so that the page's policy can forbid all of that.

    uPlot     the timeline: lines and areas on a canvas
    twgl.js   the map: what is long-winded about WebGL; ours are the shaders
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Library:
    """A package of npm, and what we take of it.

    Attributes:
        name: As the registry has it.
        version: The only one that is taken.
        integrity: SHA-512 of the archive in base64, as the registry and lock files write it (Subresource Integrity).
        files: Path in the archive -> the name under which the page asks for it.
    """

    name: str
    version: str
    integrity: str
    files: Mapping[str, str]

    @property
    def folder(self) -> str:
        """Where its files are: with the version, so that a browser may keep them for ever."""
        return f"{self.name.removesuffix('.js')}-{self.version}"

    @property
    def archive(self) -> str:
        """The path of its archive on a registry."""
        return f"{self.name}/-/{self.name}-{self.version}.tgz"


LIBRARIES: Final = (
    Library(
        name="uplot",
        version="1.6.32",
        integrity="sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
        files={
            "package/dist/uPlot.esm.js": "uplot.js",
            "package/dist/uPlot.min.css": "uplot.css",
            "package/LICENSE": "LICENSE.txt",
        },
    ),
    Library(
        name="twgl.js",
        version="7.0.0",
        integrity="sha512-9HHZ8emdZb2nKPU0FDIGDlkp6AD9rWFv7ThqdbmUqyBhD3WTQpLN+89w4B+YshGwD1fL6PMVpVKZqC0pikgmcA==",
        files={
            "package/dist/7.x/twgl-full.module.js": "twgl.js",
            "package/LICENSE.md": "LICENSE.txt",
        },
    ),
)
