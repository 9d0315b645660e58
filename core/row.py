"""What a row is: the exact Arrow types, and vectorised views of them.

A batch is a `pyarrow.Table`; every stage may count on these names having these types.
Content never hides in a metadata dict: a stage that knows something writes a typed column.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MESSAGE: Final = pa.struct(
    [
        ("role", pa.string()),
        ("content", pa.string()),
        # text and image parts, when content is not plain text; `image` indexes the row's `images`
        ("parts", pa.list_(pa.struct([("type", pa.string()), ("text", pa.string()), ("image", pa.int32())]))),
        ("tool_calls", pa.string()),  # canonical JSON, passed through untouched
    ]
)
MESSAGES: Final = pa.list_(MESSAGE)
IMAGE: Final = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
AUDIO: Final = IMAGE
MADE_BY: Final = pa.struct(
    [
        ("stage", pa.string()),
        ("method", pa.string()),
        ("params", pa.string()),  # canonical JSON
        ("model", pa.string()),
        ("seed", pa.uint64()),
    ]
)
ANSWER: Final = pa.struct(
    [
        ("text", pa.string()),  # the whole answer as text; for several turns, their contents joined
        ("turns", MESSAGES),  # only when the answer is more than one assistant turn
        ("image", IMAGE),
        ("model", pa.string()),  # who wrote it, when known
        ("made_by", MADE_BY),
    ]
)
PLACE: Final = pa.struct([("file", pa.string()), ("row", pa.int64())])

COLUMNS: Final[dict[str, pa.DataType]] = {
    "id": pa.string(),
    "content_hash": pa.uint64(),
    "prompt_hash": pa.uint64(),
    "place": PLACE,
    "parent_id": pa.string(),
    "source_id": pa.string(),
    "prompt": MESSAGES,
    "images": pa.list_(IMAGE),
    "audio": pa.list_(AUDIO),
    "candidates": pa.list_(ANSWER),
    "chosen": ANSWER,
    "rejected": ANSWER,
    "verdict": pa.string(),
    "weight": pa.float64(),
    "p_chosen": pa.float64(),
    "made_by": MADE_BY,
    "critique": pa.struct(
        [("text", pa.string()), ("critic", pa.string()), ("score", pa.float64()), ("verdict", pa.string())]
    ),
    "rubric": pa.list_(
        pa.struct([("id", pa.string()), ("criterion", pa.string()), ("weight", pa.float64()), ("kind", pa.string())])
    ),
    "steps": pa.list_(pa.struct([("text", pa.string()), ("label", pa.bool_())])),
    "spans": pa.list_(
        pa.struct(
            [
                ("start", pa.int32()),
                ("end", pa.int32()),
                ("kind", pa.string()),
                ("severity", pa.float64()),
                ("comment", pa.string()),
            ]
        )
    ),
}
"""Reserved column names and their types; `gold` may be bool or string and is for `diagnose.*` only."""

SYSTEM: Final = ("id", "content_hash", "prompt_hash", "place")
"""Columns the engine itself gives every row."""

CONTENT: Final = ("prompt", "images", "audio", "candidates", "chosen", "rejected")
"""What the id of a row is made from."""


def text_messages(text: pa.Array, role: str = "user") -> pa.Array:
    """One message a row from plain strings [n], without copying the text; null stays null."""
    text = flat(text)
    n = len(text)
    message = pa.StructArray.from_arrays(
        [
            pa.repeat(role, n),
            text.cast(pa.string()),
            pa.nulls(n, MESSAGE.field("parts").type),
            pa.nulls(n, pa.string()),
        ],
        fields=list(MESSAGE),
    )
    offsets = pa.array(np.arange(n + 1, dtype=np.int32))
    mask = text.is_null() if text.null_count else None
    return pa.ListArray.from_arrays(offsets, message, type=MESSAGES, mask=mask)


def text_answers(text: pa.Array, model: pa.Array | None = None) -> pa.Array:
    """Answers from plain strings [n]; a null string is a null answer."""
    text = flat(text).cast(pa.string())
    n = len(text)
    arrays = [pa.nulls(n, field.type) for field in ANSWER]
    arrays[0] = text
    if model is not None:
        arrays[3] = flat(model).cast(pa.string())
    mask = text.is_null() if text.null_count else None
    return pa.StructArray.from_arrays(arrays, fields=list(ANSWER), mask=mask)


def prompt_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The contents of all messages of a row joined by a blank line, [n] strings; null stays null."""
    messages = flat(column)
    contents = pc.struct_field(messages.flatten(), "content")
    lengths = pc.list_value_length(messages)
    if len(messages) and pc.all(pc.equal(lengths, 1)).as_py() and not messages.null_count:
        return contents
    counts = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(_cumulated(counts), pa.int32())
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, pc.fill_null(contents, "")), "\n\n")
    return pc.if_else(messages.is_null(), pa.scalar(None, pa.string()), joined)


def last_user_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The content of each row's last message, [n] strings (null where there is none)."""
    messages = flat(column)
    empty = pc.equal(pc.fill_null(pc.list_value_length(messages), 0), 0)
    ends = pc.subtract(messages.offsets[1:], 1)
    index = pc.if_else(empty, pa.scalar(None, ends.type), ends)
    return pc.struct_field(messages.values, "content").take(index)


def answer_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The text of `chosen` or `rejected`, [n] strings; a null answer is null."""
    answers = flat(column)
    text = pc.struct_field(answers, "text")
    return pc.if_else(answers.is_null(), pa.scalar(None, pa.string()), text) if answers.null_count else text


def characters(text: pa.Array) -> pa.Array:
    """Code points of each string, [n] int32; null stays null."""
    _, bounds, content = text.buffers()
    offsets = np.frombuffer(bounds, np.int32)[text.offset : text.offset + len(text) + 1] if len(text) else [0, 0]
    data = np.frombuffer(content, np.uint8)[offsets[0] : offsets[-1]] if content is not None else np.empty(0, np.uint8)
    plain = data.max(initial=0) < 0x80  # in ASCII a character is a byte: counting them is ten times as slow
    return pc.binary_length(text) if plain else pc.utf8_length(text)


def flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array, without a copy when it is one already."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def numpy_vectors(column: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Vectors stored as fixed-size lists, as float32 [n, dim], without copying where Arrow allows."""
    array = flat(column)
    dim = array.type.list_size
    return array.flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)


def arrow_vectors(vectors: np.ndarray) -> pa.Array:
    """float32 [n, dim] as an Arrow fixed-size list column."""
    values = pa.array(vectors.reshape(-1), pa.float32())
    return pa.FixedSizeListArray.from_arrays(values, vectors.shape[1])


def _cumulated(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)])
