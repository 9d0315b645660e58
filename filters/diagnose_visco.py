"""`diagnose.visco`: how well critiques of answers about pictures find and explain errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, final

import numpy as np

from ..core.declared import ModelOf
from ..core.registry import register
from ..core.stage import Context, Sink
from ..models.asking import request
from ..models.readers import read_yes_no
from ..models.verdict import Asker, Verdict, ask_verdicts
from .judging import digests, template, template_faults, texts_of
from .measures import Measure, plain
from .visco import correction_gain, f1_of_wrong, viscore

if TYPE_CHECKING:
    from ..core.frame import Frame


@final
@register("diagnose.visco")
class DiagnoseVisco(Sink):
    """F1 on wrong results and on wrong steps against people's labels; with a judge also on explanations.

    VISCore = (F1 answer · F1 thought · F1 explanation)^⅓. A critic that takes errors to spread is good on
    steps after an error alone: F1 is also told for steps that follow a wrong one and for those that do
    not. With `corrected` also the share of wrong answers recovered minus that of right ones broken. Rows
    whose labels do not match their steps, and replies without a verdict, are counted and left out.
    """

    reads = (
        "prompt",
        "critique_verdict",
        "steps",
        "step_reasons?",
        "{answers}",
        "{thoughts}",
        "{reasons}",
        "{corrected}",
    )
    paper = "VISCO, CVPR 2025"

    answers: str = "answer_correctness"
    """Column that says whether the result is right."""
    thoughts: str = "reasoning_correctness"
    """Column of a list: whether each step is right."""
    reasons: str = "reasoning_critic"
    """Column of a list: for each step a text, or a list of texts, on why it is wrong; read with a judge."""
    judge: Annotated[str | None, ModelOf("chat")] = None
    """Who says whether two explanations name the same error; null = explanations are not measured."""
    corrected: str = ""
    """Column that says whether the corrected answer is right; empty = not measured."""
    template: str = "visco_explanation"
    """A template of the package, or a file."""

    def faults(self) -> Sequence[str]:
        return template_faults(self.template)

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def columns_read(self) -> tuple[str, ...]:
        unread = () if self.judge else (self.reasons,)
        return tuple(name for name in Sink.columns_read(self) if name not in unread)

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: critiques, mismatched rows, explanations judged and without a verdict, and measures."""
        table = rows.table([n for name in self.columns_read() if (n := name.rstrip("?")) in rows.names])
        found = [
            row | {"asked": text} for row, text in zip(table.to_pylist(), texts_of(table, "prompt")[0], strict=True)
        ]
        known = [row for row in found if self._fits(row)]
        said = [row["critique_verdict"] == "right" for row in known]
        answer = f1_of_wrong(np.array(said, bool), np.array([row[self.answers] for row in known], bool))
        flagged = [bool(step["label"]) for row in known for step in row["steps"]]
        right = np.array([bool(label) for row in known for label in row[self.thoughts]], bool)
        after = np.array([k > 0 and not all(row[self.thoughts][:k]) for row in known for k in range(len(row["steps"]))])
        steps, thought = np.array(flagged, bool), f1_of_wrong(np.array(flagged, bool), right)
        lines = [plain("F1 of wrong results", answer), plain("F1 of wrong steps", thought)]
        for name, mask in (("before any error", ~after), ("after an error", after)) if len(known) else ():
            lines.append(plain(f"F1 of wrong steps {name}", f1_of_wrong(steps[mask], right[mask])))
        facts: dict[str, Any] = {"critiques": len(known), "mismatched": len(found) - len(known)}
        if self.judge:
            explained, unread = self._explained(known, ctx.models[self.judge])
            measured = ~np.isnan(explained)
            explanation = f1_of_wrong(steps[measured], right[measured], explained[measured] > 0)
            lines += [plain("F1 of explanations", explanation), plain("VISCore", viscore(answer, thought, explanation))]
            facts["explanations_unread"] = unread
        return facts | {"measures": lines + self._correction(known)}

    def _fits(self, row: Mapping[str, Any]) -> bool:
        steps, labels = row["steps"], row[self.thoughts]
        whole = bool(steps) and labels is not None and len(steps) == len(labels) and None not in labels
        judged = whole and all(step["label"] is not None for step in steps)
        return judged and row[self.answers] is not None and row["critique_verdict"] is not None

    def _explained(self, rows: Sequence[Mapping[str, Any]], judge: Asker) -> tuple[np.ndarray, int]:
        """1 where a wrong step called wrong is explained rightly, 0 elsewhere, NaN where the judge said neither."""
        prose, requests, places = template(self.template), [], []
        count = 0
        for row in rows:
            said, known = row.get("step_reasons") or [], row[self.reasons] or []
            for k, (step, right) in enumerate(zip(row["steps"], row[self.thoughts], strict=True)):
                if not step["label"] and not right and k < min(len(said), len(known)) and said[k]:
                    values = {"prompt": row["asked"], "step": step["text"], "said": said[k], "known": _one(known[k])}
                    requests.append(request(prose, values, max_tokens=8))
                    places.append(count)
                count += 1
        explained = np.zeros(count)
        verdicts: list[Verdict] = ask_verdicts(judge, requests, read_yes_no())
        for place, verdict in zip(places, verdicts, strict=True):
            explained[place] = float(verdict.value) if verdict.ok else np.nan
        return explained, int(np.isnan(explained).sum())

    def _correction(self, rows: Sequence[Mapping[str, Any]]) -> list[Measure]:
        if not self.corrected:
            return []
        both = [(row[self.answers], row[self.corrected]) for row in rows if row[self.corrected] is not None]
        before, now = (np.array([pair[k] for pair in both], bool) for k in (0, 1))
        recovered, broken, gain = correction_gain(before, now)
        return [plain("wrong recovered", recovered), plain("right broken", broken), plain("correction", gain)]


def _one(known: str | Sequence[str | None] | None) -> str:
    """People's explanations of a step as one text."""
    return known if isinstance(known, str) else "\n".join(text for text in known or () if text)
