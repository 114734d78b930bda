"""The people of the simulated world: creators with hidden traits, and what tables show of them.

It is for demos and tests; everything is simulated, and the shares and spreads here are assumed.
`draw_people` makes the truth (traits nobody sees), the other functions what a data set would
hold of it: with noise, with gaps.

Knows nothing of posts, of brands, or of what a collaboration brings about.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from training import grammar
from training.world_mechanism import ABROAD, DAYS_PER_MONTH, Floats, Mechanism, real_followers

# (country, language, share of creators): assumed.
HOMES: tuple[tuple[str, str, float], ...] = (
    ("US", "en", 0.34),
    ("GB", "en", 0.11),
    ("CA", "en", 0.05),
    ("CA", "fr", 0.01),
    ("AU", "en", 0.04),
    ("IN", "en", 0.04),
    ("IE", "en", 0.02),
    ("DE", "de", 0.10),
    ("AT", "de", 0.02),
    ("CH", "de", 0.01),
    ("ES", "es", 0.06),
    ("MX", "es", 0.06),
    ("AR", "es", 0.02),
    ("CO", "es", 0.01),
    ("FR", "fr", 0.05),
    ("BE", "fr", 0.01),
    ("BR", "pt", 0.04),
    ("PT", "pt", 0.01),
)
PLATFORM_SHARES = {
    "instagram": 0.34,
    "youtube": 0.24,
    "tiktok": 0.23,
    "twitch": 0.05,
    "x": 0.04,
    "facebook": 0.03,
    "pinterest": 0.03,
    "blog": 0.03,
    "other": 0.01,
}
# Who would be out of place on a platform goes to another instead.
STREAMED = ("gaming", "music", "tech", "comedy", "sports", "science")
PINNED = ("home_decor", "diy", "fashion", "cooking", "beauty", "gardening", "vegan", "travel")

MEDIAN_FOLLOWERS = 22_000
FOLLOWERS_LOG_SD = 1.6
BOUGHT_SHARE = 0.18  # of creators


def draw_people(rng: np.random.Generator, n: int, days: int, mechanism: Mechanism) -> pd.DataFrame:
    """The truth about `n` creators: one row each, traits on a standard scale where not named so.

    Args:
        rng: Chance.
        n: How many.
        days: Length of the world.
        mechanism: Spread of the unobserved effects.

    Returns:
        creator_id, platform, country, language, niche (the main one), quality, trust, rapport,
        authenticity (share of followers who are people, at the end), growth_per_month (log),
        real_followers_end, bought_followers, bought_day (may be before the start), join_day,
        quit_day, cadence (posts relative to the average), ad_habit (share of posts), disclosure
        (share of advertisements owned up to), price (USD), accepts_gifting,
        audience_home_share, audience_language_*, effect_click, effect_conversion.
    """
    names = np.array(list(grammar.niches()))
    popularity = rng.dirichlet(np.full(len(names), 6.0))
    niche = rng.choice(names, size=n, p=popularity)
    homes = np.array([share for _, _, share in HOMES])
    home = rng.choice(len(HOMES), size=n, p=homes / homes.sum())
    country = np.array([HOMES[i][0] for i in home], dtype=object)
    language = np.array([HOMES[i][1] for i in home], dtype=object)
    shares = np.array(list(PLATFORM_SHARES.values()))
    platform = rng.choice(np.array(list(PLATFORM_SHARES), dtype=object), size=n, p=shares)
    platform[(platform == "twitch") & ~np.isin(niche, STREAMED)] = "youtube"
    platform[(platform == "pinterest") & ~np.isin(niche, PINNED)] = "instagram"

    size = rng.normal(size=n)
    total = np.clip(MEDIAN_FOLLOWERS * np.exp(FOLLOWERS_LOG_SD * size), 900, 9e6)
    buys = rng.random(n) < BOUGHT_SHARE
    authenticity = np.where(buys, 1 - rng.uniform(0.2, 0.65, n), rng.beta(60, 2, n))
    bought = np.where(buys, total * (1 - authenticity), 0.0)
    bought_day = np.where(buys, rng.integers(-days // 3, days, n), 0)
    ad_habit = np.clip(rng.beta(1.1, 11, n), 0, 0.5)
    trust = _trait(rng, -0.25 * size - 0.25 * (ad_habit - 0.09) / 0.08)
    quality = _trait(rng, 0.15 * size)
    people = pd.DataFrame(
        {
            "creator_id": [f"c{i:06d}" for i in range(n)],
            "platform": platform,
            "country": country,
            "language": language,
            "niche": niche,
            "quality": quality,
            "trust": trust,
            "rapport": _trait(rng, -0.3 * size),
            "authenticity": authenticity,
            "growth_per_month": np.clip(rng.normal(0.02, 0.03, n), -0.05, 0.12),
            "real_followers_end": total - bought,
            "bought_followers": bought,
            "bought_day": bought_day,
            "join_day": np.where(rng.random(n) < 0.2, rng.integers(0, days // 2, n), 0),
            "quit_day": np.where(rng.random(n) < 0.06, rng.integers(days // 2, days, n), days),
            "cadence": rng.lognormal(-0.2, 0.632, n),  # mean 1
            "ad_habit": ad_habit,
            "disclosure": rng.beta(3, 1.5, n),
            "price": 12 * (total / 1e3) ** 0.78 * rng.lognormal(0.15 * quality, 0.45),
            "accepts_gifting": rng.random(n) < np.where(total < 5e4, 0.5, 0.12),
            "audience_home_share": np.where(language == "en", rng.beta(5, 4, n), rng.beta(7, 3, n)),
        }
    )
    people = people.assign(**_audience_languages(rng, language))
    spread = mechanism.creator_effect_sd
    people["effect_click"] = rng.normal(0, spread, n)
    people["effect_conversion"] = rng.normal(0, spread, n)
    return people


def _trait(rng: np.random.Generator, mean: Floats) -> Floats:
    """A trait of about unit variance around a mean that depends on others."""
    rest = max(1.0 - float(np.var(mean)), 0.25)
    return np.asarray(mean + rng.normal(0, rest**0.5, len(mean)))


def _audience_languages(rng: np.random.Generator, language: np.ndarray) -> dict[str, Floats]:
    own = np.where(language == "en", rng.beta(18, 2, len(language)), rng.beta(10, 3, len(language)))
    rest = 1 - own
    found = {}
    for code in grammar.POST_LANGUAGES:
        # outside its own language an audience mostly reads English, as far as it is not English
        abroad = np.where(code == "en", 0.7, np.where(language == "en", 0.15, 0.05))
        found[f"audience_language_{code}"] = np.where(language == code, own, rest * abroad)
    return found


def draw_mix(rng: np.random.Generator, people: pd.DataFrame) -> Floats:
    """Each creator's true shares of topics, (n_creators, n_topics): one or two niches dominate.

    Up to three niches (the others mostly neighbours of the main one), each leaning to one of its
    strands, and a little of everything.
    """
    names = list(grammar.niches())
    mix = np.full((len(people), len(names), 2), 0.03 / (2 * len(names)))
    counts = rng.choice([1, 2, 3], size=len(people), p=[0.4, 0.4, 0.2])
    for i, (main, count) in enumerate(zip(people["niche"], counts, strict=True)):
        chosen = [main]
        near = grammar.niches()[main].neighbours
        weights = np.array([near.get(name, 0.0) for name in names])
        weights = 0.7 * weights / weights.sum() + 0.3 / len(names)
        weights[names.index(main)] = 0
        others = rng.choice(len(names), size=2, replace=False, p=weights / weights.sum())
        chosen += [names[j] for j in others[: count - 1]]
        shares = np.sort(rng.dirichlet(np.full(count, 1.2)))[::-1]
        for name, share in zip(chosen, shares, strict=True):
            lean = rng.beta(0.5, 0.5)
            mix[i, names.index(name)] += 0.97 * share * np.array([lean, 1 - lean])
    return np.asarray(mix.reshape(len(people), -1))


def creators_table(rng: np.random.Generator, people: pd.DataFrame, days: int) -> pd.DataFrame:
    """The contract's `creators`, with gaps: what an account shows on the world's last day."""
    n = len(people)
    niches = grammar.niches()
    chance = rng.random((n, grammar.DRAWS_PER_TEXT)).tolist()
    profiles = [
        grammar.profile(niche, int(draws[-1] * 2), language, grammar.Draws(draws))
        for niche, language, draws in zip(people["niche"], people["language"], chance, strict=True)
    ]
    handles, seen = [], set()
    for i, (_, handle, _) in enumerate(profiles):
        handle = handle if handle not in seen else f"{handle}{i}"
        seen.add(handle)
        handles.append(handle)
    label = people["niche"].map({name: niche.label for name, niche in niches.items()})
    # one label in twenty is a neighbour's: people don't agree on niches either
    near = people["niche"].map(
        {k: niches[next(iter(v.neighbours))].label for k, v in niches.items()}
    )
    label = label.mask(rng.random(n) < 0.05, near)
    followers = followers_on(people, days, days).round()
    return pd.DataFrame(
        {
            "creator_id": people["creator_id"],
            "platform": people["platform"],
            "handle": handles,
            "follower_count": followers.mask(rng.random(n) < 0.03),
            "display_name": [name for name, _, _ in profiles],
            "bio": pd.Series([line for _, _, line in profiles]).replace("", None),
            "url": [
                f"https://{p}.example/{h}" for p, h in zip(people["platform"], handles, strict=True)
            ],
            "country": people["country"].mask(rng.random(n) < 0.07),
            "language": people["language"].mask(rng.random(n) < 0.1),
            "price_per_post": people["price"].round(0).mask(rng.random(n) < 0.2),
            "currency": "USD",
            "accepts_gifting": people["accepts_gifting"]
            .astype("boolean")
            .mask(rng.random(n) < 0.1),
            "niche": label.where(rng.random(n) < 0.34),
        }
    )


def followers_on(people: pd.DataFrame, day: int, days: int) -> pd.Series:
    """Followers an account shows on a day: the real ones, and the bought ones from their day on."""
    bought = people["bought_followers"].where(people["bought_day"] <= day, 0.0)
    return pd.Series(real_followers(people, float(day), days) + bought, index=people.index)


def followers_table(
    rng: np.random.Generator, people: pd.DataFrame, start: pd.Timestamp, days: int
) -> pd.DataFrame:
    """The contract's `followers`: monthly, with gaps, and nothing at all for one in eight."""
    n = len(people)
    known = rng.random(n) < 0.88
    parts = []
    for month in range(int(days / DAYS_PER_MONTH) + 1):
        day = min(round(month * DAYS_PER_MONTH), days)
        seen = known & (rng.random(n) < 0.88) & (people["join_day"].to_numpy() <= day)
        count = followers_on(people, day, days) * np.exp(rng.normal(0, 0.004, n))
        part = pd.DataFrame(
            {
                "creator_id": people["creator_id"],
                "observed_at": start + pd.Timedelta(days=day),
                "follower_count": count.round(),
            }
        )
        parts.append(part[seen])
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["creator_id", "observed_at"], ignore_index=True)


_AGES = {"13-17": 0.1, "18-24": 0.33, "25-34": 0.31, "35-44": 0.15, "45-54": 0.07, "55+": 0.04}


def audience_table(rng: np.random.Generator, people: pd.DataFrame, mix: Floats) -> pd.DataFrame:
    """The contract's `audience` for about 60% of creators, measured with some error.

    Countries and languages bear on the outcome in this world; age and gender don't.
    """
    n = len(people)
    known = np.flatnonzero(rng.random(n) < 0.6)
    names = list(grammar.niches())
    niche_mix = mix.reshape(n, -1, 2).sum(axis=2)
    ages = rng.dirichlet(np.array(list(_AGES.values())) * 25, size=n)
    women = rng.beta(4, 3, n)
    error = np.exp(rng.normal(0, 0.08, (n, 3)))
    interest = niche_mix * rng.lognormal(0, 0.35, niche_mix.shape)
    interest /= interest.sum(axis=1, keepdims=True)
    rows: list[tuple[str, str, str, float]] = []
    languages = [f"audience_language_{code}" for code in grammar.POST_LANGUAGES]
    spoken = people[languages].to_numpy(np.float64)
    whose, countries = people["creator_id"].to_list(), people["country"].to_list()
    homes = people["audience_home_share"].to_numpy(np.float64)
    for i in known:
        who, home, at = whose[i], homes[i], countries[i]
        rows.append((who, "country", at, home * error[i, 0]))
        rows += [
            (who, "country", code, (1 - home) * share * error[i, 1])
            for code, share in ABROAD.items()
            if code != at
        ]
        rows += [
            (who, "language", code, spoken[i, j] * error[i, 2])
            for j, code in enumerate(grammar.POST_LANGUAGES)
        ]
        rows += [(who, "age", code, ages[i, j]) for j, code in enumerate(_AGES)]
        rows += [(who, "gender", "female", women[i]), (who, "gender", "male", 1 - women[i])]
        top = np.argsort(-interest[i], kind="stable")[:3]
        rows += [(who, "interest", names[j], interest[i, j]) for j in top]
    table = pd.DataFrame(rows, columns=["creator_id", "dimension", "code", "share"])
    return table.assign(share=table["share"].clip(0, 1).round(4))
