"""Subjects of a picture, each looked for, cut out and held against its reference: what subject scores share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pyarrow as pa

from ..core.errors import RowError
from ..models.base import ImageEncoder
from ..models.cropping import Box, box_of
from ..models.regions import Detector, Found, cut, distinct
from .image_scoring import Shown, looked_at, references


@final
@dataclass(frozen=True)
class Question:
    """What a row's pictures should show: names, a reference picture each, and where, when that is given."""

    names: tuple[str, ...]
    references: tuple[bytes, ...] = ()
    boxes: tuple[Box | None, ...] | None = None


@final
@dataclass(frozen=True)
class Regions:
    """What was found in one picture, surest first: cosines of references to regions [n, m], and to the whole [n]."""

    question: Question
    found: tuple[Found, ...]
    likeness: np.ndarray
    whole: np.ndarray


@final
@dataclass(frozen=True)
class Eyes:
    """A detector (none where boxes are given), an encoder (none where nothing is compared), and how to look."""

    detector: Detector | None
    encoder: ImageEncoder | None
    most_overlap: float
    within_phrase: bool
    whole: bool = False
    crop_references: bool = False

    def look(self, batch: pa.Table, found: Shown, questions: dict[int, Question | str]) -> list[Regions | None]:
        """The regions of each answer's picture; None, with the reason in `found.outcomes`, where none can be told.

        One pass of the detector and one of the encoder for the batch; a broken picture costs no other anything.
        """
        asked = [questions[answer.row] for answer in found.answers]
        for k, question in enumerate(asked):
            if isinstance(question, str) and found.outcomes[k] == "ok":
                found.outcomes[k] = question
        images = [found.images[k] if outcome == "ok" else None for k, outcome in enumerate(found.outcomes)]
        wanted = [question if isinstance(question, Question) else Question(()) for question in asked]
        seen = looked_at(images, found.outcomes, lambda at: self._regions([(images[k] or b"", wanted[k]) for k in at]))
        there = [k for k, one in enumerate(seen) if one is not None]
        parts = [seen[k] or ([], []) for k in there]
        own = self._encoded([piece for _, pieces in parts for piece in pieces])
        kept = self._references({found.answers[k].row: wanted[k] for k in there})
        told: list[Regions | None] = [None] * len(asked)
        for k, (regions, pieces) in zip(there, parts, strict=True):
            mine, own = own[: len(pieces)], own[len(pieces) :]
            beside = kept[found.answers[k].row]
            if beside is None:
                found.outcomes[k] = "reference unreadable"
                continue
            likeness = beside.astype(np.float64) @ mine.astype(np.float64).T
            m = len(regions)
            told[k] = Regions(wanted[k], tuple(regions), np.clip(likeness[:, :m], -1, 1), likeness[:, m:].reshape(-1))
        return told

    def _regions(self, asked: Sequence[tuple[bytes, Question]]) -> list[tuple[list[Found], list[bytes]]]:
        """Regions of each picture, and what is encoded of it: the regions, then the whole where that is wanted."""
        if self.detector is None:
            boxes = [zip(q.names, q.boxes or (), strict=True) for _, q in asked]
            seen = [[Found(box, 1.0, name) for name, box in named if box is not None] for named in boxes]
        else:
            seen = self.detector.detect([image for image, _ in asked], [question.names for _, question in asked])
            seen = [distinct(one, self.most_overlap, self.within_phrase) for one in seen]
        if self.encoder is None:
            return [(one, []) for one in seen]
        whole = [(0.0, 0.0, 1.0, 1.0)] if self.whole else []
        return [
            (one, cut(image, [*(each.box for each in one), *whole]))
            for (image, _), one in zip(asked, seen, strict=True)
        ]

    def _encoded(self, pictures: Sequence[bytes]) -> np.ndarray:
        if self.encoder is None or not pictures:
            return np.zeros((len(pictures), 0), np.float32)
        return self.encoder.encode(pictures)

    def _references(self, questions: dict[int, Question]) -> dict[int, np.ndarray | None]:
        """Unit vectors [n, d] of each row's references; None where one of them cannot be read."""
        each = [(row, k) for row, question in questions.items() for k in range(len(question.references))]
        if self.encoder is None or not each:
            return {row: np.zeros((len(question.names), 0), np.float32) for row, question in questions.items()}
        images = [questions[row].references[k] for row, k in each]
        names = [questions[row].names[k] for row, k in each]
        vectors = looked_at(
            images,
            ["ok"] * len(each),
            lambda at: list(self._encoded(self._shown([images[j] for j in at], [names[j] for j in at]))),
        )
        by_row: dict[int, list[np.ndarray | None]] = {row: [] for row in questions}
        for (row, _), vector in zip(each, vectors, strict=True):
            by_row[row].append(vector)
        return {row: _stacked(rows) for row, rows in by_row.items()}

    def _shown(self, images: Sequence[bytes], names: Sequence[str]) -> list[bytes]:
        """References as they are, or cut to their subject; one in which it is not found stays whole."""
        if not self.crop_references or self.detector is None:
            return list(images)
        seen = self.detector.detect(images, [(name,) for name in names])
        return [cut(image, [one[0].box])[0] if one else image for image, one in zip(images, seen, strict=True)]


def questions_of(
    batch: pa.Table, found: Shown, subjects: str, *, referenced: bool, boxes: str = ""
) -> dict[int, Question | str]:
    """What each row with an answer asks for, or why it asks for nothing that can be told."""
    rows = sorted({answer.row for answer in found.answers})
    taken = batch.take(pa.array(rows, pa.int64()))
    named = taken[subjects].to_pylist()
    given = taken[boxes].to_pylist() if boxes else [None] * len(rows)
    images = references(batch, rows) if referenced else {}
    return {
        row: _question(names, images.get(row), referenced, spots, bool(boxes))
        for row, names, spots in zip(rows, named, given, strict=True)
    }


def told_of_regions(
    seen: Sequence[Regions | None], outcomes: Sequence[str], tell: Callable[[Regions], dict[str, Any]], column: str
) -> list[dict[str, Any]]:
    """What `tell` makes of each picture's regions, beside its outcome under `<column>_outcome`."""
    return [
        (tell(one) if one is not None else {}) | {f"{column}_outcome": outcome}
        for one, outcome in zip(seen, outcomes, strict=True)
    ]


def _question(
    names: Sequence[str | None] | None, images: Sequence[bytes | None] | None, referenced: bool,
    spots: Sequence[Sequence[float] | None] | None, boxed: bool,
) -> Question | str:  # fmt: skip
    wanted = tuple(name for name in names or () if name and name.strip())
    if not wanted:
        return "no subjects"
    if names is None or len(wanted) < len(names):
        return "a subject without a name"
    known = tuple(image for image in images or () if image is not None)
    if referenced and (not images or len(images) != len(wanted)):
        return "no reference" if not images else "not one reference a subject"
    if referenced and len(known) < len(wanted):
        return "reference unreadable"
    if not boxed:
        return Question(wanted, known)
    if spots is None or len(spots) != len(wanted):
        return "not one box a subject"
    try:
        return Question(wanted, known, tuple(box_of(spot) if spot is not None else None for spot in spots))
    except RowError:
        return "a box that is none"


def _stacked(rows: Sequence[np.ndarray | None]) -> np.ndarray | None:
    there = [row for row in rows if row is not None]
    return np.stack(there) if there and len(there) == len(rows) else None
