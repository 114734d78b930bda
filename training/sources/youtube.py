"""YouTube Data API v3: answers of channels.list, videos.list, search.list, playlistItems.list.

Title, description and tags become a post's text. Only `videos.list` has counts: a video that a
search or a playlist names alone is left out, and said. `subscriberCount` is what YouTube shows,
rounded to three digits. A video without `likeCount` hides it and is left out, for the contract
knows no post without likes; without `commentCount` its comments are off, and are 0.

Shapes: the resources `channel`, `video`, `searchResult`, `playlistItem` of the API's reference.
Knows nothing of how they were fetched.
"""

from __future__ import annotations

from collections.abc import Sequence

from features.schemas import is_country, is_language
from training.sources.events import Reading
from training.sources.json_files import Answer, Item
from training.sources.observed import Gathering, creator_id, post_id
from training.sources.values import plain

NAME = "youtube"


def read_youtube(answers: Sequence[Answer], reading: Reading, into: Gathering) -> None:
    """Read answers into records of creators, followers and posts.

    Args:
        answers: The answers.
        reading: How values are read.
        into: Where records, faults, and what was left out go.
    """
    row = 0
    file = ""
    for answer in answers:
        row = row if answer.file == file else 0
        file = answer.file
        for value in _items(answer, into):
            row += 1
            item = Item(into, answer.file, row, value, answer.observed_at)
            kind = _kind(item)
            if kind == "channel":
                _channel(item)
            elif kind == "video":
                _video(item, reading)
            elif kind == "searchResult":
                _found(item)
            elif kind == "playlistItem":
                _listed(item)
            else:
                into.left_out[f"of kind {kind}"] += 1


def _items(answer: Answer, into: Gathering) -> list[dict[str, object]]:
    """The resources of an answer, which may also be one resource by itself."""
    item = Item(into, answer.file, answer.row, answer.value, answer.observed_at)
    if "error" in answer.value:
        item.refuse("error", "platform_error", "YouTube answered with an error, not with data")
        return []
    items = answer.value.get("items")
    if items is None:
        # An answer whose list is empty leaves it out.
        if str(answer.value.get("kind", "")).endswith("Response") or "pageInfo" in answer.value:
            return []
        if "id" in answer.value:
            return [dict(answer.value)]
    if not isinstance(items, list) or not all(isinstance(one, dict) for one in items):
        item.refuse("items", "wrong_type", "an answer of the YouTube Data API has a list `items`")
        return []
    return items


def _kind(item: Item) -> str:
    """What a resource is; by its shape, where `fields` left its kind out."""
    said = item.raw("kind")
    if isinstance(said, str) and said.startswith("youtube#"):
        return said.removeprefix("youtube#")
    if isinstance(item.raw("id"), dict):
        return "searchResult"
    if item.raw("snippet.resourceId") or item.raw("contentDetails.videoId"):
        return "playlistItem"
    own = item.raw("id")
    # A channel's id is "UC" and 22 characters, a video's 11 characters.
    return (
        "channel" if isinstance(own, str) and own.startswith("UC") and len(own) == 24 else "video"
    )


def _channel(item: Item) -> None:
    own = item.text("id")
    if own is None:
        item.refuse("id", "missing_value", "a channel has an id")
        return
    key = creator_id(NAME, own)
    title, handle = item.text("snippet.title"), item.text("snippet.customUrl")
    hidden = item.flag("statistics.hiddenSubscriberCount")
    followers = None if hidden else item.count("statistics.subscriberCount")
    item.add_account(
        NAME,
        key,
        {
            "handle": (handle or own).removeprefix("@"),
            "follower_count": followers,
            "display_name": title,
            "bio": item.text("snippet.description"),
            "url": f"https://www.youtube.com/channel/{own}",
            "country": _country(item),
            "language": _language(item),
        },
    )
    if hidden:
        item.gathering.left_out["subscribers hidden by the channel"] += 1


def _country(item: Item) -> str | None:
    said = item.text("snippet.country") or item.text("brandingSettings.channel.country")
    return said.upper() if said and is_country(said.upper()) else None


def _language(item: Item) -> str | None:
    said = item.text("snippet.defaultLanguage")
    said = said or item.text("brandingSettings.channel.defaultLanguage")
    return said if said and is_language(said) else None


def _video(item: Item, reading: Reading) -> None:
    own, channel = item.text("id"), item.text("snippet.channelId")
    published = item.time("snippet.publishedAt", reading)
    if own is None or channel is None or published is None:
        if item.raw("snippet") is None:
            item.gathering.left_out["a video without its snippet"] += 1
            return
        for path in ("id", "snippet.channelId", "snippet.publishedAt"):
            if item.raw(path) is None:
                item.refuse(
                    path, "missing_value", "a video has it; ask for part=snippet,statistics"
                )
        return
    if item.raw("snippet.liveBroadcastContent") == "upcoming":
        item.gathering.left_out["a premiere or live stream still to come"] += 1
        return
    _named(item, channel, item.text("snippet.channelTitle"))
    if item.raw("statistics") is None:
        item.gathering.uncounted.add(post_id(NAME, own))
        return
    likes = item.count("statistics.likeCount")
    if likes is None and not item.at_fault:
        item.gathering.left_out["likes are hidden"] += 1
        return
    paid = item.flag("paidProductPlacementDetails.hasPaidProductPlacement")
    item.add(
        "posts",
        {
            "post_id": post_id(NAME, own),
            "creator_id": creator_id(NAME, channel),
            "published_at": published,
            "text": _text(item),
            "likes": likes,
            "comments": item.count("statistics.commentCount"),
            "views": item.count("statistics.viewCount"),
            "url": f"https://www.youtube.com/watch?v={own}",
            # That a creator did not tick the box is no proof; then the text is read for it.
            "is_sponsored": True if paid else None,
        },
        otherwise={"comments": 0},
    )


def _text(item: Item) -> str:
    tags = ", ".join(item.texts("snippet.tags"))
    parts = (item.text("snippet.title"), item.text("snippet.description"), tags)
    return "\n".join(part for part in parts if part)


def _named(item: Item, channel: str, title: str | None) -> None:
    """A channel that something else names: it is there, and no more is known of it."""
    item.add(
        "creators",
        {"creator_id": creator_id(NAME, channel)},
        otherwise={
            "platform": NAME,
            "handle": channel,
            "display_name": title,
            "url": f"https://www.youtube.com/channel/{channel}",
        },
    )


def _found(item: Item) -> None:
    """A search result: its snippet's texts are HTML, and cut short."""
    channel = item.text("snippet.channelId") or item.text("id.channelId")
    if channel is not None:
        _named(item, channel, item.text("snippet.channelTitle"))
    video = item.text("id.videoId")
    if video is not None:
        item.gathering.uncounted.add(post_id(NAME, video))
    elif not item.raw("id.channelId"):
        item.gathering.left_out["a playlist found by a search"] += 1


def _listed(item: Item) -> None:
    """An entry of a playlist; one that is private or deleted has no owner."""
    owner = item.text("snippet.videoOwnerChannelId")
    if owner is None:
        item.gathering.left_out["private or deleted, in a playlist"] += 1
        return
    _named(item, owner, item.text("snippet.videoOwnerChannelTitle"))
    video = item.text("contentDetails.videoId") or item.text("snippet.resourceId.videoId")
    if video is not None:
        item.gathering.uncounted.add(post_id(NAME, video))


def channel_of_url(url: str) -> str | None:
    """The id of the channel in an address, or None.

    >>> channel_of_url("https://www.youtube.com/channel/UCabc?x=1")
    'UCabc'
    """
    _, found, rest = plain(url).partition("youtube.com/channel/")
    own = rest.partition("?")[0].partition("/")[0]
    return own if found and own.startswith("UC") else None
