"""`synth.hallucinate`: plausible wrong answers by stated patterns, the most believable of several kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..models.readers import read_choice
from .confirming import JUDGED_MARGIN, Aim, Aimed, Strength, target_faults
from .confirming import PROMPTS as CONFIRM
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of, together
from .overlap import words_of

Pattern = Literal["comprehension", "factualness", "specificity", "inference"]
PATTERNS: Final[Mapping[Pattern, str]] = {
    "comprehension": "The question's context or intention is misunderstood.",
    "factualness": "A fact is contradicted or made up.",
    "specificity": "It is too general or too specific for what is asked.",
    "inference": "It is reasoned out wrongly and does not follow from what is known.",
}
"""Patterns of hallucination and what each means."""
DEGREES: Final[Mapping[Strength, str]] = {
    "subtle": "Hardly: one detail is off, and only someone who knows the matter well would notice.",
    "clear": "Clearly: whoever knows the answer sees at once that this is another one.",
    "gross": "Grossly: it misses the matter, though it is said just as surely.",
}
"""How wrong an answer is to be."""


@final
@dataclass(frozen=True)
class _Tale:
    """A wrong answer, its pattern and the seed it was sampled with."""

    text: str
    pattern: Pattern
    seed: int


@final
@register("synth.hallucinate")
class Hallucinate(Map):
    """Write `samples` wrong answers to the prompt, each by a pattern of chance, and reject the most believable.

    The row's own answer is chosen. Wrong answers with the right one's words are left out, and so are those
    that are much longer: length must not give them away.
    """

    reads = ("prompt", "chosen", "{knowledge}?")
    writes = (
        Column("rejected", "the most believable wrong answer"),
        Column("verdict", "always prefer"),
        Column("hallucination", "its pattern: comprehension, factualness, specificity or inference", pa.string()),
        Column("n_hallucinations", "sound wrong answers it was chosen from", pa.int32()),
        JUDGED_MARGIN,
    )
    paper = "HaluEval, arXiv 2305.11747: sampling then filtering, its four patterns of question answering"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who writes wrong answers."""
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Who picks the most believable; null = the writer."""
    knowledge: str = "knowledge"
    """Column with a text the answer follows from, where there is one."""
    patterns: Annotated[tuple[Pattern, ...], Field(min_length=1)] = (
        "comprehension",
        "factualness",
        "specificity",
        "inference",
    )
    """Patterns to draw from; no pattern comes again before all have come."""
    samples: Annotated[int, Field(ge=1, le=26)] = 2
    """Wrong answers asked for."""
    longer: Annotated[int | None, Field(ge=0)] = 5
    """Most words a wrong answer may have beyond the right one; null = any."""
    strength: Strength = "clear"
    """How wrong they are to be: subtle, clear or gross."""
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, that a judge's ratings of both answers may have: wrong answers
    are written one after the other, grosser or subtler, until one fits; null = no rating."""
    tries: Annotated[int, Field(ge=1)] = 3
    """Most wrong answers written for a target margin."""
    prompts: str = "hallucinate"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of wrong answers."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Most tokens of a wrong answer."""

    def faults(self) -> Sequence[str]:
        return [*TEMPLATES.faults(self.prompts), *target_faults(self.target_margin, self.judge)]

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, *([CONFIRM] if self.target_margin else []))

    def calls_a_row(self) -> float:
        return 1.0 + 2.0 * self.tries if self.target_margin else float(self.samples + (self.samples > 1))

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        right = answer_of(row)
        most = None if self.longer is None else len(words_of(right)) + self.longer
        values = {"prompt": prompt_of(row), "answer": right, "knowledge": row.get(self.knowledge) or "", "most": most}
        drawn = self._patterns(self.tries if self.target_margin else self.samples, ctx.rng(row["id"]))
        if self.target_margin:
            return [await self._aimed(values, drawn, ctx)]
        writer = self._writer(ctx)
        tales = await together(*(
            self._tale(writer, values, self.strength, pattern, ctx.seed + k) for k, pattern in enumerate(drawn)
        ))  # fmt: skip
        sound = list({tale.text: tale for tale in tales if tale is not None}.values())
        if not sound:
            raise Dropped("no sound wrong answer", {"asked": self.samples})
        best = await self._best(sound, values, ctx.rng(row["id"]), ctx) if len(sound) > 1 else sound[0]
        return [self._told(Aimed(best, self.strength, None, 1), len(sound), ctx)]

    def _writer(self, ctx: Context) -> Writer:
        return Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)

    def _patterns(self, n: int, rng: Random) -> list[Pattern]:
        """n patterns by chance, none again before all have come."""
        rounds = range(0, n, len(self.patterns))
        return [pattern for _ in rounds for pattern in rng.sample(self.patterns, len(self.patterns))][:n]

    def _told(self, found: Aimed[_Tale], of: int, ctx: Context) -> Row:
        tale, params = found.made, {"of": of, "strength": found.strength, "margin": found.margin}
        origin = made_by(self.name, tale.pattern, params, ctx.models[self.writer].name, tale.seed)
        return {
            "rejected": answer(tale.text, origin), "verdict": "prefer", "hallucination": tale.pattern,
            "n_hallucinations": of, "judged_margin": found.margin,
        }  # fmt: skip

    async def _aimed(self, values: Mapping[str, Any], drawn: Sequence[Pattern], ctx: Context) -> Row:
        """Wrong answers in turn until the judged margin fits."""

        async def make(strength: Strength, number: int) -> _Tale:
            tale = await self._tale(self._writer(ctx), values, strength, drawn[number], ctx.seed + number)
            if tale is None:
                raise Dropped("no sound wrong answer", {"asked": number + 1})
            return tale

        aim = Aim(ctx.models[self.judge or self.writer], values["prompt"], self.target_margin, self.tries)
        found = await aim.at(values["answer"], make, self.strength, text_of=lambda tale: tale.text)
        return self._told(found, found.tries, ctx)

    async def _tale(
        self, writer: Writer, values: Mapping[str, Any], strength: Strength, pattern: Pattern, seed: int
    ) -> _Tale | None:
        """One wrong answer; None when it is none, too long, or has the right one's words."""
        told = {**values, "meaning": PATTERNS[pattern], "degree": DEGREES[strength]}
        said = await writer.verdict("write", told, seed=seed)
        if not said.ok:
            return None
        words = words_of(said.value)
        much = values["most"] is not None and len(words) > values["most"]
        return None if much or words == words_of(values["answer"]) else _Tale(said.value, pattern, seed)

    async def _best(self, tales: Sequence[_Tale], values: Mapping[str, Any], rng: Random, ctx: Context) -> _Tale:
        shown = rng.sample(tales, len(tales))
        letters = [chr(ord("A") + k) for k in range(len(shown))]
        options = [{"letter": letter, "text": tale.text} for letter, tale in zip(letters, shown, strict=True)]
        judge = Writer(ctx.models[self.judge or self.writer], self.prompts, temperature=0.0, max_tokens=16)
        letter = await judge.says("choose", {**values, "options": options}, read_choice(letters))
        return shown[letters.index(letter)]
