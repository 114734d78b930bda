"""Instagram Graph API: business discovery, user nodes, and lists of media, as JSON.

An account is known by its `username`, for a media list has no other name of it; where an answer
has an id alone, another answer must say whose it is. Likes that the owner hides are left out of
an answer or given as 0 (changelog of 26 May 2021), so 0 likes below comments are unknown; such a
post is left out, for the contract knows none without likes.

Shapes: `business_discovery{…, media{…}}`, `{data: [media…], paging}`, `{id, username, media{…}}`,
and `follower_demographics` of the insights, which become `audience`: each value's share of those
that the breakdown counts. Pages are one answer each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from training.sources.events import Reading
from training.sources.json_files import Answer, Item
from training.sources.observed import Gathering, creator_id, post_id

NAME = "instagram"

# The fields by which one thing is told from another.
_OF_USERS = frozenset({"followers_count", "media_count", "biography", "media"})
_OF_MEDIA = frozenset({"timestamp", "caption", "media_type", "permalink", "like_count"})


def read_instagram(answers: Sequence[Answer], reading: Reading, into: Gathering) -> None:
    """Read answers; arguments as in `youtube.read_youtube`."""
    row = 0
    file = ""
    for answer in answers:
        row = row if answer.file == file else 0
        file = answer.file
        item = Item(into, answer.file, answer.row, answer.value, answer.observed_at)
        if "error" in answer.value:
            item.refuse(
                "error", "platform_error", "Instagram answered with an error, not with data"
            )
            continue
        for value, owner in _things(item):
            row += 1
            one = Item(into, answer.file, row, value, answer.observed_at)
            if one.value.keys() & _OF_MEDIA:
                _media(one, owner, reading)
            elif one.raw("period"):
                into.at_the_end.append(partial(_audience, one))
            else:
                _user(one)


def _things(item: Item) -> Iterator[tuple[Mapping[str, Any], str | None]]:
    """The users, media and insights of an answer, each with its owner's name where it is said."""
    value = item.value
    found = value.get("business_discovery", value)
    if isinstance(found, dict) and found.keys() & _OF_USERS and not found.keys() & {"timestamp"}:
        yield found, None
        media = found.get("media")
        if isinstance(media, dict):
            user = found.get("username")
            for one in _list(item, media, "media.data"):
                yield one, user if isinstance(user, str) else None
    elif isinstance(found, dict) and "data" in found:
        for one in _list(item, found, "data"):
            yield one, None
    elif isinstance(found, dict) and found.keys() & _OF_MEDIA:
        yield found, None
    else:
        reason = "neither business_discovery, nor a user, nor media as the Graph API answers"
        item.refuse("data", "wrong_type", reason)


def _list(item: Item, holder: Mapping[str, Any], path: str) -> list[Mapping[str, Any]]:
    found = holder.get("data", [])
    if isinstance(found, list) and all(isinstance(one, dict) for one in found):
        return found
    item.refuse(path, "wrong_type", "a list of objects is expected here")
    return []


def _user(item: Item) -> None:
    user = item.text("username")
    if user is None:
        reason = "whose account is it? ask for the field `username` too"
        item.refuse("username", "missing_value", reason)
        return
    key = creator_id(NAME, user)
    own = item.text("id")
    if own is not None:
        item.gathering.names[own] = user
    followers = item.count("followers_count")
    item.add_account(
        NAME,
        key,
        {
            "handle": user,
            "follower_count": followers,
            "display_name": item.text("name"),
            "bio": item.text("biography"),
            "url": f"https://www.instagram.com/{user}/",
        },
    )


def _media(item: Item, owner: str | None, reading: Reading) -> None:
    own, user = item.text("id"), item.text("username") or owner
    published = item.time("timestamp", reading)
    for path, value in (("id", own), ("username", user), ("timestamp", published)):
        if value is None and item.raw(path) is None:
            item.refuse(path, "missing_value", f"ask for the field `{path}` of media too")
    if own is None or user is None or published is None:
        return
    if item.raw("media_product_type") in ("STORY", "AD"):
        item.gathering.left_out["stories and advertisements"] += 1
        return
    key = creator_id(NAME, user)
    item.add("creators", {"creator_id": key}, otherwise={"platform": NAME, "handle": user})
    likes, comments = item.count("like_count"), item.count("comments_count")
    if comments is None:
        item.gathering.uncounted.add(post_id(NAME, own))
        return
    if likes is None or (likes == 0 and comments > 0):
        if not item.at_fault:
            item.gathering.left_out["likes are hidden"] += 1
        return
    item.add(
        "posts",
        {
            "post_id": post_id(NAME, own),
            "creator_id": key,
            "published_at": published,
            "text": item.text("caption") or "",
            "likes": likes,
            "comments": comments,
            "views": item.count("view_count"),
            "shares": item.count("shares_count"),
            "saves": item.count("saved_count"),
            "url": item.text("permalink"),
        },
    )


def _audience(item: Item) -> None:
    """Whose followers they are: `id` is the user's, then the name of the insight."""
    user = item.gathering.names.get((item.text("id") or "").partition("/")[0])
    if item.raw("name") != "follower_demographics":
        item.gathering.left_out["insights other than follower_demographics"] += 1
        return
    if user is None:
        reason = "whose followers? import the user's own answer, with id and username, beside it"
        item.refuse("id", "missing_value", reason)
        return
    for breakdown in _dicts(item.raw("total_value.breakdowns")):
        counts: dict[str, int] = {}
        dimension = breakdown.get("dimension_keys")
        for result in _dicts(breakdown.get("results")):
            code, value = result.get("dimension_values"), result.get("value")
            if isinstance(code, list) and len(code) == 1 and isinstance(value, int) and value >= 0:
                counts[str(code[0])] = value
        if dimension not in (["age"], ["gender"], ["country"]) or not sum(counts.values()):
            item.gathering.left_out["breakdowns other than age, gender or country"] += 1
            continue
        for code, value in counts.items():
            key = {"creator_id": creator_id(NAME, user), "dimension": dimension[0], "code": code}
            item.add("audience", key | {"share": value / sum(counts.values())})


def _dicts(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
