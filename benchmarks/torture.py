"""The real service under load while everything around it fails, every answer checked.

    python -m benchmarks.torture --seconds 600 [--database postgresql] [--json FILE]

All routes are asked without a pause, outcomes are sent. Meanwhile there is a new champion every 20
seconds, one in three of them damaged; the service is killed (-9) and started again every 30; the
tracking server and the database go away and come back. Then:

- every answer that names a model version is compared, in full, with what that version gives for the
  same request where it is served alone, from the bundle as it was saved;
- every outcome that was acknowledged is looked for in the database: it is there, once, with all its
  versions, and no batch is there in part;
- no request may end without an answer but while the service is killed, nor with a 503 but for the
  database while that is away; no other error at all;
- no damaged champion may have answered.

Prints the figures; the exit status is 1 where anything is not so. Of a SIMULATED world.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, closing, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.champions import Champions
from benchmarks.damage import DAMAGES
from benchmarks.killing import Load, example, faults
from benchmarks.machine import machine
from benchmarks.postgres import Postgres, postgres_of_our_own
from benchmarks.serving import Process, TrackingServer, wait_until
from benchmarks.torture_chaos import Chaos, Schedule, of_postgres, of_sqlite
from benchmarks.torture_judge import judge, unexplained
from benchmarks.torture_load import Asker, Clients, campaign_of
from features.store import open_store
from models.bundle import Bundle
from models.registry import Registry, Version
from training.pipeline import train
from training.settings import TrainingSettings
from training.simulate import simulate, write_world

CREATORS = 200
CLIENTS = 3
POLL_SECONDS = 1.0
DATABASE_WAIT_SECONDS = 1.0
SENDERS = 2  # of outcomes
SENDER_PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Figures:
    """What came of a run.

    Attributes:
        statuses: Requests by status, without outcomes; "none" are those broken off by a kill.
        checked: Answers that named a version and were compared.
        distinct: Different requests among them, by version.
        outcomes: Versions of outcomes acknowledged.
        lost: Outcomes lost, doubled, half-written or not told.
        served: Whole champions that answered, of `whole` that there were.
        refused: Damaged champions that the service reported, of `damaged` that there were.
        not_asked: Routes that nothing here knows how to ask.
        faults: All that should not be, in words.
    """

    seconds: float
    statuses: dict[str, int]
    checked: int
    distinct: int
    wrong: int
    outcomes: int
    lost: int
    kills: int
    whole: int
    served: int
    damaged: int
    refused: dict[str, int]
    tracking_away: int
    database_away: int
    routes: int
    not_asked: list[str]
    faults: list[str]

    def table(self) -> str:
        """The figures as a table of Markdown."""
        statuses = ", ".join(f"{count:,} {name}" for name, count in self.statuses.items())
        refused = ", ".join(f"{count} {word}" for word, count in sorted(self.refused.items()))
        rows = {
            "requests by status": f"{statuses} (`none`: broken off by a kill)",
            "answers checked": f"{self.checked:,}, of {self.distinct:,} different requests",
            "wrong answers": f"{self.wrong}",
            "outcomes acknowledged": f"{self.outcomes:,}",
            "lost, doubled or half-written": f"{self.lost}",
            "kills (-9)": f"{self.kills}",
            "whole champions served": f"{self.served} of {self.whole}",
            "damaged champions refused": f"{sum(self.refused.values())} of {self.damaged}"
            + (f" ({refused})" if refused else ""),
            "tracking server away": f"{self.tracking_away} times",
            "database away": f"{self.database_away} times",
            "routes asked": f"{self.routes}",
            "faults": f"{len(self.faults)}",
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())])


def run(
    base: Bundle, folder: Path, schedule: Schedule, server: Postgres | None, seed: int = 0
) -> Figures:
    """Torture a service.

    Args:
        base: A bundle that was learned from outcomes; its champions are made of it.
        folder: For all that is written.
        schedule: What happens when.
        server: The database; a SQLite file where not given.
        seed: Of what is asked and sent.
    """
    file = folder / "home" / "service.db"
    database = f"sqlite:///{file}" if server is None else server.new_schema()
    outages = of_sqlite(file) if server is None else of_postgres(server)
    with ExitStack() as stack:
        tracking = TrackingServer(folder)
        stack.callback(tracking.stop)
        tracking.start()
        tracking.wait()
        registry = Registry(tracking.url, folder / "artifacts", patient=False)
        champions = Champions(base, registry, folder / "whole")
        service = Process(
            folder,
            home=folder / "home",
            tracking_uri=tracking.url,
            database_url=database,
            database_wait_seconds=DATABASE_WAIT_SECONDS,
            poll_seconds=POLL_SECONDS,
        )
        stack.callback(service.close)
        chaos = Chaos(service, tracking, champions, outages, schedule)
        chaos.champion()
        service.start()
        service.wait("/readyz")
        creator = str(base.index.ids[0])
        load = Load(
            service.url,
            threads=SENDERS,
            seed=seed,
            outcome=lambda key: (
                example(key) | {"creator_id": creator, "campaign_id": campaign_of(key)}
            ),
            pause_seconds=SENDER_PAUSE_SECONDS,
        )
        asker = Asker(service.client.get("/openapi.json").json(), base, load)
        clients = Clients(service.url, asker, CLIENTS, seed)
        began = time.monotonic()
        load.start()
        clients.start()
        try:
            chaos.run()
            tracking.wait()
            last = chaos.champion()
            wait_until(lambda: _serves(service, last), "the last champion is served")
        finally:
            clients.stop()
            load.stop()
            seconds = time.monotonic() - began
            service.kill()
        return _figures(seconds, clients, asker, load, chaos, database, folder)


def _serves(service: Process, version: Version) -> bool:
    return bool(service.client.get("/v1/model").json()["model"]["version"] == version.version)


def _figures(
    seconds: float,
    clients: Clients,
    asker: Asker,
    load: Load,
    chaos: Chaos,
    database: str,
    folder: Path,
) -> Figures:
    told, happened = clients.told, chaos.happened
    with closing(open_store(database)) as store:
        lost = faults(load, store) + [text for one in told for text in one.lost]
    wrong = judge(told, chaos.champions, happened, folder)
    named = {version for one in told for version, _, _ in one.answers}
    refused = {version: word for one in told for version, word in one.refused.items()}
    asked = set[str]().union(*(one.asked for one in told))
    never = sorted(set(asker.routes) - asked)
    whole = [version for version, damage in happened.promoted.items() if damage is None]
    mistaken = [
        f"version {version} is refused as {word}, and is {happened.promoted[version] or 'whole'}"
        for version, word in refused.items()
        if (damage := happened.promoted[version]) is None or DAMAGES[damage].refused_as != word
    ]
    statuses = sum((one.statuses for one in told), Counter[int | None]())
    return Figures(
        seconds=seconds,
        statuses={str(code or "none"): n for code, n in statuses.most_common()},
        checked=sum(sum(one.answers.values()) for one in told),
        distinct=len({(version, ask) for one in told for version, ask, _ in one.answers}),
        wrong=len(wrong),
        outcomes=load.acknowledged,
        lost=len(lost),
        kills=len(happened.down),
        whole=len(whole),
        served=len(named & set(whole)),
        damaged=len(happened.promoted) - len(whole),
        refused=dict(Counter(refused.values())),
        tracking_away=len(happened.tracking),
        database_away=len(happened.database),
        routes=len(asked) + 1,
        not_asked=asker.not_asked,
        faults=[
            *wrong,
            *lost,
            *mistaken,
            *unexplained(told, happened),
            *(f"{route} never answered 200" for route in never),
        ],
    )


class _Quiet:
    """A reporter that tells nothing."""

    def step(self, title: str, total: int) -> Any:
        return nullcontext(lambda units: None)

    def say(self, text: str) -> None:
        pass


def trained(folder: Path, seed: int) -> Bundle:
    """A bundle of outcomes of a small simulated world."""
    write_world(simulate(CREATORS, seed, posts_per_creator=16, months=15), folder / "world")
    settings = TrainingSettings(home=folder / "trainer", encoder="hash", threads=1)
    return train(settings, str(folder / "world"), _Quiet(), full=False).bundle


def main() -> None:
    """Run it and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    parser.add_argument("--keep", type=Path, help="copy logs here where there are faults")
    options = parser.parse_args()
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    here = machine("uvicorn", "mlflow-skinny", "lightgbm", "sqlalchemy")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        server = None
        if options.database == "postgresql":
            server = stack.enter_context(postgres_of_our_own())
        base = trained(folder, options.seed)
        figures = run(base, folder, Schedule(seconds=options.seconds), server, options.seed)
        if figures.faults and options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            for log in folder.glob("*.log"):
                shutil.copy(log, options.keep)
    print(f"{options.database}, {figures.seconds:.0f} s of load, SIMULATED world; {here}\n")
    print(figures.table())
    if figures.not_asked:
        print("not asked: " + ", ".join(figures.not_asked))
    if options.json:
        options.json.write_text(json.dumps(asdict(figures) | {"machine": here.as_json()}, indent=1))
    if figures.faults:
        raise SystemExit("\n".join(["", *figures.faults[:30]]))


if __name__ == "__main__":
    main()
