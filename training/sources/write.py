"""Writes what an import found into a folder of tables: whole, or not at all.

A folder that is new is made beside its place and moved there. In one that stands, the table of
sponsorships is merged by `sponsorship_id` and each file is replaced in one step, the table last.
Knows nothing of exports.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from features.schemas import TABLES, DataError, InvalidTables
from features.table_files import read_folder
from features.tables import FORMATS, RawPart, RawTable, check_table, write_tables
from training.sources.events import Listed

TABLE = "sponsorships"
UNJOINED = "unjoined.csv"
# Required by the contract, but often not known yet when outcomes are imported.
MAY_LACK = ("impressions",)

# A spreadsheet takes a cell that begins so for a formula (OWASP, CSV injection), in full width too.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
# A file of UTF-8 holds no half of a pair of surrogates, which JSON can name; a cell holds no NUL.
_NOT_WRITTEN = re.compile(r"[\x00\ud800-\udfff]")


@dataclass(frozen=True)
class Standing:
    """The table of sponsorships as it stands in a folder.

    Attributes:
        frame: Its rows, in the contract's columns; none where there is no table.
        path: Its file, or where one will be.
        format: The file's format, which it keeps.
        creators: The ids in the table of creators there, or None where there is none.
        has_posts: Whether there is a table of posts.
    """

    frame: pd.DataFrame
    path: Path
    format: Any
    creators: frozenset[str] | None
    has_posts: bool


@dataclass(frozen=True)
class Merged:
    """The table of sponsorships as it will be.

    Attributes:
        frame: All its rows.
        added: Ids that are new.
        replaced: Ids that were there, and whose outcome is this one now.
        unclicked: Ids whose clicks were emptied, for more conversions came than clicks.
    """

    frame: pd.DataFrame
    added: Sequence[str]
    replaced: Sequence[str]
    unclicked: Sequence[str]


@dataclass(frozen=True)
class Row:
    """A sponsorship with its outcome: its place in the file of bookings, and its values."""

    row: int
    values: Mapping[str, Any]


def standing(folder: Path) -> Standing:
    """Read what a folder holds already.

    Raises:
        InvalidTables: The table of sponsorships there breaks the contract.
        DataError: It is in a form that cannot be written back as it was.
    """
    empty = pd.DataFrame({name: [] for name in TABLES[TABLE]}, dtype=object)
    if ":/" in str(folder):
        raise DataError(f"{folder}: tables are written into a folder, not into a database")
    if not folder.exists():
        return Standing(empty, folder / f"{TABLE}.csv", "csv", None, False)
    found = read_folder(folder, ("creators", TABLE))
    ambiguous = [fault for fault in found.faults if fault.table == TABLE]
    if ambiguous:
        raise InvalidTables(ambiguous, {(TABLE, fault.kind): 1 for fault in ambiguous})
    has_posts = any(entry.name.split(".")[0] == "posts" for entry in folder.iterdir())
    creators = _ids(found.tables.get("creators"))
    table = standing_table(folder, TABLE, found.tables.get(TABLE), MAY_LACK)
    if table is None:
        return Standing(empty, folder / f"{TABLE}.csv", "csv", creators, has_posts)
    return Standing(table.frame, table.path, table.format, creators, has_posts)


@dataclass(frozen=True)
class StandingTable:
    """One table as it stands in a folder: its rows, its file, and the file's format."""

    frame: pd.DataFrame
    path: Path
    format: Any


def standing_table(
    folder: Path, table: str, raw: RawTable | None, may_lack: Sequence[str] = ()
) -> StandingTable | None:
    """Read a table that is to be merged into; None where there is none.

    Args:
        folder: Where it lies.
        table: Its name.
        raw: What was found there.
        may_lack: Columns that may be empty all the same.

    Raises:
        InvalidTables: It breaks the contract.
        DataError: It is in a form that cannot be written back as it was.
    """
    if raw is None:
        return None
    name = raw.parts[0].file if raw.parts else ""
    format = name.removeprefix(f"{table}.")
    if len(raw.parts) != 1 or format not in FORMATS:
        raise DataError(
            f"{folder / table}: a table in parts cannot be merged into; write it as one file, "
            f"{table}.csv, or name another --out"
        )
    unknown = [column for part in raw.parts for column in part.unknown]
    if unknown:
        raise DataError(
            f"{folder / name}: the columns {', '.join(unknown)} are not of the contract and would "
            "be lost; take them out, or name another --out"
        )
    checked = check_table(raw, None, may_lack)
    if checked.faults.counts():
        raise InvalidTables(checked.faults.faults(), dict(checked.faults.counts()))
    return StandingTable(checked.frame, folder / name, format)


def _ids(creators: RawTable | None) -> frozenset[str] | None:
    if creators is None:
        return None
    return frozenset(check_table(creators, None).frame["creator_id"].dropna())


def merge(rows: Sequence[Row], file: str, measured: Iterable[str], stands: Standing) -> Merged:
    """Put sponsorships with new outcomes into the table that stands.

    A sponsorship that is there already is replaced. What the export measures is as it says, empty
    or not; of the other columns, a value that is empty now stays as it was. Where conversions are
    more than clicks, which codes and tags that miss each other bring about, clicks are emptied:
    they are not the visits that those conversions came from.

    Args:
        rows: The sponsorships.
        file: The file of bookings, for faults.
        measured: Which of the contract's outcomes the export has.
        stands: The table as it is.

    Raises:
        InvalidTables: A row breaks the contract.
    """
    measured = set(measured)
    old = {row["sponsorship_id"]: row for row in stands.frame.to_dict("records")}
    values: list[dict[str, Any]] = []
    unclicked = []
    for row in rows:
        merged = dict(row.values)
        before = old.get(merged["sponsorship_id"], {})
        for name in TABLES[TABLE]:
            known = before.get(name)
            if merged.get(name) is None and name not in measured and not pd.isna(known):
                merged[name] = known.to_pydatetime() if isinstance(known, pd.Timestamp) else known
        clicks = merged.get("clicks")
        if clicks is not None and clicks < merged["conversions"]:
            merged["clicks"] = None
            unclicked.append(merged["sponsorship_id"])
        values.append(merged)
    part = RawPart(
        file,
        {name: [merged.get(name) for merged in values] for name in TABLES[TABLE]},
        np.array([row.row for row in rows], dtype=np.int64),
    )
    checked = check_table(RawTable(TABLE, (part,)), None, MAY_LACK)
    frame, faults = checked.frame, checked.faults
    if faults.counts():
        raise InvalidTables(faults.faults(), dict(faults.counts()))
    ids = [str(merged["sponsorship_id"]) for merged in values]
    kept = stands.frame[~stands.frame["sponsorship_id"].isin(ids)]
    together = pd.concat([kept, frame]) if len(kept) else frame
    together = together.sort_values("sponsorship_id", key=lambda c: c.map(str.encode))
    return Merged(
        together.reset_index(drop=True),
        [name for name in ids if name not in old],
        [name for name in ids if name in old],
        unclicked,
    )


def write(folder: Path, merged: Merged, listed: Sequence[Listed], stands: Standing) -> None:
    """Write the table, and the list of what did not join.

    Raises:
        DataError: The folder cannot be written; nothing in it was changed.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        inside = folder if folder.exists() else folder.parent
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=inside))
        try:
            (staging / UNJOINED).write_text(listing(listed), encoding="utf-8", newline="")
            write_tables({TABLE: merged.frame}, staging, stands.format)
            if inside != folder:
                staging.chmod(0o755)
                staging.replace(folder)
                return
            _exchange(staging, folder, stands.path.name if len(merged.frame) else None)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror}") from None


def _exchange(staging: Path, folder: Path, table: str | None) -> None:
    """Move both files into place; where the second cannot be, the first is put back."""
    before = staging / f"{UNJOINED}.before"
    if (folder / UNJOINED).exists():
        shutil.copy2(folder / UNJOINED, before)
    (staging / UNJOINED).replace(folder / UNJOINED)
    try:
        if table is not None:
            (staging / table).replace(folder / table)
    except OSError:
        if before.exists():
            before.replace(folder / UNJOINED)
        else:
            (folder / UNJOINED).unlink()
        raise


def listing(listed: Sequence[Listed]) -> str:
    """Rows that did not join, as a CSV that is safe to open in a spreadsheet.

    A cell that a spreadsheet would take for a formula begins with an apostrophe here.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(("file", "row", "value", "reason", "detail"))
    for one in listed:
        texts = (safe_cell(text) for text in (one.file, one.value, one.reason, one.detail))
        file, value, reason, detail = texts
        writer.writerow((file, one.row, value, reason, detail))
    return out.getvalue()


def safe_cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula.

    >>> safe_cell("=1+1"), safe_cell("LUMA10")
    ("'=1+1", 'LUMA10')
    """
    text = _NOT_WRITTEN.sub("�", text)
    return f"'{text}" if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def outcomes_of(merged: Merged) -> list[dict[str, Any]]:
    """The sponsorships that were imported, each as one object; what is unknown is left out."""
    imported = {*merged.added, *merged.replaced}
    objects = []
    for row in merged.frame.to_dict("records"):
        if row["sponsorship_id"] in imported:
            known = {str(name): value for name, value in row.items() if not pd.isna(value)}
            objects.append({name: _json(name, value) for name, value in known.items()})
    return objects


def _json(name: str, value: Any) -> Any:
    kind = TABLES[TABLE][name].type
    if kind == "time":
        return value.isoformat().replace("+00:00", "Z")
    return int(value) if kind == "integer" else value


def still_needed(merged: Merged, stands: Standing) -> list[str]:
    """What `validate` will ask for beyond the rows' own types and ranges."""
    lines = []
    for name in MAY_LACK:
        lacking = merged.frame.loc[merged.frame[name].isna(), "sponsorship_id"]
        if len(lacking):
            lines.append(f"{name} of {len(lacking):,} sponsorships, such as {lacking.iloc[0]}")
    if stands.creators is None:
        lines.append("a table of creators")
    else:
        ids = merged.frame["creator_id"]
        strange = ids[~ids.isin(stands.creators)]
        if len(strange):
            lines.append(
                f"{strange.nunique():,} creators that sponsorships name and creators lacks, such "
                f"as {strange.iloc[0]}"
            )
    if not stands.has_posts:
        lines.append("a table of posts")
    return lines
