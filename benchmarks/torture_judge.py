"""Whether what clients were told in a torture run is right, and what went wrong is explained.

Knows nothing of how they asked, nor of who broke what.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from benchmarks.champions import Champions
from benchmarks.torture_chaos import Happened
from benchmarks.torture_load import Ask, Told, digest
from models.bundle import MODEL_NAME
from service.app import create_app
from service.reload import LAST_GOOD
from service.settings import ServiceSettings

# A request that began while the database was away may learn of it this much after it is back: it
# waits for its turn, and the store rests between two tries to connect.
GRACE_SECONDS = 5.0
DATABASE_ROUTES = ("/v1/outcomes", "/v1/campaigns", "/v1/changes")  # which need it


def judge(told: list[Told], champions: Champions, happened: Happened, scratch: Path) -> list[str]:
    """Answers that are not what their version gives when it is served alone, in words."""
    seen: dict[str, dict[Ask, dict[str, int]]] = {}
    samples: dict[str, Any] = {}
    for one in told:
        samples |= one.samples
        for (version, ask, key), count in one.answers.items():
            said = seen.setdefault(version, {}).setdefault(ask, {})
            said[key] = said.get(key, 0) + count
    runs = {version.version: version.run_id for version in champions.registry.versions()}
    wrong = []
    for version, asks in seen.items():
        damage = happened.promoted.get(version, "no champion")
        if damage is not None:
            wrong.append(f"version {version} answered, and is {damage}")
            continue
        with alone(version, runs[version], champions.folder, scratch) as client:
            for ask, said in asks.items():
                answer = ask.of(client)
                if answer.status_code != 200:
                    words = f"{answer.status_code}: {answer.text[:300]}"
                    wrong.append(f"{ask.route}: served alone, version {version} answers {words}")
                    continue
                right = digest(answer.json())
                wrong.extend(
                    f"{ask.route} by version {version}, {count} times: "
                    f"{json.dumps(samples[key])[:300]}"
                    for key, count in said.items()
                    if key != right
                )
    return wrong


@contextmanager
def alone(version: str, run_id: str, folder: Path, scratch: Path) -> Iterator[TestClient]:
    """The application, in this process, with one version from the disk and nothing beside it."""
    told = {"name": MODEL_NAME, "version": version, "run_id": run_id}
    (folder / LAST_GOOD).write_text(json.dumps(told))
    nowhere = scratch / "no folder"
    nowhere.touch()
    settings = ServiceSettings(
        home=scratch / "alone",
        shared_bundles=str(folder),
        tracking_uri=f"sqlite:///{nowhere}/mlflow.db",
        poll_seconds=3600,
        access="open",  # this client comes from no address
    )
    with TestClient(create_app(settings)) as client:
        yield client


def unexplained(told: list[Told], happened: Happened) -> list[str]:
    """Requests without a good answer that nothing that happened explains, in words."""
    found = []
    for ended in (ended for one in told for ended in one.ended):
        if ended.status is None:
            explained = any(window.touches(ended, 1.0) for window in happened.down)
        elif ended.status == 503:
            explained = ended.route.split(" ", 1)[1].startswith(DATABASE_ROUTES) and any(
                window.touches(ended, GRACE_SECONDS) for window in happened.database
            )
        else:
            explained = False
        if not explained:
            found.append(f"{ended.route}: {ended.status or 'no answer'}: {ended.detail[:300]}")
    return found
