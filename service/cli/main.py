"""The command line: train, look at, replay and serve a bundle; or see it all at once with `demo`."""

import json
import os
import shlex
import signal
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from service.cli import (
    backtest,
    classify,
    clusters,
    dlq,
    events,
    export,
    keys,
    state,
    upgrade,
    watch,
    webhooks,
)
from service.cli.mending import mendable, say
from service.cli.progress import stages
from service.settings import Settings

app = typer.Typer(
    name="firstseen",
    help=(
        "Streaming novelty detection. Train once on the classes you know; then every item of a stream is a known "
        "class, a cluster nobody has named yet, or an outlier.\n\nStart with [bold]firstseen demo[/bold]."
    ),
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
for part in (classify, watch, events, clusters, dlq, keys, webhooks, state, export, upgrade, backtest):
    app.add_typer(part.app)
screen = Console(stderr=True)

_INTERRUPTED = 128 + signal.SIGINT
_LARGEST_SEED = 2**32 - 1


def main() -> None:
    """Run a command; errors that a person can mend are one line, not a traceback, and so is Ctrl-C."""
    try:
        app()
    except SystemExit as ended:
        if ended.code == _INTERRUPTED:  # typer has turned Ctrl-C into this, and said nothing
            say("stopped by Ctrl-C.")
        raise
    except Exception as error:
        message = mendable(error)
        if message is None:
            raise
        say(message)
        raise SystemExit(1) from None


def _settings(**options: Any) -> Settings:  # noqa: ANN401 - typed by the settings
    return Settings.read(os.environ, **options)


@app.callback(invoke_without_command=True)
def about(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Take options that belong to no command."""
    if show_version:
        typer.echo(version("firstseen"))
        raise typer.Exit


@app.command()
def train(
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="digits, mnist, fashion-mnist, cifar10, clinc150, 20newsgroups, stackoverflow, nsl-kdd; a folder of "
            "images, a sub-folder a class, or of four IDX files; a csv, tsv, jsonl or parquet table, with --label, and "
            "--text where it is of texts; an npz file with arrays x and y; or what firstseen export wrote."
        ),
    ] = None,
    beside: Annotated[
        str | None,
        typer.Option("--with", help="For an export: a data set to put beside it, e.g. the first one."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=r"Folder to write the bundle to \[default: bundles/DATASET].")
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="Column of a file that names each row's class, e.g. intent.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Column of a file that holds the texts, e.g. question.")
    ] = None,
    categories: Annotated[
        str | None,
        typer.Option(
            help="Columns of a table that hold names, though they look like numbers, e.g. port,zip. Columns with "
            "other text are categories anyway."
        ),
    ] = None,
    drop: Annotated[
        str | None,
        typer.Option(
            help="Columns of a table to leave out: ids, times, whatever tomorrow's items will not have."
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(help=r"Side in pixels that the images of a folder are brought to \[default: 32]."),
    ] = None,
    hold_out: Annotated[
        str | None,
        typer.Option(help="Classes the net must not see, e.g. 3,7: they show how new ones will be met."),
    ] = None,
    config: Annotated[
        str | None,
        typer.Option(help=r"Start from a named run of model/configs, e.g. original \[default: DATASET's]."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="cnn, mlp (7 layers of 520), tfidf or sentence (texts), table.")
    ] = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="For texts: tfidf, or the name or folder of a sentence-transformers encoder "
            r"\[default: tfidf]. An encoder needs: pip install 'firstseen\[text]'."
        ),
    ] = None,
    tune: Annotated[
        bool | None, typer.Option(help="Train the encoder, too, not only its head: slower, needs more items.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="proxy-anchor, supcon, normalised-softmax, hinge or rbf.")
    ] = None,
    auxiliary: Annotated[
        str | None,
        typer.Option(help="none, or two-views: also know items again in another view, at twice the cost."),
    ] = None,
    auxiliary_weight: Annotated[
        float | None, typer.Option(help="Of its loss beside the objective's.")
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            help="Layers of the net that are the embedding, e.g. pooled,penultimate,output "
            r"\[default: all that it has]."
        ),
    ] = None,
    gate: Annotated[
        str | None,
        typer.Option(
            help="Known-class scores to average, as SCORE:LAYER, or SCORE for all layers, e.g. "
            "energy:output,mahalanobis; the scores: nearest-neighbour, relative-mahalanobis, mahalanobis, "
            "centre-radius, energy."
        ),
    ] = None,
    norm: Annotated[str | None, typer.Option(help="l2 or none.")] = None,
    embedding_dim: Annotated[int | None, typer.Option(help="Width of the output layer.")] = None,
    cluster_dim: Annotated[int | None, typer.Option(help="Dimension of the cluster space.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the fitting items; 0 is as many as their number asks for.")
    ] = None,
    stop_at: Annotated[
        float | None, typer.Option(help="Share of the epochs after which training stops.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Items a training step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak of the one-cycle schedule.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of AdamW.")] = None,
    augment: Annotated[bool | None, typer.Option(help="Move, turn and size images while training.")] = None,
    flip: Annotated[
        bool | None, typer.Option(help="Mirror images too: clothes may be, digits must not.")
    ] = None,
    known_error_rate: Annotated[
        float | None, typer.Option(help="Rate at which items of known classes may be called new.")
    ] = None,
    max_items: Annotated[int | None, typer.Option(help="Use at most so many items of a big set.")] = None,
    rehearse: Annotated[
        bool | None,
        typer.Option(
            help="First train without some known classes: sets by them how wide a new class is, and tells what to "
            r"expect; doubles the time \[default: yes]."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Same seed, same bundle (on CPU).")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    choose: Annotated[
        bool,
        typer.Option(
            "--choose",
            help="Leave known classes out first, to choose objective, auxiliary, layers, gate and when to stop, as far "
            "as not given. Takes about a dozen times as long; a quarter of that with --objective given.",
        ),
    ] = False,
    data: Annotated[
        Path | None, typer.Option(help=r"Folder of data sets \[default: FIRSTSEEN_DATA, else data].")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Overwrite a bundle that is there.")] = False,
) -> None:
    """Learn an embedding, calibrate it, and write a bundle.

    Half of every known class is for fitting, a quarter for calibration, and a quarter, with the classes held
    out, for the honest figures in the bundle's card.

    Example: [bold]firstseen train digits --hold-out 3,7 --out bundles/digits[/bold]

    Your own texts: [bold]firstseen train tickets.csv --text question --label intent --hold-out refund[/bold]

    A table: [bold]firstseen train flows.csv --label attack --drop id,time --hold-out worm[/bold]. Columns of numbers
    and of categories are told apart, cells may be missing, and the bundle takes rows as JSON objects.

    Images: [bold]firstseen train photos --image-size 64[/bold], one sub-folder a class.
    """
    asked = dict(locals())
    import dataclasses

    from model.achieved import warnings
    from model.candidates import around
    from model.config import TrainConfig
    from model.configs import starting_config
    from model.export import run
    from model.manifest import BundleError
    from service.cli.writable import bundle_name
    from service.evaluation.rehearsal import simulate

    settable = [field.name for field in dataclasses.fields(TrainConfig) if field.name != "dataset"]
    changes = {name: asked[name] for name in settable if asked.get(name) is not None}
    changes |= {name: _names(changes[name]) for name in _LISTS if name in changes}
    wanted = starting_config(dataset, config, changes)
    out = out or Path("bundles") / bundle_name(wanted.dataset)
    if not replace and os.path.isdir(out) and any(out.iterdir()):  # noqa: PTH112 - of a name that is too long, too
        raise BundleError(
            f"{out} is not empty. Give another --out, or --replace to overwrite the bundle in it."
        )
    candidates = around(wanted, changes) if choose else ()
    with stages(screen) as progress:
        manifest = run(
            wanted,
            data_dir=data or _settings().data or Path("data"),
            out=out,
            progress=progress,
            created=datetime.now(UTC),
            replace=replace,
            simulate=simulate,
            candidates=candidates,
            graph=True,
        )
    screen.print(
        Text.assemble(("✓", "green"), f" bundle {manifest.bundle_id} in ", (str(out), "bold")), soft_wrap=True
    )
    for name, value in manifest.metrics.items():
        shown = "-" if value is None else format(value, ".4f")
        screen.print(Text(f"    {name:<28} {shown}"), soft_wrap=True)
    rate = manifest.calibration.known_error_rate
    for warning in warnings(manifest.metrics, rate, is_rehearsed=wanted.rehearse):
        screen.print(Text.assemble(("!", "yellow"), " ", warning), soft_wrap=True)
    path = shlex.quote(str(out))
    screen.print(
        Text(f"  Look at it: firstseen inspect {path}\n  Serve it:   firstseen serve {path}"), soft_wrap=True
    )


_LISTS = ("hold_out", "categories", "drop", "layers", "gate")
"""What a person lists between commas."""


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(",") if name.strip())


@app.command()
def inspect(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Verify a bundle, to the byte, and print what is in it."""
    from model.bundle import read_bundle
    from model.summary import describe, summarize

    found = read_bundle(bundle)
    if as_json:
        typer.echo(json.dumps(summarize(found.manifest, found), indent=2))
    else:
        Console().print(describe(found.manifest, found))


@app.command()
def replay(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    data: Annotated[
        str | None,
        typer.Option(
            help="Labelled data: a data set or a path, as `firstseen train` takes it "
            r"\[default: what the bundle was trained on]."
        ),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help=r"Column of the class, for data with columns \[default: the bundle's].")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help=r"Column of the text, likewise \[default: the bundle's].")
    ] = None,
    unseen: Annotated[
        str | None,
        typer.Option(
            help=r"New classes in order of arrival, e.g. 3,7 \[default: all that the bundle does not know]."
        ),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the report to this file.")] = None,
    html_file: Annotated[
        Path | None, typer.Option("--html", help="Write the report, with figures, as a page to this file.")
    ] = None,
    schedule: Annotated[
        Path | None,
        typer.Option(help="When classes come, go and drift: a .json or .toml file, see docs/replay.md."),
    ] = None,
    length: Annotated[
        int | None,
        typer.Option(
            min=1, help=r"Items of the standard stream \[default: 10000], or as many as the data allows."
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            help=r"Share of each new class in it \[default: 0.1], or less where they are more than five."
        ),
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", help="Leave the new classes out: what is announced then is false.")
    ] = False,
    seeds: Annotated[int, typer.Option(min=1, help="How many streams; gives mean and spread.")] = 1,
    seed: Annotated[
        int, typer.Option(min=0, max=_LARGEST_SEED, help="Of the first stream; the others follow.")
    ] = 0,
    known_error_rate: Annotated[
        float | None,
        typer.Option(help=r"Rate at which known items may be called new \[default: the bundle's]."),
    ] = None,
    false_alarm_rate: Annotated[
        float | None, typer.Option(help=r"Chance of ever announcing a false cluster \[default: 0.01].")
    ] = None,
    device: Annotated[str | None, typer.Option(help=r"auto, cpu or cuda \[default: auto].")] = None,
) -> None:
    """Replay a labelled stream, and see what would have been discovered: when, how purely, and what was missed.

    Each item is decided, then learnt, as it would be live; truth is looked at afterwards. Of the data that the
    bundle was trained on, only items that it was neither fitted nor calibrated with are used. By default the first
    new class comes at 20 % of the stream and the second at 50 %, with 10 % of the items each.

    Example: [bold]firstseen replay bundles/digits --unseen 3,7 --share 0.3 --seeds 3 --html digits.html[/bold]

    Is it quiet where nothing is new? [bold]firstseen replay bundles/digits --null[/bold]
    """
    from service.cli.writable import check_writable
    from service.evaluation.backtest import BacktestConfig, backtest
    from service.report.page import draw_page
    from service.report.records import to_json
    from service.report.table import report_table

    settings = _settings(known_error_rate=known_error_rate, false_alarm_rate=false_alarm_rate, device=device)
    for file, option in ((json_file, "--json"), (html_file, "--html")):
        if file is not None:
            check_writable(file, option)
    config = BacktestConfig(
        bundle=bundle,
        data=data,
        data_dir=settings.data or Path("data"),
        label=label,
        text=text,
        unseen=None if unseen is None else _names(unseen),
        schedule=schedule,
        length=length,
        share=share,
        null=null,
        seeds=seeds,
        seed=seed,
    )
    with stages(screen) as progress:
        report = backtest(config, settings, progress)
    Console().print(report_table(report))
    if json_file is not None:
        json_file.write_bytes(to_json(report))
    if html_file is not None:
        html_file.write_text(draw_page(report), encoding="utf-8")
    for file in (json_file, html_file):
        if file is not None:
            screen.print(Text.assemble(("✓", "green"), f" {file}"), soft_wrap=True)


@app.command()
def serve(
    bundle: Annotated[Path, typer.Argument(help="Folder of a bundle.")],
    host: Annotated[str | None, typer.Option(help=r"Address to listen on \[default: 127.0.0.1].")] = None,
    port: Annotated[
        int | None, typer.Option(help=r"Port to listen on; 0 takes a free one \[default: 8765].")
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help=r"Folder of the embedded store \[default: firstseen-data].")
    ] = None,
    redis_url: Annotated[
        str | None, typer.Option(help="Use this Redis instead of the embedded store.")
    ] = None,
    stream: Annotated[str | None, typer.Option(help=r"Stream of who names none \[default: default].")] = None,
    device: Annotated[str | None, typer.Option(help=r"auto, cpu or cuda \[default: auto].")] = None,
    known_error_rate: Annotated[
        float | None,
        typer.Option(help=r"Rate at which known items may be called new \[default: the bundle's]."),
    ] = None,
) -> None:
    """Serve a bundle: POST /classify, WS /stream, WS /watch, GET /clusters, GET /docs.

    Without a Redis URL the state is kept by a server of its own in the data folder, on disk before anything
    is acknowledged. All settings: see the table in README.md, or FIRSTSEEN_... variables.
    """
    settings = _settings(
        host=host,
        port=port,
        data_dir=data_dir,
        redis_url=redis_url,
        stream=stream,
        device=device,
        known_error_rate=known_error_rate,
    )
    # As process 1 of a container SIGTERM is ignored by default, and the imports below take seconds.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from service.server import run_server

    raise SystemExit(run_server(settings, bundle))


@app.command()
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Stop the service at the end instead of leaving it up.")
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the table of results to this file.")
    ] = None,
    crash: Annotated[
        bool,
        typer.Option("--crash", help="kill -9 the service in mid-stream, and check that nothing is lost."),
    ] = False,
    upgrade: Annotated[
        bool,
        typer.Option("--upgrade", help="At the end retrain on what was named, and move the stream to that."),
    ] = False,
    rate: Annotated[float, typer.Option(min=0, help="Items a second; 0 is as fast as it goes.")] = 60.0,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the service; 0 takes a free one.")
    ] = 8765,
    folder: Annotated[Path, typer.Option(help="Where bundle and state go; made anew.")] = Path(
        "firstseen-demo"
    ),
    seed: Annotated[
        int,
        typer.Option(min=0, max=_LARGEST_SEED, help="Decides split, training and the order of the stream."),
    ] = 1,
) -> None:
    """See it work: train on handwritten digits without 3 and 7, serve, stream, and watch both be discovered.

    Then a person, played by the data set, names what was found, and later 3s and 7s are known. With --upgrade, also to
    a net that was taught them. Exits 0 only when both classes were found, and nothing was lost on the way.
    """
    from service.cli.demo import DemoConfig, run_demo

    config = DemoConfig(
        once=once,
        json_file=json_file,
        crash=crash,
        upgrade=upgrade,
        rate=rate,
        port=port,
        folder=folder,
        seed=seed,
    )
    raise SystemExit(run_demo(config, screen))


if __name__ == "__main__":
    main()
