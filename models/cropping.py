"""Cutting a subject out of a picture by its box or mask: a square of the subject alone, for what compares subjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..core.errors import RowError

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]
_BRIGHT = 128


def box_of(values: Sequence[float | None]) -> Box:
    """[left, top, right, bottom] as shares of width and height, in [0, 1]. Raises RowError for anything else."""
    numbers = [float(value) for value in values if value is not None]
    if len(values) != 4 or len(numbers) != 4 or not all(0 <= value <= 1 for value in numbers):
        cause = f"{list(values)} is no box"
        raise RowError(cause, hint="give left, top, right, bottom as shares of width and height, from 0 to 1")
    left, top, right, bottom = numbers
    if left >= right or top >= bottom:
        raise RowError(f"the box {numbers} is empty", hint="left is below right, and top below bottom")
    return left, top, right, bottom


def box_of_mask(mask: Image) -> Box | None:
    """The box around the bright part of a mask (luminance of 128 and more); None where nothing is bright."""
    found = mask.convert("L").point([0] * _BRIGHT + [255] * (256 - _BRIGHT)).getbbox()
    if found is None:
        return None
    left, top, right, bottom = found
    return left / mask.width, top / mask.height, right / mask.width, bottom / mask.height


def alone(picture: Image, mask: Image, fill: Colour) -> Image:
    """The picture where the mask is bright, `fill` elsewhere; the mask is brought to the picture's size."""
    from PIL import Image

    bright = mask.convert("L").resize(picture.size, Image.Resampling.BILINEAR)
    return Image.composite(picture, Image.new("RGB", picture.size, fill), bright.point(lambda v: 255 * (v >= _BRIGHT)))


def square(picture: Image, box: Box, margin: float, fill: Colour) -> Image:
    """A square around the box, larger than it by `margin` of its longer side all around.

    What of the square lies outside the picture is `fill`; what lies inside it is shown.
    """
    from PIL import Image

    left, top, right, bottom = (
        share * side for share, side in zip(box, (picture.width, picture.height) * 2, strict=True)
    )
    side = max(round(max(right - left, bottom - top) * (1 + 2 * margin)), 1)
    corner = round((left + right - side) / 2), round((top + bottom - side) / 2)
    canvas = Image.new("RGB", (side, side), fill)
    canvas.paste(picture, (-corner[0], -corner[1]))
    return canvas
