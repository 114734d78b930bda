"""The API asked what its own document allows: a short form of `benchmarks.fuzz_api`."""

from collections import Counter

import pytest

from benchmarks.fuzz_api import fuzz, new_key, patient, serving
from models.registry import Registry
from service.app import create_app
from service.openapi import LINKS
from service.settings import ServiceSettings

SECONDS = 60


@pytest.mark.long
@pytest.mark.parametrize("phases", [("examples", "coverage"), ("fuzzing", "stateful")])
def test_schemathesis_finds_nothing(trained_home, tmp_path, phases):
    home = trained_home.settings
    version = trained_home.trained.version.version
    Registry(home.registry_uri, home.artifacts).promote(version, "a test")
    settings = patient(tmp_path).model_copy(update={"tracking_uri": home.registry_uri})
    statuses = Counter()
    key = new_key(settings)  # before the service starts, which reads keys every two seconds
    with serving(settings, statuses) as url:
        found = fuzz(url, key, 1, seconds=SECONDS // 2, phases=phases)
    assert found.sound, found.said
    assert not [status for status in statuses if status >= 500]
    assert found.cases > 50


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
