"""Two dialogues with a common beginning, cut into the prompt and the two answers."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.hashing import hash_column
from ..core.row import MESSAGES


def part(chosen: pa.Array, rejected: pa.Array) -> tuple[pa.Array, pa.Array, pa.Array]:
    """(prompt, chosen, rejected) as MESSAGES [n] from two whole dialogues, MESSAGES [n].

    The prompt is what both begin with, cut back to before the last assistant message with which both
    answers may start; so dialogues that part early leave answers of several turns, and an answer is
    never empty. Where one dialogue is missing the other is cut alone. An empty prompt is null.
    """
    left, right = list_lengths(chosen), list_lengths(rejected)
    lone = (left == 0) | (right == 0)
    shorter = np.where(lone, np.maximum(left, right), np.minimum(left, right))
    shared = np.where(lone, shorter, _shared(chosen, rejected, np.minimum(left, right)))
    limit = np.minimum(shared, np.maximum(shorter - 1, 0))
    cut = np.minimum(_last_turn(chosen, left, limit), _last_turn(rejected, right, limit))
    whole = pc.if_else(pa.array(left > 0), chosen, rejected)
    prompt = _sliced(whole, np.zeros_like(cut), cut, null=pa.array(cut == 0))
    return prompt, _sliced(chosen, cut, left, chosen.is_null()), _sliced(rejected, cut, right, rejected.is_null())


def first_roles(messages: pa.Array) -> pa.Array:
    """The role of each row's first message, [n] strings; null where there is none."""
    filled = pa.array(list_lengths(messages) > 0)
    starts = pc.if_else(filled, messages.offsets[:-1], pa.scalar(None, pa.int32()))
    return pc.struct_field(messages.values, "role").take(starts)


def without_last_cue(messages: pa.Array) -> pa.Array:
    """Prompts without the empty assistant message that a trailing `Assistant:` leaves."""
    lengths = list_lengths(messages)
    if lengths.max(initial=0) < 2:
        return messages
    last = pa.array(np.where(lengths > 0, messages.offsets.to_numpy()[:-1] + lengths - 1, 0))
    role = pc.struct_field(messages.values, "role").take(last)
    content = pc.struct_field(messages.values, "content").take(last)
    blank = pc.equal(pc.utf8_trim_whitespace(pc.fill_null(content, "")), "")
    cue = pc.fill_null(pc.and_(pc.equal(role, "assistant"), blank), False).to_numpy(zero_copy_only=False)
    cue = cue & (lengths > 1)
    return _sliced(messages, np.zeros_like(lengths), lengths - cue, messages.is_null()) if cue.any() else messages


def list_lengths(column: pa.Array) -> np.ndarray:
    """int64 [n]: how many items each list has; 0 for null."""
    lengths: np.ndarray = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    return lengths.astype(np.int64)


def _shared(chosen: pa.Array, rejected: pa.Array, lengths: np.ndarray) -> np.ndarray:
    """How many leading messages are equal."""
    hashes = hash_column(pa.concat_arrays([chosen.values, rejected.values]))
    row, position = _places(lengths)
    left = hashes[chosen.offsets.to_numpy()[row] + position]
    right = hashes[len(chosen.values) + rejected.offsets.to_numpy()[row] + position]
    shared = lengths.copy()
    parted = np.flatnonzero(left != right)[::-1]  # the last write wins: each row's first difference
    shared[row[parted]] = position[parted]
    return shared


def _last_turn(messages: pa.Array, lengths: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """The last position up to `limit` where an assistant speaks; `limit` where none does."""
    row, position = _places(np.minimum(lengths, limit + 1))
    roles = pc.struct_field(messages.values, "role").take(pa.array(messages.offsets.to_numpy()[row] + position))
    spoken = np.flatnonzero(pc.fill_null(pc.equal(roles, "assistant"), False).to_numpy(zero_copy_only=False))
    last = limit.copy()
    last[row[spoken]] = position[spoken]
    return last


def _sliced(messages: pa.Array, start: np.ndarray, stop: np.ndarray, null: pa.Array) -> pa.Array:
    counts = np.maximum(stop - start, 0)
    row, position = _places(counts)
    values = messages.values.take(pa.array(messages.offsets.to_numpy()[row] + start[row] + position))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=MESSAGES, mask=null if null.true_count else None)


def _places(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row, position in the row) of every item when row i has `counts[i]`."""
    row = np.repeat(np.arange(len(counts)), counts)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
