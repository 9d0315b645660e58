"""`synth.localise`: where in an answer the flaw stands that a judgment speaks of, by likelihood ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.row import COLUMNS, answer_text, flat, prompt_text
from ..core.stage import Columns, Context, Score
from ..models.causal_lm import Tokens
from .critique_views import judged_prompt
from .making import TEMPLATES


@final
@register("synth.localise")
class Localise(Score):
    """Mark the tokens of a response that become likelier once the model has read the judgment of it.

    ρ = p(token | prompt, judgment, before) / p(token | prompt, before). Where the judgment asks for a
    response that deserves it, tokens with ρ above `threshold` are what it objects to; neighbours become
    one span, whose `severity` is its largest ρ. A judgment that quotes the response raises ρ for what it
    quotes: such spans are of the kind `quoted`, others `likelier`. One that speaks of something missing
    gives no span. A model that was not trained on such prompts marks some tokens for any judgment:
    `control` judges rows without one, and shows how many; raise `threshold` until few of those are left.
    """

    reads = ("prompt", "chosen", "{judgment}")
    writes = (
        "spans",
        Column("flagged_share", "share of the response's tokens marked", pa.float64(), "share", 0, 1, "neither"),
        Column("localise_outcome", "ok, no judgment, truncated, or misaligned: split into other tokens", pa.string()),
    )
    paper = "CUT, Reasons to Reject, arXiv 2312.14591"

    model: Annotated[str, ModelOf("causal_lm")] = "causal_lm"
    """The language model, best the one that wrote the responses or will be trained."""
    judgment: str = "critique"
    """Column with the judgment: text, or a critique."""
    threshold: Annotated[float, Field(gt=0)] = 1.1
    """Ratio above which a token is marked; the authors use 1.1 for a model's own responses, 1.2 for others'."""
    control: str | None = None
    """Judgment read with responses that have none, such as "The response is satisfactory."; null = no spans."""
    prompts: str = "critique_views"
    """Template of the prompt with a judgment, of the package or a file."""

    def faults(self) -> Sequence[str]:
        return TEMPLATES.faults(self.prompts)

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        questions, responses = prompt_text(batch["prompt"]).to_pylist(), answer_text(batch["chosen"]).to_pylist()
        judgments = [text or self.control for text in judgment_texts(batch[self.judgment])]
        able = [i for i, texts in enumerate(zip(questions, responses, judgments, strict=True)) if all(texts)]
        found = dict(zip(able, self._read(ctx, questions, responses, judgments, able), strict=True))
        none: dict[str, Any] = {"localise_outcome": "no judgment"}
        rows = [found.get(i, none) for i in range(batch.num_rows)]
        return {
            c.name: pa.array([row.get(c.name) for row in rows], c.type or COLUMNS[c.name])
            for c in self.columns_written()
        }

    def _read(
        self,
        ctx: Context,
        questions: Sequence[Any],
        responses: Sequence[Any],
        judgments: Sequence[Any],
        able: Sequence[int],
    ) -> list[Mapping[str, Any]]:
        model = ctx.models[self.model]
        said = [[{"role": "assistant", "content": responses[i]}] for i in able]
        plain = [[{"role": "user", "content": questions[i]}] for i in able]
        judged = [judged_prompt(self.prompts, questions[i], judgments[i]) for i in able]
        both = zip(able, model.tokens(judged, said), model.tokens(plain, said), strict=True)
        return [self._found(responses[i], judgments[i], seen, blind) for i, seen, blind in both]

    def _found(self, response: str, judgment: str, seen: Tokens | None, blind: Tokens | None) -> Mapping[str, Any]:
        if seen is None or blind is None:
            return {"localise_outcome": "truncated"}
        if seen.ids != blind.ids or not len(seen.ids):
            return {"localise_outcome": "misaligned"}
        ratios = np.exp(seen.logprobs - blind.logprobs)
        spans = likelier_spans(ratios, seen.places, response, self.threshold)
        told = [
            {
                "start": start, "end": end, "kind": "quoted" if response[start:end] in judgment else "likelier",
                "severity": ratio, "comment": None,
            }
            for start, end, ratio in spans
        ]  # fmt: skip
        share = float((ratios > self.threshold).mean())
        return {"spans": told, "flagged_share": share, "localise_outcome": "ok"}


def likelier_spans(ratios: np.ndarray, places: np.ndarray, text: str, threshold: float) -> list[tuple[int, int, float]]:
    """(start, end, largest ratio) of each run of tokens above the threshold, with nothing but white space between.

    `ratios` float64 [m] and `places` int [m, 2] (code points of `text`, end exclusive) run in step.
    """
    spans: list[tuple[int, int, float]] = []
    fresh = True
    for ratio, (start, end) in zip(ratios.tolist(), places.tolist(), strict=True):
        if ratio <= threshold:
            fresh = True
            continue
        if not fresh and not text[spans[-1][1] : start].strip():
            start, _, best = spans.pop()
            spans.append((start, max(end, start), max(best, ratio)))
        else:
            spans.append((start, end, ratio))
        fresh = False
    return [span for span in spans if text[span[0] : span[1]].strip()]


def judgment_texts(column: pa.ChunkedArray) -> list[str | None]:
    """The judgments of a column of texts or critiques [n]; null where there is none that says something."""
    array = flat(column)
    texts = pc.struct_field(array, "text") if pa.types.is_struct(array.type) else array
    return [text if text and text.strip() else None for text in texts.to_pylist()]
