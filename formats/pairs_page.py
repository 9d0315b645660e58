"""Rows to browse side by side: which are shown, and the report's pair browser as a page of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, final

import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import InputError, did_you_mean
from ..core.row import SYSTEM, answer_text, prompt_text
from .report import rendered
from .report_compare import lowest, rows_of
from .report_data import Pair
from .report_pairs import PAYLOAD, named_values, pair_of, pairs_json
from .thumbnails import Thumbnails

if TYPE_CHECKING:
    from ..core.frame import Frame

VALUES: Final = 16
"""Values shown beside a row."""
PICTURES: Final = 60
"""Different pictures on a page."""
_COMPARISON: Final = re.compile(r"\s*([\w.\-]+)\s*(<=|>=|==|!=|<|>|=)\s*(\S.*?)\s*")
_OPERATORS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "<": pc.less, "<=": pc.less_equal, ">": pc.greater, ">=": pc.greater_equal, "=": pc.equal, "==": pc.equal,
    "!=": pc.not_equal,
}  # fmt: skip


@final
@dataclass(frozen=True)
class Wish:
    """Which rows are wanted: those holding `find` in a text, and for which every `where` is true.

    `where` are comparisons of a column with a number or word, as in `margin < 0.5`; a null is never true.
    """

    find: str = ""
    where: tuple[str, ...] = ()

    def columns(self, names: Sequence[str]) -> list[str]:
        """The columns it looks at; InputError for a comparison that is none, or of a column that is not there."""
        found = [name for name in ("prompt", "chosen", "rejected") if self.find and name in names]
        for column, _, _ in map(compared, self.where):
            if column not in names:
                raise InputError(f"no column {column}", place="--where", hint=did_you_mean(column, names))
            found.append(column)
        return found

    def wanted(self, table: pa.Table) -> pa.Table:
        """The rows of the table that are wanted."""
        for column, sign, value in map(compared, self.where):
            mask = _OPERATORS[sign](table[column], _scalar(value, table[column].type, column))
            table = table.filter(pc.fill_null(mask, False))
        if self.find and table.num_rows:
            table = table.filter(_holding(table, self.find))
        return table


@final
@dataclass(frozen=True)
class Shown:
    """Rows to show, how many there were to choose from, and of how many in all."""

    pairs: tuple[Pair, ...]
    matched: int
    rows: int


def compared(text: str) -> tuple[str, str, str]:
    """(column, sign, value) of a comparison; InputError when it is none."""
    match = _COMPARISON.fullmatch(text)
    if match is None:
        raise InputError(f"--where {text} is no comparison", hint="as in --where 'margin < 0.5'")
    return match[1], match[2], match[3].strip("'\"")


def shown(frame: Frame, most: int, wish: Wish, pictures: int = PICTURES) -> Shown:
    """Up to `most` of the wanted rows, those whose id hashes lowest: the same ones every time."""
    matched = 0

    def wanted() -> Iterator[pa.Table]:
        nonlocal matched
        for batch in frame.batches(list(dict.fromkeys(["id", *wish.columns(frame.names)]))):
            table = wish.wanted(batch)
            matched += table.num_rows
            yield table.select(["id"])

    values = value_columns(frame.schema)
    names = [name for name in (*PAYLOAD, *values) if name in frame.names and name != "id"]  # `rows_of` adds the id
    rows = rows_of(frame, lowest(wanted(), most), names).to_pylist()
    thumbs = Thumbnails(pictures)
    return Shown(tuple(pair_of(row, thumbs, values=_told(row, values)) for row in rows), matched, len(frame))


def value_columns(schema: pa.Schema) -> list[str]:
    """Columns of plain values, `margin` and scores before other numbers, and those before words."""
    plain = [f for f in schema if f.name not in (*SYSTEM, *PAYLOAD) and not pa.types.is_nested(f.type)]
    plain = [f for f in plain if not (pa.types.is_binary(f.type) or pa.types.is_uint64(f.type))]

    def order(field: pa.Field) -> tuple[bool, bool, bool]:
        words = pa.types.is_string(field.type) or pa.types.is_dictionary(field.type)
        return field.name != "margin", b"scorer" not in (field.metadata or {}), bool(words)

    return [field.name for field in sorted(plain, key=order)[:VALUES]]


def pairs_page(title: str, told: str, kept: Sequence[Pair], dropped: Sequence[Pair] = ()) -> str:
    """The page as HTML text; it loads nothing and runs without a network. Its rows can be searched."""
    data = pairs_json([*kept, *dropped])
    return rendered("pairs.html.j2", title=title, told=told, kept=kept, dropped=dropped, data=data)


def _told(row: Mapping[str, Any], values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The row's values, and how its rejected answer was made."""
    made = (row.get("rejected") or {}).get("made_by") or {}
    words = " ".join(str(made[key]) for key in ("stage", "method", "params") if made.get(key))
    return (*named_values(row, values), *((("rejected made by", words),) if words else ()))


def _holding(table: pa.Table, find: str) -> pa.Array:
    readers = {"prompt": prompt_text, "chosen": answer_text, "rejected": answer_text}
    masks = [
        pc.fill_null(pc.match_substring(read(table[name]), find, ignore_case=True), False)
        for name, read in readers.items()
        if name in table.column_names
    ]
    if not masks:
        raise InputError("these rows have no text to look in", place="--find", hint="--where compares a column")
    found = masks[0]
    for mask in masks[1:]:
        found = pc.or_(found, mask)
    return found


def _scalar(value: str, kind: pa.DataType, column: str) -> pa.Scalar:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    try:
        return pa.scalar(value).cast(pa.float64() if pa.types.is_integer(kind) else kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        cause = f"column {column} is {kind}, which {value} is not"
        raise InputError(cause, place="--where", hint="as in --where 'margin < 0.5'") from error
