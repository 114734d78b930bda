"""A large SIMULATED catalogue of creators, made from a trained bundle, to measure speed on.

    python -m benchmarks.crowd BUNDLE OUT --creators 100000

Every creator is a mixture: the facts of one creator of the bundle, drawn at random, with topics
blended from it and two others of its niche and moved aside at random, and with numbers changed.
Nobody in it exists, and what a model says of them is no measure of its quality. The bundle in OUT
answers as any other does. Prints the size of the catalogue on disk and in memory by part.

Not simulated anew: texts of posts, audiences, collaborations and months, which are copies.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.running import resident_mb
from features.catalogue import FEATURE_NAMES
from features.creator import CreatorNumbers
from features.facts import NO_BRAND, Asks, tier_code
from features.pair import BriefProfile
from features.vectors import GRID, EightBits, Vectors, snap
from features.windows import Floats, Ints, Ragged, Rows
from models import bundle as bundles
from models.bundle import Bundle
from models.columns import AudienceShares, Codes, texts
from models.index import Evidence, Index, leading_niche
from models.index_files import CODED, INDEX, IndexWriter, read_index, setting_of
from models.probes import Probes
from models.probing import ask
from models.safety import YearPosts
from models.search import Search, open_search
from models.search_fit import fit_search, money_of
from models.snapshots import profile_brief

PART = 10_000  # creators made at once
SOURCES = 3  # creators that one is blended of
ASIDE = 0.5  # length of the random move, against the blend's own length of 1
BRIEFS = 200  # creators whose main topics stand for briefs when the search is fitted
# Standard deviations of the logarithms by which numbers are changed. Judgement: wide enough that no
# two creators are alike, narrow enough that each stays of its kind.
FOLLOWERS, PRICE, OTHERS = 0.7, 0.3, 0.15
COPIED = (
    "tier",
    "platform",
    "accepts_gifting",
    "followers_log",
    "price_log",
    "niche_concentration",
)
COUNTS = ("collaborations_90d", "sponsor_brands_365d")
PLACE = {name: place for place, name in enumerate(FEATURE_NAMES)}


@dataclasses.dataclass(frozen=True)
class Size:
    """How many creators, and how many posts of each are kept at most."""

    creators: int
    evidence: int
    year: int


@dataclasses.dataclass(frozen=True)
class _Blend:
    """Which creators of the base each new one is made of, and how much: ``(n, SOURCES)``."""

    source: Ints
    weight: Floats


def make(base: Bundle, folder: Path, out: Path, size: Size, seed: int) -> None:
    """Write the bundle with a simulated catalogue.

    Args:
        base: What it is made from.
        folder: Where that lies.
        out: Where the new one shall stand.
        size: How large.
        seed: Of everything drawn.
    """
    alike = _alike(base.index)

    def write(target: Path) -> None:
        with IndexWriter(target) as writer:
            for start in range(0, size.creators, PART):
                stop = min(start + PART, size.creators)
                rng = np.random.default_rng([seed, start])
                writer.add(_part(base.index, alike, start, stop, size, rng))
                print(f"\r{stop:,} of {size.creators:,} simulated creators", end="", flush=True)
        print()

    def probes(target: Path) -> Probes:
        index = read_index(target / INDEX, setting_of(base.index))
        return ask(dataclasses.replace(base, index=index, search=open_search(target)))

    bundles.replace_index(folder, write, _search_of(base, seed), probes, out)


def _search_of(base: Bundle, seed: int) -> Callable[[Path], Search]:
    def search(folder: Path) -> Search:
        index = read_index(folder, setting_of(base.index))
        places = np.random.default_rng(seed).permutation(len(index))[:BRIEFS]
        briefs = [_brief(base, index, int(place)) for place in places]
        return fit_search(index.profiles, base.model, money_of(index, base.prices), briefs, seed)

    return search


def _brief(base: Bundle, index: Index, place: int) -> BriefProfile:
    profiles = index.profiles
    language = profiles.languages[int(np.argmax(np.nan_to_num(profiles.posts_language[place])))]
    vector = profiles.topics[place, 0]
    return profile_brief(base.niche, base.projection, vector, language, NO_BRAND)


def _alike(index: Index) -> list[Ints]:
    """Creators of the same leading niche as each, itself among them."""
    by_niche: dict[int, Ints] = {
        int(niche): np.flatnonzero(index.leading == niche) for niche in np.unique(index.leading)
    }
    return [by_niche[int(niche)] for niche in index.leading]


def _part(
    base: Index, alike: list[Ints], start: int, stop: int, size: Size, rng: np.random.Generator
) -> Index:
    """New creators number `start` to before `stop`."""
    n = stop - start
    first = rng.integers(0, len(base), n)
    others = [alike[place][rng.integers(0, len(alike[place]), SOURCES - 1)] for place in first]
    blend = _Blend(
        np.column_stack([first, np.stack(others)]).astype(np.int64),
        rng.dirichlet(np.full(SOURCES, 4.0), n),
    )
    profiles, numbers = base.profiles, base.profiles.numbers
    mix = _blended_rows(profiles.mix, blend)
    mix /= np.maximum(mix.sum(axis=1, keepdims=True), 1e-12)
    values, followers, price = _numbers(base, first, mix, rng)

    def taken(part: Any) -> Any:
        """A record of arrays with a row for each creator."""
        fields = {f.name: getattr(part, f.name)[first] for f in dataclasses.fields(part)}
        return dataclasses.replace(part, **fields)

    def ragged(part: Any) -> Any:
        """A record of `rows` and of what has an entry for each of their entries."""
        rows, entries = _gathered(part.rows, first)
        fields: dict[str, Any] = {"rows": rows}
        for name in (f.name for f in dataclasses.fields(part) if f.name != "rows"):
            own = getattr(part, name)
            fields[name] = own.take(entries) if isinstance(own, pa.Table) else own[entries]
        return dataclasses.replace(part, **fields)

    audience, entries = _gathered(base.audience.rows, first)
    year, posts = _gathered(base.year.rows, first, size.year)
    return dataclasses.replace(
        base,
        creators=dataclasses.replace(
            base.creators,
            text=_texts(base, first, start),
            **{
                name: Codes(
                    getattr(base.creators, name).code[first], getattr(base.creators, name).names
                )
                for name in CODED
            },
            price_per_post=price,
            gifting=base.creators.gifting[first],
        ),
        profiles=dataclasses.replace(
            profiles,
            asks=Asks(np.arange(n, dtype=np.int64), profiles.asks.as_of_us[first]),
            numbers=CreatorNumbers(
                values[:, : numbers.values.shape[1]],
                taken(numbers.clicks),
                taken(numbers.conversions),
                followers,
            ),
            mix=mix,
            topics=_topics(base, blend, rng),
            topic_share=profiles.topic_share[first],
            best=_moved(_blended_rows(profiles.best[...], blend), rng),
            subject=_subjects(base, blend, rng),
            posts_language=profiles.posts_language[first],
            audience_language=profiles.audience_language[first],
            speaks=profiles.speaks[first],
            niche_values=values[:, numbers.values.shape[1] :],
            ads=ragged(profiles.ads),
            outcomes=ragged(profiles.outcomes),
            moment=profiles.moment[first],
        ),
        last_post_us=base.last_post_us[first],
        price=np.where(np.isnan(base.price[first]), np.nan, price),
        leading=leading_niche(mix),
        audience=AudienceShares.build(
            audience, base.audience.keys, base.audience.key[entries], base.audience.share[entries]
        ),
        collaborations=ragged(base.collaborations),
        evidence=_evidence(base, blend, size, rng),
        year=YearPosts.counted(year, base.year.table.take(posts).combine_chunks()),
        months=ragged(base.months),
    )


def _gathered(rows: Rows, of: Ints, at_most: int | None = None) -> tuple[Rows, Ints]:
    """Entries of some rows, the last of each where there are more than `at_most`."""
    start, stop = rows.indptr[of], rows.indptr[of + 1]
    if at_most is not None:
        start = np.maximum(start, stop - at_most)
    found = Ragged.from_slices(start, stop)
    return Rows(found.indptr), found.index


def _blended_rows(rows: NDArray[np.floating], blend: _Blend) -> Floats:
    """Weighted means of rows; those that are not known count for nothing."""
    total = np.zeros((len(blend.source), rows.shape[1]))
    for place in range(SOURCES):
        own = np.nan_to_num(rows[blend.source[:, place]].astype(np.float64))
        total += own * blend.weight[:, place, np.newaxis]
    silent = np.isnan(rows[blend.source[:, 0], 0])
    total[silent] = np.nan
    return total


def _moved(vectors: Floats, rng: np.random.Generator) -> Vectors:
    """Unit vectors moved aside at random, on the grid; zeros stay."""
    some = vectors.any(axis=-1, keepdims=True)
    length = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    aside = rng.standard_normal(vectors.shape, dtype=np.float32)
    aside *= ASIDE / np.sqrt(vectors.shape[-1])
    return snap(np.where(some, vectors / np.maximum(length, 1e-12) + aside, 0.0))


def _topics(base: Index, blend: _Blend, rng: np.random.Generator) -> Vectors:
    profiles = base.profiles
    out = np.zeros((len(blend.source), *profiles.topics.shape[1:]), dtype=np.float32)
    main = profiles.topics[:, 0]
    for topic in range(out.shape[1]):
        own = profiles.topics[:, topic][blend.source[:, 0]].astype(np.float64)
        total = own * blend.weight[:, :1]
        for place in range(1, SOURCES):
            total += main[blend.source[:, place]] * blend.weight[:, place, np.newaxis]
        total[~own.any(axis=1)] = 0.0
        out[:, topic] = _moved(total, rng)
    return out


def _subjects(base: Index, blend: _Blend, rng: np.random.Generator) -> Vectors:
    """Blended and moved, as long as the first one's: its length says how much is known of it."""
    own = base.profiles.subject[...]
    length = np.sqrt((own[blend.source[:, 0]].astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    mean = _moved(_blended_rows(own, blend), rng).astype(np.float64) * np.minimum(length, 0.999)
    subject: Vectors = (np.trunc(mean * GRID) / GRID).astype(np.float32)
    return subject


def _evidence(base: Index, blend: _Blend, size: Size, rng: np.random.Generator) -> Evidence:
    """The latest posts of the first one, their vectors drawn a little to the second one's topic."""
    rows, entries = _gathered(base.evidence.rows, blend.source[:, 0], size.evidence)
    other = base.profiles.topics[:, 0][blend.source[rows.row, 1]]
    vectors = _moved((base.evidence.vector[entries] + 0.3 * other).astype(np.float64), rng)
    table = base.evidence.text.take(entries).combine_chunks()
    return Evidence(rows, table, EightBits.of(vectors))


def _numbers(
    base: Index, first: Ints, mix: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, Floats]:
    """Features of the creators alone, followers, and prices."""
    profiles = base.profiles
    values = np.column_stack([profiles.numbers.values, profiles.niche_values])[first]
    n = len(first)
    followers = np.rint(profiles.numbers.followers[first] * np.exp(rng.normal(0.0, FOLLOWERS, n)))
    price = np.round(base.creators.price_per_post[first] * np.exp(rng.normal(0.0, PRICE, n)), 2)
    changed = [
        c for name, c in PLACE.items() if name not in COPIED + COUNTS and c < values.shape[1]
    ]
    values[:, changed] *= np.exp(rng.normal(0.0, OTHERS, (n, len(changed))))
    for name in ("engagement_rate", "engagement_rate_views"):
        values[:, PLACE[name]] = np.minimum(values[:, PLACE[name]], 1.0)
    for days in (30, 90, 365):
        column = PLACE[f"sponsored_share_{days}d"]
        values[:, column] = np.minimum(values[:, column], 1.0)
    values[:, PLACE["followers_log"]] = np.log1p(followers)
    values[:, PLACE["tier"]] = tier_code(followers)
    values[:, PLACE["price_log"]] = np.where(
        np.isnan(values[:, PLACE["price_log"]]), np.nan, np.log1p(price)
    )
    values[:, PLACE["niche_concentration"]] = (mix**2).sum(axis=1)
    return values, followers, price


def _texts(base: Index, first: Ints, start: int) -> pa.Table:
    own = base.creators.text.take(first)
    numbers = range(start, start + len(first))
    return texts(
        creator_id=[f"simulated{number:09}" for number in numbers],
        handle=[f"{h}.{n}" for h, n in zip(own["handle"].to_pylist(), numbers, strict=True)],
        **{name: own[name].combine_chunks() for name in ("display_name", "bio", "url")},
    )


def sizes(index: Path) -> dict[str, int]:
    """Bytes of an index's files, by the part of the name before the first dot."""
    found: dict[str, int] = defaultdict(int)
    for path in index.iterdir():
        found[path.name.split(".")[0]] += path.stat().st_size
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def main() -> None:
    """Make the catalogue, and print its size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("bundle", type=Path, help="folder of a trained bundle")
    parser.add_argument("out", type=Path, help="folder of the bundle to be made")
    parser.add_argument("--creators", type=int, default=100_000)
    parser.add_argument("--evidence", type=int, default=5, help="latest posts kept of each")
    parser.add_argument("--year-posts", type=int, default=5, help="posts of the year kept of each")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    size = Size(given.creators, given.evidence, given.year_posts)
    started = time.perf_counter()
    make(bundles.load(given.bundle), given.bundle, given.out, size, given.seed)
    print(f"SIMULATED: {size.creators:,} creators in {time.perf_counter() - started:,.0f} s")
    own, shared = resident_mb(os.getpid())
    started = time.perf_counter()
    loaded = bundles.load(given.out)
    seconds = time.perf_counter() - started
    own_after, shared_after = resident_mb(os.getpid())
    print(f"loaded and checked in {seconds:.1f} s: {len(loaded.index):,} creators")
    print(
        f"memory it added: {own_after - own:,.0f} MB of its own, "
        f"{shared_after - shared:,.0f} MB of files, shared with other processes"
    )
    found = sizes(given.out / "index") | {
        path.name: path.stat().st_size for path in given.out.glob("search.*")
    }
    total = sum(found.values())
    print(f"{'bytes a creator on disk':28}{total / size.creators:12,.0f}{total / 1e9:9.2f} GB")
    for name, amount in sorted(found.items(), key=lambda one: -one[1]):
        if amount / total >= 0.002:
            print(f"  {name:26}{amount / size.creators:12,.0f}")


if __name__ == "__main__":
    main()
