"""`synth.refine`: an answer rewritten by the feedback on it, several times, and the best rewriting kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of, together
from .overlap import longest_run
from .refine_select import WORDINGS, Refinement, incorporated, likely, near, picked
from .refine_texts import feedback_of, is_degenerate
from .verifiers import MaybeVerifier, reference_columns, reference_of

Select = Literal["instruct_rm", "embedding", "feedback_likelihood", "refinement_likelihood", "random"]


@final
@register("synth.refine")
class Refine(Map):
    """Rewrite an answer `samples` times by the feedback on it; the selected refinement is chosen, the answer rejected.

    Selectors: how surely a model says that the feedback is heeded (`instruct_rm`), likeness to the feedback
    (`embedding`), how likely the feedback is after the refinement or the refinement after the feedback
    (`feedback_likelihood`, `refinement_likelihood`), or chance. None of them says that the refinement is
    better: confirm pairs with `synth.confirm_worse`, or verify refinements here, with tests for programs.
    """

    reads = ("prompt", "{answer}", "{feedback}?", "{reference}?")
    writes = (
        Column("chosen", "the selected refinement"),
        Column("rejected", "the answer that was refined"),
        Column("verdict", "always prefer"),
        Column("refinement_score", "the selector's score; null by chance", pa.float64(), better="higher: selected"),
        Column("n_refinements", "sound refinements, without repeats", pa.int32()),
        Column("n_verified", "refinements the verifier called right; null without one", pa.int32()),
        Column("feedback_quoted", "longest run of words the refinement shares with the feedback", pa.int32(), "words"),
    )
    paper = "ILF, Training Language Models with Language Feedback at Scale, arXiv 2303.16755; for code arXiv 2303.16749"

    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who refines."""
    answer: Literal["chosen", "rejected"] = "chosen"
    """Which of the row's answers is refined."""
    feedback: str = "critique"
    """Column with the feedback on it, a text or a critique."""
    control: bool = False
    """Ask for a better answer without showing the feedback, for comparison."""
    samples: Annotated[int, Field(ge=1, le=1024)] = 5
    """Refinements wished for; the paper has 5 of summaries and 30 of programs."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of refinements."""
    top_p: Annotated[float | None, Field(gt=0, le=1)] = 0.95
    """Mass of the tokens refinements are sampled from; null = the endpoint's own."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a refinement; the paper's summaries have 48."""
    forbidden: tuple[str, ...] = ()
    """A refinement that holds one of these is sampled anew, as is one that changes no word."""
    retries: Annotated[int, Field(ge=0)] = 5
    """Most samples drawn in place of unsound ones."""
    select: Select = "instruct_rm"
    """How one refinement is selected. Scores: a chance, a cosine, nats a token."""
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Who says whether feedback is heeded; null = the writer."""
    encoder: Annotated[str | None, ModelOf("text_encoder")] = None
    """The encoder of `select: embedding`."""
    scorer: Annotated[str | None, ModelOf("causal_lm")] = None
    """The language model whose likelihood selects."""
    verifier: MaybeVerifier = None
    """Only refinements it calls right are selected from; an answer that is right already is not refined."""
    reference: str = "reference"
    """Column with the right answer, or with the tests, for the verifier."""
    prompts: str = "refine"
    """A template of the package, or a file."""
    part: Literal["text", "code"] = "text"
    """Which part of the template asks: for texts, or for programs."""

    def columns_read(self) -> tuple[str, ...]:
        feedback = () if self.control else (self.feedback,)
        return ("prompt", self.answer, *feedback, *reference_columns(self.verifier, self.reference))

    def faults(self) -> Sequence[str]:
        found = [*TEMPLATES.faults(self.prompts), *(self.verifier.faults() if self.verifier else ())]
        if self.control and self.select != "random":
            found.append(f"select: {self.select} needs feedback, which the control leaves out; select: random does not")
        if self.select == "embedding" and self.encoder is None:
            found.append("select: embedding needs an encoder; encoder: static is always there")
        if self.select.endswith("likelihood") and self.scorer is None:
            found.append(f"select: {self.select} needs a scorer; name a causal_lm of `models`")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        rating = len(WORDINGS) * self.samples if self.select == "instruct_rm" else 0
        return float(self.samples + self.retries + rating)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        original = answer_of(row, self.answer)
        feedback = "" if self.control else feedback_of(row, self.feedback)
        values = {"prompt": prompt_of(row), "answer": original, "feedback": feedback}
        if self.verifier is not None:
            reference = reference_of(row, self.reference, self.verifier)
            if (await self.verifier.verify(original, reference)).right:
                raise Dropped("the answer is right already")
        found = await self._drawn(values, ctx)
        verified = await self._verified(found, row)
        best = await self._best(verified, values, row, ctx)
        origin = self._origin(best, ctx)
        return [{
            "chosen": answer(best.text, origin), "rejected": row[self.answer], "verdict": "prefer",
            "refinement_score": best.score, "n_refinements": len(found),
            "n_verified": len(verified) if self.verifier else None,
            "feedback_quoted": longest_run(feedback, best.text) if feedback else None,
        }]  # fmt: skip

    async def _drawn(self, values: dict[str, str], ctx: Context) -> list[Refinement]:
        """Sound refinements without repeats, in the order of their seeds; unsound ones are drawn anew."""
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens, self.top_p)
        part = f"{'control' if self.control else 'refine'}_{self.part}"
        sound: list[Refinement] = []
        drawn, left = 0, self.samples + self.retries
        while len(sound) < self.samples and left:
            seeds = range(ctx.seed + drawn, ctx.seed + drawn + min(self.samples - len(sound), left))
            drawn, left = drawn + len(seeds), left - len(seeds)
            said = await together(*(writer.verdict(part, values, seed=seed) for seed in seeds))
            sound += [
                Refinement(verdict.value, seed)
                for seed, verdict in zip(seeds, said, strict=True)
                if verdict.ok
                and not is_degenerate(verdict.value, values["answer"], self.forbidden, self.part == "code")
            ]
        if not sound:
            raise Dropped("no sound refinement", {"drawn": drawn})
        return list({one.text: one for one in reversed(sound)}.values())[::-1]

    async def _verified(self, found: list[Refinement], row: Row) -> list[Refinement]:
        if self.verifier is None:
            return found
        reference = reference_of(row, self.reference, self.verifier)
        findings = await together(*(self.verifier.verify(one.text, reference) for one in found))
        right = [one for one, finding in zip(found, findings, strict=True) if finding.right]
        if not right:
            raise Dropped("no refinement is right", {"refinements": len(found), "why": findings[0].why[:200]})
        return right

    async def _best(self, found: list[Refinement], values: dict[str, str], row: Row, ctx: Context) -> Refinement:
        if self.select == "random":
            return ctx.rng(row["id"]).choice(found)
        if self.select == "embedding":
            return picked(await near(ctx.models[self.encoder or ""], values["feedback"], found))
        if self.select == "feedback_likelihood":
            prose = TEMPLATES.load(self.prompts, "recall")
            return picked(await likely(ctx.models[self.scorer or ""], prose, "feedback", found, values))
        if self.select == "refinement_likelihood":
            prose = TEMPLATES.load(self.prompts, f"refine_{self.part}")
            return picked(await likely(ctx.models[self.scorer or ""], prose, "refinement", found, values))
        judge = Writer(ctx.models[self.judge or self.writer], self.prompts, temperature=0.0, max_tokens=4)
        return picked(await together(*(incorporated(judge, one, values) for one in found)))

    def _origin(self, best: Refinement, ctx: Context) -> Row:
        params = {
            "select": self.select, "score": best.score, "samples": self.samples, "temperature": self.temperature,
            "top_p": self.top_p, "feedback": None if self.control else self.feedback,
        }  # fmt: skip
        method = "control" if self.control else "refinement"
        return made_by(self.name, method, params, ctx.models[self.writer].name, best.seed)
