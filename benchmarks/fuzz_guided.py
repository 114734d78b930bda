"""The readers' fuzzer led by what it has not reached yet: atheris watches which lines a file runs.

    python -m benchmarks.fuzz_guided [-runs=20000] [-seed=1]     # libFuzzer's own options

An input is the bytes from which `fuzz_readers` draws all its choices: those that reach new lines
are kept and changed again, and with them one choice or another. Whatever escapes ends the run and
is shown. Needs the extra `fuzz` (Linux on x86-64).
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["features", "training.sources"]):
    from benchmarks.fuzz_readers import READERS, judge

BYTES = 256  # of an input: some hundred choices
SEEDS = 200
WEIGHTS = [reader.weight for reader in READERS]


class Drawn(Random):
    """A generator whose every choice is some bytes of an input, in turn; then zeros."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self._left = io.BytesIO(data)

    def random(self) -> float:
        return self.getrandbits(16) / 2**16

    def getrandbits(self, k: int, /) -> int:
        size = (k + 7) // 8
        taken = self._left.read(size).ljust(size, b"\0")
        return int.from_bytes(taken, "big") >> (size * 8 - k)


def read_one(data: bytes) -> None:
    """Read the file that some bytes stand for; raise what escapes."""
    random = Drawn(data)
    reader = random.choices(READERS, WEIGHTS)[0]
    with tempfile.TemporaryDirectory() as folder:
        outcome, error = judge(reader, random, Path(folder))
    if outcome == "escaped" and error is not None:
        raise error


def main() -> None:
    """Run until the options say so, or something escapes."""
    with tempfile.TemporaryDirectory() as corpus:
        for number in range(SEEDS):
            (Path(corpus) / str(number)).write_bytes(Random(number).randbytes(BYTES))
        options = [f"-max_len={BYTES}", "-len_control=0"]
        atheris.Setup([*sys.argv, *options, corpus], read_one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
