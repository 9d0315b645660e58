"""Answers taken apart into claims: each with an open question, a yes-or-no question, and the chances of yes and no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, final

from ..core.paid import Reply
from ..models.comparing import choice_reader
from ..models.pictures import Part
from ..models.readers import read_json
from ..models.verdict import Outcome, Verdict
from .listing import listed
from .making import Writer, together

ITEMS: Final = listed(least=0)
DIFFER: Final = "facts and questions differ"
"""There is not one question a fact: which belongs to which cannot be told."""
WORDS_READ: Final = 300
"""Words of an answer that are taken apart, as in the released code."""


@final
@dataclass(frozen=True)
class Claim:
    """What an answer says (`source` None), or what was said to the open question of claim number `source`."""

    answer: int
    text: str
    what: str = ""
    whether: str = ""
    p_yes: float = 0.0
    p_no: float = 0.0
    source: int | None = None

    @property
    def lead(self) -> float:
        """p_yes - p_no in [-1, 1], higher = truer."""
        return self.p_yes - self.p_no

    @property
    def true(self) -> bool:
        """Whether yes is likelier than no."""
        return self.p_yes > self.p_no


@final
@dataclass(frozen=True)
class TakenApart:
    """The claims of one answer with the alternatives to them, and how the taking apart ended (`ok` or why not)."""

    outcome: str
    claims: tuple[Claim, ...] = ()


@final
@dataclass(frozen=True)
class Dissector:
    """Who takes apart and asks, who answers the open questions, and who says yes or no about one prompt."""

    splitter: Writer
    answerer: Writer
    labeller: Writer
    prompt: str
    pictures: tuple[Part, ...]
    facts: int
    seeds: range
    soft: bool = True

    async def apart(self, number: int, text: str) -> TakenApart:
        """The scored claims of an answer. Raises CallError when a call failed."""
        told = {"text": " ".join(text.split()[:WORDS_READ]), "most": self.facts}
        split = await self._items("split", told)
        if not split.ok:
            return TakenApart(f"split: {split.outcome.value}")
        facts = split.value[: self.facts]
        if not facts:
            return TakenApart("no facts")
        what, whether = await together(*(self._items(part, {"facts": facts}) for part in ("ask_what", "ask_whether")))
        for part, asked in (("ask_what", what), ("ask_whether", whether)):
            if not asked.ok:
                return TakenApart(f"{part}: {asked.outcome.value}")
        if not len(facts) == len(what.value) == len(whether.value):
            return TakenApart(DIFFER)
        claims = [Claim(number, *three) for three in zip(facts, what.value, whether.value, strict=True)]
        scored = await self._scored([*claims, *await self._alternatives(claims)])
        return TakenApart("ok", scored) if scored else TakenApart("no claim was judged")

    async def _alternatives(self, claims: Sequence[Claim]) -> list[Claim]:
        """What is said to the claims' open questions, where it is not the claim itself; with yes-or-no questions."""
        questions = [(k, seed) for k in range(len(claims)) for seed in self.seeds]
        said = await together(
            *(
                self.answerer.verdict(
                    "alternative",
                    {"prompt": self.prompt, "question": claims[k].what},
                    seed=seed,
                    pictures=self.pictures,
                )
                for k, seed in questions
            )
        )
        found: dict[tuple[int, str], Claim] = {}
        for (k, _), verdict in zip(questions, said, strict=True):
            if verdict.ok and not alike(verdict.value, claims[k].text):
                text = " ".join(verdict.value.split())
                found.setdefault((k, bare(text)), Claim(claims[k].answer, text, claims[k].what, source=k))
        others = list(found.values())
        if not others:
            return []
        asked = await self._items("ask_whether", {"facts": [claim.text for claim in others]})
        if not asked.ok or len(asked.value) != len(others):
            return []
        return [replace(claim, whether=question) for claim, question in zip(others, asked.value, strict=True)]

    async def _scored(self, claims: Sequence[Claim]) -> tuple[Claim, ...]:
        """The claims that got a yes or no, with its chances; an alternative to one that got none goes with it."""
        verdicts = await together(*(self._checked(claim) for claim in claims))
        places: dict[int, int] = {}
        kept: list[Claim] = []
        for k, (claim, verdict) in enumerate(zip(claims, verdicts, strict=True)):
            if not verdict.ok or (claim.source is not None and claim.source not in places):
                continue
            places[k] = len(kept)
            source = None if claim.source is None else places[claim.source]
            yes, no = chances(verdict)
            kept.append(replace(claim, p_yes=yes, p_no=no, source=source))
        return tuple(kept)

    async def _checked(self, claim: Claim) -> Verdict:
        return await self.labeller.verdict(
            "check", {"prompt": self.prompt, "question": claim.whether}, choice_reader(("yes", "no"), self.soft),
            pictures=self.pictures, logprobs=20 if self.soft else None,
        )  # fmt: skip

    async def _items(self, part: str, values: dict[str, Any]) -> Verdict:
        return await self.splitter.verdict(part, values, _read_items, schema=ITEMS)


def chances(verdict: Verdict) -> tuple[float, float]:
    """The chances of yes and no, which sum to 1; 1 and 0 where the endpoint gave no log-probabilities."""
    if verdict.spread:
        return verdict.spread["yes"], verdict.spread["no"]
    return (1.0, 0.0) if verdict.value == "yes" else (0.0, 1.0)


def alike(one: str, other: str) -> bool:
    """Whether two sentences are the same but for case, spaces and marks at the ends."""
    return bare(one) == bare(other)


def bare(text: str) -> str:
    """A sentence without case, runs of spaces and marks at its ends."""
    return " ".join(text.casefold().split()).strip(" .!?\"'")


_read = read_json(ITEMS)


def _read_items(reply: Reply) -> Verdict:
    verdict = _read(reply)
    if not verdict.ok:
        return verdict
    return Verdict(Outcome.OK, [" ".join(text.split()) for text in verdict.value["items"] if text.strip()])


def joined(parts: Sequence[TakenApart]) -> list[Claim]:
    """The claims of all answers in one list; an alternative names its claim by its place there."""
    found: list[Claim] = []
    for part in parts:
        start = len(found)
        found += [c if c.source is None else replace(c, source=c.source + start) for c in part.claims]
    return found
