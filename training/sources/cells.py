"""Reads one table's cells by field, and gathers what cannot be read.

Knows nothing of what a field is for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from features.schemas import Fault
from features.table_raw import shown
from training.sources.counts import read_count
from training.sources.events import Reading, Span
from training.sources.text_files import Section
from training.sources.values import (
    Amount,
    Mark,
    Unreadable,
    key,
    plain,
    read_amount,
    read_time,
    usual_mark,
)


class Cells:
    """The rows of a section, one after another, by field.

    Args:
        section: The table.
        source: The source's name, for faults.
        columns: Where each field stands.
        reading: How values are read.
        usual: The decimal mark the format is documented to have, for numbers that show none.

    Attributes:
        faults: What could not be read.
        unpriced: How many amounts were in another currency than the reading's.
        row: Number of the present row.
    """

    def __init__(
        self,
        section: Section,
        source: str,
        columns: Mapping[str, int],
        reading: Reading,
        usual: Mark | None = None,
    ) -> None:
        self.section, self.reading = section, reading
        self.faults: list[Fault] = list(section.faults)
        self.unpriced = 0
        self.row = 0
        self._source, self._columns, self._usual = source, columns, usual
        self._cells: list[str] = []
        self._marks: dict[str, Mark | None] = {}

    def __iter__(self) -> Iterator[int]:
        for row, cells in self.section.rows:
            self.row, self._cells = row, cells
            yield row

    def text(self, name: str) -> str:
        """The field as text, or nothing where there is no such column."""
        place = self._columns.get(name)
        return "" if place is None else plain(self._cells[place])

    def time(self, name: str) -> Span | None:
        """The field as a time; None where it is empty or cannot be read."""
        text = self.text(name)
        if not text:
            return None
        try:
            return read_time(text, self.reading)
        except Unreadable as error:
            self.refuse(name, error.kind, str(error))
            return None

    def count(self, name: str) -> int | None:
        """The field as a count, shortened or not; None where it is empty or cannot be read."""
        text = self.text(name)
        if not text:
            return None
        try:
            return read_count(text, self.reading.decimal, self._mark(name))
        except Unreadable as error:
            self.refuse(name, error.kind, str(error))
            return None

    def amount(self, name: str) -> Amount | None:
        """The field as a number; None where it is empty or cannot be read."""
        text = self.text(name)
        if not text:
            return None
        try:
            return read_amount(text, self.reading.decimal, self._mark(name))
        except Unreadable as error:
            self.refuse(name, error.kind, str(error))
            return None

    def _mark(self, name: str) -> Mark | None:
        """The decimal mark of a field's column."""
        if name not in self._marks:
            place = self._columns[name]
            texts = (cells[place] for _, cells in self.section.rows)
            self._marks[name] = usual_mark(texts, self._usual)
        return self._marks[name]

    def money(self, name: str) -> Decimal | None:
        """The field as money, or None where it is empty, unreadable or in another currency.

        The currency is the field `currency`'s, else the amount's own sign's, else the reading's.
        """
        amount = self.amount(name)
        if amount is None:
            return None
        said = key(self.text("currency")).upper()
        found = frozenset({said}) if said else amount.currencies
        if found is not None and self.reading.currency not in found:
            self.unpriced += 1
            return None
        return amount.value

    def refuse(self, name: str, kind: str, reason: str) -> None:
        """Note that a field of the present row cannot be read."""
        place = self._columns.get(name)
        column = name if place is None else self.section.header[place]
        value = None if place is None else shown(self._cells[place])
        file = self.section.file
        self.faults.append(Fault(self._source, file, self.row, column, value, kind, reason))

    def told(self) -> list[str]:
        """What is worth knowing of the rows as a whole."""
        file, lines = self.section.file, []
        if self.section.empty_rows:
            lines.append(f"{file}: {self.section.empty_rows:,} empty rows were passed over")
        if self.unpriced:
            lines.append(
                f"{file}: {self.unpriced:,} amounts are not in {self.reading.currency}; they count "
                "as conversions, and revenue is left empty where they belong"
            )
        return lines
