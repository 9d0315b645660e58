"""Both sides of a pair: one answer rewritten with either list of edits, or the best and the worst whole answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from ..core.stage import Dropped, Row
from .confirming import Aim, Strength
from .making import Writer, answer, made_by
from .topics_claims import Claim, alike
from .topics_edits import Edit, Edits, lessened

MARKERS: Final = ("# Text", "# Edits", "Instead of:", "let it say:", "the edited text")
"""Words of the prompt that a rewrite must not hold."""


@final
@dataclass(frozen=True)
class _Side:
    """The base answer, or it rewritten with these edits by this seed."""

    text: str
    edits: Sequence[Edit]
    seed: int


@final
@dataclass(frozen=True)
class Overwriter:
    """Who rewrites, for which stage, how badly, and where pairs are to lie; `params` stand in each side's `made_by`."""

    writer: Writer
    stage: str
    params: Mapping[str, Any]
    seed: int
    aim: Aim
    strength: Strength

    async def sides(self, base: Row, edits: Edits, claims: Sequence[Claim]) -> Row:
        """The base answer made better and made worse. Raises Dropped for a poor rewrite or a margin out of reach."""
        better = await self._side(base, edits.up, claims, self.seed)

        async def make(strength: Strength, number: int) -> _Side:
            worse = await self._side(base, lessened(claims, edits.down, strength), claims, self.seed + number)
            if alike(better.text, worse.text):
                raise Dropped("both sides are alike")
            return worse

        found = await self.aim.at(better.text, make, self.strength, text_of=lambda side: side.text)
        params = {"candidate": edits.base, **self.params}
        return {
            "chosen": self._told(better, base, claims, "topics overwritten by true ones", params),
            "rejected": self._told(
                found.made, base, claims, "topics overwritten by false ones", params | self.aim.told(found)
            ),
            "judged_margin": found.margin, "overwrite_fallback": None, "overwrite_base": edits.base,
            "overwrite_up": len(edits.up), "overwrite_down": len(found.made.edits),
        }  # fmt: skip

    async def _side(self, base: Row, edits: Sequence[Edit], claims: Sequence[Claim], seed: int) -> _Side:
        if not edits:
            return _Side(base["text"], (), seed)
        told = [_told(claims, edit) for edit in edits]
        text: str = await self.writer.says("rewrite", {"text": base["text"], "edits": told}, seed=seed)
        if fault := fault_of(text, base["text"]):
            raise Dropped(fault)
        return _Side(text, edits, seed)

    def _told(self, side: _Side, base: Row, claims: Sequence[Claim], method: str, params: Mapping[str, Any]) -> Row:
        """A side as an answer that says how it came about."""
        told = {**params, "edits": [_told(claims, edit) for edit in side.edits]}
        if not side.edits:
            return answer(side.text, made_by(self.stage, "nothing to overwrite", told, base["model"], None))
        return answer(side.text, made_by(self.stage, method, told, self.writer.model.name, side.seed))


@final
@dataclass(frozen=True)
class WholeAnswers:
    """The best candidate against a worse one, for which stage and why; `scores` rank them, null = not ranked."""

    candidates: Sequence[Row]
    scores: Sequence[float | None]
    stage: str
    params: Mapping[str, Any]

    async def sides(self, aim: Aim, strength: Strength) -> Row:
        """Gross: the worst; clear: the one in the middle; subtle: the next best. Of equals the first.

        Raises Dropped when all score alike, or for a margin out of reach.
        """
        there = {score: self.scores.index(score) for score in self.scores if score is not None}
        best, *worse = [k for _, k in sorted(there.items(), reverse=True)]
        if not worse:
            raise Dropped("answers score alike", {"score": self.scores[best], "why": self.params["why"]})
        places = {"subtle": worse[0], "clear": worse[len(worse) // 2], "gross": worse[-1]}

        async def make(strength: Strength, number: int) -> int:
            return places[strength]

        text = str(self.candidates[best]["text"])
        found = await aim.at(text, make, strength, text_of=lambda k: str(self.candidates[k]["text"]))
        return {
            "chosen": self._told(best, {}), "rejected": self._told(found.made, aim.told(found)),
            "judged_margin": found.margin, "overwrite_fallback": self.params["why"], "overwrite_base": None,
            "overwrite_up": None, "overwrite_down": None,
        }  # fmt: skip

    def _told(self, k: int, aim: Mapping[str, Any]) -> Row:
        one, params = self.candidates[k], {"candidate": k, "score": self.scores[k], **self.params, **aim}
        return answer(one["text"], made_by(self.stage, "whole answer", params, one["model"], None))


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
