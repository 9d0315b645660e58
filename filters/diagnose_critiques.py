"""`diagnose.critiques`: are the verdicts true, do the critiques help, and whom do they harm?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.estimates import NOTHING, Estimate, mean, share_of
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Context, Sink
from .measures import Measure, leaning, measure, plain
from .reasons import floats

if TYPE_CHECKING:
    from ..core.frame import Frame

_NUMBERS: Final = ("response_right", "verdict_ok")


@final
@register("diagnose.critiques")
class DiagnoseCritiques(Sink):
    """Figures on critiques, over all and by format: verdicts, their truth, and what revisions make of them.

    Discrimination is the share of true verdicts, apart for right and wrong responses: a critic that says
    the same of everything is good at one and bad at the other. With the columns of `score.refine_success`
    on `chosen`, also the share of right revisions, the change against the responses, how often a wrong
    one came right and a right one was broken, and usefulness (revisions against fresh answers). A group
    also has its yield: sound critiques for each response that any group has one of.
    """

    reads = (
        "critique_verdict",
        "response_right?",
        "verdict_ok?",
        "chosen_{column}?",
        "chosen_{column}_refined?",
        "chosen_{column}_changed?",
        "{by}?",
        "question?",
        "response?",
    )
    paper = "the figures of Critique-RL, arXiv 2510.24320"

    column: str = "usefulness"
    """What the names of the columns of `score.refine_success` begin with, after the side."""
    by: str | None = "rationale_format"
    """Column whose values are compared; null = none."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: critiques, measures over all, and the same by the values of `by` (`groups`)."""
        table = self._table(rows)
        if not table.num_rows:
            return {"critiques": 0, "measures": []}
        facts: dict[str, Any] = {"critiques": table.num_rows, "measures": self._measures(table)}
        if self.by is not None and self.by in table.column_names:
            groups = flat(table[self.by]).cast(pa.string())
            names, responses = sorted(pc.unique(groups.drop_null()).to_pylist()), _responses(table)
            facts["groups"] = [
                {
                    "group": name, "critiques": part.num_rows,
                    "measures": [*_yield(part.num_rows, responses), *self._measures(part)],
                }
                for name in names
                for part in [table.filter(pc.equal(groups, name))]
            ]  # fmt: skip
        return facts

    def _table(self, rows: Frame) -> pa.Table:
        wanted = [name.rstrip("?") for name in self.columns_read()]
        return rows.table([name for name in wanted if name in rows.names])

    def _measures(self, table: pa.Table) -> list[dict[str, Any]]:
        said = flat(table["critique_verdict"]).cast(pa.string())
        wrong = floats(pc.equal(said, "wrong"))
        right, ok = (_numbers(table, name) for name in _NUMBERS)
        refined, changed, useful = (
            _numbers(table, f"chosen_{self.column}{tail}") for tail in ("_refined", "_changed", "")
        )
        prior = share_of(wrong)
        lines = [measure("says wrong", prior, leaning(prior, 0.5, "mostly wrong: balance", "mostly right: balance"))]
        figures: list[tuple[str, Estimate]] = [
            ("true verdicts", share_of(ok)),
            ("true verdicts on right responses", share_of(ok[right == 1])),
            ("true verdicts on wrong responses", share_of(ok[right == 0])),
            ("right revisions", mean(refined)),
            ("change by revising", mean(refined - right)),
            ("revisions with another result", mean(changed)),
            ("wrong made right", mean(refined[right == 0])),
            ("right made wrong", mean(1 - refined[right == 1])),
            ("usefulness", mean(useful)),
        ]
        return lines + [measure(name, found) for name, found in figures if found.known and found is not NOTHING]


def _responses(table: pa.Table) -> int:
    """How many different responses are criticised; 0 where rows do not say."""
    about = [name for name in ("question", "response") if name in table.column_names]
    return table.group_by(about).aggregate([]).num_rows if "response" in about else 0


def _yield(critiques: int, responses: int) -> list[Measure]:
    if not responses:
        return []
    return [plain("sound critiques a response", critiques / responses, "as many as were asked for = none was lost")]


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    """A column as float64 [n], NaN where there is none."""
    return floats(table[name]) if name in table.column_names else np.full(table.num_rows, np.nan)
