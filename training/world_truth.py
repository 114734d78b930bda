"""A simulated world as an object and as files, and what its truth answers when asked.

It is for demos and tests; nothing in it is evidence about real creators. `true_rates` says what
any brief would have brought with every creator on any day: what no real data set can tell, and
what a ranking can therefore be judged by here.

Knows nothing of how a world is drawn.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd

from features.schemas import TABLES
from training import grammar
from training.world_campaigns import campaign_truth, topics_vector
from training.world_mechanism import ASSUMPTIONS, AdHistory, BriefTruth, Mechanism, rates

TRUTH_README = """# The truth of a simulated world

This world is simulated: creators, texts, numbers, brands and outcomes are made up by the
mechanism in `mechanism.json`. It is for demos and tests. Nothing it shows is evidence about real
creators, and no model may read this folder: it holds what a method is to find back.

| file | holds |
|---|---|
| creators.csv.gz | each creator's hidden traits |
| topics.csv.gz | each creator's true shares of topics |
| posts.csv.gz | each post's true topic, and whether it is an advertisement, owned up to or not |
| brands.csv.gz, campaigns.csv.gz | verticals, topics, markets, unobserved effects |
| sponsorships.csv.gz | the true rates and expected impressions behind each outcome |
| drift.csv.gz | how platforms and verticals change over time |
| world.csv.gz | the arguments the world was made with |
| mechanism.json | the coefficients, and each assumption with what it rests on |

`training.simulate.load_truth` reads it, and `true_rates` works out from it the true conversion
rate and expected impressions of every creator for any brief on any day.
"""


@dataclass(frozen=True)
class World:
    """A simulated data set and its truth.

    Attributes:
        creators, posts, sponsorships, audience, followers: The contract's tables, all its
            columns in its order, in the dtypes of `features.schemas.Tables`.
        truth: What no table shows, by name: creators, topics (creator_id, topic, share), posts,
            brands, campaigns, sponsorships, drift, mechanism (name, value), world (one row).
    """

    creators: pd.DataFrame
    posts: pd.DataFrame
    sponsorships: pd.DataFrame
    audience: pd.DataFrame
    followers: pd.DataFrame
    truth: dict[str, pd.DataFrame]


# ---------------------------------------------------------------- the truth, asked


def true_rates(
    world: World | Mapping[str, pd.DataFrame],
    *,
    campaign_id: str | None = None,
    topics: Mapping[str, float] | None = None,
    brand: str | None = None,
    language: str | None = None,
    country: str | None = None,
    as_of: str | pd.Timestamp | None = None,
    repeats: int = 0,
) -> pd.DataFrame:
    """What a brief would truly bring with every creator of the world on one day.

    Either `campaign_id` names a campaign of the world, with its own unobserved effect, or the
    brief is put together from the other arguments, with an average effect. The past is the
    world's own: what creators advertised before that day, and nothing after it.

    Args:
        world: A world, or its truth alone (`load_truth`).
        campaign_id: A campaign of the world.
        topics: Shares by topic (``beauty/makeup``) or niche (``beauty``); they are scaled to 1.
            The niche with most is the vertical. If None, `brand` must be one of the world's,
            and its topics, language and country are taken (each may be given instead).
        brand: Name of the brand, which tells rivals from repeats.
        language: Language of the campaign; None: everyone understands.
        country: Market; None: anywhere.
        as_of: The day (UTC); None: the campaign's own, or the world's last.
        repeats: Posts that each creator made for the brand the day before, on top of the past:
            what the next one brings after so many.

    Returns:
        One row a creator, in the order of the tables: creator_id, match (of topics, in [0, 1]),
        click_rate and conversion_rate (for each impression), conversion_per_click,
        expected_impressions (of one sponsored post), ad_share_90d, price (USD).

    Raises:
        ValueError: No such campaign, brand, topic or niche, or not enough to make a brief of.
    """
    truth = world.truth if isinstance(world, World) else world
    facts = truth["world"].iloc[0]
    first, days = pd.Timestamp(str(facts["start"]), tz="UTC"), int(facts["days"])
    day = days
    if campaign_id is not None:
        row = truth["campaigns"].loc[truth["campaigns"]["campaign_id"] == campaign_id]
        if row.empty:
            raise ValueError(f"no campaign {campaign_id!r} in this world")
        brief = campaign_truth(row.to_dict("records")[0])
        day = int(row["day"].iloc[0])
    else:
        brief = _brief_truth(truth["brands"], topics, brand, language, country)
    if as_of is not None:
        moment = pd.Timestamp(as_of)
        moment = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
        day = (moment - first).days
    if not 0 <= day <= days:
        raise ValueError(f"as_of {as_of} is outside the world, which runs {days} days from {first}")
    people = truth["creators"]
    mix = truth["topics"]["share"].to_numpy(np.float64).reshape(len(people), -1)
    table = dict(zip(truth["mechanism"]["name"], truth["mechanism"]["value"], strict=True))
    mechanism = Mechanism(**{f.name: float(table[f.name]) for f in fields(Mechanism)})
    history = _ad_history(truth)
    for _ in range(repeats):
        everyone = np.arange(len(people), dtype=np.int64)
        vertical = np.full(len(people), brief.vertical)
        history.add(everyone, np.full(len(people), day - 1), vertical, [brief.brand] * len(people))
    recent = history.recent(day, brief.vertical, brief.brand)
    found = rates(mechanism, people, mix, truth["drift"], brief, recent, day, days)
    return found.assign(price=people["price"].to_numpy())


def _brief_truth(
    brands: pd.DataFrame,
    topics: Mapping[str, float] | None,
    brand: str | None,
    language: str | None,
    country: str | None,
) -> BriefTruth:
    known = brands.loc[brands["brand"] == brand]
    if topics is None:
        if known.empty:
            raise ValueError(f"give topics: {brand!r} is no brand of this world")
        row = known.iloc[0]
        topics = json.loads(str(row["topics"]))
        language = str(row["language"]) if language is None else language
        country = str(row["country"]) if country is None else country
    vector = topics_vector(dict(topics))
    vertical = int(vector.reshape(-1, 2).sum(axis=1).argmax())
    return BriefTruth(vector, vertical, brand or "", language, country)


def _ad_history(truth: Mapping[str, pd.DataFrame]) -> AdHistory:
    posts, people = truth["posts"], truth["creators"]
    place = pd.Series(np.arange(len(people)), index=people["creator_id"].to_numpy())
    creator = posts["creator_id"].map(place).to_numpy(np.int64)
    day, ad = posts["day"].to_numpy(np.int64), posts["is_ad"].to_numpy(bool)
    niches = {name: i for i, name in enumerate(grammar.niches())}
    history = AdHistory(len(people), creator[~ad], day[~ad])
    ads = posts.loc[ad]
    vertical = ads["vertical"].map(niches).to_numpy(np.int64).astype(np.int64)
    history.add(creator[ad], day[ad], vertical, ads["brand"].tolist())
    return history


# ---------------------------------------------------------------- files


def _as_written(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Counts as whole numbers and times in ISO 8601, as a person would expect them in a file."""
    written = frame.copy()
    for column, spec in TABLES[name].items():
        if spec.type == "integer":
            written[column] = written[column].astype("Int64")
        elif spec.type == "time":
            written[column] = written[column].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return written


def _write(frame: pd.DataFrame, path: Path) -> None:
    # a time of 0 in the gzip header, so that the same world gives the same bytes
    frame.to_csv(
        path,
        index=False,
        lineterminator="\n",
        encoding="utf-8",
        compression={"method": "gzip", "compresslevel": 6, "mtime": 0},
    )


def write_world(world: World, folder: str | Path) -> None:
    """Writes the contract's tables into `folder`, and the truth into ``folder/truth``.

    Files that are already there under the same names are written over.

    Raises:
        OSError: The folder cannot be written to.
    """
    folder = Path(folder)
    beside = folder / "truth"
    beside.mkdir(parents=True, exist_ok=True)
    for name in TABLES:
        _write(_as_written(name, getattr(world, name)), folder / f"{name}.csv.gz")
    for name, frame in world.truth.items():
        if name != "mechanism":
            _write(frame, beside / f"{name}.csv.gz")
    told = {
        "notice": "Simulated, for demos and tests; nothing here is evidence about real creators.",
        "world": json.loads(world.truth["world"].to_json(orient="records"))[0],
        "coefficients": dict(
            zip(world.truth["mechanism"]["name"], world.truth["mechanism"]["value"], strict=True)
        ),
        "assumptions": [
            {"assumption": what, "form": form, "rests_on": why} for what, form, why in ASSUMPTIONS
        ],
    }
    (beside / "mechanism.json").write_text(
        json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (beside / "README.md").write_text(TRUTH_README, encoding="utf-8")


def is_simulated(source: str | Path) -> bool:
    """Whether a source of tables is a folder that `write_world` wrote: its truth lies beside it."""
    return (Path(source) / "truth" / "mechanism.json").is_file()


def load_truth(folder: str | Path) -> dict[str, pd.DataFrame]:
    """The truth of a world that `write_world` wrote, as `World.truth` holds it.

    Args:
        folder: The world's folder, or its ``truth`` folder.

    Raises:
        FileNotFoundError: There is no truth in that folder.
    """
    folder = Path(folder)
    beside = folder / "truth" if (folder / "truth").is_dir() else folder
    told = json.loads((beside / "mechanism.json").read_text(encoding="utf-8"))
    truth = {
        path.name.removesuffix(".csv.gz"): pd.read_csv(path, keep_default_na=False, na_values=[""])
        for path in sorted(beside.glob("*.csv.gz"))
    }
    coefficients = told["coefficients"]
    truth["mechanism"] = pd.DataFrame(
        {"name": list(coefficients), "value": list(coefficients.values())}
    )
    return truth


def digest(world: World) -> str:
    """SHA-256 of all that is in a world, tables and truth, whatever it is packed in."""
    sha = hashlib.sha256()
    frames = {name: _as_written(name, getattr(world, name)) for name in TABLES}
    frames |= {f"truth/{name}": frame for name, frame in world.truth.items()}
    for name, frame in frames.items():
        sha.update(name.encode())
        sha.update(frame.to_csv(index=False, lineterminator="\n").encode())
    return sha.hexdigest()
