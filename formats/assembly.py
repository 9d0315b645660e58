"""A source's columns turned into rows: which are asked for, what each is made from, in what order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, final

import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import InputError
from ..core.row import COLUMNS
from .answers import image_lists, is_image
from .dialogues import form_of
from .naming import View, mapping_faults, passed_name, viewed
from .pair_columns import Arrays, Group
from .tables import Tables
from .unified import as_text

_IDS: Final = ("source_id", "id", "prompt_id", "pair_id", "post_id", "uid", "uuid")


@final
@dataclass(frozen=True)
class Sight:
    """A source looked at: its schema, its columns under our names, and what the first rows' strings hold."""

    tables: Tables
    schema: pa.Schema
    view: View
    forms: Mapping[str, str]

    def holds_text(self, name: str) -> bool:
        """True when the column's values are plain strings, neither transcripts nor messages."""
        return pa.types.is_string(self.view.fields[name].type) and not self.forms.get(name)


@final
@dataclass(frozen=True)
class Assembly:
    """Groups of columns to make, and the field of each column made, in output order."""

    sight: Sight
    groups: Sequence[Group]
    fields: Mapping[str, pa.Field]

    def batches(self, columns: Collection[str] | None) -> Iterator[pa.Table]:
        """Rows of the wanted columns (None = all); only what these are made from is read."""
        wanted = [name for name in self.fields if columns is None or name in columns]
        groups = [group for group in self.groups if set(group.makes) & set(wanted)]
        needs = {name for group in groups for name in group.needs} - {"read_error"}
        sources = self.sight.view.sources(needs)
        schema = pa.schema([self.fields[name] for name in wanted])
        for table in self.sight.tables.read(pa.schema([field for field in self.sight.schema if field.name in sources])):
            arrays = self.sight.view.apply(table, needs)
            arrays["read_error"] = _errors(table)
            made: dict[str, pa.Array] = {}
            for group in groups:
                made |= group.make(arrays)
            yield pa.table([made[name] for name in wanted], schema=schema) if wanted else table.select([])


def sighted(tables: Tables, mapping: Mapping[str, str], exact: bool) -> Sight:
    """The source's columns as the mapping names them; `exact` reads what it must to be sure of the types."""
    first = tables.peek()
    schema = tables.schema() if exact else first.schema
    faults = mapping_faults(schema, mapping)
    if faults:
        cause, _, hint = faults[0].partition("; ")
        raise InputError(cause, hint=hint)
    view = viewed(schema, mapping)
    strings = {name for name, field in view.fields.items() if pa.types.is_string(field.type)}
    there = {name for name in strings if view.paths[name][0] in first.column_names}
    forms = {name: form_of(array) for name, array in view.apply(first, there).items()}
    marked = {name: "json" for name, field in view.fields.items() if (field.metadata or {}).get(b"form") == b"json"}
    return Sight(tables, schema, view, forms | marked)


def with_texts(sight: Sight, mapping: Mapping[str, str], names: Collection[str]) -> Sight:
    """The same, numbers in these columns read as the text they are written as."""
    texts = {path[0] for name, path in sight.view.paths.items() if name in names and len(path) == 1}
    schema = pa.schema([as_text(field) if field.name in texts else field for field in sight.schema])
    return Sight(sight.tables, schema, viewed(schema, mapping), sight.forms)


def assembled(sight: Sight, groups: list[Group], fields: dict[str, pa.Field], consumed: Collection[str]) -> Assembly:
    """The given groups, then the source's id, its images, and every other column under its own name."""
    used = set(consumed)
    for group, kind, spent in _common(sight, fields):
        groups.append(group)
        fields[group.makes[0]] = pa.field(group.makes[0], kind)
        used |= spent
    last = {name: fields.pop(name) for name in ("read_error",) if name in fields}
    for name, field in sight.view.fields.items():
        if name not in used:
            out = passed_name(name, field.type)
            while out in fields or out in last:
                out = f"source_{out}"
            kind = COLUMNS.get(out, field.type)
            groups.append(Group((out,), (name,), _passing(out, name, kind)))
            fields[out] = pa.field(out, kind, metadata=field.metadata)
    return Assembly(sight, groups, fields | last)


def _common(sight: Sight, fields: Mapping[str, pa.Field]) -> Iterator[tuple[Group, pa.DataType, set[str]]]:
    theirs = sight.view.fields
    name = next((name for name in _IDS if name in theirs and not pa.types.is_nested(theirs[name].type)), None)
    if name is not None:
        spent = {name} if name in ("id", "source_id") else set()
        yield Group(("source_id",), (name,), _passing("source_id", name, pa.string())), pa.string(), spent
    for name in ("images", "image"):
        if name in theirs and _shows_images(theirs[name].type) and "images" not in fields:
            yield Group(("images",), (name,), _imaging(name)), COLUMNS["images"], {name}
            return


def _shows_images(kind: pa.DataType) -> bool:
    return is_image(kind.value_type if pa.types.is_list(kind) else kind)


def _passing(out: str, name: str, kind: pa.DataType) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {out: arrays[name] if arrays[name].type == kind else pc.cast(arrays[name], kind)}


def _imaging(name: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {"images": image_lists(arrays[name])}


def _errors(table: pa.Table) -> pa.Array:
    if "read_error" not in table.column_names:
        return pa.nulls(table.num_rows, pa.string())
    return table["read_error"].combine_chunks()
