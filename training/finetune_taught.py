"""What an encoder was taught, and which rows it may therefore not be used on.

An encoder that was fine-tuned on what worked finds a brief and a creator alike because of what
came of them. A model fitted on those very collaborations would take its similarities for far better
than they will be, and figures on them would be lies. So beside such an encoder stands a note of its
cut, and only campaigns that began at the cut or later may be fitted on or judged on with it.

Knows nothing of how encoders are trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from features.schemas import EncoderError
from training.dataset import Rows, split_at

NOTE = "finetuned.json"  # in the folder of the model
CUT = "cut_us"
PARAM = "encoder_taught_until_us"  # among the parameters of a bundle


def rows_begun_since(seen_us: int | None, rows: Rows, encoder: str) -> Rows:
    """Leave out the rows of campaigns that began before an encoder's cut.

    Args:
        seen_us: The cut; with None all rows are left.
        rows: Labelled rows, with features or without.
        encoder: What the encoder is called.

    Raises:
        EncoderError: There are rows, and none is left.
    """
    if seen_us is None or len(rows) == 0:
        return rows
    left = rows.take(split_at(rows, seen_us).test)
    if len(left) == 0:
        raise EncoderError(
            f"{encoder}: was fine-tuned on what came until {moment(seen_us)}, and none of the "
            f"{len(rows):,} resolved sponsorships is of a campaign that began since: with it "
            "nothing can be learned yet, or judged"
        )
    return left


def not_seen(encoder: str, cut_us: int) -> None:
    """Refuse an encoder that knows what came of the campaigns it would be judged on.

    Args:
        encoder: As in ``CREATORFIT_ENCODER``.
        cut_us: When the first of those campaigns began, or earlier.

    Raises:
        EncoderError: It was fine-tuned on outcomes from after the cut.
    """
    seen_us = seen_until_us(encoder)
    if seen_us is not None and seen_us > cut_us:
        raise EncoderError(
            f"{encoder}: was fine-tuned on what came until {moment(seen_us)}, so it cannot be "
            f"judged on campaigns from {moment(cut_us)} on"
        )


def seen_until_us(encoder: str) -> int | None:
    """The cut before which an encoder has seen what worked; None if it was not fine-tuned here.

    Raises:
        EncoderError: There is a note that does not say it.
    """
    note = Path(encoder) / NOTE
    if not note.is_file():
        return None
    try:
        return int(json.loads(note.read_text("utf-8"))[CUT])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(
            f"{note}: does not say what the encoder has seen, so it cannot be used: {error!r}"
        ) from error


def noted(seen_us: int | None) -> dict[str, int]:
    """The cut as a bundle's parameters hold it: nothing where there is none."""
    return {} if seen_us is None else {PARAM: seen_us}


def noted_in(params: Mapping[str, Any]) -> int | None:
    """The cut that a bundle's parameters hold."""
    return None if params.get(PARAM) is None else int(params[PARAM])


def moment(microseconds: int) -> str:
    """A moment as it is told: in UTC, to the second."""
    return f"{datetime.fromtimestamp(microseconds / 1_000_000, UTC):%Y-%m-%d %H:%M:%S}"
