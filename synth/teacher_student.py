"""`synth.teacher_student`: an assignment, flawed work on it, and feedback that finds the flaws or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.row import COLUMNS
from ..core.stage import Context, Dropped, Map, Row
from ..models.asking import request
from ..models.readers import read_json
from ..models.verdict import Verdict
from .listing import TEXT, listed, record
from .making import TEMPLATES, Writer, answer, made_by, prompt_of, sample_seeds, together
from .numbered import numbered, read_numbered

_WORK = record(work=TEXT, errors=listed(record(span=TEXT, type=TEXT, note=TEXT))["properties"]["items"])
_FOUND = numbered(addressed={"type": "boolean"})


@final
@dataclass(frozen=True)
class _Feedback:
    """A feedback and which of the planted errors it addresses."""

    text: str
    addressed: tuple[bool, ...]
    seed: int

    @property
    def recall(self) -> float:
        """Share of planted errors addressed, in [0, 1]."""
        return sum(self.addressed) / len(self.addressed)


@final
@register("synth.teacher_student")
class TeacherStudent(Map):
    """A teacher sets an assignment on the prompt's text, a student hands in work with errors planted on
    purpose, the teacher gives feedback without knowing them; a judge says which errors it addresses.

    Feedback that addresses `keep` of the errors or more is chosen; with `pairs`, over the one that addresses
    least. Planted errors whose words do not stand in the work are no errors. SEFL (2025).
    """

    reads = ("prompt",)
    writes = (
        Column("prompt", "what the teacher saw: assignment and work"),
        Column("chosen", "the feedback that addresses most errors"),
        Column("rejected", "the feedback that addresses least; null without pairs"),
        Column("verdict", "prefer; null without pairs"),
        Column("assignment", "what the student was to do", pa.string()),
        Column("submission", "the work with its errors", pa.string()),
        Column("spans", "planted errors, as places in the submission", COLUMNS["spans"]),
        Column("chosen_recall", "share of planted errors addressed", pa.float64(), "share", 0, 1, "higher"),
        Column("rejected_recall", "share of planted errors addressed", pa.float64(), "share", 0, 1, "higher"),
        Column("margin", "lead in recall; null without pairs", pa.float64(), "share", 0, 1, "higher: chosen better"),
    )
    paper = "SEFL, synthetic educational feedback loops, 2025 (listed errors, recall and pairs: house)"

    teacher: Annotated[str, ModelOf("chat")] = "writer"
    """Who sets assignments and gives feedback."""
    student: Annotated[str | None, ModelOf("chat")] = None
    """Who hands in flawed work; null = the teacher's model."""
    judge: Annotated[str, ModelOf("chat")] = "judge"
    """Who says which errors a feedback addresses."""
    errors: Annotated[int, Field(ge=1, le=20)] = 4
    """Errors the student is to plant."""
    least_errors: Annotated[int, Field(ge=1)] = 2
    """Fewest planted errors found in the work."""
    samples: Annotated[int, Field(ge=1, le=16)] = 3
    """Feedbacks drawn on a work."""
    keep: Annotated[float, Field(ge=0, le=1)] = 0.8
    """Smallest share of errors a chosen feedback addresses."""
    emit: Literal["pairs", "best"] = "pairs"
    """Pairs of feedbacks, or the best feedback alone to train on."""
    gap: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Smallest lead in recall of a pair."""
    prompts: str = "teacher_student"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of work and feedback."""
    max_tokens: Annotated[int, Field(ge=1)] = 1536
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        found = TEMPLATES.faults(self.prompts)
        if self.emit == "pairs" and self.samples < 2:
            found.append("one feedback a work makes no pair: raise samples, or give emit: best")
        if self.least_errors > self.errors:
            found.append(f"least_errors ({self.least_errors}) is above errors ({self.errors})")
        return found

    def materials(self) -> tuple[str, ...]:
        return TEMPLATES.digests(self.prompts)

    def calls_a_row(self) -> float:
        return 2.0 + 2.0 * self.samples

    async def map(self, row: Row, ctx: Context) -> Sequence[Row]:
        teacher = Writer(ctx.models[self.teacher], self.prompts, self.temperature, self.max_tokens)
        student = Writer(ctx.models[self.student or self.teacher], self.prompts, self.temperature, self.max_tokens)
        judge = Writer(ctx.models[self.judge], self.prompts, 0.0, self.max_tokens)
        assignment: str = await teacher.says("assignment", {"text": prompt_of(row)})
        values = {"assignment": assignment, "n": self.errors}
        work, spans = planted(await student.says("work", values, read_json(_WORK), schema=_WORK))
        if len(spans) < self.least_errors:
            raise Dropped("too few planted errors", {"planted": len(spans)})
        seen = {"assignment": assignment, "work": work}
        drawn = await together(
            *(self._feedback(teacher, judge, seen, spans, seed) for seed in sample_seeds(ctx, self.samples))
        )
        ranked = sorted((item for item in drawn if item is not None), key=lambda item: -item.recall)
        if not ranked:
            raise Dropped("no sound feedback")
        asked = request(TEMPLATES.load(self.prompts, "feedback"), seen)["messages"]
        shared = {"prompt": asked, "assignment": assignment, "submission": work, "spans": spans}
        return [shared | self._sides(ranked, teacher.model.name)]

    async def _feedback(
        self, teacher: Writer, judge: Writer, seen: Mapping[str, Any], spans: Sequence[Row], seed: int
    ) -> _Feedback | None:
        """A feedback and what it addresses; None when either reply is unsound. The teacher sees no list of errors."""
        said = await teacher.verdict("feedback", seen, seed=seed)
        if not said.ok:
            return None
        errors = [(seen["work"][span["start"] : span["end"]], span["comment"]) for span in spans]
        values = {**seen, "feedback": said.value, "errors": errors}
        found: Verdict = await judge.verdict("addressed", values, read_numbered(_FOUND, len(errors)), schema=_FOUND)
        return _Feedback(said.value, tuple(e["addressed"] for e in found.value), seed) if found.ok else None

    def _sides(self, ranked: Sequence[_Feedback], model: str) -> Row:
        best, worst = ranked[0], ranked[-1]
        lead = best.recall - worst.recall
        told = {"best": best.recall, "worst": worst.recall}
        if best.recall < self.keep:
            raise Dropped("no feedback addresses enough errors", told)
        if self.emit == "pairs" and lead < self.gap - 1e-9:
            raise Dropped("gap below least", told)
        pair = self.emit == "pairs"
        made = [
            answer(f.text, made_by(self.name, "feedback", {"recall": f.recall}, model, f.seed)) for f in (best, worst)
        ]
        return {
            "chosen": made[0], "chosen_recall": best.recall, "rejected": made[1] if pair else None,
            "rejected_recall": worst.recall if pair else None, "margin": lead if pair else None,
            "verdict": "prefer" if pair else None,
        }  # fmt: skip


def planted(reply: Mapping[str, Any]) -> tuple[str, list[Row]]:
    """The work, and its planted errors as a `spans` value in order: those whose words stand in it, once each."""
    work = reply["work"].strip()
    spans: dict[int, Row] = {}
    for error in reply["errors"]:
        words = error["span"].strip()
        start = work.find(words) if words else -1
        if start >= 0:
            place = {"start": start, "end": start + len(words)}
            spans.setdefault(start, place | {"kind": error["type"], "severity": None, "comment": error["note"]})
    return work, [spans[start] for start in sorted(spans)]
