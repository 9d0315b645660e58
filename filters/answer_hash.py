"""Hashes of answers: eight bytes that stand for a text or image when the whole set is compared."""

from __future__ import annotations

from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.byte_hashing import mix
from ..core.declared import Column
from ..core.hashing import hash_column
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from .length import plain_text


@final
@register("score.answer_hash")
class AnswerHash(Score):
    """Write a 64-bit hash of each answer's content: its text and image, not who wrote it.

    Equal content hashes equal on every machine; null answers have a null hash. Read by
    `filter.exact_duplicates` with `of: pair`.
    """

    reads = ("{of}",)
    writes = (Column("{of}_hash", "hash of the answer's text and image", pa.uint64()),)

    of: tuple[str, ...] = ("chosen", "rejected")
    """Answer columns (or columns of strings) to hash."""

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        return {f"{name}_hash": _hashed(batch[name]) for name in self.of}


def _hashed(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    total = hash_column(plain_text(array))
    if pa.types.is_struct(array.type) and array.type.get_field_index("image") >= 0:
        image = pc.struct_field(array, "image")
        if image.null_count < len(image):
            total = np.where(image.is_valid().to_numpy(zero_copy_only=False), mix(total ^ hash_column(image, 1)), total)
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return pa.array(total, pa.uint64(), mask=mask)
