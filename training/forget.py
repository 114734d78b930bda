"""Forget creators everywhere with one command, and keep them forgotten.

Puts them on the list of `features.forgotten`; deletes them from the service's database, the caches
of vectors and of what rules read in texts, rows set aside, bundles on this disk and those
published. The list is read wherever tables are and wherever a model is loaded. Everything may be
done again: what is gone is passed over. Knows nothing of what is learned.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from features.forgotten import Forgotten, read_forgotten, write_forgotten
from features.readings import ReadingCache
from features.schemas import TABLES, BundleError, DataError, RegistryError, Tables
from features.store import Erased, open_store_if_there
from features.table_digest import digest_of
from features.tables import read_tables
from features.vector_cache import VectorCache
from models.redact import held, redact
from models.registry import Registry
from training.settings import TrainingSettings

if TYPE_CHECKING:
    from training.pipeline import Reporter

QUARANTINE = "quarantine"
CLUSTER = "cluster"  # what a training on a cluster has under way, and leaves where it is killed


@dataclass(frozen=True)
class Forgot:
    """What came of it.

    Attributes:
        listed: Creators on the list now.
        added: Those of them that were not on it before.
        in_tables: Rows of theirs in the tables that were named, by table; they stay there.
        database: What was deleted from the service's database; None where there is none.
        vectors: Vectors deleted from the cache.
        set_aside: Rows deleted from those set aside.
        bundles: Bundles on this disk that were written anew, by run.
        versions: Published versions that were written anew.
        left: What could not be dealt with, and why; empty where all is done.
    """

    listed: int
    added: int
    in_tables: dict[str, int]
    database: Erased | None
    vectors: int
    set_aside: int
    bundles: tuple[str, ...]
    versions: tuple[str, ...]
    left: tuple[str, ...]


def forget(
    settings: TrainingSettings,
    creator_ids: Sequence[str],
    report: Reporter,
    source: str | None = None,
) -> Forgot:
    """Put creators on the list, and delete everybody on it from all that the product keeps.

    Args:
        settings: Where things lie.
        creator_ids: Whom to put on it; with none, those who are on it already are dealt with, as
            after a backup was restored.
        report: Where steps are told.
        source: The tables that tell which texts are theirs alone, so that only those vectors are
            deleted; without it the whole cache is, and made again by the next training.

    Raises:
        DataError: The list or the tables cannot be read, or there is nobody to forget.
        StoreError: The database is away; the list holds by then.
    """
    before = read_forgotten(settings.home)
    forgotten = before.plus(creator_ids)
    if len(forgotten) == 0:
        raise DataError("nobody to forget: name creators by id, or a file of ids with --file")
    tables = None if source is None else _tables(source, report)
    if forgotten != before:
        # First of all: whoever loads a model or reads tables from now on leaves them out.
        write_forgotten(settings.home, forgotten)
    with report.step("Deleting from the database", 1) as done:
        database = _from_database(settings, forgotten)
        done(1)
    with report.step("Deleting vectors", 1) as done:
        if tables is None:
            vectors = VectorCache.clear(settings.home)
            ReadingCache.clear(settings.home)
        else:
            own = own_texts(tables, forgotten)
            vectors = VectorCache.drop(settings.home, own)
            ReadingCache.drop(settings.home, own)
        done(1)
    set_aside = scrub(settings.home / QUARANTINE, forgotten)
    shutil.rmtree(settings.home / CLUSTER, ignore_errors=True)
    bundles, left = _from_bundles(settings, forgotten, report)
    versions, more = _from_registry(settings, forgotten, report)
    return Forgot(
        listed=len(forgotten),
        added=len(forgotten) - len(before),
        in_tables={} if tables is None else without(tables, forgotten)[1],
        database=database,
        vectors=vectors,
        set_aside=set_aside,
        bundles=bundles,
        versions=versions,
        left=(*left, *more),
    )


def without(tables: Tables, forgotten: Forgotten) -> tuple[Tables, dict[str, int]]:
    """Tables without anybody on a list, and how many rows of each were left out."""
    if len(forgotten) == 0:
        return tables, {}
    ids = tables.creators["creator_id"]
    gone = ids[forgotten.mask(ids)]
    frames, left_out = {}, {}
    for name in TABLES:
        frame = getattr(tables, name)
        theirs = frame["creator_id"].isin(gone)
        if theirs.any():
            left_out[name] = int(theirs.sum())
            frame = frame[~theirs].reset_index(drop=True)
        frames[name] = frame
    if not left_out:
        return tables, {}
    return replace(tables, **frames, digest=digest_of(frames)), left_out


def in_words(rows: Mapping[str, int]) -> str:
    """Rows of tables in words."""
    return ", ".join(f"{count:,} {name}" for name, count in rows.items())


def own_texts(tables: Tables, forgotten: Forgotten) -> list[str]:
    """Texts of posts that nobody else posted, nor any brand wrote as a brief."""
    ids = tables.creators["creator_id"]
    theirs = tables.posts["creator_id"].isin(ids[forgotten.mask(ids)])
    others = set(tables.posts["text"][~theirs]) | set(tables.sponsorships["brief"])
    return sorted(set(tables.posts["text"][theirs]) - others)


def scrub(folder: Path, forgotten: Forgotten) -> int:
    """Delete rows of creators on a list from rows set aside; returns how many there were.

    A row that could not be read into columns says nobody's id for certain: it goes where it holds
    any value that is on the list, and stays else.
    """
    count = 0
    for path in sorted(folder.glob("*.jsonl")) if len(forgotten) else []:
        lines = path.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not _names(json.loads(line), forgotten)]
        if len(kept) < len(lines):
            count += len(lines) - len(kept)
            staging = path.with_name(f".{path.name}.{os.getpid()}.part")
            staging.write_text("".join(kept), "utf-8")
            staging.replace(path)
    return count


def _names(value: object, forgotten: Forgotten) -> bool:
    """Whether any text inside names somebody on the list, whole or as a cell of a raw line."""
    if isinstance(value, str):
        cells = value.split(",") if "," in value else []
        return value in forgotten or any(cell.strip(' "\r\n') in forgotten for cell in cells)
    inside: Iterable[object] = ()
    if isinstance(value, dict):
        inside = value.values()
    elif isinstance(value, list):
        inside = value
    return any(_names(one, forgotten) for one in inside)


def _tables(source: str, report: Reporter) -> Tables:
    with report.step("Reading tables", 1) as done:
        tables = read_tables(source)
        done(1)
    return tables


def _from_database(settings: TrainingSettings, forgotten: Forgotten) -> Erased | None:
    store = open_store_if_there(settings.store_url)
    if store is None:
        return None
    try:
        return store.forget(forgotten)
    finally:
        store.close()


def _from_bundles(
    settings: TrainingSettings, forgotten: Forgotten, report: Reporter
) -> tuple[tuple[str, ...], list[str]]:
    folders = sorted(path.parent for path in settings.bundles.glob("*/manifest.json"))
    written, left = [], []
    with report.step("Bundles on this disk", len(folders)) as done:
        for folder in folders:
            try:
                if held(folder, forgotten) and redact(folder, forgotten):
                    written.append(folder.name)
            except BundleError as error:
                left.append(f"{error}; delete {folder}: it cannot be served either")
            done(1)
    return tuple(written), left


def _from_registry(
    settings: TrainingSettings, forgotten: Forgotten, report: Reporter
) -> tuple[tuple[str, ...], list[str]]:
    local = settings.registry_uri.removeprefix("sqlite:///")
    if local != settings.registry_uri and not Path(local).exists():
        return (), []  # nothing was published yet, and looking would make a store
    registry = Registry(settings.registry_uri, settings.artifacts)
    written, left = [], []
    try:
        versions = registry.versions()
    except RegistryError as error:
        return (), [f"{error}; published versions still hold them: run this again"]
    with report.step("Published versions", len(versions)) as done:
        for version in versions:
            try:
                if registry.redact(version, forgotten, settings.bundles):
                    written.append(version.version)
            except (BundleError, RegistryError) as error:
                told = f"version {version.version}: {str(error).splitlines()[0]}"
                left.append(f"{told}; delete it in MLflow where this code is too new for it")
            done(1)
    return tuple(written), left
