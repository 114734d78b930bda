"""Gathers the faults of one table, cuts the list where it is long, and sets bad rows aside.

Knows nothing of what is a fault; it is told.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from features.schemas import FAULTS_SHOWN, TABLES, Fault
from features.table_raw import Positions, RawTable, plain, shown

# Says what is wrong with a row of the table (by position), given the raw value found there.
Reason = Callable[[int, Any], str]


@dataclass(frozen=True)
class Finding:
    """Rows of a table at fault, all in one column and of one kind.

    Attributes:
        kind: The fault's kind.
        column: The column at fault.
        positions: ``(n,)`` the rows' positions in the whole table, ascending.
        reason: What is wrong with each.
    """

    kind: str
    column: str
    positions: Positions
    reason: Reason


class TableFaults:
    """What is wrong with one table."""

    def __init__(self, raw: RawTable) -> None:
        self._raw = raw
        self._findings: list[Finding] = []
        self.whole_file = [fault for part in raw.parts for fault in part.faults]

    def add(self, kind: str, column: str, positions: Positions, reason: Reason) -> None:
        """Note rows at fault."""
        if len(positions):
            self._findings.append(Finding(kind, column, positions, reason))

    def at_fault(self, column: str | None = None) -> Positions:
        """Positions of the rows at fault, in any column or in one."""
        found = [f.positions for f in self._findings if column is None or f.column == column]
        return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *found]))

    def counts(self) -> Counter[tuple[str, str]]:
        """How many faults there are, by table and kind."""
        counts = Counter((fault.table, fault.kind) for fault in self._listed())
        for finding in self._findings:
            counts[self._raw.name, finding.kind] += len(finding.positions)
        return counts

    def _listed(self) -> list[Fault]:
        """Faults that are in no column: of whole files, and of rows that came to pieces."""
        return self.whole_file + [bad.fault for part in self._raw.parts for bad in part.bad_rows]

    def faults(self, at_most: int = FAULTS_SHOWN) -> list[Fault]:
        """The first faults of each kind, by the order of rows."""
        by_kind: dict[str, list[Fault]] = {}
        for fault in self._listed():
            by_kind.setdefault(fault.kind, []).append(fault)
        for kind in dict.fromkeys(finding.kind for finding in self._findings):
            cells = sorted(
                (int(position), index)
                for index, finding in enumerate(self._findings)
                if finding.kind == kind
                for position in finding.positions[:at_most]
            )
            by_kind[kind] = [
                self._fault(self._findings[index], position) for position, index in cells[:at_most]
            ]
        return [fault for faults in by_kind.values() for fault in faults[:at_most]]

    def _fault(self, finding: Finding, position: int) -> Fault:
        file, row = self._raw.place(position)
        value = self._raw.value(position, finding.column)
        reason = finding.reason(position, value)
        return Fault(
            self._raw.name,
            file,
            row,
            finding.column,
            shown(value),
            finding.kind,
            reason,
        )

    # ------------------------------------------------------------ setting aside

    def set_aside(self) -> int:
        """How many rows are at fault: those in the table, and those in no column of it."""
        return len(self.at_fault()) + sum(len(part.bad_rows) for part in self._raw.parts)

    def write_quarantine(self, path: Path) -> None:
        """Write the rows at fault as JSON lines: file, row, reasons, and the raw values."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as out:
                for record in self._records():
                    out.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _records(self) -> Iterator[dict[str, Any]]:
        for part in self._raw.parts:
            for bad in part.bad_rows:
                reasons = [{"column": None, "kind": bad.fault.kind, "reason": bad.fault.reason}]
                yield {
                    "file": part.file,
                    "row": bad.fault.row,
                    "reasons": reasons,
                    "raw": bad.raw,
                }
        by_row: dict[int, list[Finding]] = {int(row): [] for row in self.at_fault()}
        for finding in self._findings:
            for position in finding.positions.tolist():
                by_row[position].append(finding)
        for position, findings in by_row.items():
            part, index = self._raw.at(position)
            names = [name for name in TABLES[self._raw.name] if name in part.columns]
            values = {name: plain(part.columns[name], index) for name in names}
            yield {
                "file": part.file,
                "row": int(part.rows[index]),
                "reasons": [
                    {
                        "column": finding.column,
                        "kind": finding.kind,
                        "reason": finding.reason(position, values.get(finding.column)),
                    }
                    for finding in findings
                ],
                "values": values,
            }
