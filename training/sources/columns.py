"""Finds which column of an export is which field: by its usual names, or as someone said.

Knows nothing of values.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from features.schemas import DataError, Fault
from training.sources.events import refuse
from training.sources.text_files import Section

# The names under which each field is known, the most telling first.
Aliases = Mapping[str, Sequence[str]]


def bare(name: str) -> str:
    """A column's name as it is compared: letters and digits alone, case folded.

    >>> bare("Discount Code ")
    'discountcode'
    """
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in folded if character.isalnum())


def find_columns(
    section: Section,
    source: str,
    aliases: Aliases,
    told: Mapping[str, str],
    required: Sequence[str],
) -> dict[str, int]:
    """Where each field stands in a section's rows; a field that is not there is left out.

    Args:
        section: The table.
        source: The source's name, for faults.
        aliases: Every field's usual names.
        told: Headers by field, which win.
        required: Fields that must be there.

    Raises:
        DataError: A field was named that the source does not have.
        InvalidTables: A field that must be there is not, was said to be in a column that is not,
            or two columns have its name.
    """
    strange = [name for name in told if name not in aliases]
    if strange:
        raise DataError(f"--map {strange[0]}=…: no such field; there are {', '.join(aliases)}")
    faults = []
    found: dict[str, int] = {}
    taken = {bare(header) for header in told.values()}
    for name, names in aliases.items():
        if name in told:
            places = _places(section.header, told[name])
            if not places:
                reason = f"--map {name}=… names no column; there are {_list(section.header)}"
                faults.append(_fault(section, source, told[name], "missing_column", reason))
        else:
            free = [alias for alias in names if alias not in taken]
            places = next(filter(None, (_places(section.header, alias) for alias in free)), [])
        if len(places) > 1:
            header = section.header[places[0]]
            reason = "the column stands there more than once; leave one"
            faults.append(_fault(section, source, header, "duplicate_column", reason))
        elif places:
            found[name] = places[0]
        elif name in required and name not in told:
            reason = (
                f"no column is known as that; there are {_list(section.header)}: "
                f"say which, such as --map {name}={section.header[0]!r}"
            )
            faults.append(_fault(section, source, name, "missing_column", reason))
    refuse(faults)
    return found


def show_columns(section: Section, found: Mapping[str, int]) -> str:
    """One sentence that says which column was taken for which field."""
    pairs = ", ".join(f"{name} = {section.header[place]!r}" for name, place in found.items())
    unused = [n for place, n in enumerate(section.header) if place not in found.values() and n]
    left = f"; not used: {_list(unused)}" if unused else ""
    return f"{section.file}: {pairs}{left}"


def _places(header: Sequence[str], name: str) -> list[int]:
    exact = [place for place, own in enumerate(header) if own == name.strip()]
    return exact or [place for place, own in enumerate(header) if own and bare(own) == bare(name)]


def _list(names: Sequence[str], at_most: int = 12) -> str:
    told = ", ".join(repr(name) for name in names[:at_most] if name)
    return f"{told} and {len(names) - at_most} more" if len(names) > at_most else told


def _fault(section: Section, source: str, column: str, kind: str, reason: str) -> Fault:
    return Fault(source, section.file, section.header_row, column, None, kind, reason)
