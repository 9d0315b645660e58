"""Keep the best rows by a column."""

from __future__ import annotations

from typing import Annotated, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Select
from .reasons import codes, first_reasons, floats, rank_within


@final
@register("select.top")
class Top(Select):
    """Keep the `keep` best rows by a column, of the whole set or of each group.

    Equal values stand in source order; rows without a value go.
    """

    reads = ("{by}", "{per}")

    by: str
    """Column that ranks."""
    keep: Annotated[int, Field(ge=0)]
    """Rows kept, in all or a group."""
    per: str | None = None
    """Column whose equal values form a group (`prompt_hash` = prompts); null is a value."""
    better: Literal["higher", "lower"] = "higher"
    """Which end of the column is the better."""

    def select(self, narrow: Narrow) -> pa.Array:
        value = floats(narrow.column(self.by))
        missing = np.isnan(value)
        there = np.flatnonzero(~missing)
        groups = np.zeros(len(value), np.int64) if self.per is None else codes(narrow.column(self.per))
        signed = value[there] if self.better == "higher" else -value[there]
        beyond = np.zeros(len(value), bool)
        beyond[there] = rank_within(groups[there], signed) >= self.keep
        where = "" if self.per is None else f" of its {self.per}"
        return first_reasons(len(value), [(missing, f"no {self.by}"), (beyond, f"beyond the top {self.keep}{where}")])
