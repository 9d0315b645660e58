"""`embed.image`: image vectors of answers and of reference images."""

from __future__ import annotations

from typing import Annotated, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Columns, Context, Score
from .image_bytes import Picture, images_in, opened
from .image_scoring import looked


@final
@register("embed.image")
class EmbedImage(Score):
    """Write the vector of each named column's images: `<column>_image_vector`, unit length, float32.

    An image that is absent or cannot be read has none (null). `candidates` and `images` give a list of
    vectors, one an image.
    """

    reads = ("{of}",)
    writes = (Column("{of}_image_vector", "image vector, unit length", unit="cosine space"),)
    paper = "house; the default encoder is EfficientNet-Lite0 (Tan and Le, 2019)"

    model: Annotated[str, ModelOf("image_encoder")] = "efficientnet"
    """The image encoder."""
    of: Annotated[tuple[Literal["chosen", "rejected", "candidates", "images"], ...], Field(min_length=1)] = (
        "chosen",
        "rejected",
    )
    """Columns whose images are embedded."""

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        return {f"{name}_image_vector": self._vectors(flat(batch[name]), ctx) for name in self.of}

    def _vectors(self, column: pa.Array, ctx: Context) -> pa.Array:
        if not pa.types.is_list(column.type):
            return self._of_images(images_in(column), ctx)
        inner = column.flatten()
        pictures = images_in(inner) if inner.type.get_field_index("image") >= 0 else inner.to_pylist()
        counts = [length or 0 for length in column.value_lengths().to_pylist()]
        offsets = pa.array(np.cumsum([0, *counts]), pa.int32())
        mask = column.is_null() if column.null_count else None
        return pa.ListArray.from_arrays(offsets, self._of_images(pictures, ctx), mask=mask)

    def _of_images(self, pictures: list[Picture], ctx: Context) -> pa.Array:
        encoder = ctx.models[self.model]
        vectors = looked(*opened(pictures), encoder.encode)
        rows = np.zeros((len(vectors), encoder.dim), np.float32)
        for k, vector in enumerate(vectors):
            if vector is not None:
                rows[k] = vector
        mask = pa.array([vector is None for vector in vectors], pa.bool_())
        return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), encoder.dim, mask=mask)
