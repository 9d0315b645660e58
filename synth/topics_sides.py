"""Both sides of a pair: one answer rewritten with either list of edits, or the best and the worst whole answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from ..core.stage import Dropped, Row
from .making import Writer, answer, made_by, together
from .topics_claims import Claim, alike
from .topics_edits import Edit, Edits

MARKERS: Final = ("# Text", "# Edits", "Instead of:", "let it say:", "the edited text")
"""Words of the prompt that a rewrite must not hold."""


@final
@dataclass(frozen=True)
class Overwriter:
    """Who rewrites, for which stage; `params` stand in each side's `made_by` beside its edits."""

    writer: Writer
    stage: str
    params: Mapping[str, Any]
    seed: int

    async def sides(self, base: Row, edits: Edits, claims: Sequence[Claim]) -> tuple[Row, Row] | str:
        """The base answer made better and made worse, or why a rewrite is no good. Raises CallError."""
        better, worse = await together(
            self._side(base, edits.base, edits.up, "topics overwritten by true ones", claims),
            self._side(base, edits.base, edits.down, "topics overwritten by false ones", claims),
        )
        for side in (better, worse):
            if isinstance(side, str):
                return side
        assert not isinstance(better, str) and not isinstance(worse, str)
        return "both sides are alike" if alike(better["text"], worse["text"]) else (better, worse)

    async def _side(
        self, base: Row, number: int, edits: Sequence[Edit], method: str, claims: Sequence[Claim]
    ) -> Row | str:
        told = [_told(claims, edit) for edit in edits]
        params = {"candidate": number, "edits": told, **self.params}
        if not told:
            return answer(base["text"], made_by(self.stage, "nothing to overwrite", params, base["model"], None))
        verdict = await self.writer.verdict("rewrite", {"text": base["text"], "edits": told}, seed=self.seed)
        if not verdict.ok:
            return f"rewrite: {verdict.outcome.value}"
        origin = made_by(self.stage, method, params, self.writer.model.name, self.seed)
        return fault_of(verdict.value, base["text"]) or answer(verdict.value, origin)


def whole_answers(
    candidates: Sequence[Row], scores: Sequence[float | None], stage: str, params: Mapping[str, Any]
) -> tuple[Row, Row]:
    """The best candidate and the worst; of equals the first. Raises Dropped when all score alike."""
    there = {k: score for k, score in enumerate(scores) if score is not None}
    best, worst = max(there, key=lambda k: there[k]), min(there, key=lambda k: there[k])
    if best == worst:
        raise Dropped("answers score alike", {"score": there[best], "why": params.get("why")})
    chosen, rejected = (
        answer(
            candidates[k]["text"],
            made_by(stage, "whole answer", {"candidate": k, "score": there[k], **params}, candidates[k]["model"], None),
        )
        for k in (best, worst)
    )
    return chosen, rejected


def fault_of(text: str, base: str) -> str | None:
    """Why a rewrite of `base` is no good, or None: prompt words in it, too short, too long, or nothing changed."""
    if any(marker in text and marker not in base for marker in MARKERS):
        return "prompt in the rewrite"
    if len(text) < 3 or 4 * len(text) < len(base):
        return "rewrite too short"
    if len(text) > 3 * len(base):
        return "rewrite too long"
    return "nothing rewritten" if alike(text, base) else None


def _told(claims: Sequence[Claim], edit: Edit) -> dict[str, Any]:
    old, new = claims[edit.claim], claims[edit.by]
    return {"old": old.text, "new": new.text, "lead_old": old.lead, "lead_new": new.lead}
