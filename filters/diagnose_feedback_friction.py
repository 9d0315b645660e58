"""`diagnose.feedback_friction`: does a model take up feedback, and where it does not, why?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Final, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError
from ..core.estimates import Estimate, share, share_of
from ..core.registry import register
from ..core.stage import Context, Sink
from .measures import Measure, leaning, measure

if TYPE_CHECKING:
    from ..core.frame import Frame

FAILURES: Final = ("feedback_wrong", "not_understood", "resisted")
Attempts = Sequence[Mapping[str, Any]]


@final
@register("diagnose.feedback_friction")
class FeedbackFriction(Sink):
    """Uptake@k, repeated answers, the gap that stays, and why, from the attempts of `synth.feedback_rounds`.

    Uptake@k is the share, of rows whose first answer is wrong, that is right after at most k feedbacks. A
    repeat is a retry that ends in an earlier wrong answer. The gap is 1 - final accuracy: what feedback with the
    right answer in view should have closed. Before pairs of revision over draft are made, see that drafts change.
    Feedback Friction, 2025.
    """

    reads = ("{attempts}", "friction?")
    paper = "Feedback Friction, arXiv 2506.11930 (uptake@k and intervals: house)"

    attempts: str = "attempts"
    """Column with the attempts, each {answer, final, result, feedback}."""
    at: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 5, 10)
    """The k of uptake@k; those beyond the most feedbacks given are left out."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, accuracy (after 0, 1, … feedbacks), measures."""
        if self.attempts not in rows.names:
            raise InputError(f"no column {self.attempts}", place=self.name, hint="synth.feedback_rounds writes it")
        there = [name for name in (self.attempts, "friction") if name in rows.names]
        seen, reasons = _Seen(), Counter[str]()
        for batch in rows.batches(there):
            seen.add([course for course in batch[self.attempts].to_pylist() if course])
            if "friction" in there:
                reasons.update(reason for reason in batch["friction"].to_pylist() if reason)
        solved = np.array(seen.solved, np.float64)
        accuracy = [round(float((solved <= k).mean()), 4) for k in range(seen.most + 1)] if len(solved) else []
        return {"rows": len(solved), "accuracy": accuracy, "measures": self._measures(seen, solved, reasons)}

    def _measures(self, seen: _Seen, solved: np.ndarray, reasons: Mapping[str, int]) -> list[Measure]:
        wrong, final = solved[solved != 0], share_of(np.isfinite(solved).astype(float))
        gap = Estimate(1 - final.value, 1 - final.high, 1 - final.low, final.n)
        known = sum(reasons[name] for name in FAILURES)
        return [
            measure("accuracy of first answers", share_of((solved == 0).astype(float))),
            *(measure(f"uptake@{k}", share_of((wrong <= k).astype(float))) for k in self.at if k <= seen.most),
            measure("repeat rate: retries that end as a wrong one before", share(seen.repeated, seen.retried)),
            measure("first retries that change the answer's text", share(seen.changed, seen.firsts)),
            measure("target gap: 1 - final accuracy", gap, leaning(gap, 0.0, "stays open", "", "closed")),
            *(measure(f"never solved: {name}", share(reasons[name], known)) for name in FAILURES if known),
        ]


@final
@dataclass
class _Seen:
    """What is counted of the attempts, batch by batch."""

    solved: list[float] = field(default_factory=list)
    most: int = 0
    repeated: int = 0
    retried: int = 0
    firsts: int = 0
    changed: int = 0

    def add(self, courses: Sequence[Attempts]) -> None:
        self.solved += solved_after(courses)
        self.most = max([self.most, *(len(course) - 1 for course in courses)])
        repeated, retried = repeats(courses)
        self.repeated, self.retried = self.repeated + repeated, self.retried + retried
        again = [course for course in courses if len(course) > 1]
        self.firsts += len(again)
        self.changed += sum(course[1]["answer"] != course[0]["answer"] for course in again)


def solved_after(courses: Sequence[Attempts]) -> list[float]:
    """Feedbacks until the right answer [n], infinite where it never came."""
    return [
        next((float(k) for k, attempt in enumerate(course) if attempt["result"] == "right"), np.inf)
        for course in courses
    ]


def repeats(courses: Sequence[Attempts]) -> tuple[int, int]:
    """(retries whose final answer is an earlier wrong one of the row, retries that name a final answer)."""
    repeated = retried = 0
    for course in courses:
        before: set[str] = set()
        for number, attempt in enumerate(course):
            if number and attempt["final"]:
                retried += 1
                repeated += attempt["final"] in before
            if attempt["result"] != "right" and attempt["final"]:
                before.add(attempt["final"])
    return repeated, retried
