"""Stages and a paid model for tests of the engine; registered under `demo.` so that nothing real is hidden."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rather.core.declared import Column
from rather.core.errors import CallError, RateLimited
from rather.core.frame import Frame
from rather.core.narrow import Narrow
from rather.core.paid import Reply, Request
from rather.core.registry import ModelSpec, model, register
from rather.core.row import answer_text, text_answers, text_messages
from rather.core.stage import Columns, Context, Drop, Fit, Gate, Map, Row, Score, Select, Sink, Source


def pairs(start: int, stop: int) -> pa.Table:
    """Rows start … stop-1: every content stands about twenty times, so that equal rows are common."""
    kinds = [(k * 7919) % 53 for k in range(start, stop)]
    return pa.table(
        {
            "prompt": text_messages(pa.array([f"question {k % 17}" for k in kinds])),
            "chosen": text_answers(pa.array([f"answer {k} " * (k % 5 + 1) for k in kinds])),
            "rejected": text_answers(pa.array([f"other {k}" for k in kinds])),
            "margin": pa.array([(k * 37 % 101) / 101 for k in range(start, stop)]),
        }
    )


@final
@register("demo.read")
class DemoRead(Source):
    """Rows made on the spot."""

    rows: int = 1000
    replay: bool = False

    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        for start in range(0, self.rows, 301):
            table = pairs(start, min(start + 301, self.rows))
            yield table if columns is None else table.select([n for n in table.column_names if n in columns])

    def schema_names(self) -> Sequence[str]:
        return ["prompt", "chosen", "rejected", "margin"]

    def fingerprint(self) -> str:
        return str(self.rows)

    def replayable(self) -> bool:
        return self.replay


@final
@register("demo.chars")
class DemoChars(Score):
    """Length of the chosen answer; a row of `bad` characters cannot be scored."""

    reads = ("chosen",)
    writes = (Column("chars", "length of chosen", pa.int32(), "characters", 0, None, "neither"),)

    bad: int = -1

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        lengths = pc.utf8_length(answer_text(batch["chosen"]))
        if pc.any(pc.equal(lengths, self.bad)).as_py():
            raise ValueError(f"a length of {self.bad}")
        return {"chars": lengths}


@final
@register("demo.short")
class DemoShort(Gate):
    """Drop long answers."""

    reads = ("chars",)

    most: int = 40

    def why_drop(self, batch: pa.Table) -> pa.Array:
        return pc.if_else(pc.greater(batch["chars"], self.most), pa.scalar("long"), pa.scalar(None, pa.string()))


@final
@register("demo.copies")
class DemoCopies(Map):
    """None to three rows for one, by the row's own chance."""

    reads = ("margin",)
    writes = (Column("copy", "which copy", pa.int32()),)

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        rng = ctx.rng(row["id"])
        count = rng.randint(0, 3)
        await asyncio.sleep(rng.random() / 2000)
        if count == 0:
            return Drop("no copies", {"margin": row["margin"]})
        return [{"copy": k} for k in range(count)]


@final
@register("demo.rank")
class DemoRank(Fit):
    """Rank of the margin in the whole set."""

    reads = ("margin", "id")
    writes = (Column("rank", "rank of the margin", pa.int64()),)

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        order = np.lexsort((narrow.column("id").to_numpy(zero_copy_only=False), narrow.column("margin").to_numpy()))
        rank = np.empty(len(narrow), np.int64)
        rank[order] = np.arange(len(narrow))
        return {"rank": pa.array(rank)}


@final
@register("demo.top")
class DemoTop(Select):
    """Keep the rows of largest rank, decided in DuckDB."""

    reads = ("rank",)

    keep: int = 500

    def select(self, narrow: Narrow) -> pa.Array:
        high = "rank >= (SELECT count(*) FROM narrow) - ?"
        query = f"SELECT CASE WHEN {high} THEN NULL ELSE 'low' END r FROM narrow ORDER BY pos"
        return narrow.sql(query, [self.keep]).column("r").combine_chunks()


@final
@register("demo.digest")
class DemoDigest(Sink):
    """A digest of every value of every row, and the rows as JSON lines in `rows.txt`."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        state, count = hashlib.sha256(), 0
        path = Path(ctx.out) / "rows.txt"
        with path.open("w", encoding="utf-8") as file:
            for table in rows.batches():
                for row in table.to_pylist():
                    state.update(repr(row).encode())
                    file.write(f"{row['id']}\n")
                    count += 1
        return {"path": str(path), "rows": count, "digest": state.hexdigest(), "columns": list(rows.names)}


@final
@register("demo.ask")
class DemoAsk(Map):
    """Ask a paid model once a row."""

    reads = ("prompt", "chosen")
    writes = (Column("reply", "what it said", pa.string()),)

    model: str = "judge"

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        request = {"messages": [{"role": "user", "content": f"{row['id']} {row['chosen']['text']}"}]}
        reply = await ctx.models[self.model].ask(request)
        return [{"reply": reply.text}]


@final
@register("demo.ask_all")
class DemoAskAll(Score):
    """Ask a paid model once a row, a batch at a time."""

    reads = ("id",)
    writes = (Column("said", "what it said", pa.string()),)

    model: str = "judge"

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        replies = ctx.models[self.model].ask_all([{"content": row} for row in batch["id"].to_pylist()])
        return {"said": pa.array([r.text if isinstance(r, Reply) else None for r in replies])}


@final
class TillBackend:
    """A fake paid backend that writes a line to `till` for every reply it gives; faults by the request's hash."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None

    def __init__(self, till: Path, delay: float, busy: float, broken: float, concurrency: int) -> None:
        self._till, self._delay, self._busy, self._broken = till, delay, busy, broken
        self.concurrency, self._seen = concurrency, dict[str, int]()

    async def call(self, request: Request) -> Reply:
        text = repr(sorted(request.items()))
        self._seen[text] = self._seen.get(text, 0) + 1
        chance = hashlib.sha256(f"{text}{self._seen[text]}".encode()).digest()
        await asyncio.sleep(self._delay)
        if chance[0] / 256 < self._busy:
            raise RateLimited(retry_after=0.01)
        if chance[1] / 256 < self._broken:
            raise CallError("broken")
        mark = hashlib.sha256(text.encode()).hexdigest()[:16]
        handle = os.open(self._till, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(handle, f"{mark}\n".encode())
        os.close(handle)
        return Reply(f"said {mark}", tokens_in=10, tokens_out=5, usd=0.001)


@final
@model("demo_till")
class TillSpec(ModelSpec):
    """A fake paid model that counts what it was paid for."""

    kind: ClassVar[str] = "chat"
    paid: ClassVar[bool] = True
    unkeyed: ClassVar[frozenset[str]] = frozenset({"till", "delay", "busy", "broken", "concurrency", "api_key"})

    till: str
    delay: float = 0.0
    busy: float = 0.0
    broken: float = 0.0
    concurrency: int = 64
    api_key: str = ""

    def load(self) -> TillBackend:
        return TillBackend(Path(self.till), self.delay, self.busy, self.broken, self.concurrency)


@final
@register("demo.rows")
class DemoRows(Source):
    """Rows of a Parquet file as they are, typed as they are: whatever columns a stage under test reads."""

    file: str
    """The Parquet file."""

    def batches(self, columns: Collection[str] | None = None) -> Iterator[pa.Table]:
        names = [n for n in self.schema_names() if columns is None or n in columns]
        yield pq.read_table(self.file, columns=names)

    def schema_names(self) -> Sequence[str]:
        return list(pq.read_schema(self.file).names)

    def fingerprint(self) -> str:
        return hashlib.sha256(Path(self.file).read_bytes()).hexdigest()


@final
@register("demo.nap")
class DemoNap(Map):
    """Sleep before a row goes on: a run that can be interrupted."""

    reads = ("id",)

    seconds: float = 0.01
    """How long, in seconds."""

    async def map(self, row: Row, ctx: Context) -> Sequence[Row] | Drop:
        await asyncio.sleep(self.seconds)
        return [{}]
