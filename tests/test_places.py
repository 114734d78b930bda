"""The places: never more at once, never more in line, first come first served, no place lost."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.places import Full, Places


def in_a_loop(coroutine):
    return asyncio.run(coroutine)


@given(
    st.integers(1, 3),
    st.integers(0, 3),
    st.lists(st.sampled_from(["enter", "leave", "give up"]), max_size=40),
    st.randoms(use_true_random=False),
)
def test_whatever_comes_and_goes_places_are_kept_count_of(at_once, may_wait, events, rng):
    async def run():
        places = Places(at_once, may_wait)
        inside, line = [], []  # what each was told, in the order they came
        for event in events:
            if event == "enter":
                full = len(inside) == at_once and len(line) == may_wait
                assert places.full == full
                try:
                    turn = places.enter()
                except Full:
                    assert full
                    continue
                assert not full
                (inside if turn is None else line).append(turn)
            elif event == "leave" and inside:
                inside.pop(rng.randrange(len(inside)))
                places.leave()
            elif event == "give up" and line:
                places.give_up(line.pop(rng.randrange(len(line))))
            while line and line[0].done():
                inside.append(line.pop(0))
            assert not any(turn.done() for turn in line)
            assert places.running == len(inside) <= at_once
            assert places.waiting == len(line) <= may_wait
            assert not line or places.running == at_once

    in_a_loop(run())


def test_who_gives_up_a_turn_that_came_meanwhile_gives_the_place_on():
    async def run():
        places = Places(1, 2)
        assert places.enter() is None
        first, second = places.enter(), places.enter()
        places.leave()
        assert first.done() and not second.done()
        places.give_up(first)
        assert second.done()
        places.give_up(second)
        assert (places.running, places.waiting) == (0, 0)

    in_a_loop(run())


def test_without_a_line_who_comes_second_is_turned_away():
    async def run():
        places = Places(1, 0)
        places.enter()
        with pytest.raises(Full):
            places.enter()

    in_a_loop(run())
