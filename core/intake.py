"""Where rows enter a run: system columns for what a source reads, and several frames mixed into one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, final

import numpy as np
import pyarrow as pa

from .appender import Appender
from .errors import InputError
from .frame import BATCH_BYTES, Frame, Level
from .hashing import hash_column, hash_rows
from .identity import Occurrences, hex_ids
from .prefetching import prefetched
from .row import COLUMNS, CONTENT, PLACE, SYSTEM
from .stage import Source

SYSTEM_SCHEMA: Final = pa.schema([(name, COLUMNS[name]) for name in SYSTEM])


@final
class Numbering:
    """Gives rows their `id`, `content_hash`, `prompt_hash` and `place`, in source order."""

    def __init__(self) -> None:
        self._seen = Occurrences()

    def system(self, hashes: np.ndarray, prompts: np.ndarray, place: pa.Array) -> pa.Table:
        """System columns from ready hashes; equal ones are told apart by their order."""
        ids = hex_ids(hashes, self._seen.number(hashes))
        return pa.table([ids, pa.array(hashes), pa.array(prompts), place], schema=SYSTEM_SCHEMA)


def hashed(table: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    """uint64 [n] twice: the hashes of content rows and of their prompts (of the rows, where there are none)."""
    names = [name for name in CONTENT if name in table.column_names] or sorted(table.column_names)
    prompts = hash_column(table["prompt"]) if "prompt" in table.column_names else None
    hashes = hash_rows(table, names, prompts)
    return hashes, hashes if prompts is None else prompts


def known(table: pa.Table, rows: np.ndarray, name: str) -> tuple[pa.Table, np.ndarray, np.ndarray, np.ndarray]:
    """Content in its types, where it stands, the hashes of rows and of prompts."""
    content = with_types(table, name)
    content = content.select([column for column in content.column_names if column not in SYSTEM])
    return content, rows, *hashed(content)


def place_label(files: Sequence[str]) -> str:
    """What `place.file` says of rows that are numbered through these files."""
    names = [Path(file).name for file in files]
    return names[0] if len(names) == 1 else f"{names[0]} … {names[-1]} ({len(names)} files)" if names else ""


def whole_schema(source: Source) -> pa.Schema:
    """The content schema of a source that is read again instead of kept, from its first batch."""
    for table in source.batches(None):
        table = with_types(table.slice(0, 1), source.name)
        return pa.schema([field for field in table.schema if field.name not in SYSTEM])
    return pa.schema([pa.field(name, COLUMNS.get(name, pa.null())) for name in source.schema_names()])


def places(file: str, rows: np.ndarray) -> pa.Array:
    """PLACE [n] of rows that stand at `rows` of the source called `file`."""
    return pa.StructArray.from_arrays([pa.repeat(file, len(rows)), pa.array(rows)], fields=list(PLACE))


def source_rows(
    source: Source, columns: Sequence[str] | None, size: int, limit: int | None, shard: tuple[int, int] | None
) -> Iterator[tuple[pa.Table, np.ndarray]]:
    """(content, row numbers in the source) in batches of at most `size` rows and about 64 MiB."""
    number = taken = 0
    for table in source.batches(columns):
        rows = np.arange(number, number + table.num_rows)
        number += table.num_rows
        if shard is not None:
            mine = rows % shard[1] == shard[0]
            table, rows = table.filter(pa.array(mine)), rows[mine]
        if limit is not None:
            table, rows = table.slice(0, limit - taken), rows[: limit - taken]
        taken += table.num_rows
        step = _step(table, size)
        for start in range(0, table.num_rows, step):
            yield table.slice(start, step), rows[start : start + step]
        if limit is not None and taken >= limit:
            return


def with_types(table: pa.Table, stage: str) -> pa.Table:
    """The table with reserved columns cast to their types; a column that cannot be is an InputError."""
    for index, field in enumerate(table.schema):
        kind = COLUMNS.get(field.name)
        if kind is not None and field.type != kind:
            try:
                table = table.set_column(
                    index, pa.field(field.name, kind, metadata=field.metadata), table.column(index).cast(kind)
                )
            except pa.ArrowInvalid as error:
                raise InputError(
                    f"{field.name} is {field.type}, not {kind}", place=stage, hint="map another column to it"
                ) from error
    return table


def replay(source: Source, schema: pa.Schema, limit: int | None, shard: tuple[int, int] | None) -> Level:
    """A level that reads its content from the source again (rows and system path filled by the caller)."""

    def read(names: Sequence[str]) -> Iterator[pa.Table]:
        for table, _ in prefetched(source_rows(source, list(names), 1 << 16, limit, shard)):
            yield with_types(table.select(list(names)), source.name)

    return Level(0, schema, Path(), read)


def mix(frames: Sequence[Frame], folder: Path) -> Level:
    """Several frames one after another as a new level; rows equal across frames get ids of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    numbering, rows = Numbering(), 0
    appender = Appender(folder / "system.parquet", SYSTEM_SCHEMA)
    for frame in frames:
        for table in frame.batches(list(SYSTEM)):
            hashes = table["content_hash"].to_numpy()
            place = table["place"].combine_chunks()
            system = numbering.system(hashes, table["prompt_hash"].to_numpy(), place)
            appender.add(system)
            rows += table.num_rows
    appender.close()
    return mixed_level(frames, folder, rows)


def mixed_level(frames: Sequence[Frame], folder: Path, rows: int) -> Level:
    """The level of a mix whose system columns are already stored."""
    schema = _union([frame.schema for frame in frames])

    def read(names: Sequence[str]) -> Iterator[pa.Table]:
        wanted = pa.schema([schema.field(name) for name in names])
        for frame in frames:
            present = [name for name in names if name in frame.names]
            for table in frame.batches(present or ["id"]):
                yield _conformed(table, wanted)

    return Level(rows, schema, folder / "system.parquet", read)


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table[f.name].cast(f.type) if f.name in table.column_names else pa.nulls(table.num_rows, f.type) for f in schema
    ]
    return pa.table(columns, schema=schema)


def _union(schemas: list[pa.Schema]) -> pa.Schema:
    bare = [pa.schema([f for f in schema if f.name not in SYSTEM]) for schema in schemas]
    try:
        return pa.unify_schemas(bare, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        cause = str(error).splitlines()[0]
        raise InputError(
            f"the mixed stages disagree on a column's type: {cause}", hint="rename one with `columns:`"
        ) from error


def _step(table: pa.Table, size: int) -> int:
    if not table.num_rows:
        return size
    a_row = max(1, table.nbytes // table.num_rows)
    return max(1, min(size, BATCH_BYTES // a_row))
