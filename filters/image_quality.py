"""`score.image_quality`: sharpness, exposure and clipping of images, from their pixels alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Final, Literal, NamedTuple, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.errors import RowError
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.imaging import decoded
from ..models.running import spread
from .image_bytes import Picture, data_of, images_in

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE: Final = 512
"""Short side, in pixels, to which larger images are shrunk before they are measured."""
DARK, BRIGHT = 2, 253
"""Luminance, 0 to 255, up to and from which a pixel counts as clipped."""


@final
class Quality(NamedTuple):
    """What is measured of an image; all null but the outcome where there is none."""

    sharpness: float | None
    exposure: float | None
    contrast: float | None
    clipping: float | None
    side: int | None
    outcome: str


@final
@register("score.image_quality")
class ImageQuality(Score):
    """How sharp, bright, contrasted and clipped an image is: plain measures of its luminance (Rec. 601).

    Images whose short side is above 512 pixels are shrunk to it first, so that sizes compare. Null, with
    an outcome, where there is no image or it cannot be read.
    """

    reads = ("{of}",)
    writes: ClassVar[tuple[Column, ...]] = (
        Column("{of}_sharpness", "variance of the Laplacian", pa.float64(), "grey levels²", 0, None, "higher"),
        Column("{of}_exposure", "mean luminance, 1 = white", pa.float64(), "share of full", 0, 1, "neither"),
        Column("{of}_contrast", "deviation of the luminance", pa.float64(), "share of full", 0, 0.5, "neither"),
        Column("{of}_clipping", "share of pixels that are black or white", pa.float64(), "share", 0, 1, "lower"),
        Column("{of}_side", "short side as stored", pa.int32(), "pixels", 1, None, "higher"),
        Column("{of}_quality_outcome", "ok, no image, or unreadable", pa.string()),
    )
    paper = "Pech-Pacheco et al., 2000 (variance of the Laplacian); the rest: house"

    of: Annotated[tuple[Literal["chosen", "rejected"], ...], Field(min_length=1)] = ("chosen", "rejected")
    """Columns whose images are measured."""

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        found: dict[str, pa.Array] = {}
        for name in self.of:
            rows = spread(_quality, images_in(batch[name]))
            for k, column in enumerate(self.writes):
                found[column.name.format(of=name)] = pa.array([row[k] for row in rows], column.type)
        return found


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


def _quality(image: Picture) -> Quality:
    data, outcome = data_of(image)
    if data is None:
        return Quality(None, None, None, None, None, outcome)
    try:
        picture = decoded(data)
    except RowError:
        return Quality(None, None, None, None, None, "unreadable")
    return Quality(*measured(picture), min(picture.size), "ok")
