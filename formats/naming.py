"""Whose name a column goes by: the reader's mapping, and the reserved names it may not take."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import did_you_mean
from ..core.row import COLUMNS, SYSTEM, flat


@final
@dataclass(frozen=True)
class View:
    """A source's columns under the names the mapping gives them; each is a path into the source."""

    paths: Mapping[str, tuple[str, ...]]
    fields: Mapping[str, pa.Field]

    def sources(self, names: Iterable[str]) -> set[str]:
        """The source's own columns behind these."""
        return {self.paths[name][0] for name in names}

    def apply(self, table: pa.Table, names: Collection[str]) -> dict[str, pa.Array]:
        """These columns as single arrays [n]."""
        return {name: _reached(table, path) for name, path in self.paths.items() if name in names}


def viewed(schema: pa.Schema, mapping: Mapping[str, str]) -> View:
    """The source seen through `columns: {ours: theirs}`; theirs may be a path, as in `extra.gold`.

    A column of the source whose name one of ours takes is seen as `source_<name>`.
    """
    moved = {theirs for theirs in mapping.values() if theirs in schema.names}
    paths: dict[str, tuple[str, ...]] = {}
    for name in schema.names:
        if name not in moved:
            paths[f"source_{name}" if name in mapping else name] = (name,)
    for ours, theirs in mapping.items():
        paths[ours] = (theirs,) if theirs in schema.names else tuple(theirs.split("."))
    return View(paths, {name: _field(schema, path, name) for name, path in paths.items()})


def mapping_faults(schema: pa.Schema, mapping: Mapping[str, str]) -> list[str]:
    """One sentence for each mapped column that the source does not have."""
    faults = []
    for ours, theirs in mapping.items():
        if theirs not in schema.names and not _exists(schema, theirs.split(".")):
            hint = did_you_mean(theirs, schema.names) or f"it has {', '.join(schema.names)}"
            faults.append(f"columns.{ours}: the source has no column {theirs}; {hint}")
    return faults


def passed_name(name: str, kind: pa.DataType) -> str:
    """The name an unconverted column keeps: its own, unless reserved and of another type."""
    free = name not in SYSTEM and (name not in COLUMNS or fits(kind, COLUMNS[name]))
    return name if free else f"source_{name}"


def fits(kind: pa.DataType, reserved: pa.DataType) -> bool:
    """True when a column of `kind` may stand for the reserved one, after a cast that loses nothing."""
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return bool(kind == reserved or (numeric and pa.types.is_floating(reserved)))


def _exists(schema: pa.Schema, path: list[str]) -> bool:
    if path[0] not in schema.names:
        return False
    kind = schema.field(path[0]).type
    for step in path[1:]:
        if not pa.types.is_struct(kind) or kind.get_field_index(step) < 0:
            return False
        kind = kind.field(step).type
    return True


def _field(schema: pa.Schema, path: tuple[str, ...], name: str) -> pa.Field:
    field = schema.field(path[0])
    for step in path[1:]:
        field = field.type.field(step)
    return field.with_name(name)


def _reached(table: pa.Table, path: tuple[str, ...]) -> pa.Array:
    column = table[path[0]]
    array = flat(column)
    return pc.struct_field(array, list(path[1:])) if len(path) > 1 else array
