"""Which refinement is best, by what is cheap to ask: is the feedback heeded, and does it sound like the feedback?"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, final

import numpy as np

from ..core.prose import Prose
from ..core.stage import Dropped
from ..models.base import TextEncoder
from ..models.comparing import choice_reader
from .making import Writer, together

WORDINGS: Final[Mapping[str, tuple[str, str]]] = {
    "heeded": ("Yes", "No"),
    "heeded_asked_twice": ("Yes", "No"),
    "heeded_told_twice": ("Yes", "No"),
    "heeded_true": ("True", "False"),
    "heeded_true_or_false": ("True", "False"),
}
"""Parts of the template that ask whether feedback is heeded, and the two answers to each, the affirmative first."""


@final
@dataclass(frozen=True)
class Refinement:
    """A rewritten answer, the seed it was sampled with, and its selector's score (higher = selected)."""

    text: str
    seed: int
    score: float | None = None


async def incorporated(judge: Writer, one: Refinement, values: Mapping[str, str]) -> Refinement:
    """The refinement scored by the chance, in [0, 1], that it heeds the feedback: the mean over all wordings.

    Each is p(yes) / (p(yes) + p(no)) by log-probabilities, 1 or 0 where the endpoint gives none (ILF's
    InstructRM ensemble). The paper biases the two answers' logits by 100 so that no other token is likely; a bias
    equal for both leaves their ratio as it is, so none is sent, but either must be among the likeliest tokens.
    Null unless more than half of the wordings got a sound answer.
    """
    told = {**values, "refinement": one.text}
    said = await together(
        *(judge.verdict(part, told, choice_reader(pair, soft=True), logprobs=20) for part, pair in WORDINGS.items())
    )
    chances = [
        verdict.spread.get(yes, float(verdict.value == yes))
        for verdict, (yes, _) in zip(said, WORDINGS.values(), strict=True)
        if verdict.ok
    ]
    enough = 2 * len(chances) > len(WORDINGS)
    return replace(one, score=sum(chances) / len(chances) if enough else None)


async def near(encoder: TextEncoder, feedback: str, found: Sequence[Refinement]) -> list[Refinement]:
    """The refinements scored by their cosine with the feedback, in [-1, 1]. It favours those that quote it."""
    vectors = await asyncio.to_thread(encoder.encode, [feedback, *(one.text for one in found)])
    cosines = np.asarray(vectors[1:], np.float64) @ np.asarray(vectors[0], np.float64)
    return [replace(one, score=float(cosine)) for one, cosine in zip(found, cosines, strict=True)]


class Scorer(Protocol):
    """A language model as a measure (`causal_lm`)."""

    def logprobs(
        self, prompts: Sequence[Sequence[Mapping[str, str]]], answers: Sequence[Sequence[Mapping[str, str]]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log-probabilities of answers in nats and their numbers of tokens, float64 [n] each; NaN when too long."""


async def likely(
    scorer: Scorer,
    prose: Prose,
    of: Literal["feedback", "refinement"],
    found: Sequence[Refinement],
    values: Mapping[str, str],
) -> list[Refinement]:
    """The refinements scored by mean log-probability a token, in nats, at most 0; null for what is too long.

    `of` the feedback after the refinement, or of the refinement after the feedback; `prose` asks for it.
    """
    told = [{**values, "refinement": one.text} for one in found]
    prompts = [prose.messages(each) for each in told]
    answers = [[{"role": "assistant", "content": each[of]}] for each in told]
    sums, counts = await asyncio.to_thread(scorer.logprobs, prompts, answers)
    means = np.asarray(sums, np.float64) / np.maximum(counts, 1)
    return [
        replace(one, score=float(mean) if np.isfinite(mean) else None) for one, mean in zip(found, means, strict=True)
    ]


def picked(found: Sequence[Refinement]) -> Refinement:
    """The first of highest score. Raises Dropped when none has one."""
    scored = [one for one in found if one.score is not None]
    if not scored:
        raise Dropped("no refinement could be rated", {"refinements": len(found)})
    return max(scored, key=lambda one: one.score if one.score is not None else -math.inf)
