"""Where in a picture a sentence looks: likeness of windows of the picture to the sentence."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..models.imaging import decoded, encoded
from ..models.pictures import Part

if TYPE_CHECKING:
    from ..models.vision import ImageTextEncoder

Box = tuple[int, int, int, int]


def relevance_maps(
    encoder: ImageTextEncoder, pictures: Sequence[Part], texts: Sequence[str], side: float = 0.5, stride: float = 0.125
) -> np.ndarray:
    """float64 [n texts, windows of all pictures], each picture's part scaled to [0, 1]; NaN for a text too long.

    A window is `side` of the picture's width and height; the next is `stride` of them further. The map
    of TPO (arXiv 2411.17265): sliding windows, image-text likeness, min-max.
    """
    language = np.asarray(encoder.encode_text(list(texts)), np.float64)
    parts = []
    for picture in pictures:
        seen = np.asarray(encoder.encode(list(crops(base64.b64decode(picture["data"]), side, stride))), np.float64)
        parts.append(scaled(language @ seen.T))
    return np.concatenate(parts, axis=1)


def crops(picture: bytes, side: float, stride: float) -> Iterator[bytes]:
    """The windows of an encoded picture, row by row from the top left. Raises RowError for what is no picture."""
    whole = decoded(picture)
    for box in windows(*whole.size, side, stride):
        yield encoded(whole.crop(box), picture)


def windows(width: int, height: int, side: float, stride: float) -> list[Box]:
    """Boxes (left, top, right, bottom) in pixels, at least one pixel wide and high."""
    steps = [k * stride for k in range(int((1.0 - side) / stride + 1e-9) + 1)]
    found = []
    for top in steps:
        for left in steps:
            x, y = min(round(left * width), width - 1), min(round(top * height), height - 1)
            right, bottom = round((left + side) * width), round((top + side) * height)
            found.append((x, y, max(right, x + 1), max(bottom, y + 1)))
    return found


def scaled(maps: np.ndarray) -> np.ndarray:
    """Rows of [n, p] moved and stretched to [0, 1]; 0 where a row is constant."""
    low, high = maps.min(axis=1, keepdims=True), maps.max(axis=1, keepdims=True)
    width = high - low
    found: np.ndarray = (maps - low) / np.where(width > 0, width, 1.0)
    return found
