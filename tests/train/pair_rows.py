"""Pairs with a planted preference, a source that reads them, and a run of a recipe on them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rather.core.declared import Column
from rather.core.engine import execute
from rather.core.listeners import Silent
from rather.core.plan import make_plan
from rather.core.recipe_parser import parse_recipe
from rather.core.registry import register
from rather.core.row import text_answers, text_messages
from rather.core.session import RunOptions
from rather.core.stage import Columns, Context, Gate, Score, Source
from rather.core.view import RunView

GOOD = ["kind", "careful", "exact", "clear", "patient", "honest", "complete", "gentle", "sound", "wise"]
BAD = ["rude", "sloppy", "vague", "muddled", "hasty", "crooked", "partial", "harsh", "shaky", "foolish"]
PLAIN = [
    "river",
    "stone",
    "market",
    "garden",
    "window",
    "paper",
    "bridge",
    "winter",
    "letter",
    "morning",
    "table",
    "wheel",
]


@final
@register("read.planted")
class ReadPlanted(Source):
    """Rows of a Parquet file in the package's own columns."""

    path: str
    """The file."""

    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        names = None if columns is None else list(columns)
        for batch in pq.ParquetFile(self.path).iter_batches(4096, columns=names):
            yield pa.Table.from_batches([batch])

    def schema_names(self) -> Sequence[str]:
        return pq.read_schema(self.path).names

    def fingerprint(self) -> str:
        return f"{self.path} {Path(self.path).stat().st_mtime_ns}"


@final
@register("filter.planted_gold")
class DropReversed(Gate):
    """Drop the rows whose label is known to be reversed: the best filter there can be."""

    reads = ("told",)

    def why_drop(self, batch: pa.Table) -> pa.Array:
        told = batch["told"].combine_chunks()
        return pa.array([None if right else "reversed" for right in told.to_pylist()], pa.string())


@final
@register("filter.planted_chance")
class DropByChance(Gate):
    """Drop a third of the rows by their hash, whatever they say."""

    reads = ("content_hash",)

    def why_drop(self, batch: pa.Table) -> pa.Array:
        gone = batch["content_hash"].to_numpy() % 3 == 0
        return pa.array(np.where(gone, "by chance", None), pa.string())


@final
@register("score.planted_doubt")
class Doubt(Score):
    """Say of every label that it is as good as certainly the wrong way round."""

    writes = (Column("p_chosen", "chance that chosen is better", pa.float64()),)

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        return {"p_chosen": pa.array(np.full(batch.num_rows, 0.02))}


def planted(path: Path, rows: int, noise: float, *, gold: bool = True, seed: int = 0) -> Path:
    """A file of pairs whose better answer has good words and worse one bad words, `noise` of them
    swapped; `gold` and `told` are true where a row is as it should be. Two rows share a prompt."""
    rng = np.random.default_rng(seed)
    asked = [f"Describe the {rng.choice(PLAIN)} of number {i // 2}." for i in range(rows)]
    better = [_answer(rng, GOOD, BAD) for _ in range(rows)]
    worse = [_answer(rng, BAD, GOOD) for _ in range(rows)]
    right = rng.random(rows) >= noise
    chosen = [b if ok else w for b, w, ok in zip(better, worse, right, strict=True)]
    rejected = [w if ok else b for b, w, ok in zip(better, worse, right, strict=True)]
    columns = {
        "prompt": text_messages(pa.array(asked)),
        "chosen": text_answers(pa.array(chosen)),
        "rejected": text_answers(pa.array(rejected)),
        "source": pa.array([f"s{i % 2}" for i in range(rows)]),
        "told": pa.array(right),
    }
    pq.write_table(pa.table(columns | ({"gold": pa.array(right)} if gold else {})), path)
    return path


def _answer(rng: np.random.Generator, mostly: list[str], seldom: list[str]) -> str:
    words = [*rng.choice(mostly, 3), *rng.choice(seldom, 2), *rng.choice(PLAIN, 6)]
    return " ".join(rng.permutation(words)) + "."


def run_recipe(text: str, folder: Path) -> RunView:
    """Check and run a recipe in `folder`."""
    return execute(make_plan(parse_recipe(text, "t.yaml")), RunOptions(folder), Silent())
