"""`judge.listwise`: a chat model ranks or scores all candidates of a row at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, final

import pyarrow as pa
from pydantic import Field

from ..core.declared import Column, ModelOf
from ..core.registry import register
from ..core.stage import Columns, Context, Score
from ..models.answers import Answer, answers_in, by_row
from ..models.asking import ask_by_kind, request
from ..models.readers import read_json, read_ranking
from ..models.verdict import Reader, Verdict
from .judging import asides, digests, pictures_of, template, template_faults, texts_of

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Order = Sequence[int]


@final
@register("judge.listwise")
class JudgeListwise(Score):
    """Show a judge all candidates of a row, in an order drawn for the row, and map its verdict back.

    A ranking is turned into the share of the others that a candidate beats, 1 for the first and 0 for
    the last; scores are kept as they are. Over several rounds, each with an order of its own, the mean
    counts. A round that cannot be read leaves the row without numbers.
    """

    reads = ("id", "prompt", "candidates", "{reference}?", "images?")
    writes = (
        Column(
            "{column}",
            "share of the others beaten, or the judge's score",
            pa.list_(pa.float64()),
            "share or points",
            None,
            None,
            "higher",
        ),  # noqa: E501
        Column("{column}_outcome", "how the replies ended", pa.string()),
    )
    paper = "RewardBench 2 (generative, listwise), arXiv 2506.01937; shuffling: house"

    model: Annotated[str, ModelOf("chat")] = "judge"
    """The judge."""
    column: str = "list_score"
    """Name of the list of numbers, one a candidate."""
    ask: Literal["ranking", "scores"] = "ranking"
    """What the judge gives."""
    low: int = 1
    """Lowest score."""
    high: int = 10
    """Highest score."""
    rounds: Annotated[int, Field(ge=1, le=32)] = 1
    """How often a row is judged, each time in another order."""
    reason: bool = False
    """Let the judge write its reasons before a ranking."""
    reference: str | None = None
    """Column with a good answer to compare with."""
    template: str = "listwise"
    """A template of the package, or a file."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    """Sampling temperature."""
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    """Most tokens of a reply; null = 600 with reasons or scores, else 128."""
    most: Annotated[int, Field(ge=2, le=26)] = 16
    """Most candidates of a row that are judged, the first ones; the others stay null."""

    def faults(self) -> Sequence[str]:
        found = template_faults(self.template)
        return [*found, *([] if self.low < self.high else [f"low ({self.low}) is not below high ({self.high})"])]

    def materials(self) -> tuple[str, ...]:
        return digests(self.template)

    def calls_a_row(self) -> float:
        return float(self.rounds)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        rows = by_row(answers_in(batch, "candidates", self.most), batch.num_rows)
        judged = [i for i, answers in enumerate(rows) if len(answers) > 1]
        orders = {i: self._orders(batch["id"][i].as_py(), len(rows[i]), ctx) for i in judged}
        requests = self._requests(batch, rows, orders)
        kinds = [len(rows[i]) for i in judged for _ in range(self.rounds)]
        verdicts = ask_by_kind(ctx.models[self.model], requests, kinds, self._reader)
        lengths = batch["candidates"].combine_chunks().value_lengths().to_pylist()
        merits: list[list[float | None] | None] = [None if k is None else [None] * k for k in lengths]
        outcomes: list[str | None] = [None] * batch.num_rows
        for k, i in enumerate(judged):
            mine = verdicts[self.rounds * k : self.rounds * (k + 1)]
            found, outcomes[i] = combined([self._merits(v, order) for v, order in zip(mine, orders[i], strict=True)])
            row = merits[i]
            for answer, merit in zip(rows[i], found, strict=False):
                assert row is not None
                row[answer.place] = merit
        types = [column.type for column in self.columns_written()]
        return {self.column: pa.array(merits, types[0]), f"{self.column}_outcome": pa.array(outcomes, types[1])}

    def _orders(self, row_id: str, k: int, ctx: Context) -> list[list[int]]:
        rng = ctx.rng(row_id)
        return [rng.sample(range(k), k) for _ in range(self.rounds)]

    def _requests(
        self, batch: pa.Table, rows: Sequence[Sequence[Answer]], orders: Mapping[int, Sequence[Order]]
    ) -> list[dict[str, Any]]:
        prompts, pictures = texts_of(batch, "prompt")[0], pictures_of(batch)
        helps = asides(batch, {"reference": self.reference})
        tokens = self.max_tokens or (600 if self.reason or self.ask == "scores" else 128)
        prose, found = template(self.template), []
        for i, order in ((i, order) for i, rounds in orders.items() for order in rounds):
            shown = list(pictures[i])
            answers = [(LETTERS[k], rows[i][place].shown(shown)) for k, place in enumerate(order)]
            values = {"prompt": prompts[i] or "", "answers": answers, "low": self.low, "high": self.high, **helps[i]}
            values |= {"scores": self.ask == "scores", "reason": self.reason}
            schema = scores_schema(len(answers), self.low, self.high) if self.ask == "scores" else None
            found.append(
                request(prose, values, temperature=self.temperature, max_tokens=tokens, schema=schema, pictures=shown)
            )
        return found

    def _reader(self, k: int) -> Reader:
        return read_json(scores_schema(k, self.low, self.high)) if self.ask == "scores" else read_ranking(k)

    def _merits(self, verdict: Verdict, order: Order) -> tuple[list[float] | None, Verdict]:
        """Numbers by candidate from a verdict by place shown."""
        if not verdict.ok:
            return None, verdict
        if self.ask == "scores":
            by_place = [float(verdict.value[LETTERS[k]]) for k in range(len(order))]
        else:
            by_place = beaten(verdict.value)
        merits = [0.0] * len(order)
        for place, merit in enumerate(by_place):
            merits[order[place]] = merit
        return merits, verdict


def combined(rounds: Sequence[tuple[list[float] | None, Verdict]]) -> tuple[list[float], str]:
    """The mean of all rounds by candidate, and `ok`; nothing and the first other outcome when one failed."""
    bad = next((verdict.outcome.value for merits, verdict in rounds if merits is None), None)
    if bad is not None:
        return [], bad
    lists = [merits for merits, _ in rounds if merits is not None]
    return [sum(values) / len(lists) for values in zip(*lists, strict=True)], "ok"


def scores_schema(k: int, low: int, high: int) -> dict[str, Any]:
    """JSON Schema of k scores by label."""
    score = {"type": "number", "minimum": low, "maximum": high}
    return {"type": "object", "properties": dict.fromkeys(LETTERS[:k], score), "required": list(LETTERS[:k])}


def beaten(ranking: Sequence[int]) -> list[float]:
    """The share of the others that each place beats, from places best first."""
    last = len(ranking) - 1
    return [(last - ranking.index(place)) / last for place in range(last + 1)]
