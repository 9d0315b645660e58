"""Prompts set aside before anything is decided, so that evidence can be measured on them."""

from __future__ import annotations

from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.byte_hashing import mix
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Select
from .reasons import codes, first_reasons, rank_within


@final
@register("split.heldout")
class Heldout(Select):
    """Hold out all rows of a share of the prompts, chosen by a seeded hash of the prompt.

    Without `by` a prompt is held out by its own hash alone, whatever else is in the set. With `by`
    each group gives round(fraction · its prompts) of them, those of the smallest hash; a prompt
    that stands in several groups counts in the one of its first row, and goes whole.
    """

    fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of prompts held out, in [0, 1)."""
    by: str | None = None
    """Column whose groups are each held out in that share (a source); null is a value."""
    seed: int = 0
    """Another seed holds out other prompts."""

    def columns_read(self) -> tuple[str, ...]:
        return ("prompt_hash",) if self.by is None else ("prompt_hash", self.by)

    def select(self, narrow: Narrow) -> pa.Array:
        prompts = narrow.column("prompt_hash").to_numpy()
        lot = _lots(prompts, self.seed)
        if self.by is None:
            held = lot < self.fraction
        else:
            _, first, member = np.unique(prompts, return_index=True, return_inverse=True)
            group = codes(narrow.column(self.by))[first]
            quota = np.rint(self.fraction * np.bincount(group)).astype(np.int64)
            held = (rank_within(group, -lot[first]) < quota[group])[member]
        return first_reasons(len(prompts), [(held, "held out for evidence")])


def _lots(prompts: np.ndarray, seed: int) -> np.ndarray:
    """A number in [0, 1) for each prompt hash: the same for the same seed, evenly spread."""
    salt = mix(np.array([seed % 2**64], np.uint64))
    return (mix(prompts ^ salt) >> np.uint64(11)).astype(np.float64) / 2.0**53
