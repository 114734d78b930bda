"""An index as the tables that it was built from, to hold answers against."""

from __future__ import annotations

import numpy as np
import pandas as pd

from models.index import Index


def creators_of(index: Index) -> pd.DataFrame:
    """Creators by their places; gifting is True, False or None."""
    creators, everyone = index.creators, np.arange(len(index))
    coded = {
        name: getattr(creators, name).texts(everyone)
        for name in ("platform", "country", "language", "currency")
    }
    gifting = np.array([False, True, None], dtype=object)[creators.gifting]
    return creators.text.to_pandas().assign(
        **coded,
        price_per_post=creators.price_per_post,
        accepts_gifting=gifting,
        follower_count=index.profiles.numbers.followers,
    )


def audience_of(index: Index) -> pd.DataFrame:
    told = index.audience
    keys = [told.keys[key] for key in told.key]
    return pd.DataFrame(keys, columns=["dimension", "code"]).assign(
        creator_id=index.ids[told.rows.row], share=told.share
    )


def collaborations_of(index: Index) -> pd.DataFrame:
    told = index.collaborations
    return told.text.to_pandas().assign(
        creator_id=index.ids[told.rows.row],
        **{
            name: getattr(told, name)
            for name in ("started_us", "resolved", "impressions", "clicks", "conversions")
        },
    )
