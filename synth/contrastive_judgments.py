"""`synth.contrastive_judgments`: from preference pairs to pairs of judgments, a true one against a false one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Drop, Dropped, Map, Row
from .critique_judgments import Judgment, Pairing, hint_pair, read_judgment, sampled_pairs, shortened
from .critique_records import message, question_of
from .making import TEMPLATES, Writer, answer, answer_of, made_by, pictures_of, sample_seeds, together


@final
@register("synth.contrastive_judgments")
class ContrastiveJudgments(Map):
    """Sample judgments of each pair, and pair those that find the better answer with those that do not.

    Which answer is shown first is the row's own chance. Beside `n` free samples two are told which answer
    to argue for; that hint never stands in the stored prompt. The judgments told to argue for the worse
    answer are fluent and dishonest: rows are for preference training, their rejected side is no example
    to imitate. Judge both orders when such a judge is evaluated.
    """

    reads = ("prompt", "chosen", "rejected", "verdict?", "images?")
    writes = (
        "prompt",
        "chosen",
        "rejected",
        "verdict",
        Column("pair_type", "best_of_n, best_of_n_positive2unknown, preamble or preamble2unknown", pa.string()),
        Column("better_answer", "number of the better answer as shown", pa.int8(), "place", 1, 2, "neither"),
        Column("judged_right", "free samples that found it", pa.int32(), "samples", 0, None, "higher"),
        Column("judged_wrong", "free samples that chose the other", pa.int32(), "samples", 0, None, "lower"),
        Column("judged_unknown", "free samples without a verdict", pa.int32(), "samples", 0, None, "lower"),
    )
    paper = "Con-J, arXiv 2410.03742"

    n: Annotated[int, Field(ge=1, le=64)] = 8
    """Judgments sampled freely."""
    hints: bool = True
    """Sample two more, told to argue for the better and for the worse answer."""
    pairs: Annotated[int, Field(ge=0)] = 3
    """Most pairs of a right and a wrong free sample."""
    unknown_pairs: Annotated[int, Field(ge=0)] = 1
    """Most pairs of a right sample and one without a verdict, which teach the form of a judgment."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """The judge whose judgments are sampled: the model to be trained, or its teacher."""
    prompts: str = "contrastive_judgments"
    """Template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.2
    """Of all samples."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Of all samples."""
    max_tokens: Annotated[int, Field(ge=16)] = 512
    """Most tokens of a judgment."""
    long_text: Annotated[int, Field(ge=0)] = 600
    """Characters beyond which a hinted judgment may be shortened."""
    long_reason: Annotated[int, Field(ge=1)] = 400
    """Words and signs kept of the reason of such a judgment, up to the last full stop among them."""

    def faults(self) -> Sequence[str]:
        found = list(TEMPLATES.faults(self.prompts))
        if not self.hints and self.pairs + self.unknown_pairs == 0:
            found.append("nothing to pair: give hints, pairs or unknown_pairs")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return float(self.n + 2 * self.hints)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        if row.get("verdict") == "tie":
            return Drop("tie")
        rng = ctx.rng(row["id"])
        better = 1 if rng.random() < 0.5 else 2
        shown = answer_of(row), answer_of(row, "rejected")
        first, second = shown if better == 1 else shown[::-1]
        values = {"conversation": question_of(row), "first": first, "second": second}
        free, hinted = await self._sampled(row, ctx, values, better)
        pairs = sampled_pairs(free, better, self.pairs, self.unknown_pairs, rng)
        if self.hints and (pair := hint_pair(*hinted, better)):
            pairs.append(pair)
        counts = self._counts(free, better)
        if not pairs:
            return Drop("no pair of judgments", counts)
        asked = [message(m["role"], m["content"]) for m in self._messages(values)]
        writer = ctx.models[self.writer].name
        return [self._row(asked, pair, writer) | counts | {"better_answer": better} for pair in pairs]

    async def _sampled(
        self, row: Row, ctx: Context, values: Row, better: int
    ) -> tuple[list[Judgment], tuple[Judgment, Judgment]]:
        """Free samples, and the two told to argue for the better and for the other answer."""
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens, self.top_p)
        pictures = pictures_of(row)

        async def asked(hint: int | None, method: str, seed: int) -> Judgment | None:
            found = await writer.verdict(
                "judge", {**values, "hint": hint}, read_judgment(method, seed), seed=seed, pictures=pictures
            )
            return found.value if found.ok else None

        seeds = list(sample_seeds(ctx, self.n))
        calls = [asked(None, "sample", seed) for seed in seeds]
        if self.hints:
            calls += [asked(better, "guide", ctx.seed), asked(3 - better, "guide_reverse", ctx.seed)]
        found = await together(*calls)
        free = [judgment for judgment in found[: self.n] if judgment]
        if not free and not any(found):
            raise Dropped("judge: no reply")
        hinted = [
            shortened(j, self.long_text, self.long_reason) if j else Judgment("", "guide", ctx.seed)
            for j in (found[self.n :] or [None, None])
        ]
        return free, (hinted[0], hinted[1])

    def _messages(self, values: Row) -> list[dict[str, str]]:
        return TEMPLATES.load(self.prompts, "judge").messages({**values, "hint": None})

    def _counts(self, free: Sequence[Judgment], better: int) -> dict[str, int]:
        unknown = sum(j.better is None for j in free) + self.n - len(free)
        right = sum(j.better == better for j in free)
        return {"judged_right": right, "judged_wrong": self.n - right - unknown, "judged_unknown": unknown}

    def _row(self, asked: Sequence[Row], pair: Pairing, writer: str) -> Row:
        return {
            "prompt": list(asked), "verdict": "prefer", "pair_type": pair.kind,
            "chosen": self._answer(pair.chosen, writer), "rejected": self._answer(pair.rejected, writer),
        }  # fmt: skip

    def _answer(self, judgment: Judgment, writer: str) -> Row:
        params = {"temperature": self.temperature, "top_p": self.top_p, "shortened": judgment.shortened}
        return answer(judgment.text, made_by(self.name, judgment.method, params, writer, judgment.seed))
