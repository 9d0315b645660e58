"""`synth.overwrite_topics`: an answer whose topics are overwritten by the best and by the worst that was said."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Final, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .confirming import JUDGED_MARGIN, Aim, Strength, target_faults
from .confirming import PROMPTS as CONFIRM
from .making import TEMPLATES, Writer, pictures_of, prompt_of, sample_seeds, together
from .topics_claims import DIFFER, Claim, Dissector, joined
from .topics_edits import Mode, Pick, accuracies, mistakes, planned
from .topics_grouping import Grouping
from .topics_relevance import relevance_maps
from .topics_sides import Overwriter, WholeAnswers

TOPIC: Final = pa.struct(
    [
        ("answer", pa.int32()),
        ("claim", pa.string()),
        ("topic", pa.int32()),
        ("p_yes", pa.float64()),
        ("p_no", pa.float64()),
        ("alternative", pa.bool_()),
    ]
)


@final
@register("synth.overwrite_topics")
class OverwriteTopics(Map):
    """Rewrite one answer twice: false topics overwritten by true alternatives, true ones by false.

    The row's `candidates` are taken apart into claims, claims are scored by a yes-or-no question each
    and put together into topics (Louvain), and both sides come from one base answer, so that they
    share its style. Where no answer qualifies or a rewrite is no good, the best whole answer stands
    against the worst. A side that needs no edit is the base answer itself. Rewrites see no picture.
    """

    reads = ("prompt", "candidates", "images?")
    writes = (
        Column("chosen", "the base answer with its false topics overwritten, or the best answer"),
        Column("rejected", "the base answer with its true topics overwritten, or the worst answer"),
        Column("verdict", "always prefer"),
        Column("topics", "claims and alternatives, their topic, and the chances of yes and no", pa.list_(TOPIC)),
        Column("claims_score", "score of each candidate; null = not taken apart", pa.list_(pa.float64())),
        Column("claims_outcome", "how the taking apart of each candidate ended", pa.list_(pa.string())),
        Column("overwrite_fallback", "why whole answers stand here; null = they are rewrites", pa.string()),
        Column("overwrite_base", "number of the candidate that was rewritten", pa.int32()),
        Column("overwrite_up", "claims overwritten in chosen", pa.int32(), "claims", 0, None, "neither"),
        Column("overwrite_down", "claims overwritten in rejected", pa.int32(), "claims", 0, None, "neither"),
        JUDGED_MARGIN,
    )
    paper = "Topic-level Preference Overwriting (TPO), arXiv 2411.17265; prefilter by embedding: house"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """The model to be aligned: answers open questions and rewrites."""
    splitter: Annotated[str | None, ModelOf("chat")] = None
    """Takes answers apart, asks, and says which claims belong together; the writer if not given."""
    judge: Annotated[str, ModelOf("chat")] = "judge"
    """Labels claims by yes or no, and rates for a target margin; it should see what the prompt shows."""
    prompts: str = "overwrite_topics"
    """The template of the method, or a file."""
    mode: Mode = "max_all_claim"
    """Overwrite every topic that can be, or only the one claim between whose sides p_yes - p_no differs most (ours)."""
    alternative: Pick = "best"
    """best: the largest and the smallest p_yes - p_no, as the paper says; last_met: the last true and the last
    false one, as the released code does."""
    score: Literal["relative_accuracy", "incorrect_num"] = "relative_accuracy"
    """How whole answers are ranked: mean p_yes - p_no of their claims, or minus the number of false ones."""
    least: Annotated[int, Field(ge=1)] = 3
    """Claims of the base answer that can be overwritten (the released code: more than 2)."""
    fallback: Literal["whole_answers", "drop"] = "whole_answers"
    """Without a base answer or a good rewrite: best against worst answer, or drop the row."""
    strength: Strength = "gross"
    """How much is overwritten in rejected: gross all that can be, as in the paper; clear the half of it that differs
    least in p_yes - p_no; subtle one claim. Of whole answers the worst, the one in the middle, the next to the best."""
    target_margin: tuple[float, float] | None = None
    """Least and greatest margin, in points of 10, between the judge's ratings of chosen and rejected: rejected is
    rewritten with fewer or more topics overwritten until one fits, or else whole answers do; null = no rating."""
    tries: Annotated[int, Field(ge=1)] = 3
    """Most rewrites of rejected for a target margin."""
    answers: Annotated[int, Field(ge=2, le=64)] = 10
    """Most candidates that are read, the first ones."""
    facts: Annotated[int, Field(ge=1, le=64)] = 12
    """Most claims of an answer."""
    alternatives: Annotated[int, Field(ge=0, le=8)] = 1
    """Answers drawn to each claim's open question; 0 = other candidates give the only alternatives."""
    encoder: Annotated[str | None, ModelOf("text_encoder")] = "static"
    """Claims are asked about only where it finds them alike; none = all pairs, as in the paper."""
    floor: Annotated[float, Field(ge=-1, le=1)] = 0.4
    """Smallest cosine of two claims that are asked about (ours)."""
    pairs: Annotated[int, Field(ge=1)] = 200
    """Most pairs of claims asked about, the most alike first."""
    relevance: Annotated[str | None, ModelOf("image_text_encoder")] = None
    """Finds where in the picture a claim looks; none = that condition is skipped."""
    correlation: Annotated[float, Field(ge=-1, le=1)] = 0.9
    """Two claims share a topic only when their relevance maps correlate above this."""
    resolution: Annotated[float, Field(gt=0)] = 1.0
    """Resolution of the communities; higher = more and smaller topics."""
    soft: bool = True
    """Read the chances of yes and no off log-probabilities, where the endpoint gives them."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Of alternatives and rewrites; the splitter has 0.2."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a list and of a rewrite."""

    def faults(self) -> Sequence[str]:
        return [*TEMPLATES.faults(self.prompts), *target_faults(self.target_margin, self.judge)]

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts, *([CONFIRM] if self.target_margin else []))

    def calls_a_row(self) -> float:
        lists = 3 + (self.alternatives > 0)
        each = lists + self.facts * (1 + 2 * self.alternatives)
        aimed = 3 * self.tries + 1 if self.target_margin else 0
        return float(self.answers * each + 2 * self.pairs + 2 + aimed)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        prompt, texts = prompt_of(row), self._texts(row)
        dissector = self._dissector(row, prompt, ctx)
        parts = await together(*(dissector.apart(k, text) for k, text in texts.items()))
        outcomes = {k: part.outcome for k, part in zip(texts, parts, strict=True)}
        claims = joined(parts)
        if len({claim.answer for claim in claims}) < 2:
            ends = Counter(outcomes.values())
            raise Dropped(DIFFER if DIFFER in ends else "fewer than two answers taken apart", dict(ends))
        topics = await self._topics(row, claims, dissector.splitter, ctx)
        n = len(row["candidates"])
        ranked = (accuracies if self.score == "relative_accuracy" else mistakes)(claims, n)
        sides = await self._sides(row, claims, topics, ranked, ctx)
        found = [
            {"answer": c.answer, "claim": c.text, "topic": topic, "p_yes": c.p_yes, "p_no": c.p_no,
             "alternative": c.source is not None}
            for c, topic in zip(claims, topics, strict=True)
        ]  # fmt: skip
        ends_by_place = [outcomes.get(k, "not read") for k in range(n)]
        return [
            {**sides, "verdict": "prefer", "topics": found, "claims_score": ranked, "claims_outcome": ends_by_place}
        ]

    def _texts(self, row: Row) -> dict[int, str]:
        """The first candidates that have a text, by their number."""
        there = {k: (c or {}).get("text") for k, c in enumerate(row["candidates"] or ())}
        texts = {k: text for k, text in there.items() if text and text.strip()}
        if len(texts) < 2:
            raise Dropped("fewer than two candidates", {"candidates": len(texts)})
        return dict(list(texts.items())[: self.answers])

    def _dissector(self, row: Row, prompt: str, ctx: Context) -> Dissector:
        splitter = ctx.models[self.splitter or self.writer]
        return Dissector(
            Writer(splitter, self.prompts, 0.2, self.max_tokens, top_p=0.9), self._writer(ctx),
            Writer(ctx.models[self.judge], self.prompts, 0.0, 4),
            prompt, pictures_of(row), self.facts, sample_seeds(ctx, self.alternatives), self.soft,
        )  # fmt: skip

    def _writer(self, ctx: Context) -> Writer:
        return Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)

    async def _topics(self, row: Row, claims: Sequence[Claim], asker: Writer, ctx: Context) -> list[int]:
        texts, likeness, maps = [claim.text for claim in claims], None, None
        if self.encoder is not None:
            vectors = await asyncio.to_thread(ctx.models[self.encoder].encode, texts)
            likeness = np.asarray(vectors, np.float64) @ np.asarray(vectors, np.float64).T
        pictures = pictures_of(row)
        if self.relevance is not None and pictures:
            maps = await asyncio.to_thread(relevance_maps, ctx.models[self.relevance], pictures, texts)
        grouping = Grouping(self.floor, self.pairs, self.correlation, self.resolution)
        return await grouping.topics(asker, claims, likeness, maps)

    async def _sides(
        self, row: Row, claims: Sequence[Claim], topics: Sequence[int], ranked: Sequence[float | None], ctx: Context
    ) -> Row:
        """chosen, rejected and how they came about: rewrites, else whole answers."""
        edits, candidates = planned(claims, topics, self.mode, self.least, self.alternative), row["candidates"]
        aim = Aim(ctx.models[self.judge], prompt_of(row), self.target_margin, self.tries, pictures_of(row))
        lost = Dropped("no answer qualifies")
        if edits is not None:
            params = {"mode": self.mode, "alternative": self.alternative}
            overwriter = Overwriter(self._writer(ctx), self.name, params, ctx.seed, aim, self.strength)
            try:
                return await overwriter.sides(candidates[edits.base], edits, claims)
            except Dropped as dropped:
                lost = dropped
        if self.fallback == "drop":
            raise lost
        whole = WholeAnswers(candidates, ranked, self.name, {"by": self.score, "why": lost.drop.reason})
        return await whole.sides(aim, self.strength)
