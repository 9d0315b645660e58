"""Images of answers measured one by one: what can be looked at, and why there is no number where there is none."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.declared import Column
from ..core.errors import RowError
from ..core.row import flat, last_user_text
from ..models.answers import Answer, Of, sides
from ..models.imaging import readable
from ..models.running import spread
from .image_bytes import Picture, images_in, opened

R = TypeVar("R")
See = Callable[[list[Any]], Sequence[R]]
PLACEHOLDERS: Final = ("[V]", "<V>")
"""Tokens that stand for a subject in a prompt and mean nothing to an encoder."""


@final
@dataclass(frozen=True)
class Measured:
    """One number, or the reason why there is none."""

    value: float | None
    outcome: str = "ok"


@final
@dataclass(frozen=True)
class Shown:
    """The answers of a batch, in order of row and place, and the bytes of their images where there are some."""

    answers: list[Answer]
    images: list[bytes | None]
    outcomes: list[str]

    def look(self, see: See[R]) -> list[R | None]:
        """What `see` makes of each image, None where there is none or it cannot be read (told in `outcomes`)."""
        return looked(self.images, self.outcomes, see)


def shown(batch: pa.Table, of: Of, most: int = 1) -> Shown:
    """The answers there are; of candidates at most the first `most` of a row."""
    there = [(answer, picture) for answer, picture in _answers(batch, of) if of != "candidates" or answer.place < most]
    return Shown([answer for answer, _ in there], *opened(picture for _, picture in there))


def looked(images: Sequence[bytes | None], outcomes: list[str], see: See[R]) -> list[R | None]:
    """What `see` makes of each image, None where there is none or it cannot be read (told in `outcomes`)."""
    return looked_at(images, outcomes, lambda places: see([images[k] or b"" for k in places]))


def looked_at(
    images: Sequence[bytes | None], outcomes: list[str], see: Callable[[list[int]], Sequence[R]]
) -> list[R | None]:
    """What `see` makes of the images at these places; a broken picture costs no other its result.

    `outcomes` is corrected for images that turn out to be unreadable.
    """
    there = [k for k, image in enumerate(images) if image is not None and outcomes[k] == "ok"]
    found: list[R | None] = [None] * len(images)
    try:
        seen = see(there) if there else ()
    except RowError:  # some picture is broken: which ones is found by opening each
        fine = spread(lambda k: readable(images[k] or b""), there)
        if all(fine):
            raise
        for k, able in zip(there, fine, strict=True):
            outcomes[k] = "ok" if able else "unreadable"
        there = [k for k, able in zip(there, fine, strict=True) if able]
        seen = see(there) if there else ()
    for k, one in zip(there, seen, strict=True):
        found[k] = one
    return found


def references(batch: pa.Table, rows: Sequence[int]) -> dict[int, list[bytes | None]]:
    """The reference images of these rows; None for one that cannot be read from its path."""
    wanted = sorted(set(rows))
    listed = batch["images"].take(pa.array(wanted, pa.int64())).to_pylist()
    return {row: opened(pictures or ())[0] for row, pictures in zip(wanted, listed, strict=True)}


def seen_references(
    batch: pa.Table, found: Shown, of_images: Sequence[R | None], see: See[R]
) -> dict[int, list[R | None]]:
    """What `see` makes of the reference images of every row with an image that was seen."""
    rows = [answer.row for answer, one in zip(found.answers, of_images, strict=True) if one is not None]
    images = references(batch, rows)
    each = [(row, image) for row, listed in images.items() for image in listed]
    seen = looked([image for _, image in each], ["ok"] * len(each), see)
    by_row: dict[int, list[R | None]] = {row: [] for row in images}
    for (row, _), one in zip(each, seen, strict=True):
        by_row[row].append(one)
    return by_row


def likened(
    found: Shown, of_images: Sequence[R | None], beside: dict[int, list[R | None]], like: Callable[[R, R], float]
) -> list[Measured]:
    """Mean of `like(reference, image)` over a row's reference images, for each image.

    One reference that is missing or unreadable leaves its row without a number: a mean of the others
    would be another measure.
    """
    return [
        _mean(beside[answer.row], one, like) if one is not None else Measured(None, outcome)
        for answer, one, outcome in zip(found.answers, of_images, found.outcomes, strict=True)
    ]


def to_references(
    batch: pa.Table, found: Shown, vectors: Sequence[np.ndarray | None], encode: See[np.ndarray]
) -> list[Measured]:
    """Mean cosine of each image's vector to those of its row's reference images."""
    return likened(found, vectors, seen_references(batch, found, vectors, encode), cosine)


def to_prompts(
    batch: pa.Table, found: Shown, vectors: Sequence[np.ndarray | None], read: See[np.ndarray], drop: Sequence[str]
) -> list[Measured]:
    """Cosine of each image's vector and its prompt's."""
    prompts = prompts_of(batch, drop)
    asked = sorted({a.row for a, v in zip(found.answers, vectors, strict=True) if v is not None} & set(prompts))
    by_row = dict(zip(asked, read([prompts[row] for row in asked]) if asked else (), strict=True))
    told = []
    for answer, vector, outcome in zip(found.answers, vectors, found.outcomes, strict=True):
        text = by_row.get(answer.row)
        if vector is None or text is None:
            told.append(Measured(None, outcome if vector is None else "no prompt"))
        elif np.isnan(text).any():
            told.append(Measured(None, "prompt too long"))
        else:
            told.append(Measured(cosine(vector, text)))
    return told


def matched(
    found: Shown, prompts: dict[int, str], ask: Callable[[list[str], list[bytes]], np.ndarray]
) -> list[Measured]:
    """What `ask(prompts, images)`, float64 [n], gives for each image and its prompt; NaN = too long to read."""
    rows = [answer.row for answer in found.answers]
    images = [image if row in prompts else None for row, image in zip(rows, found.images, strict=True)]

    def see(places: list[int]) -> list[float]:
        given = ask([prompts[rows[k]] for k in places], [images[k] or b"" for k in places])
        return [float(value) for value in given]

    told = []
    for value, outcome in zip(looked_at(images, found.outcomes, see), found.outcomes, strict=True):
        if value is None:
            told.append(Measured(None, outcome if outcome != "ok" else "no prompt"))
        else:
            told.append(Measured(None, "prompt too long") if np.isnan(value) else Measured(value))
    return told


def prompts_of(batch: pa.Table, drop: Sequence[str]) -> dict[int, str]:
    """The last message of each row that has one, without the placeholders `drop`."""
    return {k: without(text, drop) for k, text in enumerate(last_user_text(batch["prompt"]).to_pylist()) if text}


def without(text: str, placeholders: Sequence[str]) -> str:
    """A text without these tokens and the space they leave behind."""
    marks = "|".join(re.escape(mark) for mark in placeholders if mark)
    return re.sub(rf"\s*(?:{marks})(?=\s|\W|$)", "", text).strip() if marks else text


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    """Dot product of unit vectors in [-1, 1], summed in float64."""
    return float(np.clip((a.astype(np.float64) * b).sum(), -1, 1))


def made_by(columns: Sequence[Column], model: str) -> tuple[Column, ...]:
    """The columns, the numbers among them saying which model gave them."""
    return tuple(
        replace(column, doc=f"{column.doc}, by {model}") if column.type == pa.float64() else column
        for column in columns
    )


def told_of(measured: Sequence[Measured], column: str) -> list[dict[str, Any]]:
    """Each number and its outcome under the names of their columns."""
    return [{column: one.value, f"{column}_outcome": one.outcome} for one in measured]


def _mean(references: Sequence[R | None], one: R, like: Callable[[R, R], float]) -> Measured:
    if not references:
        return Measured(None, "no reference")
    likes = [like(reference, one) for reference in references if reference is not None]
    if len(likes) < len(references):
        return Measured(None, "reference unreadable")
    return Measured(sum(likes) / len(likes))


def _answers(batch: pa.Table, of: Of) -> Iterator[tuple[Answer, Picture]]:
    if of != "candidates":
        columns = [flat(batch[side]) for side in sides(of)]
        listed = [zip(column.is_valid().to_pylist(), images_in(column), strict=True) for column in columns]
        for row, both in enumerate(zip(*listed, strict=True)):
            yield from ((Answer(row, place, ""), picture) for place, (there, picture) in enumerate(both) if there)
        return
    column = flat(batch["candidates"])
    inner, place, before = column.flatten(), 0, -1
    valid, pictures = inner.is_valid().to_pylist(), images_in(inner)
    for row, there, picture in zip(pc.list_parent_indices(column).to_pylist(), valid, pictures, strict=True):
        place = place + 1 if row == before else 0
        before = row
        if there:
            yield Answer(row, place, ""), picture
