"""The alert rules: what they name is exported, their own tests pass, and so does what is drawn in the dashboard."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from service.records import VerdictKind
from service.state.dead_letters import MOST
from service.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docker" / "prometheus"
RULES = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
TESTS = (FOLDER / "alerts_test.yml").read_text(encoding="utf-8")
DASHBOARD = (ROOT / "docker" / "grafana" / "firstseen.json").read_text(encoding="utf-8")

SCRAPED = {"job", "instance", "le"}
"""Labels that Prometheus adds, and that every histogram has."""


def exported() -> dict[str, set[str]]:
    """Every name of a sample that a scrape can have, with its labels."""
    metrics = Metrics(CollectorRegistry())
    metrics.of("s")
    found: dict[str, set[str]] = {}
    for collector, names in metrics.registry._collector_to_names.items():
        for name in names:
            found[name] = set(getattr(collector, "_labelnames", ()))
    return found


def expressions() -> Iterator[str]:
    """The expressions of the rules and of the dashboard."""
    for found in re.finditer(r"^ +expr: (?:>\n((?: {10,}.*\n)+)|(.*)\n)", RULES, re.MULTILINE):
        yield found.group(1) or found.group(2)
    for panel in json.loads(DASHBOARD)["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def test_every_metric_and_label_that_is_named_is_exported() -> None:
    """A rule about a metric that was renamed would be silent for ever."""
    known = exported()
    recorded = set(re.findall(r"- record: (\S+)", RULES))
    wrong = []
    for expression in expressions():
        for name, labels in re.findall(r"\b(firstseen[\w:]+)(?:\{([^}]*)\})?", expression):
            own = {"stream"} if name in recorded else known.get(name)
            if own is None:
                wrong.append(name)
                continue
            wrong += [
                (name, label) for label in re.findall(r"(\w+)\s*[=!]~?", labels) if label not in own | SCRAPED
            ]
        used = {
            label.strip()
            for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
            for label in labels.split(",")
        }
        named = set(re.findall(r"\b(firstseen[\w:]+)", expression))
        have = set().union(*({"stream"} if name in recorded else known.get(name, set()) for name in named))
        wrong += [(expression, label) for label in used - have - SCRAPED]

    assert wrong == []
    assert len(list(expressions())) > 20


def test_every_value_of_a_label_that_is_named_can_be() -> None:
    """Kinds of verdicts, and stages."""
    assert set(re.findall(r'verdict[!=]+"(\w+)"', RULES)) <= {kind.value for kind in VerdictKind}


def test_a_full_quarantine_is_told_before_it_is_full() -> None:
    """The rule knows how much there is room for."""
    (limit,) = re.findall(r"firstseen_dead_letters > (\d+)", RULES)

    assert MOST / 2 < int(limit) < MOST


def test_every_alert_is_tested_and_says_what_to_do() -> None:
    """Each by name in its test file, with a severity, a summary and an action."""
    alerts = re.split(r"^ +- alert: ", RULES, flags=re.MULTILINE)[1:]
    names = [alert.splitlines()[0] for alert in alerts]

    assert len(names) == len(set(names)) > 10
    for name, alert in zip(names, alerts, strict=True):
        assert name in TESTS, f"{name} is not tested"
        assert re.search(r"severity: (page|ticket)", alert), name
        assert "summary:" in alert, name
        assert "action:" in alert, name


promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not there: it comes with Prometheus"
)


def promtool_is_content_with(*arguments: str) -> None:
    done = subprocess.run(["promtool", *arguments], cwd=FOLDER, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@promtool
@pytest.mark.slow
def test_the_rules_do_what_their_tests_say() -> None:
    """Each alert fires when it should, and a service that is well raises none."""
    promtool_is_content_with("test", "rules", "alerts_test.yml")


@promtool
def test_the_configuration_is_one() -> None:
    """Prometheus would start with it."""
    promtool_is_content_with("check", "config", "prometheus.yml")


@promtool
def test_what_is_exported_is_as_prometheus_wants_it() -> None:
    """Names, units, help: its own linter finds nothing."""
    from prometheus_client import generate_latest

    metrics = Metrics(CollectorRegistry())
    metrics.of("s")
    metrics.describe("build", version="1", python="3")
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=generate_latest(metrics.registry),
        capture_output=True,
        check=False,
    )

    assert (0, b"") == (done.returncode, done.stderr)
