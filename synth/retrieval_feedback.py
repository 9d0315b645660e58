"""`synth.retrieval_feedback`: revise an answer by passages found with it, where that makes it better."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, FileOf, ModelOf
from ..core.registry import register
from ..core.stage import Context, Dropped, Map, Row
from ..core.text_columns import SUFFIXES, file_digest
from ..models.readers import read_yes_no
from .changed_spans import changed_spans
from .confirming import PROMPTS, confirmed
from .making import TEMPLATES, Writer, answer, answer_of, made_by, prompt_of, sample_seeds, together
from .overlap import words_of
from .passage_index import Index, Lookup


@final
@register("synth.retrieval_feedback")
class RetrievalFeedback(Map):
    """Draft, look up passages by prompt and drafts, revise the first draft by them; revision over draft.

    A pair is made only when the gate prefers the revision (a judge in both orders, or a language model
    that finds it likelier a token) and the passages support what changed. Passages come from a local file,
    by their words or by text vectors. ReFeed (Yu et al., 2023).
    """

    reads = ("prompt", "{answer}")
    writes = (
        Column("chosen", "the draft revised by the passages"),
        Column("rejected", "the first draft"),
        Column("verdict", "always prefer"),
        Column("evidence_ids", "numbers of the passages, from 0, best first", pa.list_(pa.int64())),
        Column("evidence", "the passages", pa.list_(pa.string())),
        Column(
            "evidence_scores", "BM25, cosine or reciprocal ranks of each, as `index` has it", pa.list_(pa.float64())
        ),
        Column(
            "gate_p", "chance by the judge that the revision is better", pa.float64(), "probability", 0, 1, "higher"
        ),
        Column("logp_draft", "mean log-probability a token", pa.float64(), "nat", None, 0, "higher: likelier"),
        Column("logp_refined", "mean log-probability a token", pa.float64(), "nat", None, 0, "higher: likelier"),
        Column("spans", "what changed, as places in the chosen answer"),
    )
    paper = "ReFeed, arXiv 2305.14002 (judge as gate, support by the passages: house)"

    documents: Annotated[str, FileOf()]
    """File of passages: .parquet or .jsonl with a column of texts, .txt or .md by paragraphs."""
    column: str = "text"
    """Column of the passages."""
    passages: Annotated[int, Field(ge=1, le=50)] = 5
    """Passages shown, the best."""
    index: Index = "bm25"
    """What is near: bm25, passages that share words; vectors, passages of the largest cosine to prompt or draft; both,
    the two rankings by their reciprocal ranks."""
    encoder: Annotated[str | None, ModelOf("text_encoder")] = None
    """Whose vectors, such as static; needed unless index is bm25."""
    writer: Annotated[str, ModelOf("chat")] = "writer"
    """Who drafts and revises."""
    answer: str | None = None
    """Column with the first draft; null = the writer drafts it."""
    drafts: Annotated[int, Field(ge=1, le=16)] = 1
    """Drafts the passages are looked up with; more of them find more."""
    gate: Literal["judge", "likelihood"] = "judge"
    """Who prefers the revision."""
    judge: Annotated[str | None, ModelOf("chat")] = "judge"
    """Who compares, and says whether the passages support the change."""
    scorer: Annotated[str | None, ModelOf("causal_lm")] = None
    """Whose likelihood counts."""
    supported: bool = True
    """Ask the judge whether the passages support what changed."""
    prompts: str = "retrieval_feedback"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature."""
    max_tokens: Annotated[int, Field(ge=1)] = 512
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        found = TEMPLATES.faults(self.prompts)
        if self.index != "bm25" and self.encoder is None:
            found.append(f"index: {self.index} needs an encoder, such as encoder: static")
        if self.gate == "likelihood" and self.scorer is None:
            found.append("gate: likelihood needs a scorer (a causal_lm of `models`)")
        if self.judge is None and (self.gate == "judge" or self.supported):
            found.append("without a judge give gate: likelihood and supported: false")
        if Path(self.documents).suffix not in (kinds := (*SUFFIXES, ".txt", ".md")):
            found.append(f"documents: {self.documents} is none of {', '.join(kinds)}")
        return found

    def materials(self) -> tuple[str, ...]:
        return (*TEMPLATES.digests(self.prompts, PROMPTS), file_digest(self.documents))

    def calls_a_row(self) -> float:
        return self.drafts - (self.answer is not None) + 1.0 + 2 * (self.gate == "judge") + self.supported

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        writer = Writer(ctx.models[self.writer], self.prompts, self.temperature, self.max_tokens)
        prompt = prompt_of(row)
        drafts = await self._drafts(writer, row, prompt, ctx)
        found, evidence = await asyncio.to_thread(self._evidence, ctx, [prompt, *drafts])
        values = {"prompt": prompt, "draft": drafts[0], "passages": evidence}
        refined: str = await writer.says("refine", values)
        if words_of(refined) == words_of(drafts[0]):
            raise Dropped("refine: unchanged")
        passed = await self._passed(ctx, values | {"refined": refined})
        origins = [made_by(self.name, method, {"passages": [i for i, _ in found]}, writer.model.name, ctx.seed)
                   for method in ("draft", "refine")]  # fmt: skip
        return [
            passed | {
                "chosen": answer(refined, origins[1]), "verdict": "prefer",
                "rejected": answer(drafts[0], origins[0]) if self.answer is None else row[self.answer],
                "evidence_ids": [i for i, _ in found], "evidence": evidence,
                "evidence_scores": [score for _, score in found], "spans": changed_spans(drafts[0], refined),
            }
        ]  # fmt: skip

    def _evidence(self, ctx: Context, queries: Sequence[str]) -> tuple[list[tuple[int, float]], list[str]]:
        """Numbers and scores of the passages, and the passages. Raises Dropped without any."""
        encoder = ctx.models[self.encoder] if self.encoder else None
        lookup = Lookup(self.documents, self.column, self.index, encoder)
        found = lookup.nearest(queries, self.passages)
        if not found:
            raise Dropped("no passage shares a word with it" if self.index == "bm25" else "no passage is near it")
        return found, [lookup.texts[i] for i, _ in found]

    async def _drafts(self, writer: Writer, row: Row, prompt: str, ctx: Context) -> list[str]:
        given = [] if self.answer is None else [answer_of(row, self.answer)]
        seeds = sample_seeds(ctx, self.drafts - len(given))
        return given + await together(*(writer.says("draft", {"prompt": prompt}, seed=s) for s in seeds))

    async def _passed(self, ctx: Context, values: dict[str, Any]) -> Row:
        """What the gate measured. Raises Dropped when it prefers the draft or the passages do not support it."""
        found: Row = {"gate_p": None, "logp_draft": None, "logp_refined": None}
        if self.gate == "judge" and self.judge is not None:
            said = await confirmed(ctx.models[self.judge], values["prompt"], values["refined"], values["draft"])
            if said.fault:
                raise Dropped(said.fault, {"gate_p": said.p})
            found["gate_p"] = said.p
        elif self.scorer is not None:
            found |= await asyncio.to_thread(_likelihoods, ctx.models[self.scorer], values)
        if self.supported and self.judge is not None:
            reader = Writer(ctx.models[self.judge], self.prompts, temperature=0.0, max_tokens=16)
            if not await reader.says("supported", values, read_yes_no()):
                raise Dropped("the passages do not support the change")
        return found


def _likelihoods(scorer: Any, values: dict[str, Any]) -> Row:
    """Mean log-probabilities of both. Raises Dropped when the draft is as likely, or a text too long."""
    talks = [[{"role": "assistant", "content": values[name]}] for name in ("draft", "refined")]
    asked = [{"role": "user", "content": values["prompt"]}]
    sums, counts = scorer.logprobs([asked, asked], talks)
    draft, refined = (float(x) for x in sums / np.maximum(counts, 1))
    if np.isnan(draft) or np.isnan(refined):
        raise Dropped("too long for the scorer")
    found = {"logp_draft": draft, "logp_refined": refined}
    if refined <= draft:
        raise Dropped("the draft is as likely", found)
    return found
