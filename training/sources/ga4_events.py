"""Google Analytics 4 events as BigQuery exports them, one JSON object a line.

A `purchase` is a conversion with `ecommerce.purchase_revenue`, a `session_start` a click, a
`refund` takes a purchase back. The tags are those of the session: its last click where the export
says so, else what the event or another of its session collected, else the user's first touch.
Field names are the documented schema's. Knows nothing of bookings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from features.schemas import Fault
from features.table_raw import shown
from training.sources.events import TAG_KEYS, Event, Export, Reading, Span, point
from training.sources.values import key, shown_tags, tags_of

NAME = "ga4"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_US = (datetime(2101, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_READ = frozenset({"purchase", "refund", "session_start"})

# By the place in an event, which field there is which tag.
_COLLECTED = {
    "utm_source": "manual_source",
    "utm_campaign": "manual_campaign_name",
    "utm_content": "manual_content",
}
_LAST_CLICK = {"utm_source": "source", "utm_campaign": "campaign_name", "utm_content": "content"}
_FIRST_TOUCH = {"utm_source": "source", "utm_campaign": "name"}

_Object = dict[str, Any]
_Session = tuple[str, str]


class _Wrong(ValueError):
    """A field of an event that cannot be read."""

    def __init__(self, column: str, value: Any, kind: str, reason: str) -> None:
        self.column, self.value, self.kind = column, value, kind
        super().__init__(reason)


def read_events(files: Sequence[tuple[str, str]], reading: Reading) -> Export:
    """Read the events of all files together, for a session or refund may lie in two.

    Args:
        files: Name and text of each.
        reading: Its currency is the one in which revenue counts.
    """
    faults: list[Fault] = []
    found: list[tuple[str, int, _Object]] = []
    for file, text in files:
        for row, line in enumerate(text.split("\n"), start=1):
            if line.strip():
                try:
                    event = orjson.loads(line)
                    if not isinstance(event, dict):
                        raise ValueError("not an object {…}")
                    found.append((file, row, event))
                except ValueError as error:
                    reason = f"the line is no JSON object ({error}); write one event a line"
                    faults.append(Fault(NAME, file, row, None, shown(line), "bad_row", reason))
    sessions = _tags_of_sessions(found)
    events: list[Event] = []
    others: Counter[str] = Counter()
    unpriced = 0
    for file, row, event in found:
        name = event.get("event_name")
        if not isinstance(name, str) or name not in _READ:
            others["other event"] += 1
            continue
        try:
            read = _event(file, row, event, sessions, reading.currency)
        except _Wrong as error:
            value = shown(error.value)
            fault = Fault(NAME, file, row, error.column, value, error.kind, str(error))
            faults.append(fault)
            continue
        unpriced += name == "purchase" and read.revenue is None
        events.append(read)
    told = []
    if unpriced:
        told.append(
            f"{unpriced:,} purchases have no revenue in {reading.currency}; revenue is left empty "
            "where they belong"
        )
    return Export(
        events=events,
        faults=faults,
        no_outcomes=dict(others),
        carries=frozenset(TAG_KEYS),
        has_clicks=any(event.clicks for event in events),
        has_revenue=True,
        told=told,
    )


def _event(
    file: str, row: int, event: _Object, sessions: Mapping[_Session, _Object], currency: str
) -> Event:
    name = event["event_name"]
    commerce = _inside(event, "ecommerce")
    written = _tags(event, sessions)
    revenue = None
    order = key(str(commerce.get("transaction_id") or ""))
    if order == "(not set)":
        order = ""
    if name != "session_start":
        what = "purchase_revenue" if name == "purchase" else "refund_value"
        revenue = _money(event, commerce, what, currency)
    session = _session_of(event)
    visit = "" if session is None else f"session {session[0]} {session[1]}"
    clicked = name == "session_start"
    return Event(
        file=file,
        row=row,
        span=_span(event),
        shown=shown_tags(written),
        tags=tags_of(written),
        conversions=Decimal(0 if clicked else 1),
        clicks=Decimal(1 if clicked else 0),
        revenue=Decimal(0) if clicked else revenue,
        order_id=(visit if clicked else order and f"order {order}") or None,
        refund=name == "refund",
    )


def _span(event: _Object) -> Span:
    raw = event.get("event_timestamp")
    try:
        # Exported as JSON, BigQuery's integers are text.
        moment_us = int(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else -1
    except ValueError:
        moment_us = -1
    if not 0 <= moment_us < _LATEST_US:
        reason = "not a time in microseconds since 1970"
        raise _Wrong("event_timestamp", raw, "wrong_type", reason)
    return point(_EPOCH + timedelta(microseconds=moment_us))


def _money(event: _Object, commerce: _Object, what: str, currency: str) -> Decimal | None:
    """Revenue in the currency asked for; the export has it in the event's own, and in dollars."""
    own = _param(event, "currency")
    if own is not None and key(str(own)).upper() != currency:
        if currency != "USD":
            return None
        what += "_in_usd"
    raw = commerce.get(what)
    if raw is None:
        return None
    try:
        value = Decimal(str(raw))
    except InvalidOperation:
        value = Decimal("NaN")
    if isinstance(raw, bool) or not value.is_finite() or value < 0:
        raise _Wrong(f"ecommerce.{what}", raw, "wrong_type", "not a number of 0 or more")
    return value


# ---------------------------------------------------------------- tags


def _tags_of_sessions(found: Sequence[tuple[str, int, _Object]]) -> dict[_Session, _Object]:
    """What the first event of each session that collected any tag collected."""
    best: dict[_Session, tuple[str, str, _Object]] = {}
    for _, _, event in found:
        session = _session_of(event)
        written = _named(_inside(event, "collected_traffic_source"), _COLLECTED)
        if session is not None and tags_of(written):
            # Digits alone sort as numbers do; then by the tags, so that no order of rows matters.
            moment = str(event.get("event_timestamp")).rjust(20)
            entry = (moment, shown_tags(written), written)
            best[session] = min(entry, best.get(session, entry), key=lambda one: one[:2])
    return {session: written for session, (_, _, written) in best.items()}


def _tags(event: _Object, sessions: Mapping[_Session, _Object]) -> dict[str, str]:
    session = _session_of(event)
    last_click = _inside(_inside(event, "session_traffic_source_last_click"), "manual_campaign")
    places = (
        _named(last_click, _LAST_CLICK),
        _named(_inside(event, "collected_traffic_source"), _COLLECTED),
        {} if session is None else sessions.get(session, {}),
        _named(_inside(event, "traffic_source"), _FIRST_TOUCH),
    )
    return next((place for place in places if tags_of(place)), {})


def _named(record: _Object, names: Mapping[str, str]) -> dict[str, str]:
    return {tag: str(record[name]) for tag, name in names.items() if record.get(name)}


def _session_of(event: _Object) -> _Session | None:
    user, number = event.get("user_pseudo_id"), _param(event, "ga_session_id")
    return None if not user or number is None else (str(user), str(number))


def _param(event: _Object, name: str) -> Any:
    """An event's parameter: a list of keys with a value in a field for its type."""
    params = event.get("event_params")
    for param in params if isinstance(params, list) else ():
        if isinstance(param, dict) and param.get("key") == name:
            values = _inside(param, "value")
            typed = (values.get(f"{kind}_value") for kind in ("string", "int", "double", "float"))
            return next((value for value in typed if value is not None), None)
    return None


def _inside(record: _Object, name: str) -> _Object:
    value = record.get(name)
    return value if isinstance(value, dict) else {}
