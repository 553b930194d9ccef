"""Who may import whom, and who may read the clock: the rules that keep the core pure and the halves apart.

Read with the standard library's `ast`, so nothing is imported and a lazy import inside a function counts too. One
test a rule, which names every file that breaks it: a test for each file and rule takes far longer.
"""

import ast
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("model/**/*.py"), *ROOT.glob("service/**/*.py")])
NAMES = [path.relative_to(ROOT).as_posix() for path in SOURCES]

CONTRACT = {"model.bundle", "model.inputs", "model.networks", "model.scores"}
"""What the service may know of the trainer; scores, since what is calibrated has to be what is served."""

BESIDES = {
    "service/evaluation/rehearsal.py": {"model.rehearse"}
}  # runs as streams what the trainer rehearses with
"""What single files may know of the trainer beside the contract."""

COMPOSITION = {
    "service/evaluation/backtest.py",  # replays data sets: needs the trainer's loaders, and its split
    "service/app.py",  # makes clocks, clients and servers, and ties them together
    "service/cli/main.py",  # `firstseen train` and `firstseen inspect` are commands of the trainer
    "service/cli/clusters.py",  # what is dismissed for three days is so from now
    "service/cli/classify.py",  # tells how fast it goes, and draws a name for a run
    "service/client/composition.py",  # the client's own: its key from the environment, ids from luck
    "service/cli/keys.py",  # makes keys out of luck and the time of day, and clients and servers as cli_state does
    "service/cli/opening.py",  # reads the environment for the commands that work on a stream's state
    "service/cli/upgrade.py",  # makes clients and owners' names, as state does
    "service/cli/mending.py",  # knows what the trainer raises
    "service/cli/state.py",  # makes clients, servers and owners' names for `firstseen state`, and says how long it took
    "service/evaluation/rehearsal.py",  # runs the trainer's rehearsals through the engine, for the trainer
    "service/cli/demo.py",  # trains a bundle before it serves it
    "service/server.py",  # the process around the service
}
"""The only files that may know every concrete class, read the clock or read the environment."""

PURE_MODULES = {
    "bisect",
    "collections",
    "dataclasses",
    "enum",
    "hashlib",
    "itertools",
    "math",
    "msgspec",
    "numba",
    "numpy",
    "operator",
    "river",
    "safetensors",
    "scipy",
    "statistics",
    "struct",
    "typing",
}
"""All that the pure core may import from outside: nothing here has IO, a clock, threads or a GPU behind it."""

PURE_OWN = {
    "model.bundle",
    "model.scores",  # functions of arrays, held to the same rules below
    "service.records",
    "service.events",
    "service.decisions",  # what people decide: values
    "service.errors",  # what cannot be decided is told to whoever asked for it
    "service.compiling.compiled",
    "service.clustering",
}

BANNED_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}

CLOCKS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "localtime"},
    "datetime": {"now", "utcnow", "today"},
}
ENVIRONMENT = {"environ", "environb", "getenv", "getenvb", "putenv"}
GLOBAL_RANDOM = {"seed", "rand", "randn", "randint", "random", "choice", "shuffle", "permutation", "normal"}


@dataclass(frozen=True)
class Import:
    """`module` is absolute; `names` are what is taken from it, empty for a plain import."""

    module: str
    names: tuple[str, ...]
    line: int


@cache
def tree_of(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"), filename=name)


def imports_of(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, (), node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute here"
            names = tuple(alias.name for alias in node.names)
            # `from service.api import rest` names modules, not things in one.
            yield Import(node.module or "", names, node.lineno)


@cache
def targets(imported: Import) -> set[str]:
    """The modules an import reaches: `from a import b` reaches a.b where that is a file, else a."""
    found = set()
    for name in imported.names:
        dotted = f"{imported.module}.{name}"
        path = ROOT / dotted.replace(".", "/")
        found.add(dotted if path.with_suffix(".py").exists() or path.is_dir() else imported.module)
    return found or {imported.module}


@cache
def imports_in(name: str) -> tuple[Import, ...]:
    return tuple(imports_of(tree_of(name)))


def reached_by(name: str, packages: set[str] | None = None) -> set[str]:
    """The modules that a file's imports reach; of these packages alone, where some are given."""
    return {t for i in imports_in(name) if packages is None or within(i.module, packages) for t in targets(i)}


def beyond(names: list[str], breach: Callable[[str], Set[str]]) -> dict[str, Set[str]]:
    """What each file does against a rule; files that keep it are left out."""
    return {name: found for name in names if (found := breach(name))}


def within(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def attributes_of(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """(owner, attribute, line) of every `owner.attribute`, and of every name imported from `owner`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner = node.value
            if isinstance(owner, ast.Attribute):
                yield owner.attr, node.attr, node.lineno
            elif isinstance(owner, ast.Name):
                yield owner.id, node.attr, node.lineno
    for imported in imports_of(tree):
        yield from ((imported.module, name, imported.line) for name in imported.names)


@cache
def breaches(tree: ast.Module) -> frozenset[str]:
    """Which of the rules about clocks, environment, randomness and code from data this source breaks."""
    found = set()
    for owner, attribute, _ in attributes_of(tree):
        if attribute in CLOCKS.get(owner, ()) or (owner == "date" and attribute == "today"):
            found.add("clock")
        if owner == "os" and attribute in ENVIRONMENT:
            found.add("environment")
        if (owner == "random" and attribute in GLOBAL_RANDOM) or owner == "secrets":
            found.add("randomness")
        if (owner, attribute) == ("torch", "load"):
            found.add("code from data")
    for imported in imports_of(tree):
        if imported.module.partition(".")[0] in BANNED_MODULES:
            found.add("code from data")
        if imported.module.partition(".")[0] in {"random", "secrets"}:
            found.add("randomness")
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in {"eval", "exec", "compile", "__import__"}
        ):
            found.add("code from data")
    return frozenset(found)


def test_every_module_opens_with_a_docstring() -> None:
    """A reader learns the idea of a file from its first lines."""
    without = [
        name for name in NAMES if not (ast.get_docstring(tree_of(name)) or "").partition("\n")[0].strip()
    ]

    assert without == []


def test_the_trainer_never_imports_the_service() -> None:
    """The trainer writes a bundle and knows nothing of who reads it."""
    trainer = [name for name in NAMES if name.startswith("model/")]

    assert (
        beyond(trainer, lambda name: {i.module for i in imports_in(name) if within(i.module, {"service"})})
        == {}
    )


def test_the_service_knows_the_trainer_by_its_contract_alone() -> None:
    """Bundle, inputs, networks and scores are what the two halves share; the composition files may know more."""
    service = [name for name in NAMES if name.startswith("service/") and name not in COMPOSITION]

    def uncontracted(name: str) -> set[str]:
        allowed = CONTRACT | BESIDES.get(name, set())
        return {module for module in reached_by(name, {"model"}) if not within(module, allowed)}

    assert beyond(service, uncontracted) == {}


def test_the_composition_files_that_may_know_more_are_there() -> None:
    """An exception for a file that was renamed is taken out of the list."""
    assert set(NAMES) >= COMPOSITION | BESIDES.keys()


@pytest.mark.parametrize(
    ("folder", "allowed"),
    [
        # The engine is a pure function: no torch, no Redis, no asyncio, no clock, no files, no randomness.
        ("service/clustering/", PURE_MODULES | PURE_OWN),
        # What people are shown: arrays in, arrays out; and the core, which may not import it, never asks for it.
        ("service/overview/", PURE_MODULES | PURE_OWN | {"functools", "service.overview"}),
        # Scores that the core computes with know the manifest, which says which scores there are.
        ("model/scores/", PURE_MODULES | {"model.manifest", "model.scores"}),
    ],
)
def test_what_is_pure_imports_nothing_that_could_wait_look_or_roll_dice(
    folder: str, allowed: set[str]
) -> None:
    """Each folder has a list of all that it may import."""
    pure = [name for name in NAMES if name.startswith(folder)]

    assert pure
    assert beyond(pure, lambda name: {m for m in reached_by(name) if not within(m, allowed)}) == {}


def test_the_core_opens_no_file() -> None:
    """Not even by a built-in."""
    core = [name for name in NAMES if name.startswith(("service/clustering/", "model/scores/"))]

    def opened(name: str) -> set[str]:
        calls = (node.func for node in ast.walk(tree_of(name)) if isinstance(node, ast.Call))
        return {f.id for f in calls if isinstance(f, ast.Name)} & {"open", "print", "input"}

    assert beyond(core, opened) == {}


def test_only_the_composition_root_reads_clock_environment_or_luck() -> None:
    """Time, settings and seeds are passed in, so that every run can be made again."""
    others = [name for name in NAMES if name not in COMPOSITION]

    assert beyond(others, lambda name: breaches(tree_of(name)) - {"code from data"}) == {}


def test_no_code_is_ever_made_from_data() -> None:
    """No pickle, no torch.load, no eval: a bundle or a log can at worst fail to be read."""
    assert beyond(NAMES, lambda name: breaches(tree_of(name)) & {"code from data"}) == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import time\ntime.monotonic()", {"clock"}),
        ("from time import time", {"clock"}),
        ("from datetime import datetime\ndatetime.now()", {"clock"}),
        ("import datetime\ndatetime.datetime.utcnow()", {"clock"}),
        ("import os\nos.environ['A']", {"environment"}),
        ("from os import getenv", {"environment"}),
        ("import numpy as np\nnp.random.seed(1)", {"randomness"}),
        ("import random", {"randomness"}),
        ("import pickle", {"code from data"}),
        ("from joblib import load", {"code from data"}),
        ("import torch\ntorch.load('x')", {"code from data"}),
        ("def f():\n    eval('1')", {"code from data"}),
        ("import numpy as np\nnp.random.default_rng(1).random()", set()),
        ("net.eval()", set()),
    ],
)
def test_the_rules_see_what_they_forbid(source: str, expected: set[str]) -> None:
    """Each way to break a rule is noticed, and what only looks like one is not."""
    assert expected == breaches(ast.parse(source))


@pytest.mark.parametrize("package", ["model", "service"])
def test_the_packages_that_are_imported_are_ours(package: str) -> None:
    """Others on the registry install a package of the same name; pip would overwrite ours without a word."""
    spec = find_spec(package)

    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin) == ROOT / package / "__init__.py"
    owners = set(packages_distributions().get(package, []))
    assert owners <= {"firstseen"}, f"{package} is also installed by {owners - {'firstseen'}}"
