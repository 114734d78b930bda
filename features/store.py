"""What was served and what came of it: the service's database, SQLite or PostgreSQL.

One request is one transaction, and what is acknowledged is on disk. Knows nothing of HTTP, nor of
how an answer or a report is made.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from features.forgotten import Forgotten
from features.outcomes import Outcome
from features.schemas import StoreAway, StoreError
from features.served_rows import (
    Candidates,
    from_parquet,
    to_parquet,
    without,
    without_names,
)
from features.sql import first_line
from features.store_campaigns import CampaignLine, recent_campaigns
from features.store_changes import (
    ANYBODY,
    Change,
    What,
    append_changes,
    forget_subjects,
    recent_changes,
)
from features.store_engine import (
    LATER,
    NO_TRANSACTION,
    WAIT_SECONDS,
    WRITES,
    engine_of,
    identity,
    state_of,
)
from features.store_keys import Key, add_key, all_keys, note_uses, replace_key, revoke_key
from features.store_migrate import bring_up, is_current
from features.store_retention import delete_old_answers
from features.store_tables import METADATA, OUTCOME_HISTORY, OUTCOMES, RECOMMENDATIONS, SERVED

# Two that write the same row at once: one of them begins again.
ATTEMPTS = 20
PAUSE_SECONDS = 0.01
ROWS_A_FETCH = 100
# No id holds one, and PostgreSQL refuses even to look for it.
NULL = "\0"
# After a database could not be reached, nobody tries for this long: requests that wait for it would
# take the threads of those that need none.
REST_SECONDS = 1.0
# PostgreSQL's codes for what goes well when begun again: serialization failure, deadlock, and a key
# that another wrote in the meantime. In SQLite one writer waits for the other.
AGAIN = ("40001", "40P01", "23505")

_ANSWERS = sa.select(RECOMMENDATIONS, SERVED.c.candidates).join(SERVED)

Kind = Literal["recommendation", "portfolio"]
Status = Literal["accepted", "unchanged", "corrected"]
# What the log of changes calls them; one that changed nothing is no change.
LOGGED: dict[Status, What] = {"accepted": "outcome accepted", "corrected": "outcome corrected"}


@dataclass(frozen=True)
class Answer:
    """An answer that was served.

    Attributes:
        brief: The brief as JSON, as `features.schemas.Brief` writes it.
        run_id, model_version: Of the bundle that answered.
        as_of_us: The moment that the bundle answers about.
        campaign_id: The campaign it was asked for, where that was said.
        plan: The plan for the budget as JSON, where there is one.
    """

    recommendation_id: str
    kind: Kind
    served_at_us: int
    brief: str
    brand: str
    run_id: str
    model_version: str
    as_of_us: int
    campaign_id: str | None
    plan: str | None


@dataclass(frozen=True)
class Kept:
    """An outcome as it is kept: its revision, from 1, and when that came."""

    outcome: Outcome
    revision: int
    received_at_us: int


@dataclass(frozen=True)
class Written:
    """What became of an outcome that was sent."""

    sponsorship_id: str
    status: Status
    revision: int


@dataclass(frozen=True)
class Erased:
    """What was deleted of creators who are to be forgotten.

    Attributes:
        outcomes, versions: Outcomes, and versions of them.
        answers: Answers that held them, or whose brief or plan named them.
    """

    outcomes: int
    versions: int
    answers: int


def open_store(url: str, wait_seconds: float = WAIT_SECONDS) -> Store:
    """Open the service's database; what is not there is made at the first use.

    Args:
        url: An SQLAlchemy URL.
        wait_seconds: How long anything waits for a lock, or for a connection.

    Raises:
        StoreError: The URL cannot be read, or there is no driver for it.
    """
    return Store(*engine_of(url, wait_seconds))


def open_store_if_there(url: str) -> Store | None:
    """Open the service's database; None where that is a file which is not there.

    Raises:
        StoreError: As for `open_store`.
    """
    store = open_store(url)
    if store.file is not None and not store.file.exists():
        store.close()
        return None
    return store


class Store:
    """A connection to the service's database. Safe to use from several threads.

    Every method raises `StoreError` where the database is away or refuses.

    Attributes:
        name: Its URL without the password.
        file: The file that it lies in; None where it is a server.
    """

    def __init__(self, engine: sa.Engine, name: str) -> None:
        self._engine = engine
        self.name = name
        sqlite = engine.dialect.name == "sqlite"
        self.file = Path(engine.url.database or "").resolve() if sqlite else None
        self._checked = False  # that the tables are those of this code
        self._making = threading.Lock()
        self._file_is: tuple[int, int] | None = None
        self._rest: tuple[float, str] = (0.0, "")  # until when, and why

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    # ------------------------------------------------------------ what was served

    def record(self, answer: Answer, candidates: Candidates) -> None:
        """Keep an answer and its candidates."""
        blob = {"recommendation_id": answer.recommendation_id, "candidates": to_parquet(candidates)}
        with self._transaction(writes=True) as connection:
            connection.execute(sa.insert(RECOMMENDATIONS), asdict(answer))
            connection.execute(sa.insert(SERVED), blob)

    def answers(self, recommendation_ids: Sequence[str]) -> dict[str, Answer]:
        """Those of the answers named that are kept, by their id."""
        wanted = RECOMMENDATIONS.c.recommendation_id.in_(sorted(set(recommendation_ids)))
        with self._transaction() as connection:
            rows = connection.execute(sa.select(RECOMMENDATIONS).where(wanted)).mappings()
            return {row["recommendation_id"]: Answer(**row) for row in rows}

    def served(self, recommendation_ids: Sequence[str]) -> list[tuple[Answer, Candidates]]:
        """Those of the answers named that are kept, with their candidates, the latest first."""
        wanted = RECOMMENDATIONS.c.recommendation_id.in_(sorted(set(recommendation_ids)))
        query = _ANSWERS.where(wanted).order_by(RECOMMENDATIONS.c.served_at_us.desc())
        return list(self._served(query))

    def log(self) -> Iterator[tuple[Answer, Candidates]]:
        """Every answer with its candidates, those of one bundle together, the earliest first."""
        columns = RECOMMENDATIONS.c
        ordered = (columns.run_id, columns.served_at_us, columns.recommendation_id)
        return self._served(_ANSWERS.order_by(*ordered))

    def _served(self, query: sa.Select[Any]) -> Iterator[tuple[Answer, Candidates]]:
        with (
            self._transaction() as connection,
            connection.execution_options(yield_per=ROWS_A_FETCH).execute(query) as rows,
        ):
            for row in rows.mappings():
                plain = dict(row)
                data = plain.pop("candidates")
                try:
                    candidates = from_parquet(data)
                except ValueError as error:
                    told = f"{self.name}: answer {plain['recommendation_id']}: {error}"
                    raise StoreError(told) from error
                yield Answer(**plain), candidates

    def delete_old_answers(self, before_us: int, at_most: int) -> int | None:
        """Delete some answers as `features.store_retention` says; None where another does."""
        with self._transaction(writes=True) as connection:
            return delete_old_answers(connection, before_us, at_most)

    # ------------------------------------------------------------ what came of it

    def write_outcomes(
        self, outcomes: Sequence[Outcome], received_at_us: int, who: str = ANYBODY
    ) -> list[Written]:
        """Keep outcomes, all or none, and note in the log of changes who sent them.

        One that is new is accepted; one that equals what is kept changes nothing; any other
        corrects what is kept, whose every version stays in the history.

        Args:
            outcomes: No two of one sponsorship.
            received_at_us: When they came.
            who: The id of the key they were sent with.

        Returns:
            What became of each, in the order given.
        """
        for attempt in range(ATTEMPTS):
            try:
                with self._transaction(writes=True) as connection:
                    written = _write(connection, outcomes, received_at_us)
                    append_changes(connection, _changes(written, received_at_us, who))
                    return written
            except _BegunAtOnce:
                time.sleep(PAUSE_SECONDS * attempt)
        raise StoreError(f"{self.name}: others keep writing the same outcomes; send them again")

    def outcomes(self) -> list[Kept]:
        """Every outcome as it stands, by sponsorship."""
        return self._kept(sa.select(OUTCOMES).order_by(OUTCOMES.c.sponsorship_id))

    def history(self, sponsorship_id: str) -> list[Kept]:
        """Every version of an outcome, the first one first; empty where none was sent."""
        if NULL in sponsorship_id:
            return []
        same = OUTCOME_HISTORY.c.sponsorship_id == sponsorship_id
        return self._kept(
            sa.select(OUTCOME_HISTORY).where(same).order_by(OUTCOME_HISTORY.c.revision)
        )

    def campaign(self, campaign_id: str) -> tuple[list[Kept], list[Answer]]:
        """A campaign's outcomes, and the answers asked for it or named by those, latest first."""
        if NULL in campaign_id:
            return [], []
        ours = OUTCOMES.c.campaign_id == campaign_id
        with self._transaction() as connection:
            query = sa.select(OUTCOMES).where(ours).order_by(OUTCOMES.c.sponsorship_id)
            kept = [_kept(row) for row in connection.execute(query).mappings()]
            named = sa.select(OUTCOMES.c.recommendation_id).where(ours)
            of_it = (RECOMMENDATIONS.c.campaign_id == campaign_id) | (
                RECOMMENDATIONS.c.recommendation_id.in_(named)
            )
            latest = RECOMMENDATIONS.c.served_at_us.desc()
            found = connection.execute(sa.select(RECOMMENDATIONS).where(of_it).order_by(latest))
            return kept, [Answer(**row) for row in found.mappings()]

    def campaigns(self, at_most: int) -> list[CampaignLine]:
        """The campaigns that were last asked for or heard of, the latest first."""
        with self._transaction() as connection:
            return recent_campaigns(connection, at_most)

    def _kept(self, query: sa.Select[Any]) -> list[Kept]:
        with self._transaction() as connection:
            return [_kept(row) for row in connection.execute(query).mappings()]

    # ------------------------------------------------------------ who may come in, and who did what

    def access_keys(self) -> list[Key]:
        """Every API key there ever was, the earliest first."""
        with self._transaction() as connection:
            return all_keys(connection)

    def add_key(self, key: Key) -> None:
        """Keep a new key."""
        with self._transaction(writes=True) as connection:
            add_key(connection, key)

    def replace_key(
        self, key_id: str, new_id: str, digest: str, at_us: int, old_expires_at_us: int
    ) -> Key:
        """Keep a key that takes the place of another, as `features.store_keys` says."""
        with self._transaction(writes=True) as connection:
            return replace_key(connection, key_id, new_id, digest, at_us, old_expires_at_us)

    def revoke_key(self, key_id: str, at_us: int) -> Key:
        """Take a key no longer, as `features.store_keys` says."""
        with self._transaction(writes=True) as connection:
            return revoke_key(connection, key_id, at_us)

    def note_uses(self, used_at_us: Mapping[str, int]) -> None:
        """Keep when keys were last used, in microseconds by id."""
        with self._transaction(writes=True) as connection:
            note_uses(connection, used_at_us)

    def changes(self, at_most: int) -> list[Change]:
        """The last changes that were made, the latest first."""
        with self._transaction() as connection:
            return recent_changes(connection, at_most)

    # ------------------------------------------------------------ who is to be forgotten

    def forget(self, forgotten: Forgotten) -> Erased:
        """Delete all that is kept of creators on a list, or nothing where something fails.

        Their outcomes go, with every version. Their rows in answers go; where one was shown, its
        place stays, without name or numbers, for the places after it mean something. Briefs and
        plans that name them name `PLACEHOLDER` instead.
        """
        with self._transaction(writes=True) as connection:
            forget_subjects(connection, forgotten)
            erased = Erased(
                outcomes=_forget_outcomes(connection, OUTCOMES, forgotten),
                versions=_forget_outcomes(connection, OUTCOME_HISTORY, forgotten),
                answers=_forget_answers(connection, forgotten),
            )
        self._sweep()
        return erased

    def _sweep(self) -> None:
        """Write the tables anew: what is deleted stays in free pages, logs and statistics else."""
        with self._named():
            if self.file is not None:
                with self._connected(**{NO_TRANSACTION: True}) as connection:
                    connection.exec_driver_sql("VACUUM")
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                return
            with self._connected(isolation_level="AUTOCOMMIT") as connection:
                tables = ", ".join(table.name for table in METADATA.sorted_tables)
                connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {tables}")

    # ------------------------------------------------------------ connections

    def prepare(self) -> None:
        """Make the tables, or bring them up to this code; every other method does so by itself."""
        self._look()

    def ping(self) -> None:
        """See that the database answers."""
        with self._transaction() as connection:
            connection.execute(sa.select(1))

    @contextmanager
    def _transaction(self, *, writes: bool = False) -> Iterator[sa.Connection]:
        self._look()
        file_was = self._file_is
        with self._named():
            with self._connected(**{WRITES: writes}) as connection, connection.begin():
                yield connection
            if writes and self.file is not None and identity(self.file) != file_was:
                raise StoreAway(f"{self.name}: its file was taken away while it was written to")

    def _look(self) -> None:
        """See that the database is the one that was opened, with the tables of this code."""
        if self.file is not None and self._file_is is not None:
            found = identity(self.file)
            if found != self._file_is:
                # An open file is written to after it was deleted, and what it holds is lost.
                self._engine.dispose()
                self._checked = False
            if found is None:
                raise StoreAway(
                    f"{self.name}: its file is gone: put it back; a process that is started anew "
                    "begins with an empty one"
                )
        if not self._checked:
            self._check()

    def _check(self) -> None:
        with self._named():
            if self.file is not None:
                self.file.parent.mkdir(parents=True, exist_ok=True)
            with self._connected() as connection, connection.begin():
                current = is_current(connection)
            if not current:
                with (
                    self._making,
                    self._connected(**{WRITES: True}) as connection,
                    connection.begin(),
                ):
                    bring_up(connection, self.name)
            if self.file is not None:
                self._file_is = identity(self.file)
            self._checked = True

    @contextmanager
    def _connected(self, **options: Any) -> Iterator[sa.Connection]:
        until, why = self._rest
        if time.monotonic() < until:
            raise StoreAway(why)
        try:
            plain = self._engine.connect()
        except SQLAlchemyError as error:
            why = f"{self.name}: {first_line(error)}"
            self._rest = (time.monotonic() + REST_SECONDS, why)
            raise
        with plain:
            yield plain.execution_options(**options)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Whatever the database or its driver raises becomes the product's own error."""
        try:
            yield
        except DBAPIError as error:
            told = f"{self.name}: {first_line(error)}"
            if state_of(error) in AGAIN:
                raise _BegunAtOnce(told) from None
            # Whatever it was, perhaps another database is there when it is asked again.
            self._checked = False
            kind = StoreAway if isinstance(error, LATER) else StoreError
            raise kind(told) from None
        except (SQLAlchemyError, OSError) as error:
            raise StoreAway(f"{self.name}: {first_line(error)}") from None


class _BegunAtOnce(StoreError):
    """Another wrote the same rows in the meantime: begin again."""


def _write(
    connection: sa.Connection, outcomes: Sequence[Outcome], received_at_us: int
) -> list[Written]:
    # In one order, so that two who write the same rows do not wait for one another.
    ordered = sorted(outcomes, key=lambda outcome: outcome.sponsorship_id)
    ids = [outcome.sponsorship_id for outcome in ordered]
    query = sa.select(OUTCOMES).where(OUTCOMES.c.sponsorship_id.in_(ids))
    rows = connection.execute(query.order_by(OUTCOMES.c.sponsorship_id).with_for_update())
    there = {kept.outcome.sponsorship_id: kept for kept in map(_kept, rows.mappings())}
    written: dict[str, Written] = {}
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for outcome in ordered:
        key = outcome.sponsorship_id
        kept = there.get(key)
        if kept is None:
            written[key] = Written(key, "accepted", 1)
        elif kept.outcome == outcome:
            written[key] = Written(key, "unchanged", kept.revision)
            continue
        else:
            written[key] = Written(key, "corrected", kept.revision + 1)
        row = asdict(outcome) | {
            "revision": written[key].revision,
            "received_at_us": received_at_us,
        }
        (new if kept is None else changed).append(row)
    if new:
        connection.execute(sa.insert(OUTCOMES), new)
    for row in changed:
        same = OUTCOMES.c.sponsorship_id == row["sponsorship_id"]
        connection.execute(sa.update(OUTCOMES).where(same).values(row))
    if new or changed:
        connection.execute(sa.insert(OUTCOME_HISTORY), new + changed)
    return [written[outcome.sponsorship_id] for outcome in outcomes]


def _changes(written: Sequence[Written], at_us: int, who: str) -> list[Change]:
    """What the log says of outcomes that came."""
    return [
        Change(at_us, who, LOGGED[one.status], one.sponsorship_id, f"revision {one.revision}")
        for one in written
        if one.status in LOGGED
    ]


def _forget_outcomes(connection: sa.Connection, table: sa.Table, forgotten: Forgotten) -> int:
    ids = connection.execute(sa.select(table.c.creator_id).distinct()).scalars().all()
    count = 0
    for creator_id in ids:
        if creator_id in forgotten:
            gone = sa.delete(table).where(table.c.creator_id == creator_id)
            count += connection.execute(gone).rowcount
    return count


def _forget_answers(connection: sa.Connection, forgotten: Forgotten) -> int:
    ids = connection.execute(sa.select(RECOMMENDATIONS.c.recommendation_id)).scalars().all()
    count = 0
    for start in range(0, len(ids), ROWS_A_FETCH):
        some = RECOMMENDATIONS.c.recommendation_id.in_(ids[start : start + ROWS_A_FETCH])
        for row in connection.execute(_ANSWERS.where(some)).mappings().all():
            candidates = without(from_parquet(row["candidates"]), forgotten)
            told = {name: without_names(row[name], forgotten) for name in ("brief", "plan")}
            changed = {name: text for name, text in told.items() if text is not None}
            if candidates is None and not changed:
                continue
            count += 1
            key = row["recommendation_id"]
            if candidates is not None:
                same = SERVED.c.recommendation_id == key
                blob = {"candidates": to_parquet(candidates)}
                connection.execute(sa.update(SERVED).where(same).values(blob))
            if changed:
                same = RECOMMENDATIONS.c.recommendation_id == key
                connection.execute(sa.update(RECOMMENDATIONS).where(same).values(changed))
    return count


def _kept(row: Mapping[Any, Any]) -> Kept:
    plain = {field.name: row[field.name] for field in fields(Outcome)}
    return Kept(Outcome(**plain), row["revision"], row["received_at_us"])
