"""`split.steps`: from judged trajectories to rows of single steps, worth imitating or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.stage import Context, Drop, Map, Row


@final
@register("split.steps")
class SplitSteps(Map):
    """One row a step: the prompt is the task with the steps before it, `chosen` is the step itself.

    `<column>_share` becomes that of the one step: 1 or 0 by its label, without one its chance, so that
    `filter.productive_steps` keeps the steps worth imitating. The steps before stand under the task in
    its last message, one a line. With `negatives` an unproductive step is `rejected` instead, in a row
    without a chosen answer.
    """

    reads = ("prompt", "steps", "{column}_productive?", "{column}_p?")
    writes = (
        "chosen",
        "rejected",
        Column("step", "the step's number in its trajectory", pa.int32(), "place", 1, None, "neither"),
        Column("{column}_share", "share of productive steps, of one step", pa.float64(), "share", 0, 1, "higher"),
    )
    paper = "Language Feedback Models, arXiv 2402.07876"

    column: str = "steps"
    """What the names of the judged columns begin with."""
    history: Annotated[int, Field(ge=0)] = 20
    """Most steps shown under the task, the last ones before the step."""
    labels: bool = True
    """Let the judge's labels count where there are any; false = the head's chances alone."""
    negatives: bool = False
    """Unproductive steps become rejected continuations; others, those not judged too, are chosen."""
    least: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Smallest share that counts as productive; used by `negatives`."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        steps = [(step or {}).get("text") or "" for step in row["steps"] or ()]
        if not steps or not row["prompt"]:
            return Drop("no steps" if row["prompt"] else "no prompt")
        chances = row.get(f"{self.column}_p") or [None] * len(steps)
        labels = row.get(f"{self.column}_productive") or []
        shares = list(chances)
        if self.labels and len(labels) == len(steps):
            shares = [p if label is None else float(label) for label, p in zip(labels, chances, strict=True)]
        return [self._row(row["prompt"], steps, k, shares[k]) for k in range(len(steps))]

    def _row(self, prompt: Sequence[dict[str, Any]], steps: Sequence[str], k: int, share: float | None) -> Row:
        poor = share is not None and share < self.least
        side = "rejected" if self.negatives and poor else "chosen"
        told = {"step": k + 1, f"{self.column}_share": share, "chosen": None, "rejected": None}
        return {"prompt": self._asked(prompt, steps[:k]), **told, side: {"text": steps[k]}}

    def _asked(self, prompt: Sequence[dict[str, Any]], before: Sequence[str]) -> list[dict[str, Any]]:
        shown = before[-self.history :] if self.history else []
        last = prompt[-1]
        text = "\n\n".join(part for part in (last["content"] or "", "\n".join(shown)) if part)
        return [*prompt[:-1], {**last, "content": text}]
