"""`score.cross_partners` and `pair.cross_prompt`: answers that passed against answers to other prompts that did not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.declared import Column
from ..core.errors import InputError
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.row import ANSWER, MESSAGES, flat
from ..core.stage import Columns, Context, Drop, Fit, Map, Row
from .cross_draw import against_fails, among_passes, ties_wanted

PARTNERS: Final = pa.list_(
    pa.struct([("id", pa.string()), ("prompt", MESSAGES), ("answer", ANSWER), ("tie", pa.bool_())])
)
_PAPER: Final = "SoliReward, arXiv 2512.22170 (W against W and L, never L against L); caps and share of ties: house"
_MOST_BYTES: Final = 1 << 30
"""Largest content that is copied: lists of answers are addressed with 32 bits."""


@final
@register("score.cross_partners")
class CrossPartners(Fit):
    """Draw for each answer that passed the answers of other rows it is to be paired with, and copy them.

    A pass is preferred to a fail of any prompt; two passes are a tie; two fails are never paired. With
    `dimension` only rows judged on the same thing meet. Each row takes part in a bounded number of pairs,
    since |W|·|W ∪ L| explodes. `pair.cross_prompt` makes the pairs.
    """

    reads = ("id", "prompt", "{answer}", "{label}", "{dimension}")
    writes = (Column("partners", "answers of other rows to be paired with, and whether it is a tie", PARTNERS),)
    paper = _PAPER

    label: str = "passed"
    """Column that says whether an answer passed: true or false, or 1 and 0; null = not judged."""
    answer: str = "chosen"
    """Column of the answers."""
    dimension: str | None = None
    """Column that says what was judged; rows of different values never meet."""
    most: Annotated[int, Field(ge=1)] = 4
    """Most fails a pass is paired with."""
    cap: Annotated[int, Field(ge=1)] = 4
    """Most pairs in which an answer is the rejected one, and most ties an answer takes part in."""
    ties: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of ties among all pairs, as far as passes allow; 0 = none."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        chosen, other, tie = self._drawn(narrow, np.random.default_rng(ctx.seed))
        order = np.lexsort((other, tie, chosen))
        chosen, other, tie = chosen[order], other[order], tie[order]
        answers, prompts = narrow.column(self.answer), narrow.column("prompt")
        held = (answers.nbytes + prompts.nbytes) * max(1.0, len(other) / max(1, len(narrow)))
        if held > _MOST_BYTES:
            cause = f"the answers to be copied hold {held / 1e9:.1f} GB"
            raise InputError(cause, hint="keep pictures as paths, lower most and cap, or pair parts of the set")
        take = pa.array(other)
        parts = [narrow.column("id").take(take), prompts.take(take), answers.take(take), pa.array(tie)]
        values = pa.StructArray.from_arrays(parts, fields=list(PARTNERS.value_type))
        counts = np.bincount(chosen, minlength=len(narrow))
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
        return {"partners": pa.ListArray.from_arrays(offsets, values, type=PARTNERS)}

    def _drawn(self, narrow: Narrow, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row of each pair's pass, its partner's row, and whether it is a tie."""
        label, there = _labels(narrow.column(self.label)), narrow.column(self.answer).is_valid()
        judged = there.to_numpy(zero_copy_only=False) & ~np.isnan(label)
        groups = _groups(narrow.column(self.dimension)) if self.dimension else np.zeros(len(narrow), np.int64)
        found = []
        for group in np.unique(groups[judged]):
            mine = judged & (groups == group)
            passes, fails = np.flatnonzero(mine & (label == 1)), np.flatnonzero(mine & (label == 0))
            chosen, rejected = against_fails(passes, fails, self.most, self.cap, rng)
            first, second = among_passes(passes, ties_wanted(len(chosen), self.ties), self.cap, rng)
            tie = np.repeat([False, True], [len(chosen), len(first)])
            found.append((np.concatenate([chosen, first]), np.concatenate([rejected, second]), tie))
        if not found:
            return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool)
        return (
            np.concatenate([one[0] for one in found]),
            np.concatenate([one[1] for one in found]),
            np.concatenate([one[2] for one in found]),
        )


@final
@register("pair.cross_prompt")
class PairCrossPrompt(Map):
    """One row a partner that `score.cross_partners` drew: both sides with the prompt each of them answers.

    Such pairs train reward models, with a loss that takes ties; they are not valid for DPO, and no
    dialect but `soli_cross` (and our own) writes them. Rows that did not pass only appear as partners.
    """

    reads = ("prompt", "{answer}", "partners")
    writes = (
        "chosen",
        "rejected",
        Column("prompt_chosen", "what the chosen answer answers", MESSAGES),
        Column("prompt_rejected", "what the rejected answer answers", MESSAGES),
        Column("rejected_id", "id of the row the rejected answer comes from", pa.string()),
        Column("verdict", "prefer, or tie for two answers that both passed", pa.string()),
        Column("partners", "null: each has become a row", PARTNERS),
    )
    paper = _PAPER

    answer: str = "chosen"
    """Column of the answers."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        if not row["partners"]:
            return Drop("no partner drawn")
        return [
            {
                "chosen": row[self.answer], "prompt_chosen": row["prompt"], "rejected": partner["answer"],
                "prompt_rejected": partner["prompt"], "rejected_id": partner["id"],
                "verdict": "tie" if partner["tie"] else "prefer", "partners": None,
            }
            for partner in row["partners"]
        ]  # fmt: skip


def _labels(column: pa.Array) -> np.ndarray:
    """1 = passed, 0 = failed, NaN = not judged, float64 [n]. Raises InputError for other values."""
    values = flat(column)
    if not (pa.types.is_boolean(values.type) or pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        raise InputError(f"labels are of type {values.type}", hint="give a column of true and false, or of 1 and 0")
    found: np.ndarray = values.cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    odd = ~(np.isnan(found) | (found == 0) | (found == 1))
    if odd.any():
        raise InputError(f"{found[odd][0]:g} is no label", hint="give a column of true and false, or of 1 and 0")
    return found


def _groups(column: pa.Array) -> np.ndarray:
    """Codes from 0 of a column's values, int64 [n]; null is a value."""
    return np.asarray(pc.dictionary_encode(flat(column), null_encoding="encode").indices).astype(np.int64)
