"""What every benchmark shares: its command line, the machine it ran on, a table and a JSON file.

Figures of two machines are not comparable; the ratio of two rows of one run is. So every report carries the
machine, and every question has its peer in the same run. Nothing here fails on a slow machine.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Row = dict[str, Any]
"""One line of a table: column -> string, number or None; all rows of a table have the same columns."""


def parser(description: str) -> argparse.ArgumentParser:
    """The options that all benchmarks have."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--quick", action="store_true", help="smaller sizes: a minute or less")
    options.add_argument("--json", type=Path, metavar="FILE", help="also write the report to FILE")
    return options


def machine(packages: Sequence[str]) -> Row:
    """What a reader must know to judge the figures.

    Args:
        packages: Distributions whose versions belong to the result.
    """
    return {
        "cores": os.cpu_count(),
        "load_1min": round(os.getloadavg()[0], 2),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": {name: _version(name) for name in packages},
    }


def table(title: str, rows: Sequence[Row]) -> str:
    """Rows as aligned text."""
    if not rows:
        return f"{title}\n  (nothing)\n"
    columns = list(rows[0])
    cells = [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(column), *(len(line[n]) for line in cells)) for n, column in enumerate(columns)]
    numeric = [all(not isinstance(row[column], str) for row in rows) for column in columns]
    lines = [columns, *cells]
    text = "\n".join(
        "  "
        + "  ".join(
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )
    return f"{title}\n{text}\n"


def publish(report: dict[str, Any], tables: Sequence[tuple[str, Sequence[Row]]], file: Path | None) -> None:
    """Print the tables; write the report where asked."""
    for title, rows in tables:
        print(table(title, rows))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        log(f"JSON in {file}")


def log(line: str) -> None:
    """What is being done, for who waits; beside the tables, not among them."""
    print(line, file=sys.stderr, flush=True)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
