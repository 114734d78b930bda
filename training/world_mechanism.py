"""What comes of a collaboration in the simulated world: the truth, written down.

It is for demos and tests. Everything here is simulated; nothing it shows is evidence about real
creators. `ASSUMPTIONS` lists each part of the mechanism and what it rests on: where a study is
named, only the direction of the effect comes from it; every size is assumed.

Knows nothing of captions, of files, or of chance: all functions here are plain formulas.

The rate of conversions for each impression, for a creator, a brief and a day, is

    conversion_rate = click_rate · conversion_per_click
    click_rate = click_ceiling · logistic(click_base + what drives clicks)
                 · authenticity^authenticity_power
    conversion_per_click = conversion_ceiling · logistic(conversion_base + what drives buying)
                           · (share of the audience that can understand and buy)

with logistic functions, so that no driver helps without end; `rates` is the whole of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from training import grammar

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FATIGUE_DAYS = 90
RIVAL_DAYS = 60
REPEAT_DAYS = 180
DAYS_PER_MONTH = 30.4375
DAYS_PER_YEAR = 365.25

# Where a recommendation is taken on trust because the buyer can't check before buying.
CREDIBILITY_VERTICALS = ("wellness", "skincare", "beauty", "fashion", "parenting", "finance")


@dataclass(frozen=True)
class Mechanism:
    """The coefficients, all assumed; `simulate` takes another set to switch an effect off.

    They were set by hand so that pooled outcomes are sparse (conversions for each impression
    between 1e-4 and 1e-3) and so that true match alone ranks well below the truth; the tests
    print and check both.
    """

    click_ceiling: float = 0.08
    click_base: float = -3.8
    click_match: float = 3.4
    click_authority: float = 0.7
    click_rapport: float = 0.35
    click_trust: float = 0.2
    click_size: float = -0.05
    conversion_ceiling: float = 0.25
    conversion_base: float = -2.4
    conversion_match: float = 2.4
    conversion_trust: float = 0.35
    conversion_trust_credibility: float = 0.3
    conversion_rival: float = -0.5
    conversion_repeat: float = -0.25
    fatigue: float = 2.2
    fatigue_half: float = 0.2
    authenticity_power: float = 0.5
    language_floor: float = 0.2
    country_floor: float = 0.45
    creator_effect_sd: float = 0.25
    campaign_effect_sd: float = 0.35
    reach_quality: float = 0.35
    reach_size: float = -0.06
    reach_sponsored: float = 0.8
    visibility_drift_sd: float = 0.3
    platform_drift_sd: float = 0.3
    niche_drift_sd: float = 0.35


STUDIES = {
    "beichert": "Beichert, Bayerl, Goldenberg and Lanz 2024, Revenue Generation Through "
    "Influencer Marketing, Journal of Marketing 88(4), doi:10.1177/00222429231217471",
    "cheng": "Cheng and Zhang 2025, Reputation Burning: Analyzing the Impact of Brand "
    "Sponsorship on Social Influencers, Management Science 71(7), doi:10.1287/mnsc.2023.00193",
    "leung": "Leung, Gu, Li, Zhang and Palmatier 2022, Influencer Marketing Effectiveness, "
    "Journal of Marketing, doi:10.1177/00222429221102889",
}
_ASSUMED = "assumed: to be recovered, not evidence"

# (what, its form, what it rests on)
ASSUMPTIONS: tuple[tuple[str, str, str], ...] = (
    (
        "A creator whose subjects are near to the brief sells more, with diminishing gain",
        "match = mix · similarity · brief, inside both logistic stages",
        (
            f"direction: fit softens the harm of sponsored posts ({STUDIES['cheng']}). Against it: "
            f"{STUDIES['leung']} find that too close a fit can hurt (an inverted U), which this "
            "world leaves out"
        ),
    ),
    (
        "Narrow creators have authority in their niche",
        "click_authority · concentration · match, concentration = sum of squared niche shares",
        "the case for micro-influencers that this project tests; " + _ASSUMED,
    ),
    (
        "A trusted creator sells more",
        "trust is a standard normal trait, inside both stages",
        "the case for micro-influencers that this project tests; " + _ASSUMED,
    ),
    (
        "Too many advertisements use up trust",
        (
            "trust - fatigue · share / (share + fatigue_half), share of advertisements among the "
            "posts of the last 90 days, disclosed or not"
        ),
        f"direction: sponsored videos cost reputation ({STUDIES['cheng']}); form and windows: "
        + _ASSUMED,
    ),
    (
        "A rival of the same vertical in the last 60 days, or the same brand again, sells less",
        "conversion_rival · any rival; conversion_repeat · ln(1 + posts for the brand in 180 days)",
        _ASSUMED,
    ),
    (
        "Creators who talk with their followers sell more",
        "rapport is a standard normal trait that shows in comments for each like",
        f"direction: engagement and reciprocity mediate returns ({STUDIES['beichert']}); size: "
        + _ASSUMED,
    ),
    (
        "Small accounts sell a little more for each impression by themselves",
        (
            "click_size · ln(real followers / 20,000); the rest of the size effect runs through "
            "trust, rapport, authenticity and match"
        ),
        f"direction: {STUDIES['beichert']}; size: " + _ASSUMED,
    ),
    (
        "Engagement for each follower falls with size",
        "views and likes fall as powers of real followers",
        f"direction: {STUDIES['beichert']}; exponents: " + _ASSUMED,
    ),
    (
        "Trust matters more where the buyer cannot check: " + ", ".join(CREDIBILITY_VERTICALS),
        "conversion_trust_credibility is added to the coefficient of trust",
        _ASSUMED,
    ),
    (
        "Bought followers see nothing and buy nothing",
        (
            "reach counts real followers only; clicks fall with authenticity^authenticity_power; "
            "they arrive in one jump, often within the followers' history"
        ),
        _ASSUMED,
    ),
    (
        "Whoever does not understand the language or lives elsewhere seldom buys",
        "(floor + (1 - floor) · share of the audience), for language and for country",
        _ASSUMED,
    ),
    (
        "Sponsored posts are seen and liked less than others",
        "reach_sponsored on impressions; likes of advertisements fall, less so for the trusted",
        f"direction: a gap in response, wider for large accounts ({STUDIES['cheng']}); size: "
        + _ASSUMED,
    ),
    (
        "The world drifts",
        "a yearly slope for each platform's visibility and clicks and for each vertical's sales",
        _ASSUMED,
    ),
    (
        "There is more than can be seen",
        (
            "a normal effect of each creator (half on clicks, half on sales) and of each campaign; "
            "impressions, clicks and conversions vary more than chance alone would have it"
        ),
        _ASSUMED,
    ),
    (
        "Brands choose whom they sponsor, and not by the true rate",
        (
            "a score of followers, visible engagement, category as misread, low price, old "
            "partners, and chance; the highest scores are booked"
        ),
        "the case for micro-influencers that this project tests says so; " + _ASSUMED,
    ),
    (
        "Prices rise less than in proportion to followers",
        "price = 12 · (followers / 1,000)^0.78 · quality · chance, in USD",
        _ASSUMED,
    ),
)


@dataclass(frozen=True)
class BriefTruth:
    """What of a brief matters to the outcome.

    Attributes:
        topics: Shares of `grammar.topics()`, (n_topics,), adding up to 1.
        vertical: Index of the brand's niche.
        brand: The brand's name.
        language: Language of the campaign, or None where any will do.
        country: Market, or None where any will do.
        effect: The campaign's own effect, on a logit scale; 0 is an average campaign.
    """

    topics: Floats
    vertical: int
    brand: str
    language: str | None
    country: str | None
    effect: float = 0.0


@dataclass(frozen=True)
class RecentAds:
    """Each creator's recent advertisements as a brief's audience has seen them, (n_creators,)."""

    share_90d: Floats
    rival_60d: NDArray[np.bool_]
    same_brand_180d: Floats


class AdHistory:
    """Who posted and advertised on which day; grows as campaigns are booked.

    A day counts as recent from the day after it to the end of its window, so nothing that
    happens on the day of a campaign or later changes that campaign's truth.

    Args:
        n_creators: How many creators there are.
        creator: Creator of each post that is no advertisement, (n_posts,).
        day: Its day since the world's start, (n_posts,).
    """

    def __init__(self, n_creators: int, creator: Ints, day: Ints) -> None:
        self._n = n_creators
        self._stride = 1 << 20  # more days than any world has
        self._keys = np.sort(creator * self._stride + day)
        self._ads = np.empty((4, 1024), dtype=np.int64)  # creator, day, vertical, brand
        self._brands: dict[str, int] = {}
        self._used = 0

    def add(self, creator: Ints, day: Ints, vertical: Ints, brand: Sequence[str]) -> None:
        """Adds advertisements: all of length n_ads."""
        end = self._used + len(creator)
        while end > self._ads.shape[1]:
            self._ads = np.concatenate([self._ads, np.empty_like(self._ads)], axis=1)
        codes = [self._brands.setdefault(name, len(self._brands)) for name in brand]
        self._ads[:, self._used : end] = creator, day, vertical, codes
        self._used = end

    def recent(
        self, day: int, vertical: int, brand: str, creators: Ints | None = None
    ) -> RecentAds:
        """What `creators` (None: all of them) had posted and advertised before `day`."""
        asked = np.arange(self._n, dtype=np.int64) if creators is None else creators
        first = asked * self._stride
        organic = np.searchsorted(self._keys, first + day) - np.searchsorted(
            self._keys, first + max(day - FATIGUE_DAYS, 0)
        )
        ads = self._ads[:, : self._used]
        age = day - ads[1]
        ads, age = ads[:, (age >= 1) & (age <= REPEAT_DAYS)], age[(age >= 1) & (age <= REPEAT_DAYS)]
        same = ads[3] == self._brands.get(brand, -1)
        rival = (age <= RIVAL_DAYS) & (ads[2] == vertical) & ~same

        def count(chosen: NDArray[np.bool_]) -> Floats:
            return np.bincount(ads[0, chosen], minlength=self._n)[asked].astype(np.float64)

        advertised = count(age <= FATIGUE_DAYS)
        return RecentAds(
            # three posts more, so that one advertisement alone is no share of 1
            share_90d=advertised / (organic + advertised + 3.0),
            rival_60d=count(rival) > 0,
            same_brand_180d=count(same),
        )


def topic_similarity() -> Floats:
    """How near topics are, (n_topics, n_topics): 1 itself, 0.6 its sibling, else the niches'."""
    names = list(grammar.niches())
    niche = np.eye(len(names))
    for i, one in enumerate(grammar.niches().values()):
        for other, nearness in one.neighbours.items():
            niche[i, names.index(other)] = nearness
    near = np.kron(niche, np.ones((2, 2))).astype(np.float64)
    near[near == 1.0] = 0.6
    np.fill_diagonal(near, 1.0)
    return near


def sigmoid(x: Floats) -> Floats:
    """The logistic function."""
    return np.asarray(1.0 / (1.0 + np.exp(-x)), dtype=np.float64)


def real_followers(people: pd.DataFrame, day: Floats | float, days: int) -> Floats:
    """Followers who are people, on a day of the world, (n,)."""
    months_left = (days - np.asarray(day)) / DAYS_PER_MONTH
    growth = people["growth_per_month"].to_numpy(np.float64)
    return np.asarray(people["real_followers_end"].to_numpy() * np.exp(-growth * months_left))


def expected_views(
    mechanism: Mechanism, people: pd.DataFrame, visibility: Floats, day: Floats | float, days: int
) -> Floats:
    """Expected impressions of an organic post, (n,); `visibility` is the platform's on that day."""
    real = real_followers(people, day, days)
    quality = people["quality"].to_numpy(np.float64)
    spread = mechanism.reach_quality * quality + mechanism.reach_size * np.log(real / 1e4)
    return np.asarray(real * visibility * np.exp(spread))


def drift_of(drift: pd.DataFrame, kind: str, names: pd.Series | list[str]) -> Floats:
    """Yearly slopes of `kind` for each of `names`, (n,)."""
    rows = drift.loc[drift["kind"] == kind]
    table = dict(zip(rows["name"], rows["slope_per_year"], strict=True))
    return np.array([table[name] for name in names], dtype=np.float64)


def fit(mix: Floats, topics: Floats) -> Floats:
    """True match of each creator's topics to a brief's, in [0, 1], (n,)."""
    return np.asarray(mix @ (topic_similarity() @ topics))


def rates(
    mechanism: Mechanism,
    people: pd.DataFrame,
    mix: Floats,
    drift: pd.DataFrame,
    brief: BriefTruth,
    recent: RecentAds,
    day: int,
    days: int,
) -> pd.DataFrame:
    """The truth of a brief for every creator on a day.

    Args:
        mechanism: The coefficients.
        people: The truth about creators, one row each.
        mix: Shares of topics, (n_creators, n_topics).
        drift: Yearly slopes.
        brief: The brief.
        recent: What each creator advertised before.
        day: Day since the world's start.
        days: Length of the world.

    Returns:
        One row a creator: creator_id, match, click_rate and conversion_rate (for each
        impression), conversion_per_click, expected_impressions, ad_share_90d.
    """
    m = mechanism
    years = day / DAYS_PER_YEAR
    match = fit(mix, brief.topics)
    niche_mix = mix.reshape(len(mix), -1, 2).sum(axis=2)
    authority = (niche_mix**2).sum(axis=1) * match
    share = recent.share_90d
    trust = people["trust"].to_numpy() - m.fatigue * share / (share + m.fatigue_half)
    real = real_followers(people, day, days)
    click = m.click_ceiling * sigmoid(
        m.click_base
        + m.click_match * match
        + m.click_authority * authority
        + m.click_rapport * people["rapport"].to_numpy()
        + m.click_trust * trust
        + m.click_size * np.log(real / 2e4)
        + drift_of(drift, "platform_clicks", people["platform"]) * years
        + people["effect_click"].to_numpy()
        + brief.effect / 2
    )
    click = click * people["authenticity"].to_numpy() ** m.authenticity_power
    vertical = list(grammar.niches())[brief.vertical]
    credible = m.conversion_trust_credibility * (vertical in CREDIBILITY_VERTICALS)
    bought = m.conversion_ceiling * sigmoid(
        m.conversion_base
        + m.conversion_match * match
        + (m.conversion_trust + credible) * trust
        + m.conversion_rival * recent.rival_60d
        + m.conversion_repeat * np.log1p(recent.same_brand_180d)
        + drift_of(drift, "vertical_sales", [vertical]) * years
        + people["effect_conversion"].to_numpy()
        + brief.effect / 2
    )
    if brief.language is not None:
        share = people[f"audience_language_{brief.language}"].to_numpy()
        bought = bought * (m.language_floor + (1 - m.language_floor) * share)
    if brief.country is not None:
        share = audience_in(people, brief.country)
        bought = bought * (m.country_floor + (1 - m.country_floor) * share)
    visibility = platform_visibility(people["platform"], drift, np.full(len(people), years))
    views = expected_views(m, people, visibility, float(day), days)
    return pd.DataFrame(
        {
            "creator_id": people["creator_id"].to_numpy(),
            "match": match,
            "click_rate": click,
            "conversion_per_click": bought,
            "conversion_rate": click * bought,
            "expected_impressions": views * m.reach_sponsored,
            "ad_share_90d": recent.share_90d,
        }
    )


# Share of an account's real followers that one post reaches: assumed, in a plausible order.
VISIBILITY = {
    "instagram": 0.30,
    "youtube": 0.16,
    "tiktok": 0.45,
    "twitch": 0.08,
    "x": 0.10,
    "facebook": 0.07,
    "pinterest": 0.12,
    "blog": 0.20,
    "other": 0.15,
}


def platform_visibility(platform: pd.Series, drift: pd.DataFrame, years: Floats) -> Floats:
    """Share of real followers that a post reaches, (n,), `years` after the world's start."""
    base = platform.map(VISIBILITY).to_numpy(np.float64)
    return np.asarray(base * np.exp(drift_of(drift, "platform_visibility", platform) * years))


# Shares of an audience outside the creator's own country: assumed.
ABROAD = {"US": 0.3, "GB": 0.1, "CA": 0.05, "ES": 0.05, "MX": 0.07, "DE": 0.07}


def audience_in(people: pd.DataFrame, country: str) -> Floats:
    """Share of each creator's audience that lives in `country`, (n,)."""
    home = people["audience_home_share"].to_numpy(np.float64)
    at_home = people["country"].to_numpy() == country
    return np.asarray(np.where(at_home, home, (1 - home) * ABROAD.get(country, 0.01)))
