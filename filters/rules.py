"""Plain rules: what is unreadable, empty, twice the same, too short, too long or a refusal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.registry import register
from ..core.row import characters, flat, prompt_text
from ..core.stage import Gate
from .length import plain_text
from .reasons import first_reasons, numpy_of
from .refusals import REFUSALS, refuses
from .text_bytes import blank, same_text, word_counts

Limit = Annotated[int | None, Field(ge=0)]
Rule = tuple[np.ndarray, str]


@final
@register("filter.rules")
class Rules(Gate):
    """Drop rows that plain rules condemn; the first rule that holds is the reason.

    In order: unreadable, no prompt, no chosen or rejected answer, both answers the same (white
    space normalised), too short, too long, refusal. A column the rows do not have is not judged.
    An answer that is an image or several turns is not empty for want of text.
    """

    reads = ("prompt?", "chosen?", "rejected?", "read_error?")

    empty: bool = True
    """Drop rows whose prompt or an answer is null or blank."""
    identical: bool = True
    """Drop pairs whose answers differ at most in white space, or whose images are the same bytes."""
    least_words: Limit = None
    """Fewest words of an answer (runs between white space); null = no limit."""
    most_words: Limit = None
    """Most words of an answer; null = no limit."""
    least_chars: Limit = None
    """Fewest characters (code points) of an answer; null = no limit."""
    most_chars: Limit = None
    """Most characters of an answer; null = no limit."""
    most_prompt_chars: Limit = None
    """Most characters of a prompt, all messages together; null = no limit."""
    refusals: bool = False
    """Drop pairs whose chosen answer opens as a refusal. In harmlessness data that is often right."""
    refusal_patterns: tuple[str, ...] = REFUSALS
    """What a refusal looks like: RE2 patterns, without regard to case, on the first 200 characters."""

    def faults(self) -> Sequence[str]:
        found = []
        for short, long in (("least_words", "most_words"), ("least_chars", "most_chars")):
            low, high = getattr(self, short), getattr(self, long)
            if low is not None and high is not None and low > high:
                found.append(f"{short} ({low}) is above {long} ({high})")
        for pattern in self.refusal_patterns:
            try:
                refuses(pa.repeat("", 1), (pattern,))  # of a list, `pa.array` would import pandas
            except pa.ArrowInvalid as error:
                found.append(f"refusal_patterns: {pattern!r} is not a pattern RE2 takes ({error})")
        return found

    def why_drop(self, batch: pa.Table) -> pa.Array:
        return first_reasons(batch.num_rows, self._rules(batch))

    def _rules(self, batch: pa.Table) -> Iterator[Rule]:
        names = batch.column_names
        if "read_error" in names:
            yield numpy_of(pc.is_valid(batch["read_error"])), "unreadable"
        if "prompt" in names:
            yield from self._prompt_rules(batch["prompt"])
        texts = {side: plain_text(batch[side]) for side in ("chosen", "rejected") if side in names}
        if self.empty:
            for side, text in texts.items():
                yield _empty_answer(batch[side], text), f"no {side} answer"
        if self.identical and len(texts) == 2:
            yield _same_answer(batch, texts["chosen"], texts["rejected"]), "chosen and rejected are the same"
        for side, text in texts.items():
            yield from self._length_rules(side, text)
        if self.refusals and "chosen" in texts:
            yield refuses(texts["chosen"], self.refusal_patterns), "chosen is a refusal"

    def _prompt_rules(self, column: pa.ChunkedArray) -> Iterator[Rule]:
        text = prompt_text(column)
        if self.empty:
            with_parts = _filled_parts(flat(column))
            yield blank(text) & ~with_parts, "no prompt"
        if self.most_prompt_chars is not None:
            yield _above(characters(text), self.most_prompt_chars), "prompt too long"

    def _length_rules(self, side: str, text: pa.Array) -> Iterator[Rule]:
        there = numpy_of(text.is_valid())
        if self.least_words is not None or self.most_words is not None:
            words = word_counts(text)
            yield there & (words < (self.least_words or 0)), f"{side} too short"
            if self.most_words is not None:
                yield words > self.most_words, f"{side} too long"
        if self.least_chars is not None or self.most_chars is not None:
            chars = numpy_of(pc.fill_null(characters(text), 0))
            yield there & (chars < (self.least_chars or 0)), f"{side} too short"
            if self.most_chars is not None:
                yield chars > self.most_chars, f"{side} too long"


def _above(lengths: pa.Array, most: int) -> np.ndarray:
    return numpy_of(pc.fill_null(pc.greater(lengths, most), False))


def _empty_answer(column: pa.ChunkedArray, text: pa.Array) -> np.ndarray:
    empty = blank(text)
    if empty.any() and pa.types.is_struct(column.type):
        for other in ("image", "turns"):
            if column.type.get_field_index(other) >= 0:
                empty &= ~numpy_of(_whole_field(column, other).is_valid())
    return empty


def _same_answer(batch: pa.Table, chosen: pa.Array, rejected: pa.Array) -> np.ndarray:
    same = same_text(chosen, rejected)
    sides = [batch[side] for side in ("chosen", "rejected")]
    if not all(pa.types.is_struct(side.type) and side.type.get_field_index("image") >= 0 for side in sides):
        return same
    images = [_whole_field(side, "image") for side in sides]
    if all(image.null_count == len(image) for image in images):
        return same
    some = numpy_of(pc.or_(*[image.is_valid() for image in images]))
    equal = [pc.equal(pc.struct_field(images[0], part), pc.struct_field(images[1], part)) for part in ("bytes", "path")]
    return np.where(some, numpy_of(pc.fill_null(pc.coalesce(*equal), False)), same)


def _whole_field(column: pa.ChunkedArray, name: str) -> pa.Array:
    """A field of an answer column, null also where the answer is."""
    array = flat(column)
    field = pc.struct_field(array, name)
    return pc.if_else(array.is_valid(), field, pa.scalar(None, field.type)) if array.null_count else field


def _filled_parts(messages: pa.Array) -> np.ndarray:
    """bool [n]: some message of the row carries parts (text or image) instead of plain content."""
    parts = pc.struct_field(messages.values, "parts")
    if parts.null_count == len(parts):
        return np.zeros(len(messages), bool)
    holds = numpy_of(pc.greater(pc.fill_null(pc.list_value_length(parts), 0), 0))
    sums = np.concatenate([[0], np.cumsum(holds)])
    offsets = messages.offsets.to_numpy()
    filled: np.ndarray = sums[offsets[1:]] > sums[offsets[:-1]]
    return filled
