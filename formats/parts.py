"""Message content given as typed parts: its text, and which of the row's images each part shows."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PART: Final = pa.struct([("type", pa.string()), ("text", pa.string()), ("image", pa.int32())])
_IMAGES: Final = ("image", "image_url", "input_image")


def split_parts(content: pa.Array, row: np.ndarray) -> tuple[pa.Array, pa.Array]:
    """(text, parts) [messages] from lists of parts or strings; `row` [messages] is each message's row.

    Texts of a message are joined by a line break. Image parts are numbered from 0 through a row.
    """
    lengths = pc.fill_null(pc.list_value_length(content), 0).to_numpy(zero_copy_only=False)
    values = content.flatten()
    names = {field.name for field in values.type} if pa.types.is_struct(values.type) else set()
    bare = values if not names else pa.nulls(len(values), pa.string())
    text = pc.struct_field(values, "text") if "text" in names else bare
    kind = pc.struct_field(values, "type") if "type" in names else pa.repeat("text", len(values))
    shown = pc.fill_null(pc.is_in(kind, pa.array(_IMAGES)), False).to_numpy(zero_copy_only=False)
    kind = pc.if_else(pa.array(shown, pa.bool_()), "image", kind)
    number = _numbered(shown, np.repeat(row, lengths))
    parts = pa.StructArray.from_arrays([kind, text.cast(pa.string()), number], fields=list(PART))
    null = content.is_null()
    listed = _listed(parts, lengths, null if null.true_count else None)
    joined = _joined(text, lengths)
    alone = pa.array((lengths == 1) & ~_any_in(shown, lengths))  # one text part is plain content
    listed = pc.if_else(alone, pa.scalar(None, listed.type), listed)
    return pc.if_else(null, pa.scalar(None, pa.string()), joined), listed


def _numbered(shown: np.ndarray, row: np.ndarray) -> pa.Array:
    if not len(shown):
        return pa.array([], pa.int32())
    count = np.cumsum(shown)
    first = np.searchsorted(row, row)  # rows come in order: where each part's row begins
    number = count - 1 - np.where(first > 0, count[first - 1], 0)
    return pa.array(number.astype(np.int32), mask=~shown)


def _joined(text: pa.Array, lengths: np.ndarray) -> pa.Array:
    said = text.is_valid().to_numpy(zero_copy_only=False)
    owner = np.repeat(np.arange(len(lengths)), lengths)[said]
    counts = np.bincount(owner, minlength=len(lengths))
    return pc.binary_join(_listed(text.drop_null().cast(pa.string()), counts, None), "\n")


def _any_in(flags: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return np.bincount(owner[flags], minlength=len(lengths)) > 0


def _listed(values: pa.Array, lengths: np.ndarray, mask: pa.Array | None) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=mask)
