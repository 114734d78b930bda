"""Writes several tables into a folder: whole, or not at all.

A folder that is new is made beside its place and moved there. In one that stands, each file is
replaced in one step, creators first, so that whatever stops it leaves tables that fit each other;
what fails is undone. Knows nothing of formats of platforms.
"""

from __future__ import annotations

import csv
import io
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from features.schemas import DataError
from features.tables import write_tables
from training.sources.events import Listed
from training.sources.merging import MergedTable
from training.sources.write import StandingTable, listing

# When each row was last observed, so that an older file does not overwrite it.
OBSERVED = "observed.csv"
SET_ASIDE = "set_aside.csv"

_NOTED = ("audience", "creators", "posts", "sponsorships")

Observed = dict[str, dict[tuple[Any, ...], datetime]]


def observed_in(folder: Path) -> Observed:
    """When the rows of a folder's tables were observed, by table and key, where it is noted.

    Raises:
        DataError: The note is damaged.
    """
    path = folder / OBSERVED
    found: Observed = {}
    if not path.exists():
        return found
    with path.open(encoding="utf-8", newline="") as file:
        for row, record in enumerate(csv.DictReader(file), start=2):
            try:
                at = datetime.fromisoformat(record["observed_at"])
                found.setdefault(record["table"], {})[record["id"],] = at
            except (KeyError, ValueError, TypeError):
                raise DataError(
                    f"{path} row {row}: not a table, an id and a time; put the file back, or "
                    "remove it: then what is imported next counts as newer"
                ) from None
    return found


def write_folder(
    folder: Path,
    merged: Sequence[MergedTable],
    stands: Mapping[str, StandingTable],
    observed: Observed,
    listed: Sequence[Listed] | None,
) -> None:
    """Write merged tables, when they were observed, and what was set aside.

    Args:
        folder: Where to; a new one or one that stands.
        merged: The tables.
        stands: What stands there; a table keeps its format, a new one is CSV.
        observed: What was noted before.
        listed: What was set aside; None where nothing is to be listed.

    Raises:
        DataError: The folder cannot be written; nothing in it was changed.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        inside = folder if folder.exists() else folder.parent
        staging = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=inside))
        try:
            for table in merged:
                format: Any = stands[table.name].format if table.name in stands else "csv"
                write_tables({table.name: table.frame}, staging, format)
            text = _noted(observed, merged)
            (staging / OBSERVED).write_text(text, encoding="utf-8", newline="")
            if listed is not None:
                text = listing(listed)
                (staging / SET_ASIDE).write_text(text, encoding="utf-8", newline="")
            if inside != folder:
                staging.chmod(0o755)
                staging.replace(folder)
                return
            names = [path.name for path in staging.iterdir()]
            order = [n for t in merged for n in names if n.split(".")[0] == t.name]
            _exchange(staging, folder, [*order, *(n for n in names if n not in order)])
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror}") from None


def _exchange(staging: Path, folder: Path, names: Sequence[str]) -> None:
    """Move files into place; where one cannot be, those before it are put back."""
    kept = staging / "before"
    kept.mkdir()
    moved: list[str] = []
    try:
        for name in names:
            if (folder / name).exists():
                shutil.copy2(folder / name, kept / name)
            (staging / name).replace(folder / name)
            moved.append(name)
    except OSError:
        for name in moved:
            if (kept / name).exists():
                (kept / name).replace(folder / name)
            else:
                (folder / name).unlink()
        raise


def _noted(observed: Observed, merged: Sequence[MergedTable]) -> str:
    now = {name: dict(found) for name, found in observed.items()}
    for table in merged:
        if table.name in _NOTED:
            known = now.setdefault(table.name, {})
            for key, at in table.observed.items():
                known[key] = max(at, known.get(key, at))
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("table", "id", "observed_at"))
    for name in sorted(now):
        for (own,), at in sorted(now[name].items()):
            writer.writerow((name, own, at.isoformat()))
    return out.getvalue()
