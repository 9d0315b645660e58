"""A finished run in memory: the view a report is built from, without an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import numpy as np
import pyarrow as pa
from rather.core.declared import Column
from rather.core.hashing import hash_column
from rather.core.identity import hex_ids
from rather.core.row import PLACE, arrow_vectors, text_answers, text_messages

from .frames import TableFrame

RECIPE = """# Clean human pairs: drop what looks flipped, keep wide margins.
# Cost: nothing; everything runs on this machine.
name: clean-feedback
seed: 7
stages:
  - read.pairs: {path: pairs.jsonl}
  - score.reward_head: {folds: 5}
  - filter.margin: {least: 0.1}
"""


@final
@dataclass(frozen=True)
class Count:
    """A stage's line of the funnel."""

    stage: str
    kind: str
    shape: str
    rows_in: int
    made: int
    rows_out: int
    dropped: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    unanswered: int = 0
    skipped: str | None = None
    seconds: float = 0.0
    calls: int = 0
    calls_reused: int = 0
    tokens: int = 0
    usd: float = 0.0


@final
@dataclass
class FakeRun:
    """A run built stage by stage; it is its own view."""

    recipe: str = RECIPE
    funnel: list[Count] = field(default_factory=list)
    facts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    path: Path = Path("runs/clean-feedback")
    tables: dict[str, pa.Table] = field(default_factory=dict)
    gone: dict[str, pa.Table] = field(default_factory=dict)
    last: str = ""
    into: dict[str, str] = field(default_factory=dict)
    seed: int = 7
    seconds: float = 0.0
    peak_mib: float = 0.0

    def source(self, table: pa.Table, name: str = "read.pairs", **cost: float) -> FakeRun:
        self.funnel.append(Count(name, name, "source", table.num_rows, 0, table.num_rows, **cost))  # type: ignore[arg-type]
        return self._left(name, table)

    def score(
        self, name: str, columns: Mapping[str, pa.Array], about: Mapping[str, Column] | None = None, **cost: float
    ) -> FakeRun:
        table = self.tables[self.last]
        for column, values in columns.items():
            metadata = about[column].metadata(name) if about and column in about else {b"scorer": name.encode()}
            table = table.append_column(pa.field(column, values.type, metadata=metadata), values)
        self.funnel.append(Count(name, name, "score", table.num_rows, 0, table.num_rows, **cost))  # type: ignore[arg-type]
        return self._left(name, table)

    def gate(
        self, name: str, reasons: Sequence[str | None], values: Sequence[str] = (), shape: str = "gate", **cost: float
    ) -> FakeRun:
        table = self.tables[self.last]
        why = pa.array(reasons, pa.string())
        gone, kept = table.filter(why.is_valid()), table.filter(why.is_null())
        self.gone[name] = gone.append_column("reason", why.drop_null())
        for value in values:
            self.gone[name] = self.gone[name].append_column(f"value_{value}", gone[value])
        counts = {str(r): sum(x == r for x in reasons) for r in dict.fromkeys(reasons) if r is not None}
        self.funnel.append(Count(name, name, shape, table.num_rows, 0, kept.num_rows, counts, **cost))  # type: ignore[arg-type]
        return self._left(name, kept)

    def sink(self, name: str, facts: Mapping[str, Any]) -> FakeRun:
        rows = self.tables[self.last].num_rows if self.last else 0
        self.funnel.append(Count(name, name, "sink", rows, 0, rows, seconds=0.2))
        self.facts[name] = facts
        return self

    def skip(self, name: str, shape: str, why: str) -> FakeRun:
        self.funnel.append(Count(name, name, shape, 0, 0, 0, skipped=why))
        return self

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(line.stage for line in self.funnel)

    def frame(self, name: str) -> TableFrame:
        return TableFrame(self.tables[name])

    def dropped(self, name: str, limit: int | None = None) -> pa.Table:
        table = self.gone[name]
        heads = [n for n in table.column_names if n in ("id", "place", "reason") or n.startswith("value_")]
        return table.select(heads).slice(0, limit)

    def input_frame(self, name: str) -> TableFrame:
        return TableFrame(self.tables[self.into[name]])

    def _left(self, name: str, table: pa.Table) -> FakeRun:
        self.into[name] = self.last
        self.tables[name], self.last = table, name
        return self


def pairs(prompts: Sequence[str], chosen: Sequence[str | None], rejected: Sequence[str | None]) -> pa.Table:
    """A source's table with its system columns."""
    prompt, n = pa.array(prompts, pa.string()), len(prompts)
    hashes = hash_column(prompt)
    place = pa.array([{"file": "pairs.jsonl", "row": k} for k in range(n)], PLACE)
    order = np.arange(n, dtype=np.uint64)
    return pa.table(
        {
            "id": hex_ids(hashes, order << np.uint64(32)),
            "content_hash": pa.array(hashes),
            "prompt_hash": pa.array(hashes),
            "place": place,
            "prompt": text_messages(prompt),
            "chosen": text_answers(pa.array(chosen, pa.string())),
            "rejected": text_answers(pa.array(rejected, pa.string())),
        }
    )


def vectors(n: int, dim: int = 24, groups: int = 4, seed: int = 3) -> pa.Array:
    """Unit vectors around `groups` directions, the group of row k being k modulo groups."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, dim)) * 3
    raw = centres[np.arange(n) % groups] + rng.normal(size=(n, dim))
    return arrow_vectors((raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32))


MARGIN = Column(
    "margin", "reward of chosen less reward of rejected", pa.float64(), unit="logit", better="higher: chosen better"
)


def evidence() -> dict[str, Any]:
    """Facts as diagnose.evidence leaves them."""
    measured = [("all rows", 800, 0.641), ("kept", 560, 0.684), ("random, same size", 560, 0.632)]
    rows = [
        {"source": "all", "set": name, "rows": n, "accuracy": a, "low": a - 0.03, "high": a + 0.03, "seeds": 5}
        for name, n, a in measured
    ]
    caveat = "Labels of the held-out pairs are the crowd's own, so noise in them bounds the accuracy anybody can reach."
    return {"label": "noisy", "heldout": 369, "rows": rows, "caveat": caveat}
