"""The API asked what its own document allows: a short form of `benchmarks.fuzz_api`."""

import pytest

from benchmarks.fuzz_api import fuzz
from service.app import create_app
from service.openapi import LINKS
from service.settings import ServiceSettings

SECONDS = 60


@pytest.mark.long
@pytest.mark.parametrize("phases", [("examples", "coverage"), ("fuzzing", "stateful")])
def test_schemathesis_finds_nothing(page_service, phases):
    found = fuzz(page_service, 1, seconds=SECONDS // 2, phases=phases)
    assert found.sound, found.said
    assert found.cases > 100


def test_links_lead_to_operations_that_there_are():
    document = create_app(ServiceSettings()).openapi()
    operations = {
        operation["operationId"]: {one["name"] for one in operation.get("parameters", ())}
        for path in document["paths"].values()
        for operation in path.values()
    }
    for source, leads in LINKS.items():
        assert source in operations
        for target, parameters in leads.values():
            assert set(parameters) <= operations[target]
