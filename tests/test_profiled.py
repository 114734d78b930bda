"""The shares of a profile, on stacks as py-spy writes them."""

import pytest

from benchmarks.profiled import FRAME, shares


def test_only_the_products_functions_are_named():
    line = "main (asking.py:3);answer (models/ranker.py:64);take (numpy/core/fromnumeric.py:120)"
    found = [FRAME.search(frame) for frame in line.split(";")]
    assert [m and (m["name"], m["file"]) for m in found] == [
        None,
        ("answer", "models/ranker.py"),
        None,
    ]


def test_a_function_that_calls_itself_counts_once_and_the_last_one_owns_the_sample():
    found = [(["a", "b", "a"], 3), (["a"], 1), (["a", "c"], 4), ([], 2)]
    assert shares(found) == [
        ("a", pytest.approx(0.8), pytest.approx(0.4)),
        ("c", pytest.approx(0.4), pytest.approx(0.4)),
        ("b", pytest.approx(0.3), 0.0),
    ]
