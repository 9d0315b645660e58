"""Our prompts and answers in the forms trainers read: plain strings, messages, typed parts.

Vectorised: rows are rearranged by Arrow offsets, never one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.row import answer_text, flat, prompt_text, text_messages

PART: Final = pa.struct([("type", pa.string()), ("text", pa.string())])
_ANSWERS: Final = ("chosen", "rejected")


@final
@dataclass(frozen=True)
class Form:
    """How conversations are written. `text`: strings; otherwise lists of `{role, content}`,
    whose content is a list of typed parts if `parts`, with a `tool_calls` field if `tools`."""

    text: bool = False
    parts: bool = False
    tools: bool = False

    def carrying(self, table: pa.Table) -> Form:
        """This form, widened as far as the rows of `table` need in order to lose nothing."""
        form = self
        for name in ("prompt", *_ANSWERS):
            if name in table.column_names:
                form = form._holding(flat(table[name]), name)
        if form.text and _any_images(table):
            form = replace(form, text=False)
        return form

    def _holding(self, column: pa.Array, name: str) -> Form:
        turns = column if name == "prompt" else pc.struct_field(column, "turns")
        if turns.null_count == len(turns):
            return self
        messages = turns.flatten()
        tools = self.tools or _some(pc.struct_field(messages, "tool_calls").is_valid())
        parts = self.parts or (name == "prompt" and _some(pc.equal(_part_types(messages), "image")))
        text = self.text and not (tools or parts) and name == "prompt" and _single_user(turns, messages)
        return Form(text, parts, tools)


def prompts(table: pa.Table, form: Form) -> pa.Array:
    """The `prompt` column in this form: strings [n] or lists of messages [n]."""
    column = flat(table["prompt"])
    if form.text:
        return prompt_text(column)
    if not form.parts:
        return _messages(column, form)
    return _typed_messages(column, _image_counts(table), form)


def answers(table: pa.Table, name: str, form: Form) -> pa.Array:
    """The `chosen` or `rejected` column in this form: strings, or the assistant's messages."""
    column = flat(table[name])
    if form.text:
        return answer_text(column)
    return _messages(answer_messages(column), replace(form, parts=False))


def conversations(table: pa.Table, name: str, form: Form) -> pa.Array:
    """Prompt and answer as one list of messages [n] (the implicit-prompt layout)."""
    whole = joined(flat(table["prompt"]), answer_messages(flat(table[name])))
    return _typed_messages(whole, _image_counts(table), form) if form.parts else _messages(whole, form)


def answer_messages(column: pa.Array) -> pa.Array:
    """Answers as messages: their turns where they have several, else one assistant message."""
    single = text_messages(answer_text(column), "assistant")
    turns = pc.struct_field(column, "turns")
    return single if turns.null_count == len(turns) else pc.coalesce(turns, single)


def images(table: pa.Table, form: Form) -> pa.Array:
    """The `images` column in the order in which the prompt's parts show them."""
    column = flat(table["images"])
    if not form.parts:
        return column
    messages = flat(table["prompt"])
    parts = pc.struct_field(messages.flatten(), "parts")
    rows = np.repeat(np.repeat(np.arange(len(messages)), _lengths(messages)), _lengths(parts))
    flat_parts = parts.flatten()
    shown = pc.fill_null(pc.equal(pc.struct_field(flat_parts, "type"), "image"), False).to_numpy(zero_copy_only=False)
    order = pc.fill_null(pc.struct_field(flat_parts, "image"), 0).to_numpy(zero_copy_only=False)[shown]
    placed = np.bincount(rows[shown], minlength=len(messages))
    counts = np.where(placed > 0, placed, _lengths(column))
    starts = _offsets(_lengths(column))[:-1]
    index = _ranges(starts, counts)
    index[np.repeat(placed > 0, counts)] = starts[rows[shown]] + order
    return pa.ListArray.from_arrays(_int32(_offsets(counts)), column.flatten().take(pa.array(index)))


def joined(first: pa.Array, second: pa.Array) -> pa.Array:
    """Row-wise concatenation of two list columns of one type; null counts as empty."""
    a, b = _lengths(first), _lengths(second)
    starts_a, starts_b = _offsets(a)[:-1], _offsets(b)[:-1] + int(a.sum())
    starts = np.stack([starts_a, starts_b], 1).ravel()
    index = _ranges(starts, np.stack([a, b], 1).ravel())
    values = pa.concat_arrays([first.flatten(), second.flatten()]).take(pa.array(index))
    return pa.ListArray.from_arrays(_int32(_offsets(a + b)), values)


def _messages(column: pa.Array, form: Form) -> pa.Array:
    messages = column.flatten()
    return _lists(column, messages, pc.struct_field(messages, "content"), form)


def _typed_messages(column: pa.Array, image_counts: np.ndarray, form: Form) -> pa.Array:
    messages = column.flatten()
    parts = pc.struct_field(messages, "parts")
    typed = parts.is_valid().to_numpy(zero_copy_only=False)
    added = _placeholders(column, messages, image_counts)
    values = pa.concat_arrays([_bare_parts(parts.flatten()), _text_parts(messages), _image_part()])
    counts = np.where(typed, _lengths(parts), 1 + added)
    index = _ranges(_offsets(np.where(typed, _lengths(parts), 0))[:-1], counts)
    own = len(parts.flatten())
    plain = np.repeat(~typed, counts)
    last = np.zeros(len(index), bool)
    last[_offsets(counts)[1:][counts > 0] - 1] = True
    message = np.repeat(np.arange(len(messages)), counts)
    index[plain] = own + len(messages)
    index[plain & last] = own + message[plain & last]
    content = pa.ListArray.from_arrays(_int32(_offsets(counts)), values.take(pa.array(index)))
    return _lists(column, messages, content, form)


def _placeholders(column: pa.Array, messages: pa.Array, image_counts: np.ndarray) -> np.ndarray:
    """How many images stand before each message's text: the first user message of a row shows
    the row's images when no part of the row does."""
    lengths = _lengths(column)
    rows = np.repeat(np.arange(len(column)), lengths)
    user = pc.fill_null(pc.equal(pc.struct_field(messages, "role"), "user"), False).to_numpy(zero_copy_only=False)
    parts = pc.struct_field(messages, "parts")
    shows = pc.fill_null(pc.equal(_part_types(messages), "image"), False).to_numpy(zero_copy_only=False)
    shown = np.bincount(np.repeat(rows, _lengths(parts))[shows], minlength=len(column)) > 0
    added = np.zeros(len(messages), np.int64)
    seen = np.flatnonzero(user)
    first = seen[np.unique(rows[seen], return_index=True)[1]]
    added[first] = np.where(shown[rows[first]], 0, image_counts[rows[first]])
    return added


def _lists(column: pa.Array, messages: pa.Array, content: pa.Array, form: Form) -> pa.Array:
    fields = {"role": pc.struct_field(messages, "role"), "content": content}
    if form.tools:
        calls = pc.struct_field(messages, "tool_calls")
        fields["tool_calls"] = pa.ExtensionArray.from_storage(pa.json_(), calls)
    values = pa.StructArray.from_arrays(list(fields.values()), names=list(fields))
    return pa.ListArray.from_arrays(_int32(_offsets(_lengths(column))), values)


def _bare_parts(parts: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays(
        [pc.struct_field(parts, "type"), pc.struct_field(parts, "text")], fields=list(PART)
    )


def _text_parts(messages: pa.Array) -> pa.Array:
    content = pc.struct_field(messages, "content")
    return pa.StructArray.from_arrays([pa.repeat("text", len(content)), content], fields=list(PART))


def _image_part() -> pa.Array:  # not a constant: making an array imports pandas
    return pa.array([{"type": "image", "text": None}], PART)


def _part_types(messages: pa.Array) -> pa.Array:
    return pc.struct_field(pc.struct_field(messages, "parts").flatten(), "type")


def _single_user(turns: pa.Array, messages: pa.Array) -> bool:
    one = pc.equal(pc.list_value_length(turns), 1)
    user = pc.equal(pc.struct_field(messages, "role"), "user")
    return not _some(pc.invert(one)) and not _some(pc.invert(pc.fill_null(user, False)))


def _any_images(table: pa.Table) -> bool:
    return "images" in table.column_names and _some(pc.greater(pc.list_value_length(flat(table["images"])), 0))


def _image_counts(table: pa.Table) -> np.ndarray:
    return _lengths(flat(table["images"])) if "images" in table.column_names else np.zeros(table.num_rows, np.int64)


def _some(mask: pa.Array) -> bool:
    return bool(pc.any(mask).as_py())


def _lengths(lists: pa.Array) -> np.ndarray:
    lengths: np.ndarray = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def _offsets(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _int32(offsets: np.ndarray) -> pa.Array:
    return pa.array(offsets.astype(np.int32))


def _ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """start, start+1, … start+count-1 for every pair, end to end."""
    ends = np.cumsum(counts)
    return np.repeat(starts - (ends - counts), counts) + np.arange(int(ends[-1]) if len(ends) else 0)
