"""Answers of any make (strings, messages, images) as ANSWER."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.row import ANSWER, IMAGE, prompt_text, text_answers
from .dialogues import is_messages, messages_of
from .parting import list_lengths


def is_image(kind: pa.DataType) -> bool:
    """True of raw bytes and of structs with `bytes`, as the Hub's `Image` feature has."""
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        kind = kind.field("bytes").type
    return bool(pa.types.is_binary(kind))


def is_answer(kind: pa.DataType) -> bool:
    """True of the types that `answers_of` understands."""
    if pa.types.is_struct(kind) and kind.get_field_index("text") >= 0 and kind != ANSWER:
        return not pa.types.is_nested(kind.field("text").type)
    return kind == ANSWER or is_image(kind) or is_messages(kind) or not pa.types.is_nested(kind)


def answers_of(column: pa.Array, form: str = "") -> pa.Array:
    """ANSWER [n] from strings, messages, images, {text, …} structs or (`form="json"`) JSON; null stays null."""
    kind = column.type
    if kind == ANSWER:
        return column
    if form == "json" or is_messages(kind):
        return spoken_answers(messages_of(column, "assistant", form))
    if is_image(kind):
        return _image_answers(images_of(column))
    if pa.types.is_struct(kind):
        text = pc.struct_field(column, "text")
        return text_answers(pc.if_else(column.is_null(), pa.scalar(None, pa.string()), text.cast(pa.string())))
    return text_answers(column)


def spoken_answers(messages: pa.Array) -> pa.Array:
    """ANSWER [n] from MESSAGES [n]: one plain message is its text, more (or with parts, calls) keep `turns`."""
    lengths = list_lengths(messages)
    null = (lengths == 0) | messages.is_null().to_numpy(zero_copy_only=False)
    fields = [pc.struct_field(messages.values, name).is_valid() for name in ("parts", "tool_calls")]
    rich = pc.or_(*fields)
    before = np.concatenate([[0], np.cumsum(rich.to_numpy(zero_copy_only=False))])
    offsets = messages.offsets.to_numpy()
    kept = (lengths > 1) | (before[offsets[:-1] + lengths] > before[offsets[:-1]])
    turns = pc.if_else(pa.array(kept), messages, pa.scalar(None, messages.type))
    return _built(prompt_text(messages), turns, None, null)


def images_of(column: pa.Array) -> pa.Array:
    """IMAGE [n] from bytes or structs of bytes and path."""
    if column.type == IMAGE:
        return column
    if pa.types.is_binary(column.type):
        pieces = [column, pa.nulls(len(column), pa.string())]
        return pa.StructArray.from_arrays(pieces, fields=list(IMAGE), mask=column.is_null())
    known = column.type.get_field_index("path") >= 0
    path = pc.struct_field(column, "path") if known else pa.nulls(len(column), pa.string())
    pieces = [pc.struct_field(column, "bytes").cast(pa.binary()), path.cast(pa.string())]
    return pa.StructArray.from_arrays(pieces, fields=list(IMAGE), mask=column.is_null())


def image_lists(column: pa.Array) -> pa.Array:
    """list<IMAGE> [n] from a column of images or of lists of images."""
    if not pa.types.is_list(column.type):
        filled = column.is_valid().to_numpy(zero_copy_only=False)
        offsets = np.concatenate([[0], np.cumsum(filled)]).astype(np.int32)
        mask = pa.array(~filled) if not filled.all() else None
        return pa.ListArray.from_arrays(pa.array(offsets), images_of(column.drop_null()), mask=mask)
    offsets = np.concatenate([[0], np.cumsum(list_lengths(column))]).astype(np.int32)
    mask = column.is_null() if column.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), images_of(column.flatten()), mask=mask)


def answer_lists(column: pa.Array) -> pa.Array:
    """list<ANSWER> [n] from lists of anything that is an answer."""
    offsets = np.concatenate([[0], np.cumsum(list_lengths(column))]).astype(np.int32)
    mask = column.is_null() if column.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), answers_of(column.flatten()), mask=mask)


def with_model(answers: pa.Array, model: pa.Array) -> pa.Array:
    """The answers with the name of who wrote each, [n] strings."""
    columns = [answers.field(index) for index in range(len(ANSWER))]
    columns[ANSWER.get_field_index("model")] = model.cast(pa.string())
    mask = answers.is_null() if answers.null_count else None
    return pa.StructArray.from_arrays(columns, fields=list(ANSWER), mask=mask)


def picked(first: pa.Array, second: pa.Array, side: np.ndarray) -> pa.Array:
    """`first` where `side` is 0, `second` where it is 1, null where it is -1."""
    n = len(first)
    place = pa.array(np.arange(n) + n * np.maximum(side.astype(np.int64), 0), mask=side < 0)
    return pa.concat_arrays([first, second]).take(place)


def _image_answers(images: pa.Array) -> pa.Array:
    null = images.is_null().to_numpy(zero_copy_only=False)
    return _built(pa.nulls(len(images), pa.string()), None, images, null)


def _built(text: pa.Array, turns: pa.Array | None, image: pa.Array | None, null: np.ndarray) -> pa.Array:
    columns = [pa.nulls(len(text), field.type) for field in ANSWER]
    for name, array in (("text", text), ("turns", turns), ("image", image)):
        if array is not None:
            columns[ANSWER.get_field_index(name)] = array
    return pa.StructArray.from_arrays(columns, fields=list(ANSWER), mask=pa.array(null) if null.any() else None)
