"""`synth.random_others`: for each row a few rows of other prompts, drawn at random, and what they say."""

from __future__ import annotations

from typing import Annotated, Final, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.row import answer_text, last_user_text, numpy_vectors
from ..core.stage import Columns, Context, Fit

TEXTS: Final = pa.list_(pa.string())


@final
@register("synth.random_others")
class RandomOthers(Fit):
    """Draw k rows of other prompts for each row, none twice, and copy their prompts and answers.

    What a stage that sees one row at a time makes random negatives and irrelevant questions from.
    Every row with an answer is drawn equally often; where there are fewer than k others, all of
    them are given. With vectors of the prompts (`embed.text`) each draw's cosine is kept.
    """

    reads = ("id", "prompt_hash", "{vector}?")
    writes = (
        Column("other_ids", "ids of the rows drawn", TEXTS),
        Column("other_prompts", "their prompts' last messages; null = not copied", TEXTS),
        Column("other_answers", "their answers; null = not copied", TEXTS),
        Column(
            "other_similarity",
            "cosine of the two prompts; null without vectors",
            pa.list_(pa.float64()),
            "cosine",
            -1,
            1,
            "lower: less likely to be the same question",
        ),
    )
    paper = "negatives from the data itself: Arora et al., arXiv 1902.09229"

    k: Annotated[int, Field(ge=1, le=64)] = 3
    """Rows drawn for each row."""
    answer: str = "chosen"
    """Column to copy answers from: an answer or strings; only rows that have one are drawn."""
    vector: str = "prompt_vector"
    """Column of vectors of the prompts."""
    copies: tuple[Literal["prompt", "answer"], ...] = ("prompt", "answer")
    """What is copied."""

    def columns_read(self) -> tuple[str, ...]:
        names = (*Fit.columns_read(self), self.answer)
        return (*names, "prompt") if "prompt" in self.copies else names

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        answers = narrow.column(self.answer)
        texts = answer_text(answers) if pa.types.is_struct(answers.type) else answers.cast(pa.string())
        usable = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False))
        hashes = narrow.column("prompt_hash").to_numpy()
        drawn = others(hashes, usable, self.k, np.random.default_rng(ctx.seed))
        places, counts = drawn[drawn >= 0], (drawn >= 0).sum(axis=1)
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]).astype(np.int32))
        take = pa.array(places)
        found: dict[str, pa.Array] = {"other_ids": listed(offsets, narrow.column("id").take(take))}
        found["other_prompts"] = found["other_answers"] = pa.nulls(len(narrow), TEXTS)
        if "prompt" in self.copies:
            found["other_prompts"] = listed(offsets, last_user_text(narrow.column("prompt")).take(take))
        if "answer" in self.copies:
            found["other_answers"] = listed(offsets, texts.take(take))
        found["other_similarity"] = pa.nulls(len(narrow), pa.list_(pa.float64()))
        if self.vector in narrow.names:
            rows = np.repeat(np.arange(len(narrow)), counts)
            found["other_similarity"] = listed(offsets, cosines(narrow.column(self.vector), rows, places))
        return found


def others(groups: np.ndarray, usable: np.ndarray, k: int, rng: np.random.Generator) -> np.ndarray:
    """int64 [n, k]: for each row k different rows of `usable` [m] of other groups, -1 where there are no more.

    Sorted by group, those of other groups are two runs; the j-th draw is a number below how many are
    left, moved up past the row's own group and past what was drawn before. So nothing is drawn in vain.
    """
    order = usable[np.argsort(groups[usable], kind="stable")]
    ranked = groups[order]
    start = np.searchsorted(ranked, groups, "left")
    own = np.searchsorted(ranked, groups, "right") - start
    left = len(order) - own
    picks = np.full((len(groups), k), -1, np.int64)
    for j in range(k):
        there = left > j
        pick = np.floor(rng.random(len(groups)) * np.maximum(left - j, 1)).astype(np.int64)
        for before in np.sort(picks[:, :j], axis=1).T:
            pick += (before >= 0) & (pick >= before)
        picks[there, j] = pick[there]
    moved = picks + own[:, None] * (picks >= start[:, None])
    return np.where(picks >= 0, order[np.minimum(moved, len(order) - 1)], -1) if len(order) else picks


def cosines(column: pa.Array, rows: np.ndarray, places: np.ndarray) -> pa.Array:
    """Cosines float64 [m] of the vectors at `rows` and `places`; null where either is absent or of length 0."""
    present = column.is_valid().to_numpy(zero_copy_only=False)
    vectors = np.zeros((len(column), column.type.list_size), np.float32)
    vectors[present] = numpy_vectors(column.drop_null())
    norms = np.linalg.norm(vectors, axis=1).astype(np.float64)
    found = np.empty(len(rows), np.float64)
    for part in range(0, len(rows), 65_536):
        at = slice(part, part + 65_536)
        found[at] = np.einsum("ij,ij->i", vectors[rows[at]], vectors[places[at]])
    scale = norms[rows] * norms[places]
    return pa.array(np.clip(found / np.where(scale > 0, scale, 1.0), -1, 1), mask=scale == 0)


def listed(offsets: pa.Array, values: pa.Array) -> pa.Array:
    """Values cut into one list a row."""
    return pa.ListArray.from_arrays(offsets, values)
