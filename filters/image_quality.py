"""`score.image_quality`: sharpness, exposure and clipping of images, from their pixels alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.errors import RowError
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Of, columns_of, laid_out, sides
from ..models.imaging import decoded
from ..models.running import spread
from .image_scoring import shown

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE: Final = 512
"""Short side, in pixels, to which larger images are shrunk before they are measured."""
DARK, BRIGHT = 2, 253
"""Luminance, 0 to 255, up to and from which a pixel counts as clipped."""


@final
@register("score.image_quality")
class ImageQuality(Score):
    """How sharp, bright, contrasted and clipped an image is: plain measures of its luminance (Rec. 601).

    Images whose short side is above 512 pixels are shrunk to it first, so that sizes compare. Null, with
    an outcome, where there is no image or it cannot be read.
    """

    reads = ()
    writes: ClassVar[tuple[Column, ...]] = (
        Column("sharpness", "variance of the Laplacian", pa.float64(), "grey levels²", 0, None, "higher"),
        Column("exposure", "mean luminance, 1 = white", pa.float64(), "share of full", 0, 1, "neither"),
        Column("contrast", "deviation of the luminance", pa.float64(), "share of full", 0, 0.5, "neither"),
        Column("clipping", "share of pixels that are black or white", pa.float64(), "share", 0, 1, "lower"),
        Column("side", "short side as stored", pa.int32(), "pixels", 1, None, "higher"),
        Column("quality_outcome", "ok, no image, or unreadable", pa.string()),
    )
    paper = "Pech-Pacheco et al., 2000 (variance of the Laplacian); the rest: house"

    of: Of = "pair"
    """What is measured: both sides of a pair, every candidate, or the chosen answer."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are measured, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return sides(self.of)

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found = shown(batch, self.of, self.most)
        told = spread(_quality, list(zip(found.images, found.outcomes, strict=True)))
        return laid_out(Score.columns_written(self), self.of, batch, found.answers, told)


def measured(picture: Image) -> tuple[float, float, float, float]:
    """Sharpness, exposure, contrast and clipping of a picture in mode RGB."""
    from PIL import Image

    grey = picture.convert("L")
    scale = SIDE / min(grey.size)
    if scale < 1:
        size = max(round(grey.width * scale), 1), max(round(grey.height * scale), 1)
        grey = grey.resize(size, Image.Resampling.BOX)
    counts = np.asarray(grey.histogram(), np.float64)
    share, levels = counts / counts.sum(), np.arange(256)
    mean = float(share @ levels)
    deviation = math.sqrt(float(share @ (levels - mean) ** 2))
    clipped = float(share[: DARK + 1].sum() + share[BRIGHT:].sum())
    return sharpness(np.asarray(grey, np.int16)), mean / 255, deviation / 255, clipped


def sharpness(light: np.ndarray) -> float:
    """Variance of the Laplacian (four neighbours, edges mirrored) of luminances int16 [rows, columns]."""
    bent = np.pad(light, 1, mode="reflect" if min(light.shape) > 1 else "edge")
    laplacian = bent[:-2, 1:-1] + bent[2:, 1:-1] + bent[1:-1, :-2] + bent[1:-1, 2:] - 4 * light
    return float(laplacian.var(dtype=np.float64))


def _quality(image: tuple[bytes | None, str]) -> dict[str, Any]:
    data, outcome = image
    if data is None:
        return {"quality_outcome": outcome}
    try:
        picture = decoded(data)
    except RowError:
        return {"quality_outcome": "unreadable"}
    numbers = zip(("sharpness", "exposure", "contrast", "clipping"), measured(picture), strict=True)
    return dict(numbers) | {"side": min(picture.size), "quality_outcome": "ok"}
