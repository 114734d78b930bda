"""Who a creator is: the fields of every item, the profile, the lookalikes, the evidence.

Knows nothing of predictions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from features.catalogue import CREATOR_FEATURES, PROFILE_FEATURES
from features.schemas import tier_of
from features.vectors import Vectors
from models import index as indexes
from models.answer import (
    AudienceShare,
    Collaboration,
    CreatorProfile,
    EvidencePost,
    Expected,
    Item,
    Month,
    NicheShare,
    Signal,
)
from models.bundle import Bundle
from models.columns import UNKNOWN, text_at
from models.describe_safety import safety_of
from models.index import Index
from models.reasons import format_value

EVIDENCE_SHOWN = 3
RECENT_SHOWN = 10
NICHE_SHARE_MIN = 0.01  # smaller shares are not listed


def identity(index: Index, place: int) -> dict[str, Any]:
    """The fields that say who a creator is and how large."""
    creators = index.creators
    followers = float(index.profiles.numbers.followers[place])
    return {
        "creator_id": index.id_of(place),
        "handle": str(creators.at("handle", place)),
        "platform": str(creators.platform.at(place)),
        "follower_count": None if np.isnan(followers) else int(followers),
        "tier": tier_of(followers),
    }


def followers_of(index: Index, creator_ids: Iterable[str]) -> dict[str, float]:
    """Followers of some creators, by id; NaN where unknown, and without those not in the index."""
    followers = index.profiles.numbers.followers
    known = filter(index.knows, creator_ids)
    return {creator_id: float(followers[index.position(creator_id)]) for creator_id in known}


def niche_mix(index: Index, place: int) -> tuple[NicheShare, ...]:
    """A creator's niches, the largest first; none where nothing was posted."""
    mix = index.profiles.mix[place]
    if np.isnan(mix[0]):
        return ()
    order = np.argsort(-mix, kind="stable")
    return tuple(
        NicheShare(index.labels[niche], float(mix[niche]))
        for number, niche in enumerate(order)
        if number == 0 or mix[niche] >= NICHE_SHARE_MIN
    )


def evidence(index: Index, place: int, vector: Vectors) -> tuple[EvidencePost, ...]:
    """A creator's own posts nearest to a brief."""
    found = indexes.nearest_posts(index, place, vector, EVIDENCE_SHOWN)
    return tuple(_post(index, post, similarity) for post, similarity in found)


def similar(bundle: Bundle, creator_id: str, limit: int) -> tuple[Item, ...]:
    """Creators whose topics are most like one's. Without a brief no rate is claimed.

    Raises:
        UnknownCreator: There is no creator of that id.
    """
    index = bundle.index
    found = indexes.similar_creators(index, index.position(creator_id), limit)
    return tuple(
        Item(
            rank=number + 1,
            **identity(index, place),
            niche=(niche_mix(index, place) or (None,))[0],
            match=float(np.clip(likeness, 0.0, 1.0)),
            score=None,
            conversion_rate=None,
            expected=_only_price(_known(index.price[place])),
            confidence="low",
            explored=False,
            propensity=1.0,
            reasons=(),
            evidence=(),
            **safety_of(index, place),
        )
        for number, (place, likeness) in enumerate(found)
    )


def _only_price(price: float | None) -> Expected:
    return Expected(
        impressions=None,
        clicks=None,
        conversions=None,
        cost=price,
        cost_is_estimate=False,
        cost_basis=None if price is None else "price",
        cost_interval=None,
        cost_per_conversion=None,
    )


def creator_profile(bundle: Bundle, creator_id: str) -> CreatorProfile:
    """All that is shown of one creator.

    Raises:
        UnknownCreator: There is no creator of that id.
    """
    index = bundle.index
    place = index.position(creator_id)
    creators = index.creators
    gifting = int(creators.gifting[place])
    last = int(index.last_post_us[place])

    return CreatorProfile(
        **identity(index, place),
        display_name=creators.at("display_name", place),
        bio=creators.at("bio", place),
        url=creators.at("url", place),
        country=creators.country.at(place),
        language=creators.language.at(place),
        price_per_post=_known(float(creators.price_per_post[place])),
        currency=str(creators.currency.at(place)),
        accepts_gifting=None if gifting == UNKNOWN else bool(gifting),
        last_post_us=last or None,
        niches=niche_mix(index, place),
        signals=_signals(index, place),
        collaborations=_collaborations(index, place),
        recent_posts=_recent(index, place),
        **safety_of(index, place),
        audience=_audience(index, place),
        history=_history(index, place),
    )


def _signals(index: Index, place: int) -> tuple[Signal, ...]:
    profiles = index.profiles
    table = np.column_stack([profiles.numbers.values, profiles.niche_values])
    signals = []
    for column, feature in enumerate(CREATOR_FEATURES + PROFILE_FEATURES):
        value = float(table[place, column])
        known = table[~np.isnan(table[:, column]), column]
        typical = float(np.median(known)) if len(known) and feature.unit != "code" else None
        text = "not known" if np.isnan(value) else format_value(feature, value, index.currency)
        signals.append(Signal(feature.name, feature.label, _known(value), typical, text))
    return tuple(signals)


def _collaborations(index: Index, place: int) -> tuple[Collaboration, ...]:
    told = index.collaborations
    start, stop = told.rows.of(place)
    out = []
    for row, text in enumerate(told.text.slice(start, stop - start).to_pylist(), start):
        resolved = bool(told.resolved[row])
        clicks = float(told.clicks[row])
        out.append(
            Collaboration(
                **text,
                started_us=int(told.started_us[row]),
                impressions=int(told.impressions[row]) if resolved else None,
                clicks=int(clicks) if resolved and clicks >= 0 else None,
                conversions=int(told.conversions[row]) if resolved else None,
            )
        )
    return tuple(out)


def _audience(index: Index, place: int) -> tuple[AudienceShare, ...]:
    """Each dimension's shares, the largest first."""
    told = index.audience
    own = [
        (*told.keys[told.key[entry]], float(told.share[entry]))
        for entry in range(*told.rows.of(place))
    ]
    own.sort(key=lambda entry: (entry[0], -entry[2], entry[1]))
    return tuple(AudienceShare(*entry) for entry in own)


def _history(index: Index, place: int) -> tuple[Month, ...]:
    """The months in which a creator posted, the first one first."""
    kept = index.months
    start, stop = int(kept.rows.indptr[place]), int(kept.rows.indptr[place + 1])
    return tuple(
        Month(
            month=str(np.datetime64(int(kept.month[row]), "M")),
            posts=int(kept.posts[row]),
            sponsored=int(kept.sponsored[row]),
            engagement=_known(float(kept.engagement[row])),
            followers=None if np.isnan(kept.followers[row]) else int(kept.followers[row]),
        )
        for row in range(start, stop)
    )


def _recent(index: Index, place: int) -> tuple[EvidencePost, ...]:
    """The latest posts, newest first."""
    rows = index.evidence.rows
    start, stop = int(rows.indptr[place]), int(rows.indptr[place + 1])
    return tuple(_post(index, post, None) for post in range(stop - 1, start - 1, -1)[:RECENT_SHOWN])


def _post(index: Index, post: int, similarity: float | None) -> EvidencePost:
    posts = index.evidence.text
    return EvidencePost(
        str(text_at(posts["post_id"], post)),
        str(text_at(posts["text"], post)),
        similarity,
        text_at(posts["url"], post),
    )


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
