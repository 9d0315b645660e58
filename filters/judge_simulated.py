"""`judge.simulated_annotators`: labels as noisy and as varied as those of a crowd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.prose import Prose
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, answers_in, by_row, sides
from ..models.asking import ask_by_kind, request
from ..models.readers import read_choice, read_json
from ..models.verdict import Verdict
from .annotators import Lot, draw_lot, seeded
from .judging import digests, template, template_faults, texts_of
from .panel import side_by_side

_TEMPLATE: Final = "annotator"
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "first_is_better": {"type": "boolean"}},
    "required": ["first_is_better"],
}


@final
@dataclass(frozen=True)
class Task:
    """Two different answers of a row, and the lot drawn for them."""

    row: int
    first: Answer
    second: Answer
    lot: Lot


@final
@register("judge.simulated_annotators")
class JudgeSimulatedAnnotators(Score):
    """Label two answers by one of thirteen simulated annotators, drawn by the instruction, with noise.

    `_preference` is 1 when the first answer (chosen, or the earlier candidate) is better and 2 when
    the second is; 1.5 for equal answers, about which nobody is asked. With chance 2·`flip` a fair coin
    takes the label's place, before any call; equal answers get none. Annotators judge one comparison
    at a time. Of several candidates one pair of different ones is drawn, which `_merit` is about.
    AlpacaFarm (Dubois et al., 2023).
    """

    reads = ("prompt",)
    writes = (
        Column(
            "{column}_preference",
            "1 = first better, 2 = second better, 1.5 = equal",
            pa.float64(),
            "label",
            1,
            2,
            "lower: first better",
        ),  # noqa: E501
        Column("{column}_annotator", "who labelled it; null for a coin or equal answers", pa.string()),
        Column("{column}_noisy", "a coin took the label's place", pa.bool_()),
        Column("{column}_outcome", "how the reply ended", pa.string()),
        Column(
            "{column}_merit",
            "1 for the better of the two, 0 for the other",
            pa.list_(pa.float64()),
            "label",
            0,
            1,
            "higher",
        ),  # noqa: E501
    )
    paper = "AlpacaFarm, arXiv 2305.14387"

    strong: Annotated[str, ModelOf("chat")] = "judge"
    """The model of the five strong annotators."""
    medium: Annotated[str, ModelOf("chat")] = "judge"
    """The model of the four medium ones."""
    weak: Annotated[str, ModelOf("chat")] = "judge"
    """The model of the four weak ones."""
    of: Literal["pair", "candidates"] = "pair"
    """What is labelled: chosen against rejected, or two of the candidates."""
    column: str = "sim"
    """What the names of the columns begin with."""
    flip: Annotated[float, Field(ge=0, le=0.5)] = 0.25
    """Chance that noise turns a label round."""
    noise_by: Literal["instruction", "pair"] = "instruction"
    """What the coin depends on; by instruction all pairs of one share it, as in the paper's code."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Sampling temperature of all annotators."""
    max_tokens: Annotated[int, Field(ge=1)] = 100
    """Most tokens of a reply."""

    def faults(self) -> Sequence[str]:
        return template_faults(_TEMPLATE)

    def materials(self) -> tuple[str, ...]:
        return digests(_TEMPLATE)

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of))

    def columns_written(self) -> tuple[Column, ...]:
        columns = Score.columns_written(self)
        return columns if self.of == "candidates" else columns[:-1]

    def calls_a_row(self) -> float:
        return 1.0 - 2 * self.flip

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        prompts = [prompt or "" for prompt in texts_of(batch, "prompt")[0]]
        rows = by_row(answers_in(batch, self.of), batch.num_rows)
        tasks = list(self._tasks(rows, prompts, ctx.seed))
        asked = [task for task in tasks if task.lot.coin is None and task.first.text != task.second.text]
        labels = dict(zip((task.row for task in asked), self._labels(asked, prompts, ctx), strict=True))
        found: list[dict[str, Any]] = [{} for _ in rows]
        for task in tasks:
            found[task.row] = self._found(task, labels.get(task.row))
        if self.of == "candidates":
            lengths = batch["candidates"].combine_chunks().value_lengths().to_pylist()
            merits = self._merits(tasks, found, lengths)
            for row, merit in zip(found, merits, strict=True):
                row[f"{self.column}_merit"] = merit
        return {c.name: pa.array([row.get(c.name) for row in found], c.type) for c in self.columns_written()}

    def _tasks(self, rows: Sequence[Sequence[Answer]], prompts: Sequence[str], seed: int) -> Iterator[Task]:
        for i, answers in enumerate(rows):
            if self.of == "candidates":
                distinct = list({answer.text: answer for answer in reversed(answers)}.values())[::-1]
                two = seeded(seed, "pair", prompts[i]).sample(distinct, 2) if len(distinct) > 1 else []
                answers = sorted(two, key=lambda answer: answer.place)
            if len(answers) == 2:
                first, second = answers
                texts = (prompts[i], first.text, second.text)
                noise = texts[0] if self.noise_by == "instruction" else "\0".join(texts)
                lot = draw_lot(seed, prompts[i], self.flip, noise)
                yield Task(i, first, second, replace(lot, coin=None) if first.text == second.text else lot)

    def _labels(self, tasks: Sequence[Task], prompts: Sequence[str], ctx: Context) -> list[Verdict]:
        prose = template(_TEMPLATE)
        by_model: dict[str, list[int]] = {}
        for k, task in enumerate(tasks):
            by_model.setdefault(getattr(self, task.lot.annotator.grade), []).append(k)
        readers = (read_choice(("A", "B")), read_json(SCHEMA))

        def ask(nickname: str) -> list[Verdict]:
            mine = [tasks[k] for k in by_model[nickname]]
            requests = [self._request(prose, task, prompts[task.row]) for task in mine]
            kinds = [int(task.lot.annotator.json) for task in mine]
            return ask_by_kind(ctx.models[nickname], requests, kinds, lambda kind: readers[kind])

        found: dict[int, Verdict] = {}
        for nickname, verdicts in zip(by_model, side_by_side(ask, list(by_model)), strict=True):
            found |= dict(zip(by_model[nickname], verdicts, strict=True))
        return [found[k] for k in range(len(tasks))]

    def _request(self, prose: Prose, task: Task, prompt: str) -> dict[str, Any]:
        who, answers = task.lot.annotator, (task.first.text, task.second.text)
        first, second = answers[::-1] if task.lot.swapped else answers
        values = {"prompt": prompt, "first": first, "second": second, "wording": who.wording, "json": who.json}
        schema = SCHEMA if who.json else None
        return request(
            prose, values | {"persona": who.persona}, temperature=self.temperature, max_tokens=self.max_tokens,
            schema=schema,
        )  # fmt: skip

    def _found(self, task: Task, verdict: Verdict | None) -> dict[str, Any]:
        """One row's columns: the coin's, that of equal answers, or the annotator's label, turned back."""
        coin, who = task.lot.coin, task.lot.annotator.name
        preference: float | None = 1.5 if verdict is None else None
        if coin is not None:
            preference = float(coin)
        elif verdict is not None and verdict.ok:
            a_is_better = verdict.value["first_is_better"] if task.lot.annotator.json else verdict.value == "A"
            preference = 1.0 if a_is_better != task.lot.swapped else 2.0
        return {
            f"{self.column}_preference": preference, f"{self.column}_noisy": coin is not None,
            f"{self.column}_annotator": who if verdict is not None else None,
            f"{self.column}_outcome": verdict.outcome.value if verdict is not None else "ok",
        }  # fmt: skip

    def _merits(
        self, tasks: Sequence[Task], found: Sequence[dict[str, Any]], lengths: Sequence[int | None]
    ) -> list[list[float | None] | None]:
        merits: list[list[float | None] | None] = [None if k is None else [None] * k for k in lengths]
        for task in tasks:
            row, preference = merits[task.row], found[task.row][f"{self.column}_preference"]
            if row is not None and preference is not None:
                row[task.first.place], row[task.second.place] = 2.0 - preference, preference - 1.0
        return merits
