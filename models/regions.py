"""Regions of pictures: what a detector promises to find, and how a region becomes a picture of its own."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final

from .cropping import Box
from .imaging import decoded


@final
@dataclass(frozen=True)
class Found:
    """A region: left, top, right, bottom as shares of width and height, how sure, and the phrase it was found by."""

    box: Box
    score: float
    phrase: str


class Detector(Protocol):
    """Where in a picture things named by phrases are. The same alone and in company; kind `detector`."""

    @property
    def name(self) -> str:
        """Which model this is."""

    def detect(self, images: Sequence[bytes], phrases: Sequence[Sequence[str]]) -> list[list[Found]]:
        """The regions of each image for its own phrases, the surest first; none where nothing is sure enough.

        `score` in [0, 1] is the detector's own: comparable within one detector only. Raises RowError
        naming the index of bytes that are no image.
        """


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def distinct(found: Sequence[Found], most: float, within_phrase: bool) -> list[Found]:
    """The surest first, without those that overlap a surer one by more than `most`; of one phrase, or of any."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda each: -each.score):
        rivals = (other for other in kept if not within_phrase or other.phrase == one.phrase)
        if all(overlap(one.box, other.box) <= most for other in rivals):
            kept.append(one)
    return kept


def cut(image: bytes, boxes: Sequence[Box]) -> list[bytes]:
    """Each box of a picture as a picture, PNG bytes, at least one pixel. Raises RowError for what is no image."""
    picture = decoded(image)
    width, height = picture.size
    found = []
    for left, top, right, bottom in boxes:
        x, y = min(int(left * width), width - 1), min(int(top * height), height - 1)
        out = io.BytesIO()
        picture.crop((x, y, max(round(right * width), x + 1), max(round(bottom * height), y + 1))).save(
            out, "PNG", compress_level=1
        )
        found.append(out.getvalue())
    return found
