"""Photos as rows: bytes are read as they are asked for, and never more than a piece of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, final

import pyarrow as pa

from ..core.row import ANSWER, COLUMNS, flat, text_messages
from .albums import Album
from .photo_prompts import prompts_of

PIECE_BYTES: Final = 4 << 20
"""Small, as a stage that makes many rows of one multiplies it."""
PIECE_ROWS: Final = 4096
_FROM_FILES: Final = {"images", "chosen", "read_error"}

Image = dict[str, Any]


@final
@dataclass(frozen=True)
class PhotoRows:
    """A row a photo of the album, with `references` other photos of the same subject."""

    album: Album
    template: str
    references: int
    passed: dict[str, str]
    """Our names of the manifest's columns, by theirs."""

    def tables(self, schema: pa.Schema) -> Iterator[pa.Table]:
        """The columns of `schema`; files are read only where one of them needs it."""
        groups = self.album.by_subject()
        place = {row: k for rows in groups.values() for k, row in enumerate(rows)}
        reading = bool(_FROM_FILES & set(schema.names))
        held: list[tuple[Image | None, list[Image], str | None]] = []
        start = size = 0
        for row, subject in enumerate(self.album.subjects):
            others = _others(groups[subject], place[row])
            held.append(self._read(row, others, "images" in schema.names) if reading else (None, [], None))
            size += sum(len(image["bytes"]) for image in (held[-1][0], *held[-1][1]) if image)
            if size >= PIECE_BYTES or len(held) == PIECE_ROWS:
                yield self._table(schema, range(start, row + 1), held)
                held, start, size = [], row + 1, 0
        yield self._table(schema, range(start, len(self.album.names)), held)

    def _read(self, row: int, others: Iterable[int], with_others: bool) -> tuple[Image | None, list[Image], str | None]:
        own, fault = _photo(self.album, row)
        found: list[Image] = []
        for other in others if with_others else ():
            if len(found) == self.references:
                break
            image = own if other == row else _photo(self.album, other)[0]
            found += [image] if image else []
        return own, found, fault or None

    def _table(
        self, schema: pa.Schema, rows: range, held: Sequence[tuple[Image | None, list[Image], str | None]]
    ) -> pa.Table:
        made: dict[str, Callable[[], pa.Array]] = {
            "prompt": lambda: text_messages(pa.array(prompts_of(self.album, self.template, rows), pa.string())),
            "images": lambda: pa.array([images for _, images, _ in held], COLUMNS["images"]),
            "chosen": lambda: pa.array([_answer(own) for own, _, _ in held], ANSWER),
            "read_error": lambda: pa.array([fault for _, _, fault in held], pa.string()),
            "subject": lambda: pa.array(self.album.subjects[rows.start : rows.stop], pa.string()),
            "class_name": lambda: pa.array(self.album.classes[rows.start : rows.stop], pa.string()),
            "source_id": lambda: pa.array(self.album.names[rows.start : rows.stop], pa.string()),
        }
        for theirs, ours in self.passed.items():
            made[ours] = partial(self._told, theirs, rows)
        if not schema.names:
            return pa.table({"_": pa.nulls(len(rows))}).select([])
        return pa.table([made[name]() for name in schema.names], schema=schema)

    def _told(self, column: str, rows: range) -> pa.Array:
        return flat(self.album.told[column].slice(rows.start, len(rows)))


def prompt_tables(album: Album, asked: Sequence[tuple[str, str]], most: int, schema: pa.Schema) -> Iterator[pa.Table]:
    """A row for each (subject, prompt) asked for, with the subject's first `most` photos."""
    groups = album.by_subject()
    for subject in dict.fromkeys(subject for subject, _ in asked):
        texts = [text for of, text in asked if of == subject]
        n, rows = len(texts), groups[subject]
        photos = [_photo(album, row)[0] for row in rows] if "images" in schema.names else []
        images = [photo for photo in photos if photo][:most]
        made = {
            "prompt": text_messages(pa.array(texts, pa.string())),
            "images": pa.array([images] * n, COLUMNS["images"]),
            "subject": pa.repeat(subject, n),
            "class_name": pa.repeat(album.classes[rows[0]], n),
            "source_id": pa.array([f"{subject}/{k}" for k in range(n)], pa.string()),
        }
        table = pa.table({"_": pa.nulls(n)}).select([])
        yield pa.table([made[name] for name in schema.names], schema=schema) if schema.names else table


def _others(group: Sequence[int], place: int) -> Iterator[int]:
    """The other photos of a group from the next one on; a photo alone is its own."""
    n = len(group)
    return (group[(place + step) % n] for step in range(1, max(n, 2)))


def _photo(album: Album, row: int) -> tuple[Image | None, str]:
    data, fault = album.read(row)
    return (None, fault) if fault else ({"bytes": data, "path": album.names[row]}, "")


def _answer(image: Image | None) -> dict[str, Any] | None:
    return {"image": image} if image else None
