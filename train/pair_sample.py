"""Pairs of a frame as features and labels in memory: all of them, or a sample that fits."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import InputError
from ..models.pair_table import (
    LABEL_COLUMNS,
    PAIR_COLUMNS,
    both_ways,
    comparable,
    label_weights,
    pair_deltas,
)
from ..models.running import workers

if TYPE_CHECKING:
    from ..core.frame import Frame

NO_GROUP: Final = "(none)"
_GOLD: Final = "true or 'chosen' where the chosen answer is truly better, else false or 'rejected'"


@final
@dataclass(frozen=True)
class Sample:
    """n pairs: features with their labels, ready to fit on or to be measured on."""

    delta: np.ndarray  # [n, d] float32, chosen minus rejected
    weight: np.ndarray  # [n] float64, importance of the label as it stands
    counter: np.ndarray  # [n] float64, importance of the label swapped: 0 for a hard one
    prompts: np.ndarray  # [n] uint64
    groups: np.ndarray  # [n] str
    gold: np.ndarray  # [n] float64: 1 chosen is truly better, 0 rejected is, NaN unknown

    def __len__(self) -> int:
        return len(self.delta)

    def subset(self, rows: np.ndarray) -> Sample:
        """The rows at these indices."""
        return Sample(*(getattr(self, field.name)[rows] for field in fields(self)))

    def to_fit(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features and importances to fit on, and the row each belongs to."""
        return both_ways(self.delta, self.weight, self.counter)


def usable(frame: Frame, among: np.ndarray | None = None) -> np.ndarray:
    """Indices of the frame's rows that compare two texts, of those where `among` bool [n] is true."""
    names = present(frame, ("chosen", "rejected", "verdict?"))
    masks = [comparable(table) for table in frame.batches(names)]
    mask = np.concatenate(masks) if masks else np.zeros(0, bool)
    return np.flatnonzero(mask if among is None else mask & among)


def gather(frame: Frame, rows: np.ndarray, by: str | None = None, gold: bool = False) -> Sample:
    """The pairs at these indices (ascending), in the frame's order, read in one pass.

    `by` is the column that groups them, where the frame has it. Raises InputError when columns
    are missing or are not what they should be.
    """
    wanted = (*PAIR_COLUMNS, *LABEL_COLUMNS, "prompt_hash", f"{by}?", "gold?")
    mask = np.zeros(len(frame), bool)
    mask[rows] = True
    tables = _picked(frame, present(frame, wanted), mask)
    parts = list(_in_threads(tables, by, gold))
    if not parts:
        raise InputError("no pair to learn from", hint="pairs need a chosen and a rejected text")
    return Sample(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Sample)))


def present(frame: Frame, names: Sequence[str]) -> list[str]:
    """Those names the frame has; InputError for a missing one that has no trailing `?`."""
    known = set(frame.names)
    missing = [name for name in names if not name.endswith("?") and name not in known]
    if missing:
        hint = "embed.text writes vectors; put it before rows are held out"
        raise InputError(f"no column {', '.join(missing)}", hint=hint)
    return [name for name in dict.fromkeys(n.rstrip("?") for n in names) if name in known]


def _picked(frame: Frame, names: list[str], mask: np.ndarray) -> Iterator[pa.Table]:
    start = 0
    for table in frame.batches(names, 4096):
        part = mask[start : start + table.num_rows]
        start += table.num_rows
        if part.any():
            yield table.filter(pa.array(part))


def _in_threads(tables: Iterator[pa.Table], by: str | None, gold: bool) -> Iterator[Sample]:
    """Samples in order; reading runs at most a few tables ahead of the features."""
    with ThreadPoolExecutor(workers()) as pool:
        ahead: deque[Future[Sample]] = deque()
        for table in tables:
            ahead.append(pool.submit(_sample, table, by, gold))
            if len(ahead) > workers():
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _sample(table: pa.Table, by: str | None, gold: bool) -> Sample:
    n = table.num_rows
    delta = pair_deltas(table)
    weight, counter = label_weights(table)
    prompts = table["prompt_hash"].to_numpy()
    truth = _truth(table) if gold else np.full(n, np.nan)
    return Sample(delta, weight, counter, prompts, _groups(table, by), truth)


def _groups(table: pa.Table, by: str | None) -> np.ndarray:
    if by is None or by not in table.column_names:
        return np.full(table.num_rows, NO_GROUP)
    names = pc.fill_null(table[by].cast(pa.string()), NO_GROUP)
    return np.array(names.to_pylist(), dtype=np.str_)


def _truth(table: pa.Table) -> np.ndarray:
    if "gold" not in table.column_names:
        return np.full(table.num_rows, np.nan)
    column = table["gold"]
    if pa.types.is_string(column.type):
        named = column.drop_null()
        if not pc.all(pc.is_in(named, pa.array(["chosen", "rejected"]))).as_py():
            raise InputError(f"gold is {named[0].as_py()!r}", place="gold", hint=_GOLD)
        column = pc.equal(column, "chosen")
    elif not pa.types.is_boolean(column.type):
        raise InputError(f"gold is {column.type}", place="gold", hint=_GOLD)
    truth: np.ndarray = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy()
    return truth
