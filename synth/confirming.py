"""Is the made answer worse, and by how much? Asked of a judge in both orders, or of its ratings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, final

from ..core.errors import CallError
from ..core.paid import PaidModel
from ..core.stage import Dropped
from ..models.answers import Answer
from ..models.asking import shared_outcome
from ..models.comparing import Match, Referee, mean_lead
from ..models.pictures import Part
from ..models.readers import read_score
from ..models.verdict import Outcome
from .making import TEMPLATES, Writer

PROMPTS: Final = "confirm_worse"
Strength = Literal["subtle", "clear", "gross"]
STRENGTHS: Final[tuple[Strength, ...]] = ("subtle", "clear", "gross")
"""How bad an answer is to be made, from hardly to plainly."""


@final
@dataclass(frozen=True)
class Confirmation:
    """What a judge said of a pair: the chance that the better one is better, and why it is not confirmed."""

    p: float | None
    fault: str | None


async def confirmed(
    judge: PaidModel, prompt: str, better: str, worse: str, pictures: Sequence[Part] = ()
) -> Confirmation:
    """Ask in both orders; only two sound verdicts for `better` confirm. Raises CallError when a call failed."""
    referee = Referee(judge, TEMPLATES.load(PROMPTS, "compare"))
    match = Match(prompt, Answer(0, 0, better), Answer(0, 1, worse), pictures=tuple(pictures))
    verdicts = await referee.one(match)
    outcome = shared_outcome(verdicts)
    if outcome == Outcome.FAILED:
        raise CallError(next(v.why for v in verdicts if v.outcome is Outcome.FAILED) or "the call failed")
    if outcome != Outcome.OK:
        return Confirmation(None, f"confirmation: {outcome}")
    said = (verdicts[0].value, verdicts[1].value)
    return Confirmation(mean_lead(verdicts), None if said == ("A", "B") else _fault(said))


def _fault(said: tuple[str, str]) -> str:
    if said == ("B", "A"):
        return "not confirmed: judged better"
    return "not confirmed: judged a tie" if said == ("tie", "tie") else "not confirmed: the orders disagree"


async def rated(judge: PaidModel, prompt: str, answer: str, pictures: Sequence[Part] = ()) -> float:
    """A judge's rating of an answer, 1 to 10, higher = better. Raises Dropped for a reply that is none."""
    writer = Writer(judge, PROMPTS, temperature=0.0, max_tokens=16)
    rating: float = await writer.says(
        "rate", {"prompt": prompt, "answer": answer}, read_score(1, 10), pictures=pictures
    )
    return rating


@final
@dataclass(frozen=True)
class Aimed:
    """A made answer whose judged margin lies in the band: with which strength, and at which try."""

    text: str
    strength: Strength
    margin: float
    tries: int


async def aimed(
    make: Callable[[Strength, int], Awaitable[str]],
    margin_of: Callable[[str], Awaitable[float]],
    band: tuple[float, float],
    strength: Strength,
    tries: int,
) -> Aimed:
    """Make an answer again, harder or easier to tell, until its margin falls in the band.

    `make` is handed the strength and the number of the try. Raises Dropped("margin out of reach")
    with the last margin and strength after `tries` answers.
    """
    margin, tried = 0.0, strength
    for number in range(tries):
        tried = strength
        text = await make(strength, number)
        margin = await margin_of(text)
        if band[0] <= margin <= band[1]:
            return Aimed(text, strength, margin, number + 1)
        step = 1 if margin < band[0] else -1
        strength = STRENGTHS[min(max(STRENGTHS.index(strength) + step, 0), len(STRENGTHS) - 1)]
    raise Dropped("margin out of reach", {"margin": margin, "strength": tried})
