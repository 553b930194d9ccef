"""Every source has its test where one would look for it, and files stay small enough to be read.

`model/networks/cnn.py` is tested by `tests/model/networks/test_cnn.py`; a Lua file by `test_<name>.py`, too.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
LARGEST_LINES = 500

TESTED_ELSEWHERE = {
    # Values without behaviour of their own: seen through what uses them.
    "service/records.py": "tests/service/clustering/test_engine.py",
    "service/events.py": "tests/service/clustering/test_engine.py",
    "service/decisions.py": "tests/service/clustering/test_curation.py",
    "service/errors.py": "tests/service/api/test_rest.py",
    "service/state/errors.py": "tests/service/state/test_store.py",
    "service/api/schemas.py": "tests/service/api/test_rest.py",
    "service/api/overview_shapes.py": "tests/service/api/test_overview.py",
    # A port, whose one implementation is tested.
    "service/telemetry/spans.py": "tests/service/telemetry/test_tracing.py",
    "service/client/errors.py": "tests/service/client/test_asking.py",
    "service/cli/options.py": "tests/service/cli/test_classify.py",
    "service/api/stream_routes.py": "tests/service/api/test_dlq.py",
    # The road that two clients take, and the run that a command makes.
    "service/client/conversation.py": "tests/service/client/test_streaming.py",
    "service/lines/run.py": "tests/service/cli/test_classify.py",
    # What commands open and say, seen through them; and what they do together, out of a stream and back.
    "service/cli/opening.py": "tests/service/cli/test_state.py",
    "service/cli/mending.py": "tests/service/cli/test_main.py",
    "service/cli/export.py": "tests/service/cli/test_round_trip.py",
    "service/cli/upgrade.py": "tests/service/cli/test_round_trip.py",
    "service/cli/backtest.py": "tests/service/cli/test_round_trip.py",
    "service/roundtrip/backtesting.py": "tests/service/cli/test_round_trip.py",
    "service/roundtrip/standing.py": "tests/service/roundtrip/test_exporting.py",
    "service/roundtrip/tables.py": "tests/service/roundtrip/test_writers.py",
    "service/state/moving.py": "tests/service/roundtrip/test_upgrading.py",
    "service/state/ordered.py": "tests/service/state/test_exporting.py",
    # Parts of the engine, seen through it.
    "service/clustering/facts.py": "tests/service/clustering/test_engine.py",
    "service/clustering/joining.py": "tests/service/clustering/test_engine_partings.py",
    "service/clustering/saying.py": "tests/service/clustering/test_curation.py",
    "service/clustering/undoing.py": "tests/service/clustering/test_curation.py",
    # Parts of the pipeline, seen through it.
    "service/pipeline/payload_limits.py": "tests/service/pipeline/test_payloads.py",
    "service/describing/evidence.py": "tests/service/api/test_evidence.py",
    "service/pipeline/pausing.py": "tests/service/pipeline/test_deciding.py",
    "service/pipeline/memory.py": "tests/service/pipeline/test_deciding.py",
    "service/pipeline/tending.py": "tests/service/pipeline/test_pipeline_fits.py",
    "service/report/style.py": "tests/service/report/test_page.py",
    "service/clustering/stream_gate/constants.py": "tests/service/clustering/stream_gate/test_gate.py",
    # Kernels are seen through the class that owns the arrays: they cannot be called from Python.
    "service/clustering/kernels/clock.py": "tests/service/clustering/test_micro_clusters.py",
    "service/clustering/kernels/connectivity.py": "tests/service/clustering/test_micro_clusters.py",
    "service/clustering/kernels/entries.py": "tests/service/clustering/test_micro_clusters.py",
    "service/clustering/kernels/online.py": "tests/service/clustering/test_micro_clusters.py",
    "service/clustering/kernels/pairs.py": "tests/service/clustering/test_micro_clusters.py",
    "service/clustering/kernels/state.py": "tests/service/clustering/test_micro_clusters.py",
    # Configurations are compared with each other.
    "model/configs/clinc150.py": "tests/model/configs/test_configs.py",
    "model/configs/clinc150_minilm.py": "tests/model/configs/test_configs.py",
    "model/configs/digits.py": "tests/model/configs/test_configs.py",
    "model/configs/fashion_mnist.py": "tests/model/configs/test_configs.py",
    "model/configs/mnist.py": "tests/model/configs/test_configs.py",
    "model/configs/nsl_kdd.py": "tests/model/configs/test_configs.py",
    "model/configs/original.py": "tests/model/configs/test_configs.py",
}
"""Sources without a test file of their own -> where their behaviour is tested."""

TOPICS = {
    "tests/service/clustering/test_curation_digits.py",  # what decisions come to, on real items
    "tests/service/cli/test_round_trip.py",  # export, train, backtest and upgrade, one after another
    "tests/service/client/test_client_keys.py",  # keys, over every way that the client has
    "tests/service/dashboard/test_hostile.py",  # text that tries to be more, in a browser
    "tests/service/dashboard/test_everybody.py",  # on a phone, by keys, by axe's rules
    "tests/service/dashboard/test_live.py",  # the page and a real service, from the first item to an undo
    "tests/service/dashboard/test_large.py",  # how it does with 200 clusters and 50,000 points
    "tests/service/api/test_schema_fuzz.py",  # every route, held against the schema
    "tests/service/api/test_http_page.py",  # the examples of docs/http.md
    "tests/service/api/test_curation.py",  # what people decide, over every way in
    "tests/service/api/test_bad_input.py",  # what must be refused, over every way in
    "tests/service/api/test_text.py",  # texts instead of numbers, over every way in
    "tests/service/api/test_table.py",  # rows of a table, likewise
    "tests/service/clustering/test_literal_dbstream.py",  # the oracle lives in tests only
    "tests/service/clustering/test_river_differences.py",  # a peer, not a source
    "tests/service/clustering/test_micro_clusters_limits.py",  # the other half of test_micro_clusters.py
}
"""Test files about a topic that no single source has."""

SOURCES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("model", "service", "benchmarks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".lua"} and path.name != "__init__.py" and "__pycache__" not in path.parts
)

ALL_FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("model", "service", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".lua"} and "__pycache__" not in path.parts
)


def mirrored(source: str) -> str:
    """Where the test of a source belongs."""
    path = Path(source)
    return (Path("tests") / path.parent / f"test_{path.stem}.py").as_posix()


def test_every_source_has_its_test_in_the_mirrored_place() -> None:
    """Or a line above that says where else it is tested."""
    places = {source: TESTED_ELSEWHERE.get(source, mirrored(source)) for source in SOURCES}

    assert {source: place for source, place in places.items() if not (ROOT / place).exists()} == {}


def test_every_exception_is_still_one() -> None:
    """A line that is not needed any more is taken out: of a source that is gone, or has a test file of its own now."""
    assert [source for source in TESTED_ELSEWHERE if not (ROOT / source).exists()] == []
    assert [source for source in TESTED_ELSEWHERE if (ROOT / mirrored(source)).exists()] == []


def test_every_test_file_mirrors_something() -> None:
    """A test whose source was renamed is renamed with it; folders that mirror nothing are named here."""
    free = {"tests/test_architecture.py", "tests/test_layout.py", "tests/test_docs.py"}
    stray = [
        path
        for path in ALL_FILES
        if path.startswith("tests/")
        and Path(path).name.startswith("test_")
        and path not in free | TOPICS
        and not path.startswith(
            ("tests/e2e/", "tests/faults/", "tests/simulation/", "tests/soak/", "tests/service/conformance/")
        )
        and not _mirrors(path)
    ]

    assert stray == []


def _mirrors(test: str) -> bool:
    """A source of that name, one that it begins with (test_store_faults: store), or the package of its folder."""
    folder = Path(*Path(test).parts[1:-1])
    name = Path(test).stem.removeprefix("test_")
    sources = {Path(s).stem for s in SOURCES if Path(s).parent == folder}
    return name in sources or name == folder.name or any(name.startswith(f"{source}_") for source in sources)


def test_there_is_no_init_file_under_tests() -> None:
    """One at `tests/model` would shadow the real package."""
    assert [path for path in ALL_FILES if path.startswith("tests/") and path.endswith("__init__.py")] == []


def test_no_file_is_too_long() -> None:
    """A longer one has more than one idea."""
    lines = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in ALL_FILES}

    assert {path: count for path, count in lines.items() if count > LARGEST_LINES} == {}
