"""Why a creator stands where it does: contributions to the score, in words.

Contributions are added up over related features (`catalogue`'s groups). A sentence states the
value, how it compares, and which way it moved the score; that last part is the contribution's sign
and nothing else, so the two cannot contradict each other. Knows nothing of how scores come about.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.catalogue import BY_NAME, FEATURE_NAMES, FEATURES, Feature
from features.schemas import PLATFORMS, TIERS
from features.windows import Floats

SHOWN = 6
AGAINST = " against similar creators"
BASELINE = "baseline"
OTHER = "other"
# Contributions smaller than this round to nothing beside the others and are added to `other`.
NEGLIGIBLE = 1e-9
GROUPS = tuple(feature.group for feature in FEATURES)

PLATFORM_NAMES = {"youtube": "YouTube", "tiktok": "TikTok"}


@dataclass(frozen=True)
class Reason:
    """One part of a score.

    Attributes:
        feature: Feature the sentence speaks of, or ``other`` or ``baseline``.
        value: Its value; None where missing, or where the part is not one feature's.
        contribution: What the whole group adds to the score.
        text: A sentence for a marketer.
    """

    feature: str
    value: float | None
    contribution: float
    text: str


def explain(
    row: Floats, contributions: Floats, typical: Floats, currency: str, extra: list[Reason]
) -> tuple[Reason, ...]:
    """Put one creator's score into reasons that add up to it.

    Args:
        row: Feature values, ``(n_features,)``.
        contributions: What each adds, and last the base, ``(n_features + 1,)``.
        typical: Median of each feature over creators in general, ``(n_features,)``.
        currency: Of prices.
        extra: Parts of the score that are no feature's.

    Returns:
        The strongest groups, then what the others add, then the baseline.
    """
    totals: dict[str, float] = {}
    leads: dict[str, int] = {}
    amounts = contributions.tolist()  # numbers of numpy are slow one by one
    for place, group in enumerate(GROUPS):
        amount = amounts[place]
        totals[group] = totals.get(group, 0.0) + amount
        lead = leads.get(group)
        if lead is None or abs(amount) > abs(amounts[lead]):
            leads[group] = place
    strongest = sorted(totals, key=lambda group: -abs(totals[group]))
    strongest = [group for group in strongest if abs(totals[group]) > NEGLIGIBLE]
    reasons = [
        _reason(leads[group], row, typical, totals[group], currency) for group in strongest[:SHOWN]
    ]
    reasons = sorted([*reasons, *extra], key=lambda reason: -abs(reason.contribution))
    rest = sum(total for group, total in totals.items() if group not in strongest[:SHOWN])
    if rest:
        reasons.append(Reason(OTHER, None, rest, f"All other signals, added up; {_moves(rest)}"))
    base = float(contributions[-1])
    if base:
        reasons.append(Reason(BASELINE, None, base, "Where every creator starts"))
    return tuple(reasons)


def _reason(place: int, row: Floats, typical: Floats, contribution: float, currency: str) -> Reason:
    feature = BY_NAME[FEATURE_NAMES[place]]
    value = float(row[place])
    if np.isnan(value):
        text = f"{feature.label}: not known; {_moves(contribution)}"
        return Reason(feature.name, None, contribution, text)
    shown = format_value(feature, value, currency)
    if feature.label.endswith(AGAINST):
        # The comparison is in the value itself.
        noun = feature.label.removesuffix(AGAINST)
        text = f"{noun} {shown} that of similar creators; {_moves(contribution)}"
        return Reason(feature.name, value, contribution, text)
    usual = ""
    if feature.unit not in ("code", "flag") and not np.isnan(typical[place]):
        usual = format_value(feature, float(typical[place]), currency)
    if usual == shown:
        text = f"{feature.label}: {shown}, as is typical"
    elif usual:
        lead = feature.high if value > typical[place] else feature.low
        text = f"{lead}: {shown} (typical: {usual})"
    else:
        text = f"{feature.label}: {shown}"
    return Reason(feature.name, value, contribution, f"{text}; {_moves(contribution)}")


def _moves(contribution: float) -> str:
    return "raises the score" if contribution > 0 else "lowers the score"


def format_value(feature: Feature, value: float, currency: str) -> str:
    """A value as a marketer reads it, with its unit."""
    if feature.name == "platform":
        name = PLATFORMS[int(value)]
        return PLATFORM_NAMES.get(name, name.title())
    if feature.name == "tier":
        return TIERS[int(value)][0]
    if feature.name == "price_log":
        return f"{np.expm1(value):,.0f} {currency}"
    if feature.name == "bought_audience_signs":
        return f"{value:.2f}"
    match feature.unit:
        case "fraction":
            return f"{value:.1%}"
        case "rate":
            return f"{value:.3%}"
        case "times":
            return f"{value:.2f} times" if value < 10 else f"{value:,.0f} times"
        case "ratio":
            return f"{value:.2g}" if value < 10 else f"{value:,.0f}"
        case "count":
            return f"{value:.0f}"
        case "days":
            return f"{value:,.0f} days"
        case "per_week":
            return f"{value:.1f} a week"
        case "log":
            return f"{np.expm1(value):,.0f}"
        case "cpm":
            return f"{value:,.2f} {currency}"
        case "flag":
            return "yes" if value else "no"
        case "cosine" | "code":
            return f"{value:.2f}"
