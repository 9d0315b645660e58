"""Dataset folders put together, split by split: no row twice, no prompt in both train and test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ..core.cursor import parquet_tables
from ..core.errors import InputError
from ..core.hashing import hash_column, hash_rows
from ..core.stage import Source
from ..core.store import Record
from .card import About, Written, render_card
from .joined import Joined
from .read_pairs import ReadPairs
from .read_rows import ReadRows
from .shards import Shard, Shards, publish, publish_text, staging
from .splits import splits_of
from .tables import find_files

_NUMBERED: Final = re.compile(r"^(?P<split>.+?)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<ending>.*)$")
_TEMPLATE: Final = Path(__file__).parent / "templates" / "card_merged.md.j2"
REPEATED: Final = "row of an earlier part"
LEAKED: Final = "prompt in the test split"


@final
@dataclass
class Part:
    """One folder: its files by split, and which of their rows stay."""

    folder: Path
    files: dict[str, tuple[Path, ...]]
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def schema(self) -> pa.Schema:
        """The columns of its first file."""
        return pq.read_schema(next(iter(self.files.values()))[0])

    def drop(self, split: str, mask: np.ndarray, why: str) -> None:
        """Take rows [n bool] of a split away, counting those that are still there."""
        self.dropped[why] += int((self.kept[split] & mask).sum())
        self.kept[split] &= ~mask


def merge_folders(folders: Sequence[Path], out: Path, *, partial: bool = False) -> dict[str, Any]:
    """Write the rows of all folders, in their order, as one dataset folder; facts as plain JSON.

    Splits stay splits. A row whose id (or, without ids, whole content) an earlier folder has is dropped,
    and so is a row of another split whose prompt stands in a test split. Raises InputError for folders
    whose columns differ, and for a numbered file that is missing unless `partial`.
    """
    parts = [_part(folder, partial) for folder in folders]
    schema = _schema(parts)
    _drop_repeated(parts)
    compared = _drop_leaked(parts)
    staged = staging(out / "data")
    shards = {split: _written(parts, split, staged, schema) for split in _splits(parts)}
    card = _card(parts, shards, schema)
    publish(staged, out / "data")
    publish_text(card, out / "README.md")
    files = [asdict(shard) for found in shards.values() for shard in found]
    dropped = sum((part.dropped for part in parts), Counter[str]())
    notes = [f"left out: {n:,} {reason}" for reason, n in dropped.items() if n]
    if not compared:
        notes.append("no prompt can be told from these columns: the splits were not compared")
    return {
        "path": str(out), "rows": _rows(shards), "left_out": dict(dropped),
        "bytes": sum(file["bytes"] for file in files), "files": files, "notes": notes,
    }  # fmt: skip


def _part(folder: Path, partial: bool) -> Part:
    splits = splits_of(str(folder)) or ("train",)
    files = {split: find_files(str(folder), split) for split in splits}
    odd = next((file for found in files.values() for file in found if file.suffix != ".parquet"), None)
    if odd is not None or (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
        hint = "make it one with: rather export"
        raise InputError("only folders of Parquet files can be merged", place=str(odd or folder), hint=hint)
    for found in files.values():
        _check_whole(found, partial)
    part = Part(folder, files)
    for split, found in files.items():
        part.kept[split] = np.ones(sum(_count(file) for file in found), bool)
    return part


def _count(file: Path) -> int:
    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot be read: {' '.join(str(error).split())[:200]}", place=str(file)) from error


def _check_whole(files: Sequence[Path], partial: bool) -> None:
    numbered = [(file, match) for file in files if (match := _NUMBERED.match(file.name))]
    there = {int(match["number"]) for _, match in numbered}
    total = max((int(match["total"]) for _, match in numbered), default=0)
    for number in range(0 if partial else total):
        if number not in there:
            file, match = numbered[0]
            name = f"{match['split']}-{number:05d}-of-{total:05d}{match['ending']}"
            raise InputError(f"{name} is missing", place=str(file.parent), hint="bring it, or merge with --partial")


def _schema(parts: Sequence[Part]) -> pa.Schema:
    """The columns all files have. InputError naming the first that differs."""
    schema = parts[0].schema
    for part in parts:
        for file in (file for found in part.files.values() for file in found):
            other = pq.read_schema(file)
            for name in dict.fromkeys([*schema.names, *other.names]):
                kinds = [str(s.field(name).type) if name in s.names else "missing" for s in (other, schema)]
                if kinds[0] != kinds[1]:
                    cause = f"column {name} is {kinds[0]}, and {kinds[1]} in {parts[0].folder}"
                    raise InputError(cause, place=str(file), hint="bring them to one layout with: rather export")
    return schema


def _splits(parts: Sequence[Part]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(split for part in parts for split in part.files))


def _drop_repeated(parts: Sequence[Part]) -> None:
    seen = np.empty(0, np.uint64)
    for part in parts:
        mine = {split: np.concatenate([_identity(file) for file in found]) for split, found in part.files.items()}
        for split, hashes in mine.items():
            part.drop(split, np.isin(hashes, seen), REPEATED)
        seen = np.unique(np.concatenate([seen, *mine.values()]))


def _identity(file: Path) -> np.ndarray:
    """uint64 [n]: the hash of each row's id, or of the row where there is none."""
    names = pq.read_schema(file).names
    wanted = ["id"] if "id" in names else names
    tables = (table.combine_chunks() for table in parquet_tables(file, wanted))
    found = [hash_column(table["id"]) if wanted == ["id"] else hash_rows(table, wanted) for table in tables]
    return np.concatenate([np.empty(0, np.uint64), *found])


def _drop_leaked(parts: Sequence[Part]) -> bool:
    """Whether prompts could be compared, where there is a test split beside others."""
    if "test" not in _splits(parts) or len(_splits(parts)) < 2:
        return True
    prompts = [{split: _prompts(part.folder, split) for split in part.files} for part in parts]
    found = [hashes for by_split in prompts for hashes in by_split.values() if hashes is not None]
    if len(found) < sum(len(by_split) for by_split in prompts):
        return False
    both = list(zip(parts, prompts, strict=True))
    held = np.unique(np.concatenate([hashes for part, by_split in both for hashes in _tested(part, by_split)]))
    for part, by_split in both:
        for split, hashes in by_split.items():
            if split != "test" and hashes is not None:
                part.drop(split, np.isin(hashes, held), LEAKED)
    return True


def _tested(part: Part, prompts: Mapping[str, np.ndarray | None]) -> Iterator[np.ndarray]:
    hashes = prompts.get("test")
    if hashes is not None:
        yield hashes[part.kept["test"]]


def _prompts(folder: Path, split: str) -> np.ndarray | None:
    """uint64 [n]: the hash of each row's prompt, as a reader of the dataset understands it."""
    sources: tuple[Source, ...] = tuple(kind(path=str(folder), split=split) for kind in (ReadPairs, ReadRows))
    for source in sources:
        try:
            if "prompt" not in source.schema_names():
                continue
        except InputError:
            continue  # not pairs: read.rows may still find a prompt
        found = [hash_column(table["prompt"]) for table in source.batches({"prompt"})]
        return np.concatenate([np.empty(0, np.uint64), *found])
    return None


def _written(parts: Sequence[Part], split: str, staged: Path, schema: pa.Schema) -> list[Shard]:
    shards = Shards(staged, split, schema, file_rows=None, file_bytes=256 << 20, compression="zstd")
    try:
        for part in parts:
            for table in _kept_rows(part, split):
                shards.add(pa.table(table.columns, schema=schema))
        return shards.close()
    finally:
        shards.abandon()


def _kept_rows(part: Part, split: str) -> Iterator[pa.Table]:
    start = 0
    for table in (table for file in part.files.get(split, ()) for table in parquet_tables(file)):
        kept = part.kept[split][start : start + table.num_rows]
        start += table.num_rows
        yield table.select(part.schema.names).filter(pa.array(kept))


def _rows(shards: Mapping[str, Sequence[Shard]]) -> dict[str, int]:
    return {split: sum(shard.rows for shard in found) for split, found in shards.items()}


def _card(parts: Sequence[Part], shards: Mapping[str, Sequence[Shard]], schema: pa.Schema) -> str:
    entries = [{"read.rows": {"path": str(part.folder)}} for part in parts]
    lines = []
    for part in parts:
        came, left = sum(map(len, part.kept.values())), sum(int(kept.sum()) for kept in part.kept.values())
        lines.append(Record(part.folder.name, "", "source", rows_in=came, rows_out=left, dropped=dict(part.dropped)))
    view = Joined(yaml.safe_dump({"name": "merged", "stages": entries}), tuple(lines))
    written = Written("", "", _rows(shards), schema, {}, {})
    return render_card(view, written, About(), _TEMPLATE)  # type: ignore[arg-type]
