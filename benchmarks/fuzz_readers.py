"""What the readers of files make of damaged and hostile ones: only the contract's own errors.

    python -m benchmarks.fuzz_readers --inputs 200000 [--seed 0] [--processes 1] [--reader NAME]
    python -m benchmarks.fuzz_readers --only 4711 [--seed 0]     # one input again, kept, and traced

Samples from `tests/`, in every format that is read, are changed (`mutations`) and read: the tables
of the contract one by one and as a folder, plans of bookings, every source of `training import`,
and the values people write. Whoever reads a file accepts it, or refuses it with an error of
`features.schemas`. Whatever else is raised, warned of, or takes ten seconds of the processor has
escaped and is printed. Of a tenth of what is accepted it must hold too that written and read again
it is the same, that an import wrote what keeps the contract, and that it goes through a second
time. An input is made of the seed and its number alone.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any, Literal

import pandas as pd

from benchmarks.machine import machine
from benchmarks.mutations import Kind, compressed, mutated, text
from features.schemas import TABLES, DataError
from features.table_digest import digest_of
from features.table_files import read_folder
from features.tables import FORMATS, check_table, finished, read_tables, write_tables
from training.sources import Request, source_of
from training.sources.bookings import read_bookings
from training.sources.counts import read_count
from training.sources.events import Reading
from training.sources.values import Unreadable, key, read_amount, read_time, tags_in_url
from training.sources.write import MAY_LACK

TESTS = Path(__file__).parent.parent / "tests"
SOUND = TESTS / "sound_tables"
SAMPLES = TESTS / "import_samples"

SECONDS_AT_MOST = 10.0
CHUNK = 250  # inputs that a process takes at a time
AGAIN = 0.1  # of what is accepted, the share that is written and read, or imported, once more

Outcome = Literal["accepted", "refused", "escaped"]


class Broken(Exception):
    """What was accepted is not what the contract says."""


@dataclass(frozen=True)
class Reader:
    """Something that reads files.

    Attributes:
        name: What the counts call it.
        weight: How often it is drawn, beside the others.
        read: Makes an input in an empty folder, and reads it.
    """

    name: str
    weight: int
    read: Callable[[Random, Path], None]


@dataclass
class Counted:
    """What came of inputs.

    Attributes:
        outcomes: How many, by reader and outcome.
        escaped: Number, reader and error of those that escaped.
    """

    outcomes: Counter[tuple[str, Outcome]] = field(default_factory=Counter)
    escaped: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, other: Counted) -> None:
        """Count what another counted."""
        self.outcomes += other.outcomes
        self.escaped += other.escaped


# ---------------------------------------------------------------- samples


@cache
def _tables() -> dict[str, dict[str, bytes]]:
    """The sound tables in every format: bytes by table and file ending."""
    frames = read_tables(SOUND)
    found: dict[str, dict[str, bytes]] = {name: {} for name in TABLES}
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMATS:
            write_tables(frames, Path(folder), form)
        for name in TABLES:
            for form in ("parquet", "jsonl"):
                found[name][form] = (Path(folder) / f"{name}.{form}").read_bytes()
            found[name]["csv"] = (SOUND / f"{name}.csv").read_bytes()
    return found


@cache
def _workbook() -> bytes:
    """A workbook of creators, with numbers and a time as Excel keeps them."""
    import io

    from openpyxl import Workbook

    book = Workbook()
    sheet = book.active
    rows: list[list[Any]] = [
        ["Username", "Netzwerk", "Abonnenten", "Name", "Land", "Preis", "Stand"],
        ["@lena.liest", "Instagram", 12_300, "Lena & die Bücher 📚", "DE", 350.5, None],
        ["tom_tools", "TikTok", "1,2 Mio", "Tom", "AT", "1.250,00 €", datetime(2026, 2, 3, 9)],
    ]
    for row in rows:
        sheet.append(row)
    book.create_sheet("Empty")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


# ---------------------------------------------------------------- the contract's tables


def _one_table(ending: str) -> Callable[[Random, Path], None]:
    """Reads one changed table in one format, as `read_tables` reads each."""
    kind: Kind = "csv" if "csv" in ending else "jsonl" if "jsonl" in ending else "parquet"

    def read(random: Random, folder: Path) -> None:
        name = random.choice(list(TABLES))
        data = mutated(kind, _tables()[name][kind], random)
        if ending.endswith(".gz"):
            data = compressed(data, random)
        (folder / f"{name}.{ending}").write_bytes(data)
        raw = read_folder(folder, (name,)).tables[name]
        checked = check_table(raw, None if random.random() < 0.5 else pd.Series(["c0", "c1", "c2"]))
        for fault in checked.faults.faults():
            str(fault)
        if not checked.usable:
            raise DataError("refused")
        if checked.faults.counts():
            checked.faults.write_quarantine(folder / "aside.jsonl")
            finished(name, checked.kept())
            raise DataError("refused")
        _same_again(name, finished(name, checked.frame), random, folder / "again")

    return read


def _same_again(name: str, frame: pd.DataFrame, random: Random, folder: Path) -> None:
    """Now and then, write an accepted table and read it: its content must be the same."""
    if random.random() >= AGAIN or not len(frame):
        return
    write_tables({name: frame}, folder, random.choice(FORMATS))
    checked = check_table(read_folder(folder, (name,)).tables[name], None)
    if checked.faults.counts():
        raise Broken(f"written and read again: {checked.faults.faults()[0]}")
    others = {other: finished(other, _none_of(other)) for other in TABLES}
    if digest_of(others | {name: frame}) != digest_of(
        others | {name: finished(name, checked.frame)}
    ):
        raise Broken(f"{name}: written and read again it has another digest")


@cache
def _none_of(name: str) -> pd.DataFrame:
    table: pd.DataFrame = getattr(read_tables(SOUND), name)
    return table.iloc[:0]


def _folder(random: Random, folder: Path) -> None:
    """Reads a folder of tables, some of them changed, in parts, doubled or misnamed."""
    for name, forms in _tables().items():
        form: Any = random.choice(list(forms))
        data = forms[form]
        if random.random() < 0.3:
            data = mutated(form, data, random)
        way = random.random()
        if way < 0.8:
            (folder / f"{name}.{form}").write_bytes(data)
        elif way < 0.9:
            (folder / name / "day=1").mkdir(parents=True)
            (folder / name / f"a.{form}").write_bytes(data)
            (folder / name / "day=1" / f"b.{form}").write_bytes(mutated(form, data, random))
        else:
            other = random.choice((name.upper(), f"{name}s", f"{name}.CSV", name, f"{name}.csv.gz"))
            (folder / other).write_bytes(data)
    if random.random() < 0.5:
        read_tables(folder, on_invalid="quarantine", quarantine_dir=folder / "aside")
    else:
        read_tables(folder)


# ---------------------------------------------------------------- sources


class _Silent:
    """A reporter that nobody listens to."""

    def step(self, title: str, total: int) -> Any:
        return nullcontext(lambda units: None)

    def say(self, said: str) -> None:
        pass


def _reading(random: Random) -> Reading:
    """How someone may say that a file is to be read."""
    return Reading(
        currency=random.choice(("EUR", "EUR", "USD")),
        dates=random.choice(("auto", "dmy", "mdy", "iso")),
        decimal=random.choice(("auto", "comma", "point")),
        encoding=random.choice((*(None,) * 12, "cp1252", "utf-16", "idna", "no-such", "hex")),
    )


def _source(name: str, *samples: str, kind: Kind = "json") -> Callable[[Random, Path], None]:
    """Imports files, one of them changed, and now and then the same once more."""

    def read(random: Random, folder: Path) -> None:
        changed = random.randrange(len(samples))
        files = []
        for place, sample in enumerate(samples):
            data = _workbook() if kind == "xlsx" else _sample(sample)
            if place == changed:
                data = mutated(kind, data, random)
            files.append(folder / Path(sample).name)
            files[-1].write_bytes(data)
        # The plan stays as it is: `bookings` is a reader of its own.
        outcomes = name in ("codes", "shopify", "ga4")
        request = Request(
            files,
            folder / "out",
            SAMPLES / "bookings.csv" if outcomes else None,
            _reading(random),
            on_invalid=random.choice(("refuse", "quarantine")),
            observed_at=datetime(2026, 3, 1, tzinfo=UTC) if random.random() < 0.8 else None,
            platform=random.choice((None, "instagram")),
        )
        run = source_of(name).run
        run(request, _Silent())
        if random.random() < AGAIN:
            _stands(request.out)
            run(request, _Silent())
            _stands(request.out)

    return read


def _stands(folder: Path) -> None:
    """What an import wrote keeps the contract, but for what an export cannot know."""
    for name, raw in read_folder(folder).tables.items():
        lacking = MAY_LACK if name == "sponsorships" else ()
        faults = check_table(raw, None, lacking).faults
        if faults.counts():
            raise Broken(f"an import wrote what breaks the contract: {faults.faults()[0]}")


def _bookings(random: Random, folder: Path) -> None:
    """Reads a plan of bookings in each of its formats."""
    kind: Any = random.choice(("csv", "jsonl", "parquet"))
    data = _sample("bookings.csv")
    if kind != "csv":
        frame = pd.read_csv(SAMPLES / "bookings.csv")
        frame["impressions"] = frame["impressions"].astype("float64")
        path = folder / "sample"
        if kind == "parquet":
            frame.to_parquet(path)
        else:
            frame.to_json(path, orient="records", lines=True, force_ascii=False)
        data = path.read_bytes()
    path = folder / f"plan.{kind}"
    path.write_bytes(mutated(kind, data, random))
    read_bookings(path, _reading(random))


def _values(random: Random, _: Path) -> None:
    """Reads values as people write them, by themselves."""
    said, reading = text(random) + random.choice(("", "", text(random))), _reading(random)
    said = said.encode("utf-8", "replace").decode()  # no file holds half of a surrogate pair
    key(said)
    tags_in_url(said)
    way = random.randrange(3)
    try:
        if way == 0:
            read_time(said, reading)
        elif way == 1:
            read_amount(said, reading.decimal)
        else:
            read_count(said, reading.decimal)
    except Unreadable as error:
        raise DataError(str(error)) from None


READERS = (
    Reader("tables csv", 10, _one_table("csv")),
    Reader("tables csv.gz", 4, _one_table("csv.gz")),
    Reader("tables jsonl", 10, _one_table("jsonl")),
    Reader("tables jsonl.gz", 2, _one_table("jsonl.gz")),
    Reader("tables parquet", 10, _one_table("parquet")),
    Reader("folder", 4, _folder),
    Reader("bookings", 6, _bookings),
    Reader("codes", 6, _source("codes", "codes.csv", kind="csv")),
    Reader("shopify", 6, _source("shopify", "shopify.csv", kind="csv")),
    Reader("ga4 csv", 6, _source("ga4", "ga4.csv", kind="csv")),
    Reader("ga4 jsonl", 6, _source("ga4", "ga4_events.jsonl", kind="jsonl")),
    Reader(
        "youtube",
        6,
        _source("youtube", *(f"youtube/{n}.json" for n in ("channels", "videos", "search"))),
    ),
    Reader(
        "instagram",
        6,
        _source("instagram", "instagram/business_discovery.json", "instagram/media.json"),
    ),
    Reader(
        "tiktok",
        6,
        _source(
            "tiktok",
            *(f"tiktok/{n}.json" for n in ("display_user", "display_videos", "research_videos")),
        ),
    ),
    Reader("spreadsheet creators", 5, _source("spreadsheet", "creators.csv", kind="csv")),
    Reader("spreadsheet posts", 5, _source("spreadsheet", "posts.csv", kind="csv")),
    Reader("spreadsheet xlsx", 6, _source("spreadsheet", "creators.xlsx", kind="xlsx")),
    Reader("values", 6, _values),
)


# ---------------------------------------------------------------- the run


def judge(reader: Reader, random: Random, folder: Path) -> tuple[Outcome, BaseException | None]:
    """What came of one input, and the error where it escaped."""
    try:
        with warnings.catch_warnings(), _time_limit():
            warnings.simplefilter("error")
            reader.read(random, folder)
    except DataError as error:
        return ("refused", None) if str(error).strip() else ("escaped", error)
    except Exception as error:
        return "escaped", error
    return "accepted", None


@contextmanager
def _time_limit() -> Iterator[None]:
    def over(*_: object) -> None:
        raise TimeoutError(f"took over {SECONDS_AT_MOST:.0f} s of the processor")

    before = signal.signal(signal.SIGPROF, over)
    signal.setitimer(signal.ITIMER_PROF, SECONDS_AT_MOST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def drawn(seed: int, number: int, readers: Sequence[Reader]) -> tuple[Reader, Random]:
    """The reader of an input, and the generator that makes it."""
    generator = random.Random(f"{seed}:{number}")
    weights = [reader.weight for reader in readers]
    return generator.choices(readers, weights)[0], generator


def fuzz(seed: int, numbers: range, readers: Sequence[Reader] = READERS) -> Counted:
    """Read the inputs of some numbers."""
    counted = Counted()
    for number in numbers:
        reader, generator = drawn(seed, number, readers)
        with tempfile.TemporaryDirectory() as folder:
            outcome, error = judge(reader, generator, Path(folder))
        counted.outcomes[reader.name, outcome] += 1
        if error is not None:
            counted.escaped.append((number, reader.name, _in_short(error)))
    return counted


def _in_short(error: BaseException) -> str:
    """An error, and the line of the product that let it out."""
    root = str(TESTS.parent)
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(root)]
    where = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"
    return f"{type(error).__name__} at {where}: {str(error)[:160]}"


def _named(names: Sequence[str] | None) -> tuple[Reader, ...]:
    return tuple(reader for reader in READERS if not names or reader.name in names)


def _fuzz_named(seed: int, start: int, end: int, names: Sequence[str] | None) -> Counted:
    return fuzz(seed, range(start, end), _named(names))


def fuzz_in_parts(seed: int, inputs: int, processes: int, names: Sequence[str] | None) -> Counted:
    """Read many inputs in processes of their own: what kills one is found, and told."""
    counted = Counted()
    parts = [(at, min(at + CHUNK, inputs)) for at in range(0, inputs, CHUNK)]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        running = [pool.submit(_fuzz_named, seed, *part, names) for part in parts]
        for (start, end), done in zip(parts, running, strict=True):
            try:
                found = done.result()
            except BrokenProcessPool:
                counted.escaped.append((start, "?", f"a process died in inputs {start} to {end}"))
                break
            except KeyboardInterrupt:  # what was counted is told
                pool.shutdown(wait=False, cancel_futures=True)
                break
            for number, name, error in found.escaped:
                print(f"input {number} ({name}): {error}", file=sys.stderr)
            counted.add(found)
            if end % 10_000 == 0 or end == inputs:
                print(f"{end:,} inputs, {len(counted.escaped):,} escaped", file=sys.stderr)
    return counted


def again(seed: int, number: int, readers: Sequence[Reader]) -> None:
    """Read one input once more, where it stays, and show what is raised."""
    reader, generator = drawn(seed, number, readers)
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{number}-"))
    outcome, error = judge(reader, generator, folder)
    print(f"input {number} of {reader.name}: {outcome}; its files are in {folder}")
    if error is not None:
        traceback.print_exception(error)


def main() -> int:
    """Run, print the counts, and return 1 where anything escaped."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--reader", action="append", choices=[r.name for r in READERS])
    parser.add_argument("--only", type=int, metavar="NUMBER")
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    if said.only is not None:
        again(said.seed, said.only, _named(said.reader))
        return 0
    found = fuzz_in_parts(said.seed, said.inputs, said.processes, said.reader)
    on = machine("pyarrow", "pandas", "orjson", "openpyxl")
    if said.json:
        rows = [{"reader": r, "outcome": o, "inputs": n} for (r, o), n in found.outcomes.items()]
        print(json.dumps({"machine": on.as_json(), "rows": rows, "escaped": found.escaped}))
    else:
        print(on)
        print(f"{'reader':22}{'inputs':>10}{'accepted':>10}{'refused':>10}{'escaped':>10}")
        for reader in _named(said.reader):
            counts = [found.outcomes[reader.name, o] for o in ("accepted", "refused", "escaped")]
            print(f"{reader.name:22}" + "".join(f"{n:>10,}" for n in (sum(counts), *counts)))
        print(
            f"{'all':22}{found.outcomes.total():>10,}; "
            f"escaped {len(found.escaped):,}; seed {said.seed}"
        )
        kinds: dict[str, tuple[int, str, str]] = {}
        for number, name, error in found.escaped:
            kinds.setdefault(error.partition(": ")[0], (number, name, error))
        for number, name, error in kinds.values():
            print(f"  input {number} ({name}): {error}")
    return 1 if found.escaped else 0


if __name__ == "__main__":
    sys.exit(main())
