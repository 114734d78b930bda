"""A newcomer's path: the README's commands in their order, and nothing else.

`make demo` and `make test` would set up an environment and take minutes: what `make demo` runs is
run here on a smaller world, and `make test` is what runs this. Names such as DIR are filled in;
what is not run is named below, with its reason.
"""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import blocks, desk, run_in  # noqa: F401 - a fixture

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

NOT_RUN = {
    ". .venv/bin/activate": "the tests' own interpreter stands in for it",
    "make test": "it is what runs this",
    "python -m training finetune DIR": "needs the real encoder, and minutes",
    "python -m training import youtube --channels @handle,UC… --out DIR": "needs a key",
    "python -m training off-policy LOG DIR": "needs answers that are a month old",
    "python -m training simulate DIR": "make demo has made one, and nothing is written over it",
    "python -m service serve": "begun before what asks it, and ended after",
}
FILLED_IN = {
    "BRIEF.json": "examples/brief.json",
    "VERSION": "1",
    "CREATOR_ID": "c000017",
    "train DIR": "train world --quick",  # judged on later time alone: a dozen fits less
    "youtube answers/": "youtube samples/youtube",
    "instagram answers/": "instagram samples/instagram",
    "tiktok answers/": "tiktok samples/tiktok",
    "list.xlsx": "samples/creators.csv --dates dmy",
    "redemptions.csv": "samples/codes.csv",
    "orders_export.csv": "samples/shopify.csv",
    "traffic.csv": "samples/ga4.csv",
    "plan.csv": "samples/bookings.csv",
    "DIR": "world",
    "http://127.0.0.1:8000": "http://127.0.0.1:$CREATORFIT_PORT",
}
# Exit statuses that are an answer, not a failure.
ANSWERS = {"python -m training monitor DIR": (0, 1)}


def commands():
    """The README's commands in their order, without what they are told to mean."""
    run, why_not = blocks(README)
    assert not why_not
    for code in run:
        # A line that ends within a quotation, or in a backslash, goes on.
        held = ""
        for line in code.splitlines():
            held = f"{held}\n{line}" if held else line
            try:
                words = shlex.split(held, comments=True)
            except ValueError:
                continue
            if words:
                yield re.sub(r"\s+#.*$", "", held) if "\n" not in held else held
            held = ""
        assert not held


def recipe(target):
    """What a target of make runs of the product, without setting up."""
    made = ["-o", ".venv/.train", "-o", ".venv/bin/python"]
    done = subprocess.run(
        ["make", "--dry-run", *made, target], capture_output=True, text=True, cwd=ROOT, check=True
    )
    lines = [line for line in done.stdout.splitlines() if ".venv/bin/python -m" in line]
    lines = [line for line in lines if "pip" not in line and "venv .venv" not in line]
    return [line.replace(".venv/bin/python", "python") for line in lines]


def filled_in(command):
    for name, value in FILLED_IN.items():
        command = re.sub(rf"(?<![\w./]){re.escape(name)}(?!\w)", lambda _, v=value: v, command)
    return command


@pytest.fixture(scope="module")
def demo(desk):  # noqa: F811
    """What `make demo` runs, on a world of 100 creators instead of 1,000."""
    folder, _ = desk
    lines = recipe("demo")
    assert [line.split()[3] if "training" in line else line.split()[2] for line in lines] == [
        "simulate",
        "train",
        "examples.ask",
    ]
    # Of this seed 100 creators bring outcomes enough to learn from.
    smaller = "\n".join(lines).replace("--creators 1000 --seed 7", "--creators 100 --seed 3")
    smaller = smaller.replace("var/demo/world", "world")
    smaller = smaller.replace("train world", "train world --quick")
    told = run_in(desk, smaller).stdout
    assert "is the champion" in told and "Plan: " in told
    (folder / "samples").symlink_to(ROOT / "tests" / "import_samples")
    return desk


def test_the_readmes_commands_run_in_order(demo):
    listed = list(commands())
    assert listed[:2] == ["make demo", "make test"]
    assert set(NOT_RUN) <= set(listed), set(NOT_RUN) - set(listed)
    script = [
        "python -m service serve --port $CREATORFIT_PORT 2>service.log &",
        "until curl -sf http://127.0.0.1:$CREATORFIT_PORT/readyz >/dev/null; do sleep 0.3; done",
    ]
    ran = 0
    for command in listed[1:]:
        if command in NOT_RUN:
            continue
        ran += 1
        # An import writes into tables of its own: the samples' creators are not this world's.
        line = filled_in(command)
        if "training import" in command:
            line = line.replace("--out world", f"--out imported-{ran} --dry-run")
        script.append(f"echo '== {ran}'")
        statuses = ANSWERS.get(command, (0,))
        if statuses != (0,):
            line = f"{line} || [ $? -eq {statuses[-1]} ]"
        script.append(line)
    told = run_in(demo, "\n".join(script)).stdout
    assert f"== {ran}" in told and ran >= 12
    assert "recommendation_id" in told and '"accepted"' in told


def test_the_interpreter_is_the_tests_own(desk):  # noqa: F811
    assert run_in(desk, "python -c 'import sys; print(sys.prefix)'").stdout.strip() == sys.prefix
