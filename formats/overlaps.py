"""Which rows of several dataset folders stay: no row twice, no prompt in both train and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..core.cursor import parquet_tables
from ..core.errors import InputError
from ..core.hashing import hash_column, hash_rows
from ..core.stage import Source
from .read_pairs import ReadPairs
from .read_rows import ReadRows

REPEATED: Final = "row of an earlier part"
LEAKED: Final = "prompt in the test split"


@final
@dataclass
class Part:
    """One folder: its files by split, and which of their rows stay."""

    folder: Path
    files: dict[str, tuple[Path, ...]]
    kept: dict[str, np.ndarray] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def schema(self) -> pa.Schema:
        """The columns of its first file."""
        return pq.read_schema(next(iter(self.files.values()))[0])

    def drop(self, split: str, mask: np.ndarray, why: str) -> None:
        """Take rows [n bool] of a split away, counting those that are still there."""
        self.dropped[why] += int((self.kept[split] & mask).sum())
        self.kept[split] &= ~mask


def drop_repeated(parts: Sequence[Part]) -> None:
    """Drop the rows whose id (or, without ids, whole content) an earlier part has."""
    seen = np.empty(0, np.uint64)
    for part in parts:
        mine = {split: np.concatenate([_identity(file) for file in found]) for split, found in part.files.items()}
        for split, hashes in mine.items():
            part.drop(split, np.isin(hashes, seen), REPEATED)
        seen = np.unique(np.concatenate([seen, *mine.values()]))


def _identity(file: Path) -> np.ndarray:
    """uint64 [n]: the hash of each row's id, or of the row where there is none."""
    names = pq.read_schema(file).names
    wanted = ["id"] if "id" in names else names
    tables = (table.combine_chunks() for table in parquet_tables(file, wanted))
    found = [hash_column(table["id"]) if wanted == ["id"] else hash_rows(table, wanted) for table in tables]
    return np.concatenate([np.empty(0, np.uint64), *found])


def drop_leaked(parts: Sequence[Part]) -> bool:
    """Drop the rows of other splits whose prompt stands in a test split; False where prompts cannot be told."""
    splits = {split for part in parts for split in part.files}
    if "test" not in splits or len(splits) < 2:
        return True
    prompts = [{split: _prompts(part.folder, split) for split in part.files} for part in parts]
    found = [hashes for by_split in prompts for hashes in by_split.values() if hashes is not None]
    if len(found) < sum(len(by_split) for by_split in prompts):
        return False
    both = list(zip(parts, prompts, strict=True))
    held = np.unique(np.concatenate([hashes for part, by_split in both for hashes in _tested(part, by_split)]))
    for part, by_split in both:
        for split, hashes in by_split.items():
            if split != "test" and hashes is not None:
                part.drop(split, np.isin(hashes, held), LEAKED)
    return True


def _tested(part: Part, prompts: Mapping[str, np.ndarray | None]) -> Iterator[np.ndarray]:
    hashes = prompts.get("test")
    if hashes is not None:
        yield hashes[part.kept["test"]]


def _prompts(folder: Path, split: str) -> np.ndarray | None:
    """uint64 [n]: the hash of each row's prompt, as a reader of the dataset understands it."""
    sources: tuple[Source, ...] = tuple(kind(path=str(folder), split=split) for kind in (ReadPairs, ReadRows))
    for source in sources:
        try:
            if "prompt" not in source.schema_names():
                continue
        except InputError:
            continue  # not pairs: read.rows may still find a prompt
        found = [hash_column(table["prompt"]) for table in source.batches({"prompt"})]
        return np.concatenate([np.empty(0, np.uint64), *found])
    return None
