"""Scored preference pairs of about 400 bytes in a seeded pseudo-language, as one Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

BATCH: Final = 200_000
GROUP: Final = 100_000
SENTENCES: Final = 200_000
WORDS: Final = 20_000
ROWS_A_PROMPT: Final = 4
SYLLABLES: Final = [first + last for first in [*"bdfgklmnprstvz", "ch", "sh", "st", "tr", "pl"] for last in "aeiou"]
FAULTS: Final = 0.01
"""Share of rows with each planted fault: an empty answer, the same answer twice, a very short one."""


def write_pairs(path: Path, rows: int, seed: int = 1) -> None:
    """row_id, source, prompt, chosen, rejected, chosen_score, rejected_score; whole or not at all."""
    draw = np.random.default_rng(seed)
    pool = sentences(draw)
    partial = path.with_suffix(".part")
    writer: pq.ParquetWriter | None = None
    for start in range(0, rows, BATCH):
        table = _batch(draw, pool, start, min(BATCH, rows - start), max(1, rows // ROWS_A_PROMPT))
        writer = writer or pq.ParquetWriter(partial, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=GROUP)
    if writer is not None:
        writer.close()
        partial.rename(path)


def sentences(draw: np.random.Generator) -> pa.Array:
    """Sentences of 10 to 26 words whose frequencies follow Zipf's law."""
    parts = draw.choice(SYLLABLES, (WORDS, 4))
    lengths = np.sort(draw.integers(1, 5, WORDS))
    words = pa.array(["".join(row[:n]) for row, n in zip(parts, lengths, strict=True)])
    counts = draw.integers(10, 27, SENTENCES)
    weights = np.cumsum(1 / np.arange(1, WORDS + 1) ** 1.05)
    drawn = np.searchsorted(weights, draw.random(int(counts.sum())) * weights[-1])
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
    return pc.binary_join(pa.ListArray.from_arrays(offsets, words.take(pa.array(drawn))), " ")


def _batch(draw: np.random.Generator, pool: pa.Array, start: int, n: int, prompts: int) -> pa.Table:
    prompt = draw.integers(0, prompts, n)
    chosen, rejected = _answers(draw, pool, n), _answers(draw, pool, n)
    fault = draw.random(n)
    chosen = pc.if_else(pa.array(fault < FAULTS), "  ", chosen)
    spaced = pc.binary_join_element_wise(" ", pc.replace_substring(chosen, " ", "  "), "\n", "")
    rejected = pc.if_else(pa.array((fault >= FAULTS) & (fault < 2 * FAULTS)), spaced, rejected)
    rejected = pc.if_else(pa.array((fault >= 2 * FAULTS) & (fault < 3 * FAULTS)), "no", rejected)
    return pa.table(
        {
            "row_id": np.arange(start, start + n),
            "source": pa.array(draw.integers(0, 8, n)).cast(pa.string()),
            "prompt": _numbered(pool, prompt * 7919 % SENTENCES, prompt),
            "chosen": chosen,
            "rejected": rejected,
            "chosen_score": draw.normal(6, 1.5, n).astype(np.float32),
            "rejected_score": draw.normal(5.2, 1.5, n).astype(np.float32),
        }
    )


def _answers(draw: np.random.Generator, pool: pa.Array, n: int) -> pa.Array:
    first = pool.take(pa.array(draw.integers(0, SENTENCES, n)))
    second = _numbered(pool, draw.integers(0, SENTENCES, n), draw.integers(0, 1 << 30, n))
    return pc.binary_join_element_wise(first, second, ". ")


def _numbered(pool: pa.Array, at: np.ndarray, number: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(pool.take(pa.array(at)), pa.array(number).cast(pa.string()), " ")
