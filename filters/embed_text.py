"""Text vectors of prompts and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.row import answer_text, last_user_text, prompt_text
from ..core.stage import Columns, Context, Score

if TYPE_CHECKING:
    from ..models.base import TextEncoder


@final
@register("embed.text")
class EmbedText(Score):
    """Write the vector of each named column's text: `<column>_vector`, unit length, float32.

    Blank text has the zero vector and absent text none (null). `candidates` gives a list of
    vectors, one a candidate.
    """

    reads = ("{of}",)
    writes = (Column("{of}_vector", "text vector, unit length", unit="cosine space"),)
    paper = "Reimers and Gurevych, 2019 (Sentence-BERT); the default encoder is a static distillation of it"

    model: Annotated[str, ModelOf("text_encoder")] = "static"
    """The encoder: a model of the recipe, or a registered one."""
    of: Annotated[tuple[str, ...], Field(min_length=1)] = ("prompt", "chosen", "rejected")
    """Columns to embed: prompt, chosen, rejected, candidates, or any column of strings."""
    prompt: Literal["last", "whole"] = "last"
    """What a prompt is embedded by: its last message, or all of them joined."""

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        encoder: TextEncoder = ctx.models[self.model]
        return {f"{name}_vector": self._vectors(batch[name], encoder) for name in self.of}

    def _vectors(self, column: pa.ChunkedArray, encoder: TextEncoder) -> pa.Array:
        array = column.combine_chunks()
        kind = array.type
        if pa.types.is_struct(kind):
            return encoded(answer_text(array), encoder)
        if not pa.types.is_list(kind):
            return encoded(array.cast(pa.string()), encoder)
        if kind.value_type.get_field_index("role") >= 0:
            return encoded(last_user_text(array) if self.prompt == "last" else prompt_text(array), encoder)
        offsets = array.offsets.to_numpy()
        values = array.values.slice(offsets[0], offsets[-1] - offsets[0])
        mask = array.is_null() if array.null_count else None
        inner = encoded(answer_text(values), encoder)
        return pa.ListArray.from_arrays(pa.array(offsets - offsets[0], pa.int32()), inner, mask=mask)


def encoded(text: pa.Array, encoder: TextEncoder) -> pa.Array:
    """Vectors of strings [n] as fixed-size lists; equal texts are encoded once, null stays null."""
    distinct = text.dictionary_encode()
    vectors = np.zeros((len(distinct.dictionary), encoder.dim), np.float32)
    if len(vectors):
        vectors[:] = encoder.encode(distinct.dictionary.to_pylist())
    at = pc.fill_null(distinct.indices, 0).to_numpy(zero_copy_only=False)
    rows = vectors[at] if len(vectors) else np.zeros((len(text), encoder.dim), np.float32)
    mask = text.is_null() if text.null_count else None
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), encoder.dim, mask=mask)
