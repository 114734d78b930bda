"""The commands for API keys and the log of changes: whoever can write to the database may use them.

They know nothing of requests; running services see what they do within seconds.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from features.store import Store, open_store
from features.store_keys import Key, Scope
from service.keyring import REFRESH_SECONDS, new_secret
from service.settings import ServiceSettings
from service.show import wide_console
from service.wire import moment

keys = typer.Typer(
    help="Make, list, rotate and revoke API keys. They lie in the service's database, as hashes; "
    "a running service knows of a change within seconds.",
    no_args_is_help=True,
)

NAME_CHARACTERS_AT_MOST = 100

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")]
KeyId = Annotated[str, typer.Argument(help="Id of the key, as `list` shows it")]


@keys.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what will hold it, in your words")],
    scope: Annotated[
        list[Scope],
        typer.Option(
            help="What it may be used for: recommend (all that is asked), outcomes (send them and "
            "read them back), admin (metrics and the log of changes); may be given several times"
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Make an API key, and print it: this once, for only its hash is kept.

    Writes the hash and a line in the log of changes into the service's database. Exit status 2
    where the database is away.

    Example: python -m service keys create webshop --scope recommend --scope outcomes
    """
    if not name.isprintable() or not 0 < len(name.strip()) <= NAME_CHARACTERS_AT_MOST:
        raise typer.BadParameter(f"NAME is text of up to {NAME_CHARACTERS_AT_MOST} characters")
    made = new_secret()
    key = Key(made.key_id, name, tuple(dict.fromkeys(scope)), made.digest, _now_us())
    with _store() as store:
        store.add_key(key)
    _print_new(key, made.token, as_json)


@keys.command("list")
def list_keys(as_json: AsJson = False) -> None:
    """List the keys there ever were: what for, since when, last used, and whether still taken.

    Changes nothing. Exit status 2 where the database is away.

    Example: python -m service keys list
    """
    with _store() as store:
        found = store.access_keys()
    now_us = _now_us()
    if as_json:
        _print_json([_as_dict(key, now_us) for key in found])
        return
    table = Table(title=f"{len(found)} API keys")
    for title in ("id", "name", "scopes", "created", "last used", "state"):
        table.add_column(title, overflow="fold")
    for key in found:
        when = (_minute(key.created_at_us), _minute(key.last_used_at_us))
        table.add_row(key.key_id, key.name, " ".join(key.scopes), *when, _state(key, now_us))
    wide_console(markup=False, highlight=False).print(table)


@keys.command()
def rotate(
    key_id: KeyId,
    overlap_hours: Annotated[
        float, typer.Option(min=0, help="How long the old key is taken beside the new one")
    ] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Make a key of the same name and scopes, and end the old one after a while.

    Writes the hash and a line in the log of changes into the service's database, and prints the
    new key this once. Exit status 2 where no key of that id is still taken.

    Example: python -m service keys rotate 3f9a0c1b2d4e --overlap-hours 48
    """
    made, now_us = new_secret(), _now_us()
    ends_us = now_us + round(overlap_hours * 3600 * 1_000_000)
    with _store() as store:
        key = store.replace_key(key_id, made.key_id, made.digest, now_us, ends_us)
    Console(stderr=True).print(f"{key_id} is taken until {_minute(ends_us)}", highlight=False)
    _print_new(key, made.token, as_json)


@keys.command()
def revoke(key_id: KeyId, as_json: AsJson = False) -> None:
    """End a key now; running services take it no longer within seconds.

    Writes into the service's database that it is revoked, and a line in the log of changes. Exit
    status 2 where no key of that id is still taken.

    Example: python -m service keys revoke 3f9a0c1b2d4e
    """
    with _store() as store:
        key = store.revoke_key(key_id, _now_us())
    if as_json:
        _print_json(_as_dict(key, _now_us()))
        return
    told = f"{key_id} ({key.name}) is revoked; within {REFRESH_SECONDS:.0f} s no service takes it"
    Console().print(told, highlight=False, markup=False, soft_wrap=True)


def changes(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the latest first")] = 50,
    as_json: AsJson = False,
) -> None:
    """Print the log of changes: outcomes accepted and corrected, keys made and ended, and by whom.

    Changes nothing. `python -m training history` has the promotions of models. Exit status 2 where
    the database is away.

    Example: python -m service changes --limit 20
    """
    with _store() as store:
        found = store.changes(limit)
    if as_json:
        _print_json([_with_times(dataclasses.asdict(change)) for change in found])
        return
    table = Table(title="The latest changes")
    for title in ("at", "who", "what", "of", ""):
        table.add_column(title, overflow="fold")
    for change in found:
        at = _minute(change.at_us)
        table.add_row(at, change.who, change.what, change.subject, change.detail)
    wide_console(markup=False, highlight=False).print(table)


def _print_new(key: Key, token: str, as_json: bool) -> None:
    """Print a key that was made: the key alone on stdout, for a file or a variable."""
    if as_json:
        _print_json({"key": token, **_as_dict(key, _now_us())})
        return
    told = f"{key.key_id} ({key.name}) may: {', '.join(key.scopes)}. It is shown this once:"
    Console(stderr=True).print(told, highlight=False, markup=False, soft_wrap=True)
    print(token)


def _state(key: Key, now_us: int) -> str:
    if key.revoked_at_us is not None:
        return f"revoked {_minute(key.revoked_at_us)}"
    if key.expires_at_us is None:
        return "taken"
    return f"{'taken until' if key.is_good(now_us) else 'expired'} {_minute(key.expires_at_us)}"


def _as_dict(key: Key, now_us: int) -> dict[str, Any]:
    """A key as JSON shows it: without its hash, which is of use to nobody else."""
    plain = dataclasses.asdict(key)
    del plain["digest"]
    return _with_times(plain) | {"taken": key.is_good(now_us)}


def _with_times(plain: dict[str, Any]) -> dict[str, Any]:
    """Microseconds as ISO 8601, under names without their unit."""
    return {
        name.removesuffix("_us"): None
        if value is None
        else moment(value).isoformat()
        if name.endswith("_us")
        else value
        for name, value in plain.items()
    }


def _minute(at_us: int | None) -> str:
    return "–" if at_us is None else f"{moment(at_us):%Y-%m-%d %H:%M} UTC"


def _print_json(value: object) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


@contextmanager
def _store() -> Iterator[Store]:
    settings = ServiceSettings()
    store = open_store(settings.store_url, settings.database_wait_seconds)
    try:
        yield store
    finally:
        store.close()


def _now_us() -> int:
    return time.time_ns() // 1_000
