"""The answers of a batch one by one, and judgements of answers back as columns of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import pyarrow as pa
import pyarrow.compute as pc

from ..core.declared import Column
from ..core.stage import Columns
from .pictures import Part, picture_part

Of = Literal["pair", "candidates", "chosen"]


@final
@dataclass(frozen=True)
class Answer:
    """One answer of a row: `place` is its side (0 = chosen, 1 = rejected) or its number among the candidates."""

    row: int
    place: int
    text: str
    model: str = ""
    picture: Part | None = None

    def shown(self, pictures: list[Part]) -> str:
        """The answer as a prompt shows it; its picture is added to `pictures` and referred to by number."""
        if self.picture is None:
            return self.text
        pictures.append(self.picture)
        return f"{self.text}\n(picture {len(pictures)})".strip()


def sides(of: Of) -> tuple[str, ...]:
    """The columns `of` reads."""
    return {"pair": ("chosen", "rejected"), "candidates": ("candidates",), "chosen": ("chosen",)}[of]


def most_answers(of: Of, most: int) -> int:
    """How many answers of a row `of` names; of candidates at most the first `most`."""
    return {"pair": 2, "candidates": most, "chosen": 1}[of]


def columns_of(columns: Sequence[Column], of: Of) -> tuple[Column, ...]:
    """Columns of one answer as a row has them: chosen_<name>, rejected_<name>, or lists by candidate."""
    if of == "candidates":
        return tuple(replace(column, type=pa.list_(column.type)) for column in columns)
    return tuple(replace(column, name=f"{side}_{column.name}") for side in sides(of) for column in columns)


def answers_in(batch: pa.Table, of: Of, most: int | None = None) -> list[Answer]:
    """The answers there are, by row and place; at most the first `most` candidates of a row."""
    if of == "candidates":
        column = batch["candidates"].combine_chunks()
        rows = pc.list_parent_indices(column).to_pylist()
        inner = list(_answers(column.flatten(), rows))
        found, place, before = list[Answer](), 0, -1
        for row, answer in zip(rows, inner, strict=True):
            place = place + 1 if row == before else 0
            before = row
            if answer is not None and (most is None or place < most):
                found.append(replace(answer, place=place))
        return found
    by_side = [list(_answers(batch[side].combine_chunks(), range(batch.num_rows))) for side in sides(of)]
    both = (
        replace(answer, place=place)
        for answers in zip(*by_side, strict=True)
        for place, answer in enumerate(answers)
        if answer is not None
    )
    return list(both)


def by_row(answers: Sequence[Answer], n: int) -> list[list[Answer]]:
    """The answers of each of n rows."""
    rows: list[list[Answer]] = [[] for _ in range(n)]
    for answer in answers:
        rows[answer.row].append(answer)
    return rows


def laid_out(
    columns: Sequence[Column], of: Of, batch: pa.Table, answers: Sequence[Answer], found: Sequence[Mapping[str, Any]]
) -> Columns:
    """What was found of each answer as the columns of `columns_of`; null where there was no answer."""
    if of == "candidates":
        lengths = batch["candidates"].combine_chunks().value_lengths().to_pylist()
        lists: dict[str, list[Any]] = {c.name: [None if k is None else [None] * k for k in lengths] for c in columns}
        for answer, values in zip(answers, found, strict=True):
            for column in columns:
                lists[column.name][answer.row][answer.place] = values.get(column.name)
        return {c.name: pa.array(lists[c.name], pa.list_(c.type)) for c in columns}
    names = sides(of)
    flat: dict[str, list[Any]] = {f"{side}_{c.name}": [None] * batch.num_rows for side in names for c in columns}
    for answer, values in zip(answers, found, strict=True):
        for column in columns:
            flat[f"{names[answer.place]}_{column.name}"][answer.row] = values.get(column.name)
    return {f"{side}_{c.name}": pa.array(flat[f"{side}_{c.name}"], c.type) for side in names for c in columns}


def _answers(column: pa.Array, rows: Sequence[int] | range) -> Iterator[Answer | None]:
    texts, models, images = (pc.struct_field(column, name).to_pylist() for name in ("text", "model", "image"))
    there = column.is_valid().to_pylist()
    for row, text, model, image, valid in zip(rows, texts, models, images, there, strict=True):
        if not valid or (text is None and not image):
            yield None
            continue
        yield Answer(row, 0, text or "", model or "", picture_part(image) if image else None)
