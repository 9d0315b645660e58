"""Is the made answer worse, and by how much? Asked of a judge in both orders, or of its ratings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar, final

import pyarrow as pa

from ..core.declared import Column
from ..core.errors import CallError
from ..core.paid import PaidModel
from ..core.stage import Dropped
from ..models.answers import Answer
from ..models.asking import shared_outcome
from ..models.comparing import Match, Referee, mean_lead
from ..models.pictures import Part
from ..models.score_reader import read_score
from ..models.verdict import Outcome
from .making import TEMPLATES, Writer

T = TypeVar("T")
Band = tuple[float, float]
PROMPTS: Final = "confirm_worse"
Strength = Literal["subtle", "clear", "gross"]
STRENGTHS: Final[tuple[Strength, ...]] = ("subtle", "clear", "gross")
"""How bad an answer is to be made, from hardly to plainly."""
JUDGED_MARGIN: Final = Column(
    "judged_margin",
    "judge's rating of chosen less that of rejected; null without a target",
    pa.float64(),
    "points of 10",
    -9,
    9,
    "higher: rejected is worse",
)


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
class Aimed(Generic[T]):
    """What was made, with which strength and at which try; its judged margin, null where none was wished for."""

    made: T
    strength: Strength
    margin: float | None
    tries: int


async def aimed(
    make: Callable[[Strength, int], Awaitable[T]],
    margin_of: Callable[[T], Awaitable[float]],
    band: Band,
    strength: Strength,
    tries: int,
) -> Aimed[T]:
    """Make an answer again, harder or easier to tell, until its margin falls in the band.

    `make` is handed the strength and the number of the try; one that it drops is a try, too. Raises
    Dropped("margin out of reach") with the last margin and strength after `tries` answers, or what the
    last try was dropped for when none was rated.
    """
    margin, tried, lost = None, strength, Dropped("nothing was tried")
    for number in range(tries):
        try:
            made = await make(strength, number)
        except Dropped as dropped:
            lost = dropped
            continue
        tried, margin = strength, await margin_of(made)
        if band[0] <= margin <= band[1]:
            return Aimed(made, strength, margin, number + 1)
        step = 1 if margin < band[0] else -1
        strength = STRENGTHS[min(max(STRENGTHS.index(strength) + step, 0), len(STRENGTHS) - 1)]
    raise lost if margin is None else Dropped("margin out of reach", {"margin": margin, "strength": tried})


@final
@dataclass(frozen=True)
class Aim:
    """Where an answer made from another is to lie: in a band of margins by a judge's ratings, or anywhere."""

    judge: PaidModel | None
    prompt: str
    band: Band | None
    tries: int
    pictures: Sequence[Part] = ()

    async def at(
        self,
        base: str,
        make: Callable[[Strength, int], Awaitable[T]],
        strength: Strength,
        *,
        text_of: Callable[[T], str] = str,
        better: bool = False,
    ) -> Aimed[T]:
        """The first that fits, of those `make` gives in turn; without a band the first. See `aimed`.

        Made answers are worse than `base`, unless `better`. Raises Dropped also for a rating that is none.
        """
        if self.band is None or self.judge is None:
            return Aimed(await make(strength, 0), strength, None, 1)
        judge, sign = self.judge, -1.0 if better else 1.0
        known = await rated(judge, self.prompt, base, self.pictures)

        async def margin_of(made: T) -> float:
            return sign * (known - await rated(judge, self.prompt, text_of(made), self.pictures))

        return await aimed(make, margin_of, self.band, strength, self.tries)

    async def fit(self, base: str, made: str) -> float | None:
        """The margin of an answer that cannot be made harder or easier; null without a band.

        Raises Dropped("margin out of reach") with the margin where it lies outside, and for a rating that is none.
        """
        if self.band is None or self.judge is None:
            return None
        ratings = [await rated(self.judge, self.prompt, text, self.pictures) for text in (base, made)]
        margin = ratings[0] - ratings[1]
        if not self.band[0] <= margin <= self.band[1]:
            raise Dropped("margin out of reach", {"margin": margin})
        return margin

    def told(self, found: Aimed[T]) -> dict[str, Any]:
        """What `made_by` says of it: the strength, and of an aim the band, the margin and the tries."""
        tries = {"tries": found.tries} if self.band else {}
        return {"strength": found.strength, **self.fitted(found.margin), **tries}

    def fitted(self, margin: float | None) -> dict[str, Any]:
        """What `made_by` says of an aim alone: the band and the margin; nothing where none was rated."""
        return {"target": list(self.band), "margin": margin} if self.band and margin is not None else {}


def target_faults(target: Band | None, judge: str | None) -> list[str]:
    """What is amiss with the options of a target margin."""
    if target is None:
        return []
    found = [] if judge else ["target_margin needs a judge, best another model than the writer"]
    return found if target[0] <= target[1] else [*found, "target_margin: give the smaller margin first"]
