"""`synth.verify_keep`: of sampled answers, those a verifier calls right; or pairs of a right and a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .making import together
from .verifiers import AnyVerifier, reference_columns, reference_of
from .verifiers_text import Formula


@final
@register("synth.verify_keep")
class VerifyKeep(Map):
    """Verify every candidate and keep at most `cap` right ones of a prompt, or that many pairs right over wrong.

    Which right ones stay is the row's own chance. A pair's answers are matched on length. No call is made;
    prompts without a right answer are dropped, and the funnel counts them: they are what the model cannot do.
    """

    reads = ("candidates", "{reference}?")
    writes = (
        Column("chosen", "an answer verified as right"),
        Column("rejected", "an answer verified as wrong; null for `emit: right`"),
        Column("verdict", "prefer; null for `emit: right`"),
        Column("right_rate", "share of right ones among readable candidates", pa.float64(), "share", 0, 1, "neither"),
        Column("n_right", "candidates verified as right", pa.int32()),
        Column("n_wrong", "candidates verified as wrong", pa.int32()),
        Column("n_unreadable", "candidates that name no result", pa.int32()),
    )
    paper = (
        "ReST-EM (Beyond Human Data), arXiv 2312.06585: sample, verify, at most 10 a problem; length matching: house"
    )

    verifier: AnyVerifier = Formula()
    """How an answer is verified: number, formula, text, pattern, json or tests, or {by: …, its options}."""
    reference: str = "reference"
    """Column with the right answer, or with the tests."""
    emit: Literal["right", "pairs"] = "right"
    """Rows of right answers alone, or pairs of a right and a wrong one."""
    cap: Annotated[int, Field(ge=1)] = 10
    """Most rows made of one prompt, so that easy ones do not fill the set."""

    def columns_read(self) -> tuple[str, ...]:
        return ("candidates", *reference_columns(self.verifier, self.reference))

    def faults(self) -> Sequence[str]:
        return self.verifier.faults()

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        found = {one["text"]: one for one in row["candidates"] or () if one and (one["text"] or "").strip()}
        if not found:
            raise Dropped("no candidates")
        reference = reference_of(row, self.reference, self.verifier)
        results = await together(*(self.verifier.verify(text, reference) for text in found))
        groups: dict[str, list[Row]] = {"right": [], "wrong": [], "unreadable": []}
        for one, finding in zip(found.values(), results, strict=True):
            groups[finding.result].append(one)
        counts = {f"n_{result}": len(group) for result, group in groups.items()}
        if not groups["right"]:
            raise Dropped("no right answer", counts)
        if self.emit == "pairs" and not groups["wrong"]:
            raise Dropped("no wrong answer", counts)
        told = counts | {"right_rate": counts["n_right"] / (counts["n_right"] + counts["n_wrong"])}
        rng = ctx.rng(row["id"])
        right = rng.sample(groups["right"], min(self.cap, len(groups["right"])))
        if self.emit == "right":
            return [told | {"chosen": one, "rejected": None, "verdict": None} for one in right]
        return [told | pair for pair in matched(right, groups["wrong"], rng)]


def matched(right: Sequence[Row], wrong: Sequence[Row], rng: Random) -> list[dict[str, Any]]:
    """Pairs of a right answer and the unused wrong one nearest in length, in the order of `right`.

    Each answer stands in at most one pair; of equally near ones chance takes one.
    """
    left = rng.sample(wrong, len(wrong))
    pairs: list[dict[str, Any]] = []
    for one in right[: len(wrong)]:
        nearest = min(left, key=lambda other: abs(len(other["text"]) - len(one["text"])))
        left.remove(nearest)
        pairs.append({"chosen": one, "rejected": nearest, "verdict": "prefer"})
    return pairs
