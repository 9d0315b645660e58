"""Rows of several runs, each of which saw a part of the source, as one set in source order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.cursor import Dense
from ..core.errors import InputError

if TYPE_CHECKING:
    from ..core.frame import Frame

_ROOT: Final = 16  # an id is that many characters, and `-k` for the k-th row equal to another


@final
@dataclass(frozen=True)
class Interleaved:
    """A frame over frames: `order` [n] says from which of them the next row is; their own order is kept.

    `ids` are the rows' ids, unique in the whole; `placed` is False where the rows' places did not tell
    an order and one frame follows the other; `renumbered` rows were equal to rows of other frames.
    """

    frames: tuple[Frame, ...]
    order: np.ndarray
    ids: pa.Array
    placed: bool
    renumbered: int

    def __len__(self) -> int:
        return len(self.order)

    @property
    def schema(self) -> pa.Schema:
        """That of every frame."""
        return self.frames[0].schema

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return self.frames[0].names

    def batches(self, columns: Sequence[str] | None = None, size: int = 8192) -> Iterator[pa.Table]:
        """Tables of at most `size` rows of the named columns, in order; each frame is read once."""
        names = list(self.names if columns is None else columns)
        each = max(1, size // len(self.frames))
        cursors = [Dense(frame.batches(names, each)) for frame in self.frames]
        for start in range(0, len(self), size):
            order = self.order[start : start + size]
            counts = np.bincount(order, minlength=len(cursors))
            parts = [cursor.next(int(n)) for cursor, n in zip(cursors, counts, strict=True) if n]
            back = np.empty(len(order), np.int64)
            back[np.argsort(order, kind="stable")] = np.arange(len(order))
            table = pa.concat_tables(parts).unify_dictionaries().combine_chunks().take(pa.array(back))
            if "id" in names:
                mine = self.ids.slice(start, len(order))
                table = table.set_column(names.index("id"), table.schema.field("id"), mine)
            yield table


def interleaved(frames: Sequence[Frame]) -> Interleaved:
    """The frames' rows by the row of the source they came from. InputError where columns differ."""
    _same_columns(frames)
    system = [frame.table(["id", "place"]) for frame in frames]
    places = _places(system)
    order = np.repeat(np.arange(len(frames)), [len(frame) for frame in frames])
    rising = places is not None and all(_rising(*(part[order == k] for part in places)) for k in range(len(frames)))
    by_place = np.lexsort((order, places[1], places[0])) if rising and places is not None else np.arange(len(order))
    ids = pa.chunked_array([chunk for table in system for chunk in table["id"].chunks], pa.string())
    unique, renumbered = _unique(ids.combine_chunks().take(pa.array(by_place)))
    return Interleaved(tuple(frames), order[by_place], unique, rising, renumbered)


def _places(system: Sequence[pa.Table]) -> tuple[np.ndarray, np.ndarray] | None:
    """(number of the source, row in it) of every row; None where one has no place."""
    column = pa.concat_tables([table.select(["place"]) for table in system]).unify_dictionaries()["place"]
    whole = column.combine_chunks()
    files, rows = pc.struct_field(whole, "file"), pc.struct_field(whole, "row")
    if files.null_count or rows.null_count:
        return None
    labels = files.cast(pa.string())
    numbers = pc.index_in(labels, value_set=labels.unique())  # sources in the order in which they are met
    return numbers.to_numpy(zero_copy_only=False), rows.to_numpy(zero_copy_only=False)


def _rising(files: np.ndarray, rows: np.ndarray) -> bool:
    step = np.diff(files)
    return bool(((step > 0) | ((step == 0) & (np.diff(rows) >= 0))).all())


def _unique(ids: pa.Array) -> tuple[pa.Array, int]:
    """The ids, those of equal rows numbered anew in their order, and how many are not as they were."""
    if pc.count_distinct(ids).as_py() == len(ids):
        return ids, 0
    roots = pc.utf8_slice_codeunits(ids, 0, _ROOT)
    counts = ids.value_counts()
    repeated = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    twice = pc.utf8_slice_codeunits(repeated, 0, _ROOT)
    told, seen, changed = ids.to_pylist(), dict[str, int](), 0
    for k in pc.indices_nonzero(pc.is_in(roots, value_set=twice)).to_pylist():
        root = told[k][:_ROOT]
        number = seen.get(root, 0)
        seen[root] = number + 1
        name = f"{root}-{number}" if number else root
        changed += name != told[k]
        told[k] = name
    return pa.array(told, pa.string()), changed


def _same_columns(frames: Sequence[Frame]) -> None:
    first = frames[0].schema
    for number, frame in enumerate(frames[1:], 2):
        for field in frame.schema:
            at = first.get_field_index(field.name)
            if at < 0 or first.field(at).type != field.type:
                there = f"is {first.field(at).type} in the first" if at >= 0 else "is not in the first"
                cause = f"column {field.name} is {field.type} in part {number} and {there}"
                raise InputError(cause, place="merge", hint="were they read from the same source?")
