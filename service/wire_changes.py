"""What goes over the wire of the log of changes. Knows nothing of how it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from features.store_changes import Change
from service.wire import Wire, moment


class ChangeWire(Wire):
    """A change that was made."""

    at: datetime
    who: str = Field(description="Id of the key; `anybody` where none was asked for")
    what: str
    subject: str = Field(description="Id of the sponsorship or of the key it was done to")
    detail: str


def changes(found: Sequence[Change]) -> list[ChangeWire]:
    """Changes as they are shown."""
    return [
        ChangeWire(
            at=moment(one.at_us),
            who=one.who,
            what=one.what,
            subject=one.subject,
            detail=one.detail,
        )
        for one in found
    ]
