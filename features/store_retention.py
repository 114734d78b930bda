"""Which answers the service's database need not keep any longer, and their end.

Knows nothing of connections (`features.store` opens them), nor of how long that is.
"""

from __future__ import annotations

import sqlalchemy as sa

from features.store_tables import OUTCOMES, RECOMMENDATIONS, SERVED

# Any number but that of `features.store_migrate`: held by whoever deletes.
LOCK = 0x6F6C64616E7377


def delete_old_answers(connection: sa.Connection, before_us: int, at_most: int) -> int | None:
    """Delete answers that were served before a moment, with their candidates, the oldest first.

    Those of a campaign stay while an outcome of it came in, or was corrected, since that moment:
    its report compares what came with what they said. They are those asked for it by name, and
    those that its outcomes name. Outcomes stay.

    Returns:
        How many were deleted; None where another deletes just now. In SQLite writers take turns.
    """
    if (
        connection.dialect.name == "postgresql"
        and not connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(LOCK))).scalar_one()
    ):
        return None
    answers = RECOMMENDATIONS.c
    runs = sa.select(OUTCOMES.c.campaign_id).where(OUTCOMES.c.received_at_us >= before_us)
    named = sa.select(OUTCOMES.c.recommendation_id).where(
        OUTCOMES.c.recommendation_id.is_not(None), OUTCOMES.c.campaign_id.in_(runs)
    )
    old = (
        sa.select(answers.recommendation_id)
        .where(
            answers.served_at_us < before_us,
            answers.campaign_id.is_(None) | answers.campaign_id.not_in(runs),
            answers.recommendation_id.not_in(named),
        )
        .order_by(answers.served_at_us)
        .limit(at_most)
    )
    ids = connection.execute(old).scalars().all()
    if ids:
        connection.execute(sa.delete(SERVED).where(SERVED.c.recommendation_id.in_(ids)))
        connection.execute(sa.delete(RECOMMENDATIONS).where(answers.recommendation_id.in_(ids)))
    return len(ids)
