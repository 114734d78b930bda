"""TikTok: user info and video lists of the Research, Display and Business APIs, as JSON.

An account is known by its username. The Research API's user info does not repeat the name that
was asked for, so its file is named after it: `mia.json`. The Display API's videos say whose they
are by their `share_url`.

Shapes: `data.videos[…]` of /v2/research/video/query/, /v2/video/list/ and /business/video/list/
(`item_id`, `caption`, `likes`, …), `data` of /v2/research/user/info/, `data.user` of
/v2/user/info/, `data` of /business/get/.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features.schemas import is_country
from training.sources.events import Reading
from training.sources.json_files import Answer, Item
from training.sources.observed import Gathering, creator_id, post_id

NAME = "tiktok"

_IN_URL = re.compile(r"tiktok\.com/@([\w.]+)")
# Letters, digits, low lines and points, at most 24 (TikTok's help pages on usernames).
_USERNAME = re.compile(r"@?[\w.]{2,24}")
_OF_USERS = frozenset(
    {"follower_count", "followers_count", "bio_description", "display_name", "likes_count"}
)


def read_tiktok(answers: Sequence[Answer], reading: Reading, into: Gathering) -> None:
    """Read answers; arguments as in `youtube.read_youtube`."""
    row = 0
    file = ""
    of_file = Counter(answer.file for answer in answers)
    for answer in answers:
        row = row if answer.file == file else 0
        file = answer.file
        item = Item(into, answer.file, answer.row, answer.value, answer.observed_at)
        # The Business API says `code` where the others say `error.code`.
        if item.raw("error.code") not in (None, "ok", 0) or item.raw("code") not in (None, 0):
            item.refuse("error", "platform_error", "TikTok answered with an error, not with data")
            continue
        data = answer.value.get("data")
        if not isinstance(data, dict):
            item.refuse("data", "wrong_type", "an answer of TikTok has an object `data`")
            continue
        videos = data.get("videos")
        user = data.get("user", data)
        if isinstance(videos, list) and all(isinstance(one, dict) for one in videos):
            for value in videos:
                row += 1
                _video(Item(into, answer.file, row, value, answer.observed_at), reading)
        elif isinstance(user, dict) and user.keys() & _OF_USERS:
            row += 1
            named = Path(answer.file).stem if of_file[answer.file] == 1 else None
            _user(Item(into, answer.file, row, user, answer.observed_at), named)
        else:
            item.refuse("data", "wrong_type", "neither `videos` nor a user as TikTok answers")


def _name_in(url: str | None) -> str | None:
    found = _IN_URL.search(url or "")
    return found[1] if found else None


def _user(item: Item, named: str | None) -> None:
    said = item.text("username") or _name_in(item.text("profile_deep_link"))
    if said is None and named is not None and _USERNAME.fullmatch(named):
        said = named
    if said is None:
        reason = "whose account is it? save the answer as USERNAME.json"
        item.refuse("username", "missing_value", reason)
        return
    user = said.removeprefix("@")
    key = creator_id(NAME, user)
    followers = _count(item, "follower_count", "followers_count")
    item.add_account(
        NAME,
        key,
        {
            "handle": user,
            "follower_count": followers,
            "display_name": item.text("display_name"),
            "bio": item.text("bio_description"),
            "url": f"https://www.tiktok.com/@{user}",
        },
    )


def _video(item: Item, reading: Reading) -> None:
    own, link = item.text("id") or item.text("item_id"), item.text("share_url")
    user = item.text("username") or _name_in(link)
    published = item.time("create_time", reading)
    for path, value in (("id", own), ("username", user), ("create_time", published)):
        if value is None and item.raw(path) is None:
            either = " or `share_url`" if path == "username" else ""
            reason = f"ask for the field `{path}`{either} of videos too"
            item.refuse(path, "missing_value", reason)
    if own is None or user is None or published is None:
        return
    key = creator_id(NAME, user)
    named: dict[str, Any] = {"platform": NAME, "handle": user, "country": _region(item)}
    item.add("creators", {"creator_id": key}, otherwise=named)
    counts = _counts(item)
    if counts["likes"] is None or counts["comments"] is None:
        if not item.at_fault:
            item.gathering.uncounted.add(post_id(NAME, own))
        return
    item.add(
        "posts",
        {
            "post_id": post_id(NAME, own),
            "creator_id": key,
            "published_at": published,
            "text": _text(item),
            **counts,
            "url": link or f"https://www.tiktok.com/@{user}/video/{own}",
        },
    )


def _counts(item: Item) -> Mapping[str, int | None]:
    return {
        "likes": _count(item, "like_count", "likes"),
        "comments": _count(item, "comment_count", "comments"),
        "views": _count(item, "view_count", "video_views"),
        "shares": _count(item, "share_count", "shares"),
        "saves": _count(item, "favorites_count", "favourites_count"),
    }


def _count(item: Item, *paths: str) -> int | None:
    """The count at the first of several paths that has one."""
    return next((n for path in paths if (n := item.count(path)) is not None), None)


def _region(item: Item) -> str | None:
    """Where the account was registered."""
    said = item.text("region_code")
    return said.upper() if said and is_country(said.upper()) else None


def _text(item: Item) -> str:
    """The description, and what hashtags and title it does not hold itself."""
    text = item.text("video_description") or item.text("caption") or ""
    title = item.text("title")
    if title and title not in text:
        text = f"{title}\n{text}" if text else title
    held = text.casefold()
    tags = [f"#{tag}" for tag in item.texts("hashtag_names") if f"#{tag}".casefold() not in held]
    return " ".join([text, *tags]).strip()
