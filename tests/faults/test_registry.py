"""The plan of a run of the suite: deterministic, and complete."""

from tests.faults.registry import SCENARIOS, cases, load, plan

load()


def test_equal_seeds_give_equal_plans() -> None:
    """And others, others."""
    assert plan(cases(), 60, 7) == plan(cases(), 60, 7)
    assert plan(cases(), 60, 7) != plan(cases(), 60, 8)


def test_few_runs_see_every_kind_of_fault() -> None:
    """As many runs as there are scenarios are enough."""
    chosen = plan(cases(), len(SCENARIOS), 3)

    assert {case.scenario for case in chosen} == set(SCENARIOS)


def test_many_runs_see_every_variant() -> None:
    """Every step at which a process can be killed, among them; two hundred runs are enough."""
    assert set(plan(cases(), 200, 3)) == set(cases())


def test_a_case_is_found_by_its_name() -> None:
    """With its variant, or all of a scenario's."""
    assert len(cases("two_owners")) == len(SCENARIOS["two_owners"].variants)
    assert [str(case) for case in cases("two_owners[idle]")] == ["two_owners[idle]"]


def test_every_scenario_tells_what_it_is_about() -> None:
    """In one line, for --list."""
    assert all(scenario.tells.endswith(".") for scenario in SCENARIOS.values())
