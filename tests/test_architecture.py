"""Who may import whom, and who may read the clock: the rules that keep the core pure and the halves apart.

Read with the standard library's `ast`, so nothing is imported and a lazy import inside a function counts too.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
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


def targets(imported: Import) -> set[str]:
    """The modules an import reaches: `from a import b` reaches a.b where that is a file, else a."""
    found = set()
    for name in imported.names:
        dotted = f"{imported.module}.{name}"
        path = ROOT / dotted.replace(".", "/")
        found.add(dotted if path.with_suffix(".py").exists() or path.is_dir() else imported.module)
    return found or {imported.module}


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


def breaches(source: str) -> set[str]:
    """Which of the rules about clocks, environment, randomness and code from data this source breaks."""
    tree = ast.parse(source)
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
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_module_opens_with_a_docstring(name: str) -> None:
    """A reader learns the idea of a file from its first lines."""
    docstring = ast.get_docstring(tree_of(name))

    assert docstring, f"{name} has no docstring"
    assert docstring.splitlines()[0].strip()


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("model/")])
def test_the_trainer_never_imports_the_service(name: str) -> None:
    """The trainer writes a bundle and knows nothing of who reads it."""
    found = {i.module for i in imports_of(tree_of(name)) if within(i.module, {"service"})}

    assert found == set()


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("service/") and n not in COMPOSITION])
def test_the_service_knows_the_trainer_by_its_contract_alone(name: str) -> None:
    """Bundle, inputs, networks and scores are what the two halves share; the composition files may know more."""
    reached = {t for i in imports_of(tree_of(name)) if within(i.module, {"model"}) for t in targets(i)}

    assert {module for module in reached if not within(module, CONTRACT | BESIDES.get(name, set()))} == set()


def test_the_composition_files_that_may_know_more_are_there() -> None:
    """An exception for a file that was renamed is taken out of the list."""
    assert set(NAMES) >= COMPOSITION | BESIDES.keys()


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("service/clustering/")])
def test_the_core_imports_nothing_that_could_wait_look_or_roll_dice(name: str) -> None:
    """The engine is a pure function: no torch, no Redis, no asyncio, no clock, no files, no randomness."""
    reached = {target for imported in imports_of(tree_of(name)) for target in targets(imported)}

    allowed = PURE_MODULES | PURE_OWN
    assert {module for module in reached if not within(module, allowed)} == set()


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("service/overview/")])
def test_what_people_are_shown_is_worked_out_as_purely(name: str) -> None:
    """Arrays in, arrays out; and the core, which may not import it, never asks for it."""
    reached = {target for imported in imports_of(tree_of(name)) for target in targets(imported)}

    allowed = PURE_MODULES | PURE_OWN | {"functools", "service.overview"}
    assert {module for module in reached if not within(module, allowed)} == set()


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("model/scores/")])
def test_scores_that_the_core_computes_with_are_as_pure(name: str) -> None:
    """They know the manifest, which says which scores there are, and beyond that no more than the core may."""
    reached = {target for imported in imports_of(tree_of(name)) for target in targets(imported)}

    allowed = PURE_MODULES | {"model.manifest", "model.scores"}
    assert {module for module in reached if not within(module, allowed)} == set()


@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith(("service/clustering/", "model/scores/"))])
def test_the_core_opens_no_file(name: str) -> None:
    """Not even by a built-in."""
    calls = {
        node.func.id
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert calls & {"open", "print", "input"} == set()


@pytest.mark.parametrize("name", [n for n in NAMES if n not in COMPOSITION])
def test_only_the_composition_root_reads_clock_environment_or_luck(name: str) -> None:
    """Time, settings and seeds are passed in, so that every run can be made again."""
    found = breaches((ROOT / name).read_text(encoding="utf-8"))

    assert found - {"code from data"} == set()


@pytest.mark.parametrize("name", NAMES)
def test_no_code_is_ever_made_from_data(name: str) -> None:
    """No pickle, no torch.load, no eval: a bundle or a log can at worst fail to be read."""
    assert "code from data" not in breaches((ROOT / name).read_text(encoding="utf-8"))


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
    assert expected == breaches(source)


@pytest.mark.parametrize("package", ["model", "service"])
def test_the_packages_that_are_imported_are_ours(package: str) -> None:
    """Others on the registry install a package of the same name; pip would overwrite ours without a word."""
    spec = find_spec(package)

    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin) == ROOT / package / "__init__.py"
    owners = set(packages_distributions().get(package, []))
    assert owners <= {"firstseen"}, f"{package} is also installed by {owners - {'firstseen'}}"
