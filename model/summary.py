"""A bundle for people: what `firstseen inspect` prints, as tables for a terminal and as a dict for JSON.

Both say the same, from the same rows: what the bundle is, what it accepts, what it knows, how it decides,
what the training measured, which files hold it. Text from the bundle is shown letter by letter,
never read as markup, its control characters spelt out.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from model.bundle import Bundle, Manifest
from model.manifest import escaped


def summarize(manifest: Manifest, bundle: Bundle) -> dict[str, Any]:
    """Return the summary as JSON values.

    Args:
        manifest: the bundle's manifest.
        bundle: the verified bundle.

    Returns:
        the manifest's fields, and besides: `path`; `classes`, one entry a class with its label, its numbers
        of fitting, calibration and reference items and whether it uses the pooled scores; `parameters`, how
        many numbers the net has; `arrays`, dtype and shape of each array of the known classes;
        `golden_items`; `card`.
    """
    known = bundle.known
    labels = range(len(manifest.labels))
    references = np.bincount(known.reference_labels, minlength=len(labels))
    scores = np.diff(known.calibration_offsets)
    return {
        **manifest.model_dump(mode="json"),
        "path": str(bundle.path),
        "classes": [
            {
                "label": manifest.labels[k],
                "fitting_items": int(known.counts[k]),
                "calibration_scores": int(scores[k]),
                "reference_items": int(references[k]),
                "pooled": manifest.labels[k] in manifest.calibration.pooled_labels,
            }
            for k in labels
        ],
        "parameters": sum(array.size for array in bundle.weights.values() if array.dtype.kind == "f"),
        "arrays": {
            name: {"dtype": str(array.dtype), "shape": list(array.shape)}
            for name, array in known.table().items()
        },
        "golden_items": len(bundle.golden.items),
        "card": bundle.card,
    }


def describe(manifest: Manifest, bundle: Bundle) -> RenderableType:
    """Render the same summary for a terminal, with rich.

    Args:
        manifest: the bundle's manifest.
        bundle: the verified bundle.

    Returns:
        something `rich.console.Console.print` takes: tables one below the other.
    """
    facts = summarize(manifest, bundle)
    calibration, network = manifest.calibration, manifest.network
    options = ", ".join(f"{name}={value}" for name, value in network.options.items())
    about = [
        ("folder", facts["path"]),
        ("id", manifest.bundle_id),
        ("created", manifest.created),
        ("format", f"version {manifest.format_version}"),
        ("input", manifest.input.summary()),
        ("net", f"{network.name}({options}), {facts['parameters']:,} parameters"),
        (
            "embedding",
            f"{' + '.join(f'{layer.name} ({layer.dim})' for layer in manifest.embedding.layers)}, "
            f"{manifest.embedding.dim} dimensions, norm {manifest.embedding.norm}",
        ),
        (
            "score",
            f"{' + '.join(f'{part.score}:{part.layer}' for part in calibration.scores)}; "
            f"{calibration.known_error_rate:.2%} of known items may be called new",
        ),
        ("cluster space", f"{calibration.cluster_dim} dimensions, radius {calibration.cluster_radius:g}"),
        ("golden items", f"{facts['golden_items']}"),
    ]
    classes = (
        (
            entry["label"],
            f"{entry['fitting_items']:,}",
            f"{entry['calibration_scores']:,}" + (" (pooled)" if entry["pooled"] else ""),
            f"{entry['reference_items']:,}",
        )
        for entry in facts["classes"]
    )
    metrics = ((name, "not measured" if v is None else f"{v:.4g}") for name, v in manifest.metrics.items())
    files = ((name, f"{entry.bytes:,}", entry.sha256) for name, entry in manifest.files.items())
    config = ((name, str(value)) for name, value in manifest.config.items())
    return Group(
        _table("Bundle", ("", ""), about),
        _table("Known classes", ("label", "fitting", "calibration", "reference"), classes),
        _table("Measured in training", ("figure", "value"), metrics),
        _table("Configuration", ("setting", "value"), config),
        _table("Files", ("name", "bytes", "sha256"), files),
    )


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    """Build one table; every cell is literal text that folds instead of being cut."""
    headings = tuple(columns)
    table = Table(title=title, title_justify="left", box=None, show_header=any(headings), pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(escaped(cell)) for cell in row))
    return table
