"""A fake detector: things are spots of a colour, no weights."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, ClassVar, Final, final

import numpy as np
from pydantic import Field

from ..core.registry import ModelSpec, model
from .imaging import decoded
from .regions import Found

COLOURS: Final = {
    "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0),
    "purple": (255, 0, 255), "white": (255, 255, 255), "black": (0, 0, 0), "grey": (127, 127, 127),
}  # fmt: skip
SIDE: Final = 64


def nearest_colours(image: bytes, position: int) -> np.ndarray:
    """int64 [64, 64]: the nearest of `COLOURS` at each point. Raises RowError naming bytes that are no image."""
    from PIL import Image

    small = decoded(image, position).resize((SIDE, SIDE), Image.Resampling.NEAREST)
    known = np.array(list(COLOURS.values()), np.int64)
    gaps = np.asarray(small, np.int64)[:, :, None, :] - known
    return np.asarray((gaps**2).sum(axis=3).argmin(axis=2))


@final
class FakeDetector:
    """A phrase is found wherever its colour is: the colour it names, or one by its hash."""

    name: ClassVar[str] = "fake_detector"

    def __init__(self, least: float) -> None:
        self._least = least

    def detect(self, images: Sequence[bytes], phrases: Sequence[Sequence[str]]) -> list[list[Found]]:
        """Boxes of connected spots, the score being how much of its box a spot fills. Raises RowError."""
        return [
            sorted(self._spots(nearest_colours(image, k), named), key=lambda one: -one.score)
            for k, (image, named) in enumerate(zip(images, phrases, strict=True))
        ]

    def _spots(self, colours: np.ndarray, phrases: Sequence[str]) -> list[Found]:
        from scipy import ndimage

        found = []
        for phrase in dict.fromkeys(phrases):
            spots, _ = ndimage.label(colours == colour_of(phrase))
            for k, (rows, columns) in enumerate(ndimage.find_objects(spots), start=1):
                size = int((spots[rows, columns] == k).sum())
                if size >= self._least * SIDE**2:
                    box = (columns.start / SIDE, rows.start / SIDE, columns.stop / SIDE, rows.stop / SIDE)
                    area = (columns.stop - columns.start) * (rows.stop - rows.start)
                    found.append(Found(box, size / area, phrase))
        return found


def colour_of(phrase: str) -> int:
    """The place in `COLOURS` of the colour a phrase names, or of one by its hash."""
    named = [k for k, colour in enumerate(COLOURS) if colour in phrase.lower().split()]
    return named[0] if named else hashlib.sha256(phrase.encode("utf-8", "surrogatepass")).digest()[0] % len(COLOURS)


@final
@model("fake_detector")
class FakeDetectorSpec(ModelSpec):
    """A fake detector of coloured spots, no weights; for tests and dry runs only."""

    kind: ClassVar[str] = "detector"

    least: Annotated[float, Field(gt=0, le=1)] = 0.01
    """Smallest spot that is a thing, as a share of the picture."""

    def load(self) -> FakeDetector:
        """The fake."""
        return FakeDetector(self.least)
