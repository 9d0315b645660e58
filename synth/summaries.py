"""`synth.summaries`: summaries by several models, checked sentence by sentence, paired by three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.several import Chats
from ..core.stage import Context, Dropped, Map, Row
from ..models.asking import request
from ..models.readers import read_json
from .listing import listed, one_of, texts_in
from .making import TEMPLATES, Writer, answer, made_by, prompt_of, sample_seeds, together
from .numbered import numbered, read_numbered
from .summary_scores import DIMENSIONS, Checked, contrasts, facts_by_sentence, sentences_of

ERRORS: Final = ("none", "wrong_fact", "wrong_relation", "wrong_reference", "not_in_document", "contradiction")
_FACTS: Final = listed()
_FAITHFUL: Final = numbered(error=one_of(*ERRORS))
_CARRIED: Final = numbered(sentences={"type": "array", "items": {"type": "integer"}})
_SENTENCES: Final = pa.list_(
    pa.struct(
        [("text", pa.string()), ("faithful", pa.bool_()), ("error", pa.string()), ("facts", pa.list_(pa.int32()))]
    )
)
_SHARES: Final = tuple(
    Column(f"{side}_{name}", f"{name} of the {side} summary", pa.float64(), "share", 0, 1, "higher")
    for side in ("chosen", "rejected")
    for name in (*DIMENSIONS, "composite")
)


@final
@register("synth.summaries")
class Summaries(Map):
    """Have models summarise the prompt's document, and pair summaries that differ in checked quality.

    Key facts are extracted once a document and serve all its summaries. Of each summary a judge says which
    sentences are faithful and which carry which key fact: faithfulness, completeness and conciseness are
    shares, the composite their mean. Chosen has `least` or more and leads by `gap`. FeedSum (2024).
    """

    reads = ("prompt",)
    writes = (
        Column("prompt", "the request to summarise the document"),
        Column("chosen", "the better summary"),
        Column("rejected", "the worse summary"),
        Column("verdict", "always prefer"),
        *_SHARES,
        Column("margin", "lead in the composite", pa.float64(), "share", 0, 1, "higher: chosen better"),
        Column("key_facts", "what a summary of the document should carry", pa.list_(pa.string())),
        Column("chosen_sentences", "each sentence, whether faithful, and its key facts, from 0", _SENTENCES),
        Column("rejected_sentences", "each sentence, whether faithful, and its key facts, from 0", _SENTENCES),
        Column("summaries_failed", "summaries without a sound text or check", pa.int32()),
    )
    paper = "FeedSum (SummLlama3), arXiv 2410.13116; scores: FineSurE, arXiv 2407.00908 (least and gap: house)"

    writers: Chats = ("writer",)
    """Who summarises: one model or several, best of very different strength."""
    samples: Annotated[int, Field(ge=1, le=16)] = 1
    """Summaries of each model."""
    judge: Annotated[str, ModelOf("chat")] = "judge"
    """Who extracts key facts and checks."""
    least: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Smallest composite of a chosen summary."""
    gap: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Smallest lead in the composite."""
    most: Annotated[int, Field(ge=1)] = 4
    """Most pairs of a document, the widest."""
    prompts: str = "summaries"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    """Sampling temperature of summaries; checks are made at 0."""
    max_tokens: Annotated[int, Field(ge=1)] = 512
    """Most tokens of a summary."""
    check_tokens: Annotated[int, Field(ge=1)] = 1024
    """Most tokens of a check."""

    def faults(self) -> Sequence[str]:
        found = TEMPLATES.faults(self.prompts)
        if len(self.writers) * self.samples < 2:
            found.append("one summary a document makes no pair: name more writers, or raise samples")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 1.0 + 3.0 * len(self.writers) * self.samples

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        document = prompt_of(row)
        judge = Writer(ctx.models[self.judge], self.prompts, temperature=0.0, max_tokens=self.check_tokens)
        said = await judge.says("key_facts", {"document": document}, read_json(_FACTS), schema=_FACTS)
        facts = texts_in(said)
        if not facts:
            raise Dropped("no key fact")
        makers = [(name, seed) for name in self.writers for seed in sample_seeds(ctx, self.samples)]
        made = await together(*(self._made(ctx, judge, document, facts, *maker) for maker in makers))
        sound = [(maker, checked) for maker, checked in zip(makers, made, strict=True) if checked is not None]
        if len(sound) < 2:
            raise Dropped("fewer than two checked summaries", {"summaries": len(sound)})
        scores = [checked.composite for _, checked in sound]
        pairs = contrasts(scores, self.least, self.gap, self.most)
        if not pairs:
            raise Dropped("no summary good and far enough ahead", {"best": max(scores), "worst": min(scores)})
        asked = request(TEMPLATES.load(self.prompts, "summarize"), {"document": document})["messages"]
        shared = {
            "prompt": asked, "verdict": "prefer", "key_facts": facts, "summaries_failed": len(made) - len(sound),
        }  # fmt: skip
        return [
            shared | {"margin": scores[i] - scores[j]} | self._side("chosen", ctx, *sound[i])
            | self._side("rejected", ctx, *sound[j])
            for i, j in pairs
        ]  # fmt: skip

    async def _made(
        self, ctx: Context, judge: Writer, document: str, facts: Sequence[str], name: str, seed: int
    ) -> Checked | None:
        """A summary and its check; None when either is unsound."""
        writer = Writer(ctx.models[name], self.prompts, self.temperature, self.max_tokens)
        summary = await writer.verdict("summarize", {"document": document}, seed=seed)
        if not summary.ok:
            return None
        sentences = sentences_of(summary.value)
        values = {"document": document, "sentences": sentences, "facts": facts}
        faithful, carried = await together(
            judge.verdict("faithful", values, read_numbered(_FAITHFUL, len(sentences)), schema=_FAITHFUL),
            judge.verdict("carried", values, read_numbered(_CARRIED, len(facts)), schema=_CARRIED),
        )
        if not (faithful.ok and carried.ok):
            return None
        errors = tuple("" if entry["error"] == "none" else entry["error"] for entry in faithful.value)
        by_sentence = facts_by_sentence([entry["sentences"] for entry in carried.value], len(sentences))
        return Checked(summary.value, sentences, errors, by_sentence, len(facts))

    def _side(self, side: str, ctx: Context, maker: tuple[str, int], checked: Checked) -> Row:
        name, seed = maker
        origin = made_by(self.name, "summarize", {"writer": name}, ctx.models[name].name, seed)
        shares = {f"{side}_{share}": getattr(checked, share) for share in (*DIMENSIONS, "composite")}
        return {side: answer(checked.text, origin), f"{side}_sentences": checked.rows(), **shares}
