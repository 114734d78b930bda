"""Imports what a platform's files say of creators, posts and followers, and writes the tables.

Knows nothing of any format; a source brings its own reader. Reads top to bottom.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from features.schemas import DataError, Fault
from features.table_files import read_folder
from training.sources.events import Listed, Reading, refuse
from training.sources.folder_write import (
    OBSERVED,
    SET_ASIDE,
    observed_in,
    write_folder,
)
from training.sources.json_files import Answer, find_files, read_answers
from training.sources.merging import MergedTable, merge_table
from training.sources.observed import Gathering, Record
from training.sources.outcomes import Reporter, Request
from training.sources.write import MAY_LACK, StandingTable, standing_table

# In the order in which they are written: what is named stands before what names it.
WRITTEN = ("creators", "posts", "followers", "audience", "sponsorships")

ReadAnswers = Callable[[Sequence[Answer], Reading, Gathering], None]


@dataclass(frozen=True)
class ImportedTable:
    """What an import did to one table.

    Attributes:
        table: Its name.
        rows: How many rows it has now.
        added: How many are new.
        updated: How many have a value now that they had not.
        duplicates: How many records were merged into another of the same import.
    """

    table: str
    rows: int
    added: int
    updated: int
    duplicates: int


def import_answers(
    request: Request, source: str, read: ReadAnswers, report: Reporter
) -> Sequence[Mapping[str, Any]]:
    """Import answers of a platform that were saved as JSON.

    Raises:
        InvalidTables: Something cannot be read, or breaks the contract; nothing was written.
        DataError: A file cannot be read, or the folder not be written.
    """
    if not request.files:
        raise DataError(f"name the files of JSON that {source} answered with, or their folder")
    into = Gathering(source)
    files = find_files(request.files)
    with report.step("Reading answers", len(files)) as done:
        for path in files:
            told = (source, request.reading, request.observed_at)
            read(read_answers(path, *told, into.faults), request.reading, into)
            done(1)
    for read_late in into.at_the_end:
        read_late()
    return import_gathered(request, into, report)


def import_gathered(
    request: Request, into: Gathering, report: Reporter
) -> Sequence[Mapping[str, Any]]:
    """Merge what was gathered into the tables of a folder; errors as in `import_answers`."""
    for line in into.told:
        report.say(line)
    if request.on_invalid == "refuse":
        refuse(into.faults)
    names = [name for name in WRITTEN if into.of(name)]
    stands = _standing(request, {*names, "creators", "posts"})
    observed = observed_in(request.out)
    merged: list[MergedTable] = []
    aside: set[Any] = set()
    with report.step("Merging", len(into.records)) as done:
        for name in names:
            records = [r for r in into.of(name) if r.values["creator_id"] not in aside]
            lost = len(into.of(name)) - len(records)
            if lost:
                into.left_out["of a creator that was set aside"] += lost
            table = _merge(name, records, stands.get(name), observed)
            merged.append(table)
            if name == "creators":
                known = set(table.frame["creator_id"])
                aside = {r.values["creator_id"] for r in records} - known
            done(len(into.of(name)))
    faults = [*into.faults, *(fault for table in merged for fault in table.faults)]
    if request.on_invalid == "refuse":
        refuse(faults)
    if not merged:
        left = "".join(f", {count:,} {what}" for what, count in into.left_out.items())
        raise DataError(f"nothing that the tables could take was found in the files{left}")
    if not request.dry_run:
        with report.step("Writing", 1) as done:
            listed = _listed(faults) if request.on_invalid == "quarantine" else None
            write_folder(request.out, merged, stands, observed, listed)
            done(1)
    _tell(request, into, merged, stands, faults, report)
    return [
        asdict(ImportedTable(t.name, len(t.frame), t.added, t.updated, t.duplicates))
        for t in merged
    ]


def _standing(request: Request, names: Collection[str]) -> dict[str, StandingTable]:
    """The tables of those names that stand in the folder."""
    if ":/" in str(request.out):
        raise DataError(f"{request.out}: tables are written into a folder, not into a database")
    if not request.out.exists():
        return {}
    found = read_folder(request.out, sorted(names))
    refuse(fault for fault in found.faults if fault.kind == "ambiguous")
    tables = {}
    for name in sorted(names):
        table = standing_table(request.out, name, found.tables.get(name), _may_lack(name))
        if table is not None:
            tables[name] = table
    return tables


def _may_lack(name: str) -> Sequence[str]:
    return MAY_LACK if name == "sponsorships" else ()


def _merge(
    name: str,
    records: Sequence[Record],
    stands: StandingTable | None,
    observed: Mapping[str, Mapping[Any, Any]],
) -> MergedTable:
    frame = None if stands is None else stands.frame
    return merge_table(name, records, frame, observed.get(name, {}), _may_lack(name))


def _listed(faults: Sequence[Fault]) -> list[Listed]:
    return [
        Listed(
            fault.file,
            fault.row or 0,
            fault.value or "",
            fault.kind,
            f"{fault.column or 'row'}: {fault.reason}",
        )
        for fault in faults
    ]


def _tell(
    request: Request,
    into: Gathering,
    merged: Sequence[MergedTable],
    stands: Mapping[str, StandingTable],
    faults: Sequence[Fault],
    report: Reporter,
) -> None:
    tables = {name: table.frame for name, table in stands.items()}
    tables |= {table.name: table.frame for table in merged}
    for table in merged:
        report.say(
            f"{table.name}: {table.added:,} added, {table.updated:,} changed, "
            f"{table.duplicates:,} duplicates merged; {len(table.frame):,} in all"
        )
    left = Counter(into.left_out)
    posts = set(tables["posts"]["post_id"]) if "posts" in tables else set()
    left["posts named without counts"] += len(into.uncounted - posts)
    told = ", ".join(f"{count:,} {what}" for what, count in left.items() if count)
    if told:
        report.say(f"left out: {told}")
    if faults:
        report.say(f"{len(faults):,} faults; what is at fault is listed in {SET_ASIDE}")
    if request.dry_run:
        report.say("a dry run: nothing was written")
    else:
        report.say(f"written to {request.out}; when each was observed is in {OBSERVED}")
    needed = _needed(tables)
    if needed:
        report.say(f"for `validate` there is still needed: {'; '.join(needed)}")


def _needed(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """What `validate` will ask for."""
    needed = [f"a table of {name}" for name in ("creators", "posts") if name not in tables]
    if "creators" not in tables:
        return needed
    known = tables["creators"]["creator_id"]
    for name in ("posts", "sponsorships"):
        if name in tables:
            ids = tables[name]["creator_id"]
            strange = ids[~ids.isin(known)]
            if len(strange):
                some = f"{strange.nunique():,} creators that {name} name"
                needed.append(f"{some}, such as {strange.iloc[0]}")
    return needed
