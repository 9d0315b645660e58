"""`synth.refusal_boundary`: what a model knows, it should answer; what it does not know, it should decline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import product
from random import Random
from typing import Annotated, Any, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.final_answer import final_answer
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .making import answer, made_by, together
from .refusal_texts import REFUSALS, declines
from .verifiers import AnyVerifier
from .verifiers_text import Formula

Groups = Mapping[str, Sequence[Row]]
_RULES: Final = {
    "known": (("right", "refused"), ("refused", "wrong"), ("right", "wrong")),
    "unknown": (("refused", "wrong"), ("right", "wrong")),
}


@final
@register("synth.refusal_boundary")
class RefusalBoundary(Map):
    """Find from sampled answers whether the model knows, and pair answers and refusals by that.

    Known: right over refusal over wrong. Unknown: refusal over wrong. Right over wrong always. With a
    reference, known is a high share of right answers; without one, of answers that agree, which then
    count as right where the model is sure and as wrong where it is not. The candidates must be all that
    were sampled, repeats and refusals among them (`synth.candidates: {repeats: keep}`). There is no margin
    to aim at: what is worse follows from what the model knows, which no judge's rating of two texts can say.
    """

    reads = ("candidates", "{reference}?")
    writes = (
        Column("chosen", "what is better: an answer, or a refusal where the model does not know"),
        Column("rejected", "what is worse"),
        Column("verdict", "always prefer"),
        Column("boundary", "known or unknown to the model", pa.string()),
        Column(
            "known_rate", "share of sampled answers that are right, or agree", pa.float64(), "share", 0, 1, "neither"
        ),
        Column("known_by", "what the rate is of: reference or agreement", pa.string()),
        Column("pair_kind", "such as right > refused", pa.string()),
    )
    paper = "RLKF, Rejection Improves Reliability, arXiv 2403.18349 (from memory; thresholds and refusals: house)"

    reference: str = "reference"
    """Column with the right answer; a row without one goes by agreement."""
    verifier: AnyVerifier = Formula()
    """How answers are verified where there is a reference."""
    known: Annotated[float, Field(gt=0, le=1)] = 0.7
    """Least share of a known question."""
    unknown: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Largest share of an unknown one; between the two a row is dropped, as its pairs would contradict others."""
    each: Annotated[int, Field(ge=1)] = 1
    """Most pairs of each kind."""
    refusals: Annotated[tuple[str, ...], Field(min_length=1)] = REFUSALS
    """Texts of refusals; chance takes one a pair."""

    def faults(self) -> Sequence[str]:
        gap = [] if self.unknown < self.known else [f"unknown: {self.unknown} must lie below known: {self.known}"]
        return [*gap, *self.verifier.faults()]

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        found = [one for one in row["candidates"] or () if one and (one["text"] or "").strip()]
        if len(found) < 2:
            raise Dropped("too few answers", {"answers": len(found)})
        reference = row.get(self.reference)
        told = reference is not None and bool(str(reference).strip())
        groups, rate = await self._verified(found, reference) if told else self._agreeing(found)
        boundary = "known" if rate >= self.known else "unknown" if rate <= self.unknown else None
        if boundary is None:
            raise Dropped("neither known nor unknown", {"known_rate": rate})
        shared = {"boundary": boundary, "known_rate": rate, "known_by": "reference" if told else "agreement"}
        rng = ctx.rng(row["id"])
        pairs = [pair for rule in _RULES[boundary] for pair in self._pairs(*rule, groups, rng, shared)]
        if not pairs:
            raise Dropped("nothing to pair", {"known_rate": rate})
        return pairs

    async def _verified(self, found: Sequence[Row], reference: Any) -> tuple[Groups, float]:
        answers = [one for one in found if not declines(one["text"])]
        findings = await together(*(self.verifier.verify(one["text"], reference) for one in answers))
        right = [one for one, finding in zip(answers, findings, strict=True) if finding.right]
        wrong = [one for one, finding in zip(answers, findings, strict=True) if finding.result == "wrong"]
        return {"right": right, "wrong": wrong}, len(right) / len(found)

    def _agreeing(self, found: Sequence[Row]) -> tuple[Groups, float]:
        answers = [(final_answer(one["text"]), one) for one in found if not declines(one["text"])]
        votes = Counter(end for end, _ in answers)
        if not votes:
            return {"right": [], "wrong": []}, 0.0
        [(most, count)] = votes.most_common(1)
        rate = count / len(found)
        sure = rate >= self.known
        return {
            "right": [one for end, one in answers if sure and end == most],
            "wrong": [one for end, one in answers if not sure or end != most],
        }, rate

    def _pairs(self, good: str, bad: str, groups: Groups, rng: Random, shared: Row) -> list[Row]:
        """At most `each` pairs of different texts; every refusal is drawn anew."""
        sides = [list({one["text"]: one for one in groups.get(side, ())}.values()) for side in (good, bad)]
        refused = [
            answer(
                text,
                made_by(self.name, "refusal", {"text": REFUSALS.index(text) if text in REFUSALS else text}, None, None),
            )
            for text in rng.sample(self.refusals, min(self.each, len(self.refusals)))
        ]
        better, worse = (
            refused if side == "refused" else group for side, group in zip((good, bad), sides, strict=True)
        )
        pairs = list(product(better, worse))
        picked = rng.sample(pairs, min(self.each, len(pairs)))
        return [
            shared | {"chosen": b, "rejected": w, "verdict": "prefer", "pair_kind": f"{good} > {bad}"}
            for b, w in picked
        ]
