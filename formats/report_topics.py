"""The topic map of the report: which topics the rows are about, and which of them were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.row import answer_text, numpy_vectors, prompt_text
from .report_compare import Compare, kept_in, picked, picked_table, sampled
from .report_figures import PALETTE, scatter, share_bar
from .report_measured_data import TopicLine, TopicMap
from .report_text import count, excerpt, percent
from .topics import Topics, distinctive_words, find_topics

if TYPE_CHECKING:
    from ..core.frame import Frame

POINTS: Final = 2000
_FIRST: Final = ("prompt_vector", "chosen_vector")


def topic_map(compare: Compare) -> TopicMap | None:
    """Topics of the vectors a stage wrote; None when none did or fewer than three rows have one."""
    column = _column(compare)
    frame = compare.before([column]) if column else None
    if column is None or frame is None:
        return None
    text = "chosen" if column.startswith("chosen") and "chosen" in frame.names else "prompt"
    keys = [name for name in ("id", "prompt_hash") if name in frame.names]
    wanted = [column, *keys, *([text] if text in frame.names else [])]
    table = picked_table(frame, wanted, POINTS)
    table = table.filter(pc.is_valid(table[column]))
    if table.num_rows < 3:
        return None
    vectors = numpy_vectors(table[column])
    topics = find_topics(vectors, PALETTE)
    labels, texts = topics.assign(vectors), _texts(table, text)
    kept = kept_in(compare, table)
    words = distinctive_words(texts, labels, len(topics.centres))
    before, after = _sizes(frame, column, topics), _after_sizes(compare, column, topics, labels[kept])
    lines = tuple(_line(k, words[k], int(before[k]), int(after[k])) for k in range(len(words)))
    caption = f"Map of {count(table.num_rows)} rows in {len(words)} topics, {count(int(kept.sum()))} of them kept"
    svg = scatter(topics.flatten(vectors), labels, kept, [excerpt(t, 70) for t in texts], caption)
    note = "Counts are estimated from a sample of the rows." if sampled(len(frame)) else ""
    return TopicMap(column, table.num_rows, len(frame), svg, lines, note)


def _column(compare: Compare) -> str | None:
    found = []
    for stage in compare.stages:
        for field in compare.schemas[stage]:
            if pa.types.is_fixed_size_list(field.type) and pa.types.is_floating(field.type.value_type):
                found.append(field.name)
    return next((name for name in (*_FIRST, *found) if name in found), None)


def _texts(table: pa.Table, name: str) -> list[str]:
    if name not in table.column_names:
        return [""] * table.num_rows
    texts = answer_text(table[name]) if name == "chosen" else prompt_text(table[name])
    return [value or "" for value in texts.to_pylist()]


def _sizes(frame: Frame, column: str, topics: Topics) -> np.ndarray:
    sizes, drawn = np.zeros(len(topics.centres), np.int64), 0
    for batch in picked(frame, [column]):
        vectors = numpy_vectors(batch[column].drop_null())
        sizes += np.bincount(topics.assign(vectors), minlength=len(sizes))
        drawn += batch.num_rows
    return np.round(sizes * (len(frame) / drawn)).astype(np.int64) if sampled(len(frame)) else sizes


def _after_sizes(compare: Compare, column: str, topics: Topics, kept: np.ndarray) -> np.ndarray:
    frame = compare.after
    if frame is not None and column in frame.names:
        return _sizes(frame, column, topics)
    return np.bincount(kept, minlength=len(topics.centres))


def _line(index: int, label: str, before: int, after: int) -> TopicLine:
    share = after / before if before else 0.0
    bar = share_bar(share, f"{percent(share)} kept", f"tone t{index + 1}")
    return TopicLine(index + 1, label, before, after, percent(share), bar)
