"""What a filter set a little wider would bring, and what to do where nobody passes them all.

Knows nothing of how filters are applied (`index`) or of how an answer is put (`ranker`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.schemas import Brief
from features.windows import MICROSECONDS_PER_DAY, Floats, Ints
from models.answer import Nearest, Relaxation
from models.bundle import Bundle
from models.columns import UNKNOWN
from models.index import ENGAGEMENT_RATE, Index, Mask, Pool
from models.scoring import Scored, score_places

# The smallest relaxation is one that brings a few creators at least: one alone is no help.
MORE_MIN = 10
MORE_SHARE = 0.2  # of those eligible
SCORED = 100  # newcomers whose cost for each conversion is looked at
MAX_DAYS = 3650

WORDS = {
    "platforms": "Platforms",
    "follower_count": "Followers",
    "engagement_rate": "Engagement rate",
    "price_per_post": "Price",
    "countries": "Countries",
    "languages": "Languages",
    "niches": "Niches",
    "last_posted_in_days": "Last post",
    "accepts_gifting": "Takes gifts",
    "audience": "Audience",
}


@dataclass(frozen=True)
class _Change:
    """One way to widen a filter: what to change, who would come, and how it is said."""

    filter: str
    change: dict[str, Any]
    newcomers: Ints
    words: str


def relaxations(bundle: Bundle, brief: Brief, scored: Scored, pool: Pool) -> tuple[Relaxation, ...]:
    """The smallest useful relaxation of each filter, those that bring most first."""
    changes = list(_changes(bundle, brief, pool)) if pool.checks else []
    if not changes:
        return ()
    looked_at = [change.newcomers[:SCORED] for change in changes]
    come = score_places(bundle, brief, scored.brief, np.unique(np.concatenate(looked_at)))
    now = _cost_per_conversion(scored.costs.cost, scored.conversions)
    out = []
    for change, near in zip(changes, looked_at, strict=True):
        rows = np.searchsorted(come.places, near)
        then = _cost_per_conversion(come.costs.cost[rows], come.conversions[rows])
        times = None if not now or then is None else then / now
        count = len(change.newcomers)
        text = f"{change.words}: {count:,} more {'creator' if count == 1 else 'creators'}"
        if times is not None:
            text += f", {_against(times)}"
        out.append(Relaxation(change.filter, change.change, count, times, text))
    return tuple(sorted(out, key=lambda relaxation: -relaxation.creators))


def _against(times: float) -> str:
    percent = round(abs(times - 1) * 100)
    if percent == 0:
        return "cost per conversion the same"
    if times >= 2:
        return f"cost per conversion {times:.1f} times as high"
    return f"cost per conversion {percent}% {'higher' if times > 1 else 'lower'}"


def _cost_per_conversion(cost: Floats, conversions: Floats) -> float | None:
    known = ~np.isnan(cost) & ~np.isnan(conversions)
    total = conversions[known].sum()
    if not known.any() or total <= 0:
        return None
    return float(cost[known].sum() / total)


def _failed(pool: Pool) -> NDArray[np.bool_]:
    """Whom each filter takes out by itself, ``(n_checks, n)``."""
    return ~np.array([passes for _, passes in pool.checks])


def nearest(pool: Pool) -> Nearest | None:
    """Where the pool is empty: the fewest filters that stand in the way of anyone."""
    if len(pool.eligible) or not pool.checks:
        return None
    failed = _failed(pool)
    count = failed.sum(axis=0)
    closest = np.flatnonzero(count == count.min())
    sets = Counter(tuple(np.flatnonzero(failed[:, place]).tolist()) for place in closest)
    which, creators = max(sets.items(), key=lambda found: (found[1], [-n for n in found[0]]))
    names = tuple(dict.fromkeys(pool.checks[number][0] for number in which))
    told = " and ".join(names)
    return Nearest(
        names,
        creators,
        f"No creator passes every filter. Without {told} there would be {creators:,}.",
    )


def _changes(bundle: Bundle, brief: Brief, pool: Pool) -> Iterator[_Change]:
    index, filters = bundle.index, brief.filters
    numbers = {
        "follower_count": index.profiles.numbers.followers,
        "engagement_rate": index.profiles.numbers.values[:, ENGAGEMENT_RATE],
        "price_per_post": index.price,
    }
    wanted = max(MORE_MIN, int(np.ceil(MORE_SHARE * len(pool.eligible))))
    failed = _failed(pool)
    alone = failed.sum(axis=0) == 1
    audience = 0
    for (name, _), fails in zip(pool.checks, failed, strict=True):
        could = fails & alone
        if name == "audience":
            audience += 1
        if not could.any():
            continue
        if name in numbers:
            yield from _wider(bundle, brief, name, numbers[name], could, wanted)
        elif name in ("platforms", "countries", "languages", "niches"):
            yield from _one_more(index, brief, name, could)
        elif name == "last_posted_in_days":
            yield from _longer_ago(index, brief, could, wanted)
        elif name == "accepts_gifting":
            told = "required" if filters.accepts_gifting else "excluded"
            change = {"filters": {"accepts_gifting": None}}
            yield _Change(name, change, np.flatnonzero(could), f"Gifts not {told}")
        elif name == "audience":
            yield from _less_of_audience(index, brief, audience - 1, could, wanted)


def _wider(
    bundle: Bundle, brief: Brief, name: str, values: Floats, could: Mask, wanted: int
) -> Iterator[_Change]:
    """Another end of a range."""
    bounds = getattr(brief.filters, name)
    for end, bound, sign in (("min", bounds.min, 1.0), ("max", bounds.max, -1.0)):
        if bound is None:
            continue
        beyond = np.flatnonzero(could & (sign * values < sign * bound))
        if len(beyond) == 0:
            continue
        beyond = beyond[np.argsort(-sign * values[beyond], kind="stable")]
        other = _rounded(float(values[beyond[min(wanted, len(beyond)) - 1]]), up=end == "max")
        come = beyond[sign * values[beyond] >= sign * other]
        show = _shown(name, bundle.index.currency)
        words = f"{WORDS[name]} from {show(bound)} to {show(other)}"
        yield _Change(name, {"filters": {name: {end: other}}}, come, words)


def _shown(name: str, currency: str) -> Any:
    if name == "engagement_rate":
        return lambda value: f"{value * 100:.3g}%"
    unit = f" {currency}" if name == "price_per_post" else ""
    return lambda value: f"{value:,.0f}{unit}" if value >= 100 else f"{value:.3g}{unit}"


def _rounded(value: float, *, up: bool) -> float:
    """Two significant digits, away from the filter's side."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (np.floor(np.log10(value)) - 1)
    # A value that already has two digits stays, whatever its last bits are.
    whole = value / step
    digits = np.ceil(whole - 1e-9) if up else np.floor(whole + 1e-9)
    rounded = float(f"{digits * step:.2g}")
    return max(rounded, value) if up else min(rounded, value)


def _one_more(index: Index, brief: Brief, name: str, could: Mask) -> Iterator[_Change]:
    """One more value beside those asked for: the one that most have."""
    places = np.flatnonzero(could)
    if name == "niches":
        places = places[index.leading[places] >= 0]
        values, own = list(index.labels), index.leading[places].astype(np.int64)
    else:
        creators = index.creators
        column = {
            "platforms": creators.platform,
            "countries": creators.country,
            "languages": creators.language,
        }[name]
        places = places[column.code[places] != UNKNOWN]
        values, own = list(column.names), column.code[places].astype(np.int64)
        if name == "languages":
            short = [value.split("-")[0].lower() for value in values]
            values = sorted(set(short))
            own = np.array([values.index(value) for value in short], dtype=np.int64)[own]
    if len(places) == 0:
        return
    counts = np.bincount(own, minlength=len(values))
    best = max(np.flatnonzero(counts == counts.max()), key=lambda place: values[place])
    most = values[best]
    asked = [*getattr(brief.filters, name), most]
    change = {"filters": {name: asked}}
    yield _Change(name, change, places[own == best], f"{WORDS[name]}: {most} too")


def _longer_ago(index: Index, brief: Brief, could: Mask, wanted: int) -> Iterator[_Change]:
    places = np.flatnonzero(could & (index.last_post_us > 0))
    if len(places) == 0:
        return
    age_days = np.ceil((index.as_of_us - index.last_post_us[places]) / MICROSECONDS_PER_DAY)
    order = np.argsort(age_days, kind="stable")
    days = int(_rounded(float(age_days[order[min(wanted, len(order)) - 1]]), up=True))
    if days > MAX_DAYS:
        return
    come = places[order][age_days[order] <= days]
    asked = brief.filters.last_posted_in_days
    words = f"{WORDS['last_posted_in_days']} from {asked} to {days} days ago"
    yield _Change("last_posted_in_days", {"filters": {"last_posted_in_days": days}}, come, words)


def _less_of_audience(
    index: Index, brief: Brief, number: int, could: Mask, wanted: int
) -> Iterator[_Change]:
    need = brief.audience[number]
    told, told_share = index.audience.told(need.dimension, need.code)
    share = np.full(len(index), np.nan)
    share[told[told_share > 0]] = told_share[told_share > 0]
    places = np.flatnonzero(could & ~np.isnan(share))
    if len(places) == 0:
        return
    order = places[np.argsort(-share[places], kind="stable")]
    other = _rounded(float(share[order[min(wanted, len(order)) - 1]]), up=False)
    needs = [one.model_dump() for one in brief.audience]
    needs[number]["min_share"] = other
    words = (
        f"{WORDS['audience']} {need.dimension} {need.code} from {need.min_share:.0%} to {other:.2g}"
    )
    yield _Change("audience", {"audience": needs}, order[share[order] >= other], words)
