"""The monitor: silent while the world stands still, and names what moved when it does not."""

import dataclasses
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import permutation_test

from features.catalogue import BY_NAME, FEATURE_NAMES
from features.schemas import PLATFORMS, DataError
from models import index as indexes
from models.conversion import Labels
from models.conversion_fit import FitParams, fit
from tests.conftest import ENCODER, Silent, frames_of, known_of, tables_of
from training import drift
from training.bootstrap import Figure
from training.dataset import Rows, labelled_rows, split_by_time
from training.drift import MUCH, Sample, shifts
from training.evaluate import Candidate
from training.learning import order_by_rules
from training.monitor import conclude, run
from training.monitor_drift import (
    MOVES_WITH_TIME,
    Watched,
    compare,
    compared,
    moves_by_nature,
)
from training.monitor_outcomes import (
    MIN_CAMPAIGNS,
    MIN_CONVERSIONS,
    NewOutcomes,
    judge,
    kept,
    promised,
    unseen,
)
from training.monitor_page import VERDICTS, as_dict, as_html, write
from training.report import SIMULATED
from training.simulate import simulate, write_world

PARAMS = FitParams(threads=1, max_rounds=150)
DAY_US = 86_400 * 1_000_000


# ---------------------------------------------------------------- distributions, on plain arrays


def campaigns(rng, count, columns, effect=1.0, first=0):
    """Rows of campaigns that share what the campaign is like, as those of one brief do."""
    size = rng.integers(5, 15, count)
    unit = np.repeat(np.arange(count), size)
    values = rng.normal(0, effect, (count, columns))[unit] + rng.normal(size=(len(unit), columns))
    values[rng.random(values.shape) < 0.1] = np.nan
    return Sample(values, unit + first)


NAMES = [f"column {number}" for number in range(8)]


def test_an_unchanged_world_raises_few_false_alarms():
    """Where PSI and its thresholds alone raise one in most looks, ours does in one of thirty."""
    alarms = naive = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        found = shifts(campaigns(rng, 60, 8), campaigns(rng, 15, 8, first=60), NAMES)
        alarms += any(one.moved for one in found)
        naive += any(one.size + one.chance >= MUCH for one in found)
    assert alarms <= 1
    assert naive >= 15


def test_the_same_creators_a_while_later_raise_few_false_alarms():
    alarms = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        then = rng.normal(size=(200, 8))
        now = 0.8 * then + 0.6 * rng.normal(size=then.shape)
        units = np.arange(200)
        # Ten have left, and ten others have come.
        found = shifts(Sample(then[:190], units[:190]), Sample(now[10:], units[10:]), NAMES)
        alarms += any(one.credible for one in found)
    assert alarms <= 1


def test_a_shifted_column_is_found_and_the_others_are_not():
    rng = np.random.default_rng(1)
    then, now = campaigns(rng, 60, 8, 0.3), campaigns(rng, 30, 8, 0.3, first=60)
    now.values[:, 3] += 1.0
    found = shifts(then, now, NAMES)
    assert [one.name for one in found if one.moved] == ["column 3"]
    moved = found[3]
    assert moved.now - moved.then == pytest.approx(1.0, abs=0.3)


def test_the_p_value_is_that_of_scipy():
    rng = np.random.default_rng(5)
    then, now = rng.normal(size=(40, 1)), rng.normal(0.35, 1, (30, 1))
    breaks = drift._breaks(then[:, 0])

    def psi(first, second):
        counts = [
            np.bincount(np.searchsorted(breaks, part), minlength=10) for part in (first, second)
        ]
        shares = [(one + 0.5) / (one.sum() + 5) for one in counts]
        return ((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum()

    told = permutation_test(
        (then[:, 0], now[:, 0]), psi, alternative="greater", n_resamples=4999, rng=1
    )
    one = shifts(Sample(then, np.arange(40)), Sample(now, np.arange(40, 70)), ["x"])[0]
    assert one.size + one.chance == pytest.approx(told.statistic)
    assert one.chance == pytest.approx(np.mean(told.null_distribution), rel=0.05)
    assert one.q == pytest.approx(told.pvalue, abs=0.02)


def test_rows_of_one_campaign_are_not_so_many_witnesses():
    """One odd campaign of very many rows may be chance; as many rows apart it would be news."""
    rng = np.random.default_rng(2)
    then, now = campaigns(rng, 30, 1, 0.2), campaigns(rng, 12, 1, 0.2, first=30)
    odd = Sample(
        np.vstack([now.values, rng.normal(3, 0.2, (80, 1))]), np.append(now.unit, [99] * 80)
    )
    assert not shifts(then, odd, ["x"])[0].credible
    alone = [Sample(one.values, np.arange(len(one)) + add) for one, add in ((then, 0), (odd, 5000))]
    assert shifts(*alone, ["x"])[0].moved


def test_a_category_that_disappears_is_named():
    rng = np.random.default_rng(3)
    code = {name: float(place) for place, name in enumerate(PLATFORMS)}
    then = rng.choice([code["instagram"], code["youtube"], code["tiktok"]], 300)[:, np.newaxis]
    now = np.where(then == code["tiktok"], code["instagram"], then)
    units = np.arange(300)
    one = shifts(Sample(then, units), Sample(now, units), ["platform"], ["platform"])[0]
    assert one.moved
    assert np.isnan(one.then)
    assert one.code in (code["tiktok"], code["instagram"])
    gone = compared(
        "creators", "creators", Sample(then, units), Sample(now, units), ["platform"], 0
    )
    found = concluded((gone,))
    assert found.status == "drifted"
    assert "platform moved" in found.alarms[0] and "TikTok from" in found.alarms[0]
    assert "to 0%" in found.alarms[0]
    assert "Look at the data first" in found.advice[0]


def test_missing_values_that_appear_are_told():
    rng = np.random.default_rng(4)
    then = rng.normal(0.03, 0.01, (200, 1))
    now = then.copy()
    now[:90] = np.nan
    units = np.arange(200)
    one = compared(
        "creators",
        "creators",
        Sample(then, units),
        Sample(now, units),
        ["engagement_rate"],
        1 << 60,
    )
    assert one.shifts[0].moved
    found = concluded((one,))
    assert "missing in 0% then, 45% now" in found.alarms[0]
    assert "engagement_rate are gone or new" in found.advice[0]


def test_a_column_that_is_always_missing_or_constant_moves_nowhere():
    units = np.arange(60)
    values = np.column_stack([np.full(60, np.nan), np.full(60, 2.0)])
    for one in shifts(Sample(values, units), Sample(values, units), ["a", "b"]):
        assert (one.size, one.q) == (0.0, 1.0)
    later = np.column_stack([np.full(60, 1.0), np.full(60, 2.1)])
    for one in shifts(Sample(values, units), Sample(later, units), ["a", "b"]):
        assert one.moved


def test_the_order_of_rows_changes_nothing():
    rng = np.random.default_rng(6)
    then, now = campaigns(rng, 30, 8), campaigns(rng, 20, 8, first=30)
    mixed = [
        Sample(one.values[order], one.unit[order])
        for one in (then, now)
        for order in [rng.permutation(len(one))]
    ]
    assert shifts(then, now, NAMES) == shifts(*mixed, NAMES)


def test_too_few_rows_are_not_compared():
    rng = np.random.default_rng(7)
    one = compared(
        "asks", "campaigns", campaigns(rng, 30, 1), campaigns(rng, 4, 1, first=30), ["tier"], 0
    )
    assert one.shifts == () and "too few to compare: 30 campaigns" in one.silent


def test_what_moves_by_nature_is_known_by_name_or_by_its_window():
    assert set(MOVES_WITH_TIME) <= set(FEATURE_NAMES)
    short = moves_by_nature(FEATURE_NAMES, 100 * DAY_US)
    assert "365 days" in short["sponsored_share_365d"]
    assert "engagement_rate" in short and "sponsored_share_30d" not in short
    assert set(moves_by_nature(FEATURE_NAMES, 400 * DAY_US)) == set(MOVES_WITH_TIME)
    season = moves_by_nature(FEATURE_NAMES, 400 * DAY_US, one_day=True)
    assert {"days_since_post", "collaborations_90d", "sponsored_share_30d"} <= set(season)
    assert not {"engagement_rate", "sponsored_share_365d", "platform"} & set(season)
    # Time and outcomes so far are never an alarm; a share or a similarity always may be.
    assert not {BY_NAME[name].unit for name in MOVES_WITH_TIME} & {"fraction", "cosine"}


# ---------------------------------------------------------------- promises, on plain arrays


def promises(seed, count=30, factor=1.0, slope=1.0):
    """New rows of campaigns whose outcomes scatter, and what a version promised of them."""
    rng = np.random.default_rng(seed)
    campaign = np.repeat(np.arange(count), 10)
    n = len(campaign)
    log_rate = rng.normal(-7, 0.8, n)
    impressions = rng.integers(5_000, 50_000, n)
    scatter = rng.gamma(10, 1 / 10, count)[campaign] * rng.gamma(4, 1 / 4, n)
    true = factor * np.exp(-7 + slope * (log_rate + 7)) * scatter
    labels = Labels(impressions, np.full(n, np.nan), rng.poisson(true * impressions))
    place = np.arange(n, dtype=np.int64)
    rows = Rows(place, campaign, np.zeros((n, 1)), labels, place, place)
    return rows, Candidate("version 1", log_rate, np.exp(log_rate), np.full(n, 3.0))


def judged(rows, candidate, ndcg10_then=0.6):
    """Judged as if each campaign were of another brand."""
    return judge(rows, rows.campaign, candidate, ndcg10_then)


def concluded(comparisons=(), outcomes=None, **facts):
    nothing = Rows(*[np.zeros(0, dtype=np.int64)] * 2, np.zeros((0, 1)), NO_LABELS, *[NONE] * 2)
    index = dataclasses.make_dataclass("Index", [("currency", str)])("USD")
    watched = Watched("version 1", None, index, None, None)
    found = outcomes or judge(nothing, NONE, None, float("nan"))
    return conclude(comparisons, found, watched, False, facts)


NONE = np.zeros(0, dtype=np.int64)
NO_LABELS = Labels(NONE, np.zeros(0), NONE)


def test_a_right_version_raises_few_false_alarms():
    """At the least number of campaigns that is judged at all."""
    alarms = 0
    for seed in range(40):
        rows, candidate = promises(seed, MIN_CAMPAIGNS)
        assert rows.labels.conversions.sum() >= MIN_CONVERSIONS
        ratio, saved = kept(rows, rows.campaign, candidate)
        found = NewOutcomes(0, 0, 0, 0.6, observed_to_expected=ratio, recalibration_saves=saved)
        alarms += found.off or found.bent
    assert alarms <= 2


def test_conversions_that_halved_are_told_by_how_much():
    found = judged(*promises(1, factor=0.5), 0.6)
    ratio = found.observed_to_expected
    assert found.off
    assert ratio.low < 0.5 < ratio.high < 1
    told = concluded((), found)
    assert (told.status, told.exit_status) == ("miscalibrated", 1)
    assert f"{ratio.value:.2f} (99% interval" in told.alarms[0]
    assert "Train again" in told.advice[0]


def test_promises_that_are_bent_are_found_although_their_sum_is_right():
    rows, right = promises(2, 40, slope=0.3)
    level = rows.labels.conversions.sum() / (right.rate * rows.labels.impressions).sum()
    told = replace(right, rate=right.rate * level)
    found = judged(rows, told, 0.6)
    assert found.observed_to_expected.value == pytest.approx(1.0)
    assert found.bent and not found.off
    assert concluded((), found).status == "miscalibrated"


def test_a_right_version_gains_nothing_from_another_line():
    found = judged(*promises(3, 40), 0.6)
    assert found.recalibration_saves.value < 0.02
    assert found.coverage.value == pytest.approx(0.8, abs=0.07)
    told = concluded((), found)
    assert told.status == "steady" and "0.60 then" in told.notes[-1]


@pytest.mark.parametrize(("count", "factor"), [(MIN_CAMPAIGNS - 1, 0.5), (MIN_CAMPAIGNS, 0.001)])
def test_too_few_outcomes_are_counted_and_say_nothing_more(count, factor):
    rows, candidate = promises(4, count, factor)
    found = judged(rows, candidate)
    assert not found.off and not found.bent and np.isnan(found.observed_to_expected.value)
    assert f"{len(rows)} of {count} campaigns" in found.silent
    assert f"{MIN_CONVERSIONS} conversions are needed" in found.silent
    told = concluded((), found)
    assert (told.status, told.exit_status) == ("too few", 0)


def test_brands_are_drawn_where_there_are_enough_else_campaigns():
    """What a few brands have in common is no witness against a version for all brands."""
    rows, candidate = promises(7, 30)
    of_many, of_few = rows.campaign // 3, rows.campaign // 6
    wide = judge(rows, of_many, candidate, 0.6)
    assert (wide.drawn, judge(rows, of_few, candidate, 0.6).drawn) == ("brands", "campaigns")
    luck = np.random.default_rng(0).gamma(1.5, 1 / 1.5, 10)[of_many]
    spread = Labels(
        rows.labels.impressions,
        rows.labels.clicks,
        np.rint(rows.labels.conversions * luck).astype(np.int64),
    )
    lucky = replace(rows, labels=spread)
    by_brand, _ = kept(lucky, of_many, candidate)
    by_campaign, _ = kept(lucky, lucky.campaign, candidate)
    assert by_brand.value == pytest.approx(by_campaign.value)
    assert by_brand.high - by_brand.low > 1.2 * (by_campaign.high - by_campaign.low)


def test_the_order_of_outcomes_changes_nothing():
    rows, candidate = promises(5)
    order = np.random.default_rng(0).permutation(len(rows))
    mixed = Candidate(
        candidate.name, candidate.score[order], candidate.rate[order], candidate.shape[order]
    )
    first, second = judged(rows, candidate), judged(rows.take(order), mixed)
    assert first == second


# ---------------------------------------------------------------- the page


@pytest.fixture(scope="module")
def hostile():
    """Everything at once, with names that would like to be markup."""
    rng = np.random.default_rng(8)
    evil = '<script>alert("x")</script>'
    then, now = campaigns(rng, 30, 2), campaigns(rng, 20, 2, first=30)
    now.values[:, 0] += 3
    one = compared(evil, evil, then, now, [evil, "tier & more"], 0)
    silent = compared("asks", "campaigns", then, campaigns(rng, 2, 2), ["a", "b"], 0)
    found = concluded((one, silent), judged(*promises(6), float("nan")), **{evil: evil})
    return dataclasses.replace(found, simulated=True)


def test_the_page_escapes_and_stands_alone(hostile):
    page = as_html(hostile)
    assert "<script" not in page and "&lt;script&gt;" in page
    assert "tier &amp; more" in page
    assert SIMULATED in page and VERDICTS["drifted"] in page
    for outside in (' src="', "@import", 'href="http', "<link"):
        assert outside not in page
    assert SIMULATED not in as_html(dataclasses.replace(hostile, simulated=False))


def test_the_json_says_the_same(hostile, tmp_path):
    paths = write(hostile, tmp_path / "new", "look")
    assert [path.name for path in paths] == ["look.html", "look.json"]
    told = json.loads(paths[1].read_text())
    assert (told["status"], told["exit_status"], told["simulated"]) == ("drifted", 1, True)
    assert told["outcomes"]["ndcg10_then"] is None
    shift = told["comparisons"][0]["shifts"][0]
    assert shift["alarm"] and shift["size"] == hostile.comparisons[0].shifts[0].size
    figure = Figure(**told["outcomes"]["observed_to_expected"])
    assert figure == hostile.outcomes.observed_to_expected
    assert set(told) == {*as_dict(hostile)}


# ---------------------------------------------------------------- on SIMULATED worlds


def until(frames, moment):
    """Tables as they were at a moment."""
    out = dict(frames)
    for name, column in (
        ("posts", "published_at"),
        ("sponsorships", "started_at"),
        ("followers", "observed_at"),
    ):
        when = pd.to_datetime(frames[name][column], utc=True, format="ISO8601")
        out[name] = frames[name][when < moment]
    return out


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A SIMULATED world up to its last campaign, and a version fitted 120 days before that.

    After its last campaign such a world goes on without any: that would be no unchanged world.
    """
    frames = frames_of(simulate(200, 34, posts_per_creator=14, months=20))
    last = pd.to_datetime(frames["sponsorships"]["started_at"], utc=True, format="ISO8601").max()
    early = until(frames, last - pd.Timedelta(days=120))
    known = known_of(tables_of(early, tmp_path_factory.mktemp("then")))
    rows = labelled_rows(known)
    split = split_by_time(rows)
    first, later = (rows.take(part) for part in (split.fit, split.later))
    model, _ = fit(first.matrix, first.labels, later.matrix, later.labels, PARAMS)
    latest = known.snapshots[-1]
    index = indexes.build(known)
    watched = Watched("version 1", model, index, latest.model, latest.projection)
    return until(frames, last), watched


def look(frames, watched, folder):
    known = known_of(tables_of(frames, folder))
    rows = labelled_rows(known)
    new = unseen(watched, known, rows)
    brand = known.facts.outcomes.brand[new.outcome]
    outcomes = judge(new, brand, promised(watched, new), watched.ndcg10)
    found = compare(watched, known, indexes.build(known), rows)
    return conclude(found, outcomes, watched, True, {}), known, new


def test_a_world_that_goes_on_is_steady(grown, tmp_path):
    frames, watched = grown
    found, known, new = look(frames, watched, tmp_path)
    assert (found.status, found.exit_status, found.alarms) == ("steady", 0, ())
    # Time passed, and is told without alarm.
    assert any("no alarm: days_active" in note for note in found.notes)
    # What is judged on was open when the version was made, or began later.
    assert len(new) == found.outcomes.rows > 100
    assert (new.resolved_us >= watched.index.as_of_us).all()
    assert known.facts.as_of_us > watched.index.as_of_us


def test_a_world_whose_likes_and_conversions_fall_is_noticed(grown, tmp_path):
    frames, watched = grown
    changed = dict(frames)
    moment = pd.Timestamp(watched.index.as_of_us, unit="us", tz="UTC")
    posts, deals = frames["posts"].copy(), frames["sponsorships"].copy()
    later = pd.to_datetime(posts["published_at"], utc=True, format="ISO8601") >= moment
    for column in ("likes", "comments"):
        posts.loc[later, column] = posts.loc[later, column] // 5
    since = pd.to_datetime(deals["resolved_at"], utc=True, format="ISO8601") >= moment
    # Outcomes of a simulated world scatter so much that a half could not be told from chance.
    deals.loc[since, "conversions"] = np.random.default_rng(0).binomial(
        deals.loc[since, "conversions"], 1 / 3
    )
    changed |= {"posts": posts, "sponsorships": deals}
    found, *_ = look(changed, watched, tmp_path)
    assert (found.status, found.exit_status) == ("miscalibrated", 1)
    ratio = found.outcomes.observed_to_expected
    assert ratio.low < 1 / 3 < ratio.high < 1
    moved = {one.name for one in found.comparisons[0].alarming}
    assert "engagement_rate" in moved
    assert all(BY_NAME[name].family in ("engagement", "sponsorship", "audience") for name in moved)
    assert any("engagement_rate moved" in alarm for alarm in found.alarms)


def test_a_version_of_rules_promises_nothing(small_world, small_known, tmp_path):
    latest, index = small_known.snapshots[-1], indexes.build(small_known)
    rules = order_by_rules(small_known, index.profiles, ENCODER)
    watched = Watched("version 1", rules, index, latest.model, latest.projection)
    found, *_ = look(frames_of(small_world), watched, tmp_path / "same")
    assert (found.status, found.uses) == ("too few", {})
    rows = promises(9)[0]
    assert promised(watched, rows) is None
    assert "promises no rate" in judge(rows, rows.campaign, None, float("nan")).silent
    # Before the first collaboration there is nobody's brief to look at either.
    nobody = frames_of(small_world)
    nobody["sponsorships"] = nobody["sponsorships"].iloc[:0]
    found, *_ = look(nobody, watched, tmp_path / "nobody")
    assert all("too few" in one.silent for one in found.comparisons[1:])
    assert "0 of 0 campaigns" in found.outcomes.silent


def test_a_trained_home_is_watched_from_its_registry(trained_home, tmp_path):
    settings, said = trained_home.settings, Silent()
    same = run(settings, str(trained_home.source), said)
    assert (same.status, same.exit_status, same.simulated) == ("too few", 0, True)
    assert "0 of 0 campaigns" in same.outcomes.silent
    # The same creators then and now, and no new ask.
    assert all(one.size == 0 for one in same.comparisons[0].shifts)
    assert "too few to compare" in same.comparisons[1].silent
    assert said.said[-1] == "Look again when more outcomes are in."
    earlier = tmp_path / "earlier"
    write_world(simulate(60, 3, posts_per_creator=14, months=6), earlier)
    with pytest.raises(DataError, match=r"ends on .*, before"):
        run(settings, str(earlier), said)
