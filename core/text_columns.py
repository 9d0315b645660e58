"""Columns of text from a small file beside a recipe: passages to look up, problems to set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from .errors import InputError, did_you_mean

SUFFIXES: Final = (".parquet", ".jsonl")


def text_columns(path: Path, names: Sequence[str]) -> list[tuple[str, ...]]:
    """The rows of a Parquet or JSON-lines file as texts, one of each column; rows with an empty one are left out.

    Raises InputError for another kind of file, an absent column or a malformed line.
    """
    if path.suffix == ".parquet":
        rows = _of_parquet(path, names)
    elif path.suffix == ".jsonl":
        rows = _of_lines(path, names)
    else:
        raise InputError("cannot be read here", place=str(path), hint=f"needed: {' or '.join(SUFFIXES)}")
    texts = (tuple("" if value is None else str(value).strip() for value in row) for row in rows)
    return [row for row in texts if all(row)]


def stamp_of(path: str) -> tuple[int, int]:
    """Size in bytes and time in ns of a file: changes when the file does."""
    stat = Path(path).stat()
    return stat.st_size, stat.st_mtime_ns


def file_digest(path: str) -> str:
    """Digest of what stands in a file, for a stage's `materials`; computed again only when the file changes."""
    return _digest(path, stamp_of(path))


@lru_cache(maxsize=16)
def _digest(path: str, stamp: tuple[int, int]) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_parquet(path: Path, names: Sequence[str]) -> list[tuple[object, ...]]:
    import pyarrow.parquet as pq

    known = pq.read_schema(path).names
    for name in names:
        if name not in known:
            raise InputError(f"no column {name}", place=str(path), hint=did_you_mean(name, known))
    table = pq.read_table(path, columns=list(names))
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def _of_lines(path: Path, names: Sequence[str]) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                found.append(tuple(record[name] for name in names))
            except (ValueError, KeyError, TypeError) as error:
                hint = f"one JSON object a line, with {', '.join(names)}"
                raise InputError("not a row", place=f"{path}:{number}", hint=hint) from error
    return found
