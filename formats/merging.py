"""Dataset folders put together, split by split: no row twice, no prompt in both train and test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ..core.cursor import parquet_tables
from ..core.errors import InputError
from ..core.store import Record
from .card import About, Written, render_card
from .joined import Joined
from .overlaps import Part, drop_leaked, drop_repeated
from .shards import Shard, Shards, publish, publish_text, staging
from .splits import splits_of
from .tables import find_files

_NUMBERED: Final = re.compile(r"^(?P<split>.+?)-(?P<number>\d{5})-of-(?P<total>\d{5})(?P<ending>.*)$")
_TEMPLATE: Final = Path(__file__).parent / "templates" / "card_merged.md.j2"


def merge_folders(folders: Sequence[Path], out: Path, *, partial: bool = False) -> dict[str, Any]:
    """Write the rows of all folders, in their order, as one dataset folder; facts as plain JSON.

    Splits stay splits. A row whose id (or, without ids, whole content) an earlier folder has is dropped,
    and so is a row of another split whose prompt stands in a test split. Raises InputError for folders
    whose columns differ, and for a numbered file that is missing unless `partial`.
    """
    parts = [_part(folder, partial) for folder in folders]
    schema = _schema(parts)
    drop_repeated(parts)
    compared = drop_leaked(parts)
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
