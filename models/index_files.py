"""The index as plain files that are mapped into memory, written part by part.

A folder of one ``.npy`` file for each array and one Arrow IPC file for each table of texts, opened
read-only: pages are read when they are touched, and processes that open the same folder share them.
A catalogue larger than memory is written as parts of disjoint creators in the order of their ids;
what is looked up by value (audiences, words) is laid out at the end, from the files.

Knows nothing of the rest of a bundle.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.lib import format as npy
from numpy.typing import NDArray

from features.creator import CreatorNumbers
from features.facts import Asks
from features.pair import BriefTotals, PastOutcomes, Profiles, RecentAds
from features.rates import Posterior
from features.vectors import EightBits, OnGrid
from features.windows import Ints, Rows
from models.columns import AudienceShares, Codes, Collaborations, Creators
from models.index import Evidence, Index, only
from models.months import Months
from models.safety import YearPosts
from models.words import WordIndex, merged

INDEX = "index"
ABOUT = "index.json"
CREATORS = "creators.arrow"
CODED = ("platform", "country", "language", "currency")
TABLES = ("creators", "collaborations", "evidence", "year")
PART = 20_000  # creators of a part, where an index is written again

Array = NDArray[Any]


@dataclass(frozen=True)
class Setting:
    """What a manifest says of an index that its files do not."""

    labels: tuple[str, ...]
    languages: tuple[str, ...]
    currency: str
    as_of_us: int


class _Growing:
    """A ``.npy`` file whose length is known at the end: numpy leaves room for it in the header."""

    def __init__(self, path: Path, like: Array) -> None:
        self.rows = 0
        self._like = like[:0]
        self._file: BinaryIO = path.open("wb")
        self._write_header()

    def append(self, array: Array) -> None:
        if array.dtype != self._like.dtype or array.shape[1:] != self._like.shape[1:]:
            raise ValueError(
                f"{self._file.name}: {array.dtype} of {array.shape[1:]} after "
                f"{self._like.dtype} of {self._like.shape[1:]}"
            )
        self._file.write(np.ascontiguousarray(array).data)
        self.rows += len(array)

    def close(self) -> None:
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        npy.write_array_header_1_0(
            self._file,
            {
                "descr": npy.dtype_to_descr(self._like.dtype),
                "fortran_order": False,
                "shape": (self.rows, *self._like.shape[1:]),
            },
        )


class IndexWriter:
    """Writes an index part by part; `close` makes it whole, and a context that ends well closes it.

    Memory is that of one part, of the distinct words, and of some bytes for each word of a post.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._arrays: dict[str, _Growing] = {}
        self._tables: dict[str, Any] = {}
        self._names: dict[str, dict[str, int]] = {name: {} for name in CODED}
        self._keys: dict[tuple[str, str], int] = {}
        self._ends: dict[str, int] = {}
        self._shared: dict[str, Array] = {}
        self._setting: Setting | None = None
        self._last_id: str | None = None
        self._words: list[tuple[pa.Array[Any], Ints]] = []
        self._size = 0
        folder.mkdir(parents=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._close_files()

    def add(self, part: Index) -> None:
        """Append creators, whose ids all come after those before.

        Raises:
            ValueError: They do not, or the part is of another moment, currency or model.
        """
        if len(part) == 0 and self._setting is not None:
            return
        self._check(part)
        self._size += len(part)
        for name, array in _arrays(part).items():
            self._append(name, array)
        for name in CODED:
            self._append(f"creators.{name}", self._recoded(name, getattr(part.creators, name)))
        numbers = [self._keys.setdefault(key, len(self._keys)) for key in part.audience.keys]
        self._append("audience.key", np.array(numbers, dtype=np.int32)[part.audience.key])
        for name, rows in _rows(part).items():
            end = self._ends.get(name, 0)
            if name not in self._ends:
                self._append(f"{name}.indptr", np.zeros(1, dtype=np.int64))
            self._append(f"{name}.indptr", rows.indptr[1:] + end)
            self._ends[name] = end + int(rows.indptr[-1])
        tables = (part.creators.text, part.collaborations.text, part.evidence.text, part.year.table)
        for name, table in zip(TABLES, tables, strict=True):
            if name not in self._tables:
                path = str(self.folder / f"{name}.arrow")
                self._tables[name] = pa.ipc.new_file(path, table.schema)
            self._tables[name].write_table(table.combine_chunks())
        self._add_words(part.year)

    def close(self) -> None:
        """Lay out what is looked up by value, and close the files.

        Raises:
            ValueError: Nothing was added.
        """
        if self._setting is None:
            raise ValueError(f"{self.folder}: an index without a part")
        self._close_files()
        for name, array in self._shared.items():
            np.save(self.folder / f"{name}.npy", array)
        self._close_audience()
        self._close_words()
        about = {
            "creators": self._size,
            "names": {name: list(names) for name, names in self._names.items()},
            "audience": [list(key) for key in self._keys],
        }
        (self.folder / ABOUT).write_text(json.dumps(about), "utf-8")

    def _close_files(self) -> None:
        for growing in self._arrays.values():
            growing.close()
        for table in self._tables.values():
            table.close()

    def _check(self, part: Index) -> None:
        setting, shared = setting_of(part), _shared(part.profiles)
        if self._setting is None:
            self._setting, self._shared = setting, shared
        same = all(np.array_equal(self._shared[name], shared[name]) for name in shared)
        if setting != self._setting or not same:
            raise ValueError(f"{self.folder}: a part of another moment, currency or model")
        if len(part):
            if self._last_id is not None and part.id_of(0) <= self._last_id:
                raise ValueError(
                    f"{self.folder}: creator {part.id_of(0)!r} comes after {self._last_id!r}"
                )
            self._last_id = part.id_of(len(part) - 1)

    def _append(self, name: str, array: Array) -> None:
        if name not in self._arrays:
            self._arrays[name] = _Growing(self.folder / f"{name}.npy", array)
        self._arrays[name].append(array)

    def _recoded(self, name: str, column: Codes) -> Array:
        names = self._names[name]
        to = [names.setdefault(value, len(names)) for value in column.names]
        return np.array([*to, -1], dtype=np.int16)[column.code]

    def _add_words(self, year: YearPosts) -> None:
        """Keep a part's words, to be put together with the others' at the end."""
        words = year.words
        first = self._ends["year"] - int(year.rows.indptr[-1])
        number = len(self._words)
        (words.post.astype(np.uint32) + np.uint32(first)).tofile(self._part(number))
        self._words.append((words.words, np.diff(words.rows.indptr)))

    def _part(self, number: int) -> Path:
        return self.folder / f"words.{number}.part"

    def _close_words(self) -> None:
        vocabulary = merged([words for words, _ in self._words])
        counts = np.zeros(len(vocabulary), dtype=np.int64)
        codes = [pc.index_in(words, vocabulary).to_numpy() for words, _ in self._words]
        for code, (_, lengths) in zip(codes, self._words, strict=True):
            counts[code] += lengths
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        post = _new(self.folder / "words.post.npy", np.uint32, int(indptr[-1]))
        free = indptr[:-1].copy()
        for number, (code, (_, lengths)) in enumerate(zip(codes, self._words, strict=True)):
            # Parts come in the order of the posts, so a word's posts stay ascending.
            starts = np.cumsum(lengths) - lengths
            to = np.repeat(free[code] - starts, lengths) + np.arange(int(lengths.sum()))
            post[to] = np.fromfile(self._part(number), dtype=np.uint32)
            free[code] += lengths
            self._part(number).unlink()
        np.save(self.folder / "words.indptr.npy", indptr)
        table = pa.table({"word": vocabulary})
        with pa.ipc.new_file(str(self.folder / "words.arrow"), table.schema) as out:
            out.write_table(table)

    def _close_audience(self) -> None:
        read = _Reader(self.folder)
        about = AudienceShares.build(
            Rows(read("audience.indptr")),
            tuple(self._keys),
            read("audience.key"),
            read("audience.share"),
        )
        np.save(self.folder / "about.indptr.npy", about.about.indptr)
        np.save(self.folder / "about.creator.npy", about.about_creator)
        np.save(self.folder / "about.share.npy", about.about_share)


def write_index(folder: Path, index: Index) -> None:
    """Write a whole index."""
    with IndexWriter(folder) as writer:
        writer.add(index)


def write_some(folder: Path, index: Index, kept: NDArray[np.bool_]) -> None:
    """Write some of an index's creators, ``(n,)``, with few of them in memory at once."""
    with IndexWriter(folder) as writer:
        for start in range(0, max(len(index), 1), PART):
            stop = min(start + PART, len(index))
            writer.add(only(part_of(index, start, stop), kept[start:stop]))


def part_of(index: Index, start: int, stop: int) -> Index:
    """Creators of the places from `start` to before `stop`; nothing is copied but their lookups."""
    profiles, numbers = index.profiles, index.profiles.numbers

    def cut(part: Any) -> Any:
        """A record of arrays with a row for each creator."""
        values = {f.name: getattr(part, f.name)[start:stop] for f in dataclasses.fields(part)}
        return dataclasses.replace(part, **values)

    def ragged(part: Any) -> Any:
        """A record of `rows` and arrays with an entry for each of their entries."""
        rows, entries = _cut(part.rows, start, stop)
        plain = [f.name for f in dataclasses.fields(part) if f.name != "rows"]
        values = {name: _entries(getattr(part, name), entries) for name in plain}
        return dataclasses.replace(part, rows=rows, **values)

    def grid(vectors: Any) -> OnGrid:
        return OnGrid(OnGrid.of(vectors).steps[start:stop])

    creators = index.creators
    audience, entries = _cut(index.audience.rows, start, stop)
    year, posts = _cut(index.year.rows, start, stop)
    per_creator = ("mix", "topic_share", "posts_language", "audience_language", "speaks")
    return dataclasses.replace(
        index,
        creators=Creators(
            text=creators.text.slice(start, stop - start),
            **{
                name: Codes(getattr(creators, name).code[start:stop], getattr(creators, name).names)
                for name in CODED
            },
            price_per_post=creators.price_per_post[start:stop],
            gifting=creators.gifting[start:stop],
        ),
        profiles=dataclasses.replace(
            profiles,
            asks=Asks(np.arange(stop - start), profiles.asks.as_of_us[start:stop]),
            numbers=CreatorNumbers(
                numbers.values[start:stop],
                cut(numbers.clicks),
                cut(numbers.conversions),
                numbers.followers[start:stop],
            ),
            topics=grid(profiles.topics),
            best=grid(profiles.best),
            subject=grid(profiles.subject),
            ads=ragged(profiles.ads),
            outcomes=ragged(profiles.outcomes),
            **{
                name: getattr(profiles, name)[start:stop]
                for name in (*per_creator, "niche_values", "moment")
            },
        ),
        last_post_us=index.last_post_us[start:stop],
        price=index.price[start:stop],
        leading=index.leading[start:stop],
        audience=AudienceShares.build(
            audience,
            index.audience.keys,
            index.audience.key[entries],
            index.audience.share[entries],
        ),
        collaborations=ragged(index.collaborations),
        evidence=ragged(index.evidence),
        year=YearPosts(
            year, _entries(index.year.table, posts), index.year.counts[start:stop], None
        ),
        months=ragged(index.months),
    )


def _cut(rows: Rows, start: int, stop: int) -> tuple[Rows, slice]:
    indptr = rows.indptr[start : stop + 1]
    return Rows(indptr - indptr[0]), slice(int(indptr[0]), int(indptr[-1]))


def _entries(values: Any, entries: slice) -> Any:
    if isinstance(values, pa.Table):
        return values.slice(entries.start, entries.stop - entries.start)
    if isinstance(values, EightBits):
        return EightBits(values.steps[entries], values.scale[entries])
    return values[entries]


def setting_of(index: Index) -> Setting:
    """What its files do not say of an index."""
    return Setting(index.labels, index.profiles.languages, index.currency, index.as_of_us)


def _rows(index: Index) -> dict[str, Rows]:
    return {
        "audience": index.audience.rows,
        "collaborations": index.collaborations.rows,
        "evidence": index.evidence.rows,
        "year": index.year.rows,
        "ads": index.profiles.ads.rows,
        "outcomes": index.profiles.outcomes.rows,
        "months": index.months.rows,
    }


def _arrays(index: Index) -> dict[str, Array]:
    """Arrays with a row for each creator, or for each entry of theirs, by name."""
    profiles, numbers, told = index.profiles, index.profiles.numbers, index.collaborations
    arrays: dict[str, Array] = {
        "values": numbers.values,
        "followers": numbers.followers,
        "mix": profiles.mix,
        "topics": OnGrid.of(profiles.topics).steps,
        "topic_share": profiles.topic_share,
        "best": OnGrid.of(profiles.best).steps,
        "subject": OnGrid.of(profiles.subject).steps,
        "niche_values": profiles.niche_values,
        "posts_language": profiles.posts_language,
        "audience_language": profiles.audience_language,
        "speaks": profiles.speaks,
        "moment": profiles.moment,
        "last_post_us": index.last_post_us,
        "price": index.price,
        "leading": index.leading,
        "creators.price_per_post": index.creators.price_per_post,
        "creators.gifting": index.creators.gifting,
        "audience.share": index.audience.share,
        "evidence.steps": index.evidence.vector.steps,
        "evidence.scale": index.evidence.vector.scale,
        "year.counts": index.year.counts,
    }
    parts = {
        "clicks": numbers.clicks,
        "conversions": numbers.conversions,
        "ads": profiles.ads,
        "outcomes": profiles.outcomes,
        "months": index.months,
        "collaborations": told,
    }
    for prefix, part in parts.items():
        for name in _plain(type(part)):
            arrays[f"{prefix}.{name}"] = getattr(part, name)
    return arrays


def _plain(kind: Any) -> list[str]:
    """Fields of a record that are one array each."""
    return [field.name for field in dataclasses.fields(kind) if field.name not in ("rows", "text")]


def _shared(profiles: Profiles) -> dict[str, Array]:
    """Arrays that are the same for all creators."""
    totals = {f"totals.{name}": getattr(profiles.totals, name) for name in _plain(BriefTotals)}
    return totals | {"brief_subject": profiles.brief_subject}


def _new(path: Path, kind: type[np.generic], size: int) -> Array:
    """A new mapped file of so many numbers."""
    if size == 0:  # nothing can be mapped of it
        np.save(path, np.zeros(0, dtype=kind))
        return np.zeros(0, dtype=kind)
    return npy.open_memmap(path, mode="w+", dtype=kind, shape=(size,))


class _Reader:
    """Opens the arrays and tables of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, name: str) -> Any:
        path = self.folder / f"{name}.npy"
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        return array.view(np.ndarray)  # of a memmap every slice would be made with its care

    def table(self, name: str) -> pa.Table:
        with pa.memory_map(str(self.folder / f"{name}.arrow")) as mapped:
            return pa.ipc.open_file(mapped).read_all()

    def part(self, kind: Any, prefix: str, **others: Any) -> Any:
        arrays = {name: self(f"{prefix}.{name}") for name in _plain(kind)}
        return kind(**arrays, **others)

    def rows(self, name: str) -> Rows:
        return Rows(self(f"{name}.indptr"))


def read_index(folder: Path, setting: Setting) -> Index:
    """Open what `IndexWriter` wrote; nothing is read but what is looked at.

    Raises:
        ValueError, KeyError, OSError: It is damaged.
    """
    read = _Reader(folder)
    about = json.loads((folder / ABOUT).read_text("utf-8"))
    n = int(about["creators"])

    def coded(name: str) -> Codes:
        return Codes(read(f"creators.{name}"), tuple(about["names"][name]))

    profiles = Profiles(
        asks=Asks(np.arange(n, dtype=np.int64), np.full(n, setting.as_of_us, dtype=np.int64)),
        numbers=CreatorNumbers(
            read("values"),
            read.part(Posterior, "clicks"),
            read.part(Posterior, "conversions"),
            read("followers"),
        ),
        mix=read("mix"),
        topics=OnGrid(read("topics")),
        topic_share=read("topic_share"),
        best=OnGrid(read("best")),
        subject=OnGrid(read("subject")),
        languages=setting.languages,
        posts_language=read("posts_language"),
        audience_language=read("audience_language"),
        speaks=read("speaks"),
        niche_values=read("niche_values"),
        ads=read.part(RecentAds, "ads", rows=read.rows("ads")),
        outcomes=read.part(PastOutcomes, "outcomes", rows=read.rows("outcomes")),
        moment=read("moment"),
        totals=read.part(BriefTotals, "totals"),
        brief_subject=read("brief_subject"),
    )
    words = read.table("words")["word"].combine_chunks()
    return Index(
        creators=Creators(
            text=read.table("creators"),
            platform=coded("platform"),
            country=coded("country"),
            language=coded("language"),
            currency=coded("currency"),
            price_per_post=read("creators.price_per_post"),
            gifting=read("creators.gifting"),
        ),
        profiles=profiles,
        last_post_us=read("last_post_us"),
        price=read("price"),
        currency=setting.currency,
        audience=AudienceShares(
            rows=read.rows("audience"),
            keys=tuple((str(what), str(code)) for what, code in about["audience"]),
            key=read("audience.key"),
            share=read("audience.share"),
            about=read.rows("about"),
            about_creator=read("about.creator"),
            about_share=read("about.share"),
        ),
        collaborations=read.part(
            Collaborations,
            "collaborations",
            rows=read.rows("collaborations"),
            text=read.table("collaborations"),
        ),
        evidence=Evidence(
            rows=read.rows("evidence"),
            text=read.table("evidence"),
            vector=EightBits(read("evidence.steps"), read("evidence.scale")),
        ),
        year=YearPosts(
            rows=read.rows("year"),
            table=read.table("year"),
            counts=read("year.counts"),
            kept_words=WordIndex(words, read.rows("words"), read("words.post")),
        ),
        labels=setting.labels,
        leading=read("leading"),
        as_of_us=setting.as_of_us,
        months=read.part(Months, "months", rows=read.rows("months")),
    )


def creator_ids(path: Path) -> NDArray[np.object_]:
    """Ids of the creators in a file that is the index's `CREATORS`.

    Raises:
        ValueError, KeyError, OSError: They cannot be read.
    """
    ids = _Reader(path.parent).table(path.stem)["creator_id"]
    return np.asarray(ids.to_numpy(), dtype=object)
