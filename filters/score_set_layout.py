"""`score.set_layout`: how varied the places and sizes of one subject are over the candidates of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.errors import RowError
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Columns, Context, Score
from ..models.cropping import Box, box_of
from .image_scoring import looked_at, shown
from .set_pairs import over_pairs, placed

_SIDES: Final = "shares of the picture's sides"
_FEW: Final = "fewer than two boxes"
_Boxes = list[Box | None]


@final
@register("score.set_layout")
class SetLayout(Score):
    """Mean distance, over all pairs of a row's candidates, between the boxes of the subject they show.

    A box is its centre and its size, as shares of the picture's width and height, and the distance that of the
    four numbers: d(i, j) = ‖(x, y, w, h)_i - (x, y, w, h)_j‖. 0 = every picture is laid out alike. Boxes are
    given, or the surest region a detector finds by the subject's name. A candidate without one takes no part,
    and is null in `_boxes`; a set of fewer than two has no score. Likeness of the set is `score.setwise`'s.
    """

    reads = ("candidates", "{boxes}", "{subject}")
    writes = (
        Column("{column}", "mean distance between the boxes of a set", pa.float64(), _SIDES, 0, 2, "higher"),
        Column(
            "{column}_gain", "the set's score less that without the candidate", pa.list_(pa.float64()), _SIDES, -2, 2,
            "higher",
        ),
        Column("{column}_boxes", "the subject's box a candidate; null = not found", pa.list_(pa.list_(pa.float64()))),
        Column("{column}_size", "candidates that took part", pa.int32(), "images", 0, None, "neither"),
        Column("{column}_outcome", "ok, fewer than two boxes, or why boxes cannot be told", pa.string()),
    )  # fmt: skip
    paper = "ConsiStory, arXiv 2402.03286 (varied layouts of one subject); the measure, leaving one out: house"

    detector: Annotated[str | None, ModelOf("detector")] = "zero_shot_detector"
    """Finds the subject by its name; null when `boxes` says where it is."""
    subject: str = "class_name"
    """Column of the subject's name, which the detector looks for."""
    boxes: str = ""
    """Column of a list of boxes, one a candidate: left, top, right, bottom as shares; a null box = not shown."""
    column: str = "set_layout"
    """Name of the score."""
    most: Annotated[int, Field(ge=2)] = 64
    """Most candidates of a row that take part, the first ones."""

    def faults(self) -> Sequence[str]:
        both = self.detector is None, not self.boxes
        return ["give a detector, or boxes: one of the two says where the subject is"] if both[0] == both[1] else []

    def columns_read(self) -> tuple[str, ...]:
        return "candidates", self.boxes or self.subject

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        lengths = flat(batch["candidates"]).value_lengths().to_pylist()
        seen = self._given(batch, lengths) if self.boxes else self._found(batch, lengths, ctx)
        told = [self._told(one, length) for one, length in zip(seen, lengths, strict=True)]
        return {c.name: pa.array([row.get(c.name) for row in told], c.type) for c in self.columns_written()}

    def _given(self, batch: pa.Table, lengths: Sequence[int | None]) -> list[_Boxes | str]:
        """The boxes of each row's candidates, or why they are none."""
        listed = batch[self.boxes].to_pylist()
        return [_boxes(one, length, self.most) for one, length in zip(listed, lengths, strict=True)]

    def _found(self, batch: pa.Table, lengths: Sequence[int | None], ctx: Context) -> list[_Boxes | str]:
        """The same by a detector: one pass for the batch, rows without a subject's name left out."""
        names = [str(name or "").strip() for name in batch[self.subject].to_pylist()]
        pictures = shown(batch, "candidates", self.most)
        outcomes = [
            outcome if names[answer.row] else "no subject"
            for answer, outcome in zip(pictures.answers, pictures.outcomes, strict=True)
        ]

        def see(places: list[int]) -> list[Any]:
            phrases = [(names[pictures.answers[k].row],) for k in places]
            return list(ctx.models[self.detector or ""].detect([pictures.images[k] or b"" for k in places], phrases))

        rows: list[_Boxes | str] = [
            [None] * (n or 0) if name else "no subject" for n, name in zip(lengths, names, strict=True)
        ]
        for answer, regions in zip(pictures.answers, looked_at(pictures.images, outcomes, see), strict=True):
            row = rows[answer.row]
            if regions and not isinstance(row, str):
                row[answer.place] = regions[0].box
        return rows

    def _told(self, boxes: _Boxes | str, length: int | None) -> dict[str, Any]:
        if isinstance(boxes, str):
            return {f"{self.column}_outcome": boxes, f"{self.column}_size": 0}
        places = [place for place, box in enumerate(boxes) if box is not None]
        found = {
            f"{self.column}_boxes": None if length is None else [list(box) if box else None for box in boxes],
            f"{self.column}_size": len(places),
        }
        if len(places) < 2:
            return found | {f"{self.column}_outcome": _FEW, f"{self.column}_gain": placed(None, places, length)}
        mean, gains = over_pairs(distances([box for box in boxes if box is not None]))
        gained = placed(gains, places, length)
        return found | {self.column: mean, f"{self.column}_gain": gained, f"{self.column}_outcome": "ok"}


def distances(boxes: Sequence[Box]) -> np.ndarray:
    """float64 [n, n]: distances between the boxes' centres and sizes, in shares of the picture's sides, in [0, 2]."""
    left, top, right, bottom = np.array(boxes, np.float64).T
    shape = np.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top], axis=1)
    return np.asarray(np.linalg.norm(shape[:, None] - shape[None], axis=2))


def _boxes(listed: Sequence[Any] | None, length: int | None, most: int) -> _Boxes | str:
    if length is None:
        return _FEW
    if listed is None or len(listed) != length:
        return "not one box a candidate"
    try:
        told = [box_of(box) if box is not None else None for box in listed]
    except RowError:
        return "a box that is none"
    return [box if place < most else None for place, box in enumerate(told)]
