"""Keys and the log of changes, on either database: what is kept, and what nobody can alter."""

import dataclasses

import pytest
import sqlalchemy as sa

from features.forgotten import PLACEHOLDER, Forgotten
from features.schemas import StoreError, UnknownKey
from features.store_changes import Change
from features.store_engine import WRITES
from features.store_keys import Key
from tests.test_store import outcome


def key(key_id="k1", **more):
    plain = {"name": "shop", "scopes": ("recommend", "outcomes"), "digest": "d", "created_at_us": 5}
    return Key(key_id, **plain | more)


def test_a_key_is_kept_as_it_is(store):
    store.add_key(key("k2", created_at_us=9, scopes=()))
    store.add_key(key())
    assert store.access_keys() == [key(), key("k2", created_at_us=9, scopes=())]


def test_a_key_is_good_until_it_ends():
    assert key().is_good(10)
    assert key(expires_at_us=11).is_good(10) and not key(expires_at_us=10).is_good(10)
    assert not key(revoked_at_us=4).is_good(10)


def test_a_key_that_is_replaced_is_good_for_a_while(store):
    store.add_key(key())
    assert store.replace_key("k1", "k2", "e", 8, 20) == key("k2", digest="e", created_at_us=8)
    assert store.access_keys() == [
        key(expires_at_us=20),
        key("k2", digest="e", created_at_us=8),
    ]
    with pytest.raises(UnknownKey, match=r"k1.*expired"):
        store.replace_key("k1", "k3", "f", 20, 30)
    assert len(store.access_keys()) == 2
    # Rotated twice, the first is not taken for longer than was said first.
    store.replace_key("k1", "k4", "g", 9, 90)
    assert store.access_keys()[0] == key(expires_at_us=20)


def test_a_revoked_key_stays_in_the_list_and_is_revoked_once(store):
    store.add_key(key())
    assert store.revoke_key("k1", 7) == key(revoked_at_us=7)
    assert store.access_keys() == [key(revoked_at_us=7)]
    for again in (
        lambda: store.revoke_key("k1", 9),
        lambda: store.replace_key("k1", "k2", "e", 9, 9),
    ):
        with pytest.raises(UnknownKey, match="it was revoked"):
            again()
    with pytest.raises(UnknownKey, match="there is none of this id"):
        store.revoke_key("k9", 9)


def test_the_latest_use_is_kept_whoever_saw_it(store):
    store.add_key(key())
    store.note_uses({"k1": 50, "gone": 60})
    store.note_uses({"k1": 40})
    assert store.access_keys() == [key(last_used_at_us=50)]


def test_every_change_is_logged_with_who_made_it(store):
    store.add_key(key())
    store.replace_key("k1", "k2", "e", 8, 20)
    store.revoke_key("k2", 9)
    store.write_outcomes([outcome("a"), outcome("b")], 30, "k1")
    store.write_outcomes([outcome("a"), outcome("b", conversions=4)], 31)
    assert store.changes(100) == [
        Change(31, "anybody", "outcome corrected", "b", "revision 2"),
        Change(30, "k1", "outcome accepted", "b", "revision 1"),
        Change(30, "k1", "outcome accepted", "a", "revision 1"),
        Change(9, "command line", "key revoked", "k2", "shop: recommend outcomes"),
        Change(8, "command line", "key rotated", "k1", "by k2; shop: recommend outcomes"),
        Change(5, "command line", "key created", "k1", "shop: recommend outcomes"),
    ]
    assert store.changes(1) == store.changes(100)[:1]


def test_what_fails_is_not_logged(store):
    store.add_key(key())
    with pytest.raises(StoreError):
        store.add_key(key())
    assert len(store.changes(100)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE changes SET who = 'another'",
        "UPDATE changes SET subject = 'another'",
        "UPDATE changes SET subject = 'forgotten', who = 'another'",
        "DELETE FROM changes",
        "TRUNCATE changes",
    ],
)
def test_the_database_itself_refuses_to_alter_the_log(store, statement):
    if store.file is not None and statement.startswith("TRUNCATE"):
        pytest.skip("SQLite has no such statement")
    store.write_outcomes([outcome()], 1)
    before = store.changes(9)
    with (
        pytest.raises(sa.exc.DBAPIError, match="never altered"),
        store._engine.connect() as plain,
        plain.execution_options(**{WRITES: True}).begin(),
    ):
        plain.exec_driver_sql(statement)
    assert store.changes(9) == before


def test_changes_about_a_forgotten_creator_stay_without_saying_about_whom(store):
    store.write_outcomes([outcome("a"), outcome("b", creator_id="c2")], 1, "k1")
    store.forget(Forgotten().plus(["c2"]))
    [b, a] = store.changes(9)
    assert a.subject == "a"
    assert b == dataclasses.replace(a, subject=PLACEHOLDER)
