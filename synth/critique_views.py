"""`synth.critique_views`: a judged response as what it is right for and what it is wrong for (CUT)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, final

import pyarrow as pa

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row
from .critique_records import critique_value, message
from .making import TEMPLATES, answer, answer_of, made_by, prompt_of

View = Literal["align_p", "align_n", "misalign"]


@final
@register("synth.critique_views")
class CritiqueViews(Map):
    """Turn responses with judgments into the three training views of CUT, or into pairs.

    A satisfactory response (no judgment, or a score of at least `satisfied`) is one row, `align_p`: chosen
    for its prompt. An unsatisfactory one is two: `align_n`, chosen for a prompt that shows the judgment and
    asks for a response that deserves it, and `misalign`, rejected for the plain prompt, with its `spans`.
    `form: pairs` pairs an improved answer with the response instead and drops rows without one. The
    paper keeps a quarter as many satisfactory rows as unsatisfactory ones: `select.balance` does that.
    """

    reads = ("prompt", "chosen", "{judgment}", "{score}?", "{improved}?", "spans?")
    writes = (
        "prompt",
        "chosen",
        "rejected",
        "verdict",
        "critique",
        "spans",
        Column("view", "align_p, align_n, misalign or pair", pa.string()),
    )
    paper = "CUT, Reasons to Reject, arXiv 2312.14591"

    form: Literal["views", "pairs"] = "views"
    """The three views, or pairs of improved answer and response."""
    judgment: str = "critique"
    """Column with the judgment: text, or a critique; null = satisfactory."""
    score: str | None = None
    """Column with a score of the response."""
    satisfied: float = 7.0
    """Score from which on a response is satisfactory whatever the judgment."""
    improved: str | None = None
    """Column with an improved answer, for `form: pairs`."""
    prompts: str = "critique_views"
    """Template of the prompt with a judgment, of the package or a file."""

    def faults(self) -> Sequence[str]:
        found = list(TEMPLATES.faults(self.prompts))
        if (self.form == "pairs") != (self.improved is not None):
            found.append("form: pairs and improved go together")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        judgment, response = self._judgment(row), row["chosen"]
        question = prompt_of(row)
        answer_of(row)
        if self.form == "pairs":
            return self._pair(row, judgment, ctx.seed)
        if judgment is None:
            return [self._row("align_p", row["prompt"], chosen=response)]
        judged = [message(m["role"], m["content"]) for m in judged_prompt(self.prompts, question, judgment)]
        critique = critique_value(judgment, "", "wrong")
        return [
            self._row("align_n", judged, chosen=response, critique=critique),
            self._row("misalign", row["prompt"], rejected=response, critique=critique, spans=row.get("spans")),
        ]

    def _judgment(self, row: Row) -> str | None:
        """The judgment of an unsatisfactory response; null for a satisfactory one."""
        value: Any = row[self.judgment]
        text = value["text"] if isinstance(value, dict) else value
        score = row.get(self.score) if self.score else None
        return None if not text or not text.strip() or (score is not None and score >= self.satisfied) else text

    def _pair(self, row: Row, judgment: str | None, seed: int) -> Sequence[Row] | Drop:
        better = row.get(self.improved) if self.improved else None
        better = better["text"] if isinstance(better, dict) else better
        if judgment is None:
            return Drop("satisfactory")
        if not better or not better.strip():
            return Drop("no improved answer")
        chosen = answer(better, made_by(self.name, "improved", {"column": self.improved}, None, seed))
        critique = critique_value(judgment, "", "wrong")
        pair = self._row("pair", row["prompt"], chosen, row["chosen"], critique, row.get("spans"))
        return [pair | {"verdict": "prefer"}]

    def _row(
        self,
        view: View | Literal["pair"],
        prompt: Sequence[Row],
        chosen: Row | None = None,
        rejected: Row | None = None,
        critique: Row | None = None,
        spans: Sequence[Row] | None = None,
    ) -> Row:
        sides = {"chosen": chosen, "rejected": rejected, "verdict": None}
        return {"view": view, "prompt": list(prompt), **sides, "critique": critique, "spans": spans}


def judged_prompt(prompts: str, question: str, judgment: str) -> list[dict[str, str]]:
    """Messages that ask for a response to the question that deserves the judgment."""
    return TEMPLATES.load(prompts, "judged").messages({"question": question, "judgment": judgment})
