"""Opening a path (file, glob, folder) or a Hub id as Arrow tables of one schema."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import pyarrow as pa

from ..core.errors import InputError, did_you_mean
from ..core.hashing import digest
from . import columnar, delimited, jsonlines, tfrecords
from .unified import conformed, joined


class Tables(ABC):
    """A source of tables, opened but not read."""

    @abstractmethod
    def peek(self) -> pa.Table:
        """A few first rows; cheap. Their types may still widen when the whole is seen."""

    @abstractmethod
    def schema(self) -> pa.Schema:
        """The exact schema of every row."""

    @abstractmethod
    def read(self, wanted: pa.Schema) -> Iterator[pa.Table]:
        """Tables of exactly `wanted`, a part of `schema()`, and `read_error` where lines may be bad."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes when the content may have changed."""

    @abstractmethod
    def names(self) -> Sequence[str]:
        """What a reader of a row's place is told: file names, or the Hub id."""

    @abstractmethod
    def replayable(self) -> bool:
        """True when a second reading costs no more than reading a copy."""

    @abstractmethod
    def rows(self) -> int | None:
        """How many rows there are, where that is cheap to know."""


@final
@dataclass(frozen=True)
class Kind:
    """How files of one format are read; `typed` formats carry their schema and may be read twice."""

    peek: Callable[[Path, bool], pa.Table]
    scan: Callable[[Path, bool], pa.Schema]
    read: Callable[[Path, pa.Schema, bool], Iterator[pa.Table]]
    typed: bool
    count: Callable[[Path], int] | None = None


_PARQUET: Final = Kind(
    columnar.peek_parquet, columnar.scan_parquet, columnar.read_parquet, True, columnar.count_parquet
)
_ARROW: Final = Kind(columnar.peek_arrow, columnar.scan_arrow, columnar.read_arrow, True, columnar.count_arrow)
_JSON: Final = Kind(jsonlines.peek, jsonlines.scan, jsonlines.read, False, jsonlines.count)
_CSV: Final = Kind(delimited.peek, delimited.scan, delimited.read, False)
_TFRECORD: Final = Kind(tfrecords.peek, tfrecords.scan, tfrecords.read, False)
KINDS: Final[dict[str, Kind]] = {
    ".parquet": _PARQUET, ".arrow": _ARROW, ".feather": _ARROW,
    ".jsonl": _JSON, ".ndjson": _JSON, ".json": _JSON, ".csv": _CSV, ".tsv": _CSV,
    ".tfrecord": _TFRECORD, ".tfrecords": _TFRECORD,
}  # fmt: skip
_PACKED: Final = (".gz", ".bz2", ".zst")
_COUNTED: Final = 32 << 20
"""Bytes of files without a row count in them that are read only to be counted."""
_PART: Final = re.compile(r"-\d{5}-of-\d{5}$")
SHARD: Final = re.compile(r"^(?P<split>.+?)-\d{5}-of-\d{5}")
_SIDE_FILES: Final = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")


@final
@dataclass(frozen=True)
class FileTables(Tables):
    """Files of one format, read one after the other as if they were one."""

    files: tuple[Path, ...]
    drop: bool

    @property
    def _kind(self) -> Kind:
        return KINDS[suffix(self.files[0])]

    def _schema_of(self, found: Sequence[pa.Schema]) -> pa.Schema:
        schema = joined(found, self.files, self._kind.typed)
        noted = schema.get_field_index("read_error")
        return schema.remove(noted) if self.drop and noted >= 0 else schema

    def peek(self) -> pa.Table:
        with _reading(self.files[0]):
            table = self._kind.peek(self.files[0], self.drop)
        return conformed(table, self._schema_of([table.schema]))

    def schema(self) -> pa.Schema:
        found = []
        for file in self.files:
            with _reading(file):
                found.append(self._kind.scan(file, self.drop))
        return self._schema_of(found)

    def read(self, wanted: pa.Schema) -> Iterator[pa.Table]:
        kind = self._kind
        noted = [pa.field("read_error", pa.string())] if self.drop and not kind.typed else []
        whole = pa.schema([*wanted, *noted])
        for file in self.files:
            with _reading(file):
                for table in kind.read(file, wanted, self.drop):
                    yield conformed(table, whole)

    def fingerprint(self) -> str:
        stats = [(file.name, file.stat()) for file in self.files]
        return digest(*(f"{name} {stat.st_size} {stat.st_mtime_ns}" for name, stat in stats))

    def names(self) -> Sequence[str]:
        return [str(file) for file in self.files]

    def replayable(self) -> bool:
        return self._kind.typed

    def rows(self) -> int | None:
        count = self._kind.count
        sizes = (file.stat().st_size * (8 if file.suffix.lower() in _PACKED else 1) for file in self.files)
        if count is None or (self._kind is not _PARQUET and sum(sizes) > _COUNTED):
            return None
        total = 0
        for file in self.files:
            with _reading(file):
                total += count(file)
        return total


def suffix(file: Path) -> str:
    """The ending that tells the format, compression and a part's number left aside; empty when unknown."""
    endings = [_PART.sub("", ending.lower()) for ending in file.suffixes]
    while endings and endings[-1] in _PACKED:
        endings.pop()
    return endings[-1] if endings and endings[-1] in KINDS else ""


def find_files(path: str, split: str) -> tuple[Path, ...]:
    """The files behind a path, sorted by name: itself, a glob's matches, or what a folder holds.

    Of a folder in the Hub's layout (`train-00000-of-00002.parquet`) only the files of `split`.
    Raises InputError with the nearest existing name.
    """
    if not path.strip():
        raise InputError("no path is given", hint="name a file, a folder, a glob or a dataset on the Hub")
    here = Path(path).expanduser()
    if here.is_file():
        files = [here]
    elif here.is_dir():
        files = _of_split(sorted(f for f in here.rglob("*") if suffix(f) and f.name not in _SIDE_FILES), split, path)
    else:
        files = sorted(found for found in _globbed(here) if found.is_file())
    if not files:
        raise InputError(f"no readable file at {path}", hint=_nearby(here))
    known = {suffix(file) for file in files}
    if "" in known or len({id(KINDS[ending]) for ending in known}) > 1:
        kinds = ", ".join(sorted({"".join(file.suffixes) or file.name for file in files}))
        raise InputError(f"{path} holds {kinds}", hint=f"name files of one format with a glob: {', '.join(KINDS)}")
    return tuple(files)


def _globbed(path: Path) -> Iterator[Path]:
    """The matches of a glob, or nothing where the path holds no wildcard."""
    at = next((index for index, step in enumerate(path.parts) if set(step) & set("*?[")), None)
    return iter(()) if at is None else Path(*path.parts[:at]).glob(str(Path(*path.parts[at:])))


def _of_split(files: list[Path], split: str, path: str) -> list[Path]:
    splits = {file: found["split"] for file in files if (found := SHARD.match(file.name))}
    if not splits:
        return files
    chosen = [file for file, name in splits.items() if name == split]
    if not chosen:
        raise InputError(f"{path} has no split {split}", hint=did_you_mean(split, set(splits.values())))
    return chosen


def _nearby(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return f"it is a link to {path.readlink()}, which is not there"
    if path.exists() and not path.is_dir():
        return "it is neither a file nor a folder"
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        beside = [child.name for child in folder.parent.iterdir() if child.is_dir()] if folder.parent.is_dir() else []
        return "; ".join(filter(None, (f"there is no folder {folder}", did_you_mean(folder.name, beside))))
    return did_you_mean(path.name, [file.name for file in folder.iterdir()]) or f"readable are {', '.join(KINDS)}"


def faults_of(look: Callable[[], object]) -> list[str]:
    """What is wrong with a source by the InputError a first look at it raises; empty where it raises none."""
    try:
        look()
    except InputError as error:
        return [error.show()]
    return []


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, EOFError) as error:
        cause = " ".join(str(error).split())[:300]
        raise InputError(f"cannot be read: {cause}", place=str(file)) from error
