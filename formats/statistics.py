"""Figures of a written dataset, gathered batch by batch in bounded memory.

Lengths are counted exactly; quantiles of scores are exact to one part in 2,000; prompts are
counted exactly up to a million distinct ones and estimated from a hash sample beyond
(Gibbons, "Distinct Sampling for Highly-Accurate Answers to Distinct Values Queries", VLDB 2001).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.byte_hashing import mix
from ..core.row import characters as count_characters
from ..core.row import flat
from .rendering import answer_messages

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_LONGEST: Final = 1 << 22
_SHIFT: Final = 12
_SAMPLE: Final = 1 << 20


@final
class Statistics:
    """Feed it tables of our rows with `add`; `facts` gives plain numbers."""

    def __init__(self, scores: Sequence[str] = ()) -> None:
        self._rows = 0
        self._lengths = {name: _Counts() for name in ("prompt", "chosen", "rejected")}
        self._scores = {name: _Quantiles() for name in scores}
        self._prompts = _Distinct()
        self._longer = self._shorter = self._pairs = 0

    def add(self, table: pa.Table) -> None:
        """Count the rows of a table; columns that are absent are left out of the figures."""
        self._rows += table.num_rows
        found = {name: characters(flat(table[name]), name) for name in self._lengths if name in table.column_names}
        for name, lengths in found.items():
            self._lengths[name].add(lengths[lengths >= 0])
        if "chosen" in found and "rejected" in found:
            both = (found["chosen"] >= 0) & (found["rejected"] >= 0)
            difference = (found["chosen"] - found["rejected"])[both]
            self._pairs += len(difference)
            self._longer += int((difference > 0).sum())
            self._shorter += int((difference < 0).sum())
        for name, quantiles in self._scores.items():
            quantiles.add(flat(table[name]))
        if "prompt_hash" in table.column_names:
            self._prompts.add(flat(table["prompt_hash"]).to_numpy(zero_copy_only=False))

    def facts(self) -> dict[str, Any]:
        """`rows`; `characters` by text; `chosen_longer` (share of pairs); `prompts`; `scores` by name."""
        facts: dict[str, Any] = {"rows": self._rows}
        facts["characters"] = {name: counts.facts() for name, counts in self._lengths.items() if counts.total}
        if self._pairs:
            facts["chosen_longer"] = self._longer / self._pairs
            facts["chosen_shorter"] = self._shorter / self._pairs
        if self._prompts.rows:
            distinct, exact = self._prompts.estimate()
            facts |= {"prompts": distinct, "prompts_exact": exact, "rows_of_known_prompts": self._rows - distinct}
        facts["scores"] = {name: quantiles.facts() for name, quantiles in self._scores.items()}
        return facts


def characters(column: pa.Array, name: str) -> np.ndarray:
    """Characters of each prompt or answer, all messages together [n] int64; -1 where there is none."""
    if name != "prompt" and pc.struct_field(column, "turns").null_count == len(column):
        lengths = count_characters(pc.struct_field(column, "text"))
        filled: np.ndarray = pc.fill_null(lengths, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        return filled
    messages = column if name == "prompt" else answer_messages(column)
    each = pc.fill_null(count_characters(pc.struct_field(messages.flatten(), "content")), 0)
    counts = pc.fill_null(pc.list_value_length(messages), 0).to_numpy(zero_copy_only=False)
    ends = np.cumsum(counts)
    running = np.concatenate([[0], np.cumsum(each.to_numpy(zero_copy_only=False).astype(np.int64))])
    totals = running[ends] - running[ends - counts]
    return np.where(messages.is_null().to_numpy(zero_copy_only=False), -1, totals)


@final
class _Counts:
    """How often each length occurs."""

    def __init__(self) -> None:
        self._counts = np.zeros(1024, np.int64)
        self._sum = self._most = self.total = 0

    def add(self, lengths: np.ndarray) -> None:
        if not len(lengths):
            return
        found = np.bincount(np.minimum(lengths, _LONGEST))
        if len(found) > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros(len(found) - len(self._counts), np.int64)])
        self._counts[: len(found)] += found
        self._sum += int(lengths.sum())
        self._most = max(self._most, int(lengths.max()))
        self.total += len(lengths)

    def facts(self) -> dict[str, Any]:
        ranks = [int(q * (self.total - 1)) for q in QUANTILES]
        at = np.searchsorted(np.cumsum(self._counts), np.array(ranks) + 1)
        named = {_label(q): int(value) for q, value in zip(QUANTILES, at, strict=True)}
        return {"mean": self._sum / self.total, **named, "max": self._most}


@final
class _Quantiles:
    """Finite numbers in buckets of float32's upper 20 bits, in the order of their values."""

    def __init__(self) -> None:
        self._counts = np.zeros(1 << (32 - _SHIFT), np.int64)
        self._sum, self._total, self._missing = 0.0, 0, 0

    def add(self, column: pa.Array) -> None:
        numbers = pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy(zero_copy_only=False)
        finite = numbers[np.isfinite(numbers)]
        self._missing += len(numbers) - len(finite)
        bits = finite.astype(np.float32).view(np.uint32)
        ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)) >> np.uint32(_SHIFT)
        buckets, counts = np.unique(ordered, return_counts=True)
        self._counts[buckets] += counts
        self._sum += float(finite.sum())
        self._total += len(finite)

    def facts(self) -> dict[str, Any]:
        if not self._total:
            return {"missing": self._missing}
        ranks = np.array([int(q * (self._total - 1)) for q in QUANTILES]) + 1
        at = np.searchsorted(np.cumsum(self._counts), ranks).astype(np.uint32)
        ordered = at << np.uint32(_SHIFT)  # the edge nearer to zero: 0, 0.5, 1, … come out as they are
        bits = np.where(ordered >> 31, ordered & np.uint32(0x7FFFFFFF), ~(ordered | np.uint32((1 << _SHIFT) - 1)))
        values = bits.astype(np.uint32).view(np.float32)
        named = {_label(q): float(value) for q, value in zip(QUANTILES, values, strict=True)}
        return {"mean": self._sum / self._total, **named, "missing": self._missing}


@final
class _Distinct:
    """How many different hashes there were: those below a bound that halves as they grow many."""

    def __init__(self) -> None:
        self._kept, self._fresh, self._waiting = np.empty(0, np.uint64), list[np.ndarray](), 0
        self._halvings = self.rows = 0

    def add(self, hashes: np.ndarray) -> None:
        self.rows += len(hashes)
        mixed = mix(hashes)
        self._fresh.append(mixed[mixed <= self._bound()])
        self._waiting += len(self._fresh[-1])
        if self._waiting > max(1 << 16, len(self._kept) // 2):
            self._merge()

    def _merge(self) -> None:
        ordered = np.sort(np.concatenate([self._kept, *self._fresh]))  # `np.unique` hashes: ten times as slow
        self._kept = ordered[np.diff(ordered, prepend=~ordered[:1]) != 0]
        self._fresh, self._waiting = [], 0
        while len(self._kept) > _SAMPLE:
            self._halvings += 1
            self._kept = self._kept[self._kept <= self._bound()]

    def estimate(self) -> tuple[int, bool]:
        self._merge()
        return len(self._kept) << self._halvings, not self._halvings

    def _bound(self) -> np.uint64:
        return np.uint64((1 << (64 - self._halvings)) - 1)


def _label(quantile: float) -> str:
    return f"p{round(100 * quantile)}"
