"""Exact duplicates, of whole rows or of pairs in either order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, final

import numpy as np
import pyarrow as pa

from ..core.byte_hashing import mix
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Select
from .reasons import first_reasons, numpy_of, run_starts

_ODD = np.uint64(0x9E3779B97F4A7C15)


@final
@register("filter.exact_duplicates")
class ExactDuplicates(Select):
    """Keep the first of equal rows, in source order.

    `of: row` compares everything a row's content is made of. `of: pair` compares prompt and the
    two answers' content, whoever wrote them, and also sees pairs labelled both ways; it reads the
    hashes that `score.answer_hash` writes.
    """

    of: Literal["row", "pair"] = "row"
    """What must be equal: the whole row, or prompt, chosen and rejected."""
    swapped: Literal["drop", "first", "keep"] = "drop"
    """A pair that also stands with its answers swapped: drop both labels, keep the first, keep all."""
    same_chosen: bool = False
    """Also keep only the first pair of each prompt and chosen answer."""
    same_rejected: bool = False
    """Also keep only the first pair of each prompt and rejected answer."""

    def faults(self) -> Sequence[str]:
        if self.of == "row" and (self.same_chosen or self.same_rejected):
            return ["same_chosen and same_rejected compare pairs: set of: pair"]
        return ()

    def columns_read(self) -> tuple[str, ...]:
        if self.of == "row":
            return ("content_hash",)
        return ("prompt_hash", "chosen_hash", "rejected_hash")

    def select(self, narrow: Narrow) -> pa.Array:
        if self.of == "row":
            repeated = _repeated(narrow.column("content_hash").to_numpy())
            return first_reasons(len(narrow), [(repeated, "duplicate")])
        prompt, chosen, rejected = (narrow.column(name) for name in self.columns_read())
        return self._select_pairs(prompt.to_numpy(), *(_filled(side) for side in (chosen, rejected)))

    def _select_pairs(self, prompt: np.ndarray, chosen: np.ndarray, rejected: np.ndarray) -> pa.Array:
        forward = _joined(prompt, chosen, rejected)
        gone = _repeated(forward)
        rules = [(gone, "duplicate")]
        if self.swapped != "keep":
            either = _joined(prompt, np.minimum(chosen, rejected), np.maximum(chosen, rejected))
            both_ways, against_first = _contradictory(either, forward)
            rule = both_ways if self.swapped == "drop" else against_first
            rules.insert(0, (rule, "the same pair is labelled both ways"))
        for wanted, side, name in ((self.same_chosen, chosen, "chosen"), (self.same_rejected, rejected, "rejected")):
            if wanted:
                left = ~np.logical_or.reduce([mask for mask, _ in rules])
                again = np.zeros(len(prompt), bool)
                again[left] = _repeated(_joined(prompt, side)[left])
                rules.append((again, f"the prompt has a pair with the same {name} answer"))
        return first_reasons(len(prompt), rules)


def _filled(column: pa.Array) -> np.ndarray:
    return numpy_of(column.fill_null(0))


def _joined(*hashes: np.ndarray) -> np.ndarray:
    total = mix(hashes[0])
    for later in hashes[1:]:
        total = mix(total * _ODD + later)
    return total


def _repeated(keys: np.ndarray) -> np.ndarray:
    """bool [n]: an equal key stands earlier."""
    repeated = np.ones(len(keys), bool)
    repeated[np.unique(keys, return_index=True)[1]] = False
    return repeated


def _contradictory(either: np.ndarray, forward: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """bool [n] twice: the unordered pair stands in both orders; and in another one than at first."""
    order = np.argsort(either, kind="stable")
    starts = run_starts(either[order])
    against = np.empty(len(order), bool)
    against[order] = forward[order] != forward[order][starts]
    mixed = np.zeros(len(order), bool)
    mixed[starts[against[order]]] = True
    both = np.empty(len(order), bool)
    both[order] = mixed[starts]
    return both, against
