"""Lengths of prompts and answers, in words and characters."""

from __future__ import annotations

from typing import final

import pyarrow as pa

from ..core.declared import Column
from ..core.registry import register
from ..core.row import answer_text, characters, prompt_text
from ..core.stage import Columns, Context, Score
from .reasons import numpy_of
from .text_bytes import word_counts


@final
@register("score.length")
class Length(Score):
    """Count words (runs between ASCII white space) and characters (code points) of each text.

    A null text has null lengths. In scripts written without spaces a word is a whole run of text:
    read the characters there.
    """

    reads = ("{of}",)
    writes = (
        Column("{of}_words", "words between white space", pa.int32(), "words", 0, None, "neither"),
        Column("{of}_chars", "code points", pa.int32(), "characters", 0, None, "neither"),
    )

    of: tuple[str, ...] = ("chosen", "rejected")
    """Columns to measure: prompt, chosen, rejected, or any column of strings."""

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        columns: dict[str, pa.Array] = {}
        for name in self.of:
            text = plain_text(batch[name])
            absent = numpy_of(text.is_null())
            columns[f"{name}_words"] = pa.array(word_counts(text), mask=absent)
            columns[f"{name}_chars"] = characters(text)
        return columns


def plain_text(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The text of a prompt, an answer or a string column, [n] strings."""
    kind = column.type
    if pa.types.is_struct(kind):
        text = answer_text(column)
    elif pa.types.is_list(kind):
        text = prompt_text(column)
    else:
        text = column.cast(pa.string())
    return text.combine_chunks() if isinstance(text, pa.ChunkedArray) else text
