"""Places given by chance: the chance is what it is said to be."""

import numpy as np
import pytest

from models.explore import choose_shown

N = 60
SCORE = -np.linspace(7, 10, N)
SPREAD = np.where(np.arange(N) % 2, 8.0, 1.5)
ORDER = np.arange(N)


def shown(seed, share=0.2, limit=20, order=ORDER):
    return choose_shown(order, SCORE, SPREAD, limit, share, np.random.default_rng(seed))


def test_off_by_default_nothing_is_by_chance():
    found = shown(0, share=0.0)
    assert found.rows.tolist() == list(range(20))
    assert (found.propensity == 1).all() and not found.explored.any()


def test_the_stated_share_is_explored_at_the_end_and_nobody_twice():
    for seed in range(50):
        found = shown(seed)
        assert found.rows[:16].tolist() == list(range(16))
        assert found.explored.tolist() == [False] * 16 + [True] * 4
        assert len(set(found.rows)) == 20
        assert ((found.propensity > 0) & (found.propensity <= 1)).all()


def test_propensities_are_how_often_it_happens():
    times: dict[tuple[int, int], int] = {}
    told: dict[tuple[int, int], float] = {}
    draws = 20_000
    for seed in range(draws):
        found = shown(seed)
        for place in range(16, 20):
            key = (place, int(found.rows[place]))
            times[key] = times.get(key, 0) + 1
            told[key] = float(found.propensity[place])
    for key, chance in told.items():
        deviation = np.sqrt(chance * (1 - chance) / draws)
        assert times[key] / draws == pytest.approx(chance, abs=5 * deviation + 1e-3)
    for place in range(16, 20):
        assert sum(chance for key, chance in told.items() if key[0] == place) == pytest.approx(
            1, abs=0.02
        )


def test_little_known_creators_are_drawn_before_well_known_ones_of_the_same_score():
    drawn = np.concatenate([shown(seed).rows[16:] for seed in range(300)])
    assert (drawn % 2 == 1).mean() > 0.7


def test_a_short_list_has_nobody_to_explore():
    found = shown(0, order=ORDER[:12])
    assert found.rows.tolist() == list(range(12))
    assert not found.explored.any()


def test_without_intervals_everyone_near_is_promising():
    found = choose_shown(ORDER, SCORE, np.full(N, np.nan), 10, 0.3, np.random.default_rng(1))
    assert found.explored.sum() == 3
