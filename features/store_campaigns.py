"""The campaigns that the service's database knows of: what is said of each in one line of a list.

Knows nothing of connections (`features.store` opens them), nor of what was promised or came of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from features.store_tables import OUTCOMES, RECOMMENDATIONS


@dataclass(frozen=True)
class CampaignLine:
    """A campaign, in short.

    Attributes:
        brand: Of its latest answer or outcome.
        first_asked_at_us, last_asked_at_us: When answers were asked for it by name; None where
            none was.
        last_outcome_at_us: When an outcome of it last came in, or was last corrected.
        answers, outcomes: How many of each name it.
        conversions: Of its outcomes, as they stand.
    """

    campaign_id: str
    brand: str
    first_asked_at_us: int | None
    last_asked_at_us: int | None
    last_outcome_at_us: int | None
    answers: int
    outcomes: int
    conversions: int


def recent_campaigns(connection: sa.Connection, at_most: int) -> list[CampaignLine]:
    """The campaigns that were last asked for or heard of, the latest first.

    Reads what names a campaign and no other answers, which are most; `campaign_id` has an index.
    """
    asked = sa.select(
        RECOMMENDATIONS.c.campaign_id,
        RECOMMENDATIONS.c.brand,
        RECOMMENDATIONS.c.served_at_us.label("at_us"),
        RECOMMENDATIONS.c.served_at_us.label("asked_at_us"),
        sa.null().cast(sa.BigInteger).label("came_at_us"),
        sa.literal(0, sa.BigInteger).label("conversions"),
    ).where(RECOMMENDATIONS.c.campaign_id.is_not(None))
    came = sa.select(
        OUTCOMES.c.campaign_id,
        OUTCOMES.c.brand,
        OUTCOMES.c.received_at_us,
        sa.null().cast(sa.BigInteger),
        OUTCOMES.c.received_at_us,
        OUTCOMES.c.conversions,
    )
    events = sa.union_all(asked, came).cte("events")
    latest = sa.func.max(events.c.at_us)
    query = (
        sa.select(
            events.c.campaign_id,
            sa.func.min(events.c.asked_at_us).label("first_asked_at_us"),
            sa.func.max(events.c.asked_at_us).label("last_asked_at_us"),
            sa.func.max(events.c.came_at_us).label("last_outcome_at_us"),
            sa.func.count(events.c.asked_at_us).label("answers"),
            sa.func.count(events.c.came_at_us).label("outcomes"),
            sa.cast(sa.func.sum(events.c.conversions), sa.BigInteger).label("conversions"),
        )
        .group_by(events.c.campaign_id)
        .order_by(latest.desc(), events.c.campaign_id)
        .limit(at_most)
    )
    lines = connection.execute(query).mappings().all()
    newest = (
        sa.func.row_number()
        .over(partition_by=events.c.campaign_id, order_by=(events.c.at_us.desc(), events.c.brand))
        .label("place")
    )
    shown = events.c.campaign_id.in_([line["campaign_id"] for line in lines])
    placed = sa.select(events.c.campaign_id, events.c.brand, newest).where(shown).subquery()
    named = sa.select(placed.c.campaign_id, placed.c.brand).where(placed.c.place == 1)
    brands = {row.campaign_id: row.brand for row in connection.execute(named)}
    return [CampaignLine(**line, brand=brands[line["campaign_id"]]) for line in lines]
