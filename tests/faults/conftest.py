"""The list of scenarios, which the tests of faults choose from."""

from tests.faults import registry

registry.load()
