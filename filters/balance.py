"""`select.balance`: even out how often each value of a column occurs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.hashing import hash_column
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Select
from .reasons import codes, first_reasons, rank_within


@final
@register("select.balance")
class Balance(Select):
    """Thin out the values of a column that are too frequent; null is a value like any other.

    Without more, every value is kept at most `ratio` times as often as the rarest. With `thin` only that
    value is thinned, to `ratio` times the rows that have the value `against` (or any other value). Which
    rows stay is drawn by the hash of their id.
    """

    reads = ("{column}", "id")
    paper = "thinning by `ratio` against another value: CUT, arXiv 2312.14591; the rest: house"

    column: str = "critique_verdict"
    """The column of values: words, numbers or truth values."""
    ratio: Annotated[float, Field(gt=0)] = 1.0
    """Rows kept of a frequent value per row of what it is measured by."""
    thin: str | None = None
    """The one value that is thinned, as text; null = every value more frequent than the rarest."""
    against: str | None = None
    """The value `thin` is measured by; null = all others together."""
    seed: int = 0
    """Another seed, another draw."""

    def faults(self) -> Sequence[str]:
        found = []
        if self.thin is None and self.ratio < 1:
            found.append("a ratio below 1 needs thin: the rarest value cannot be rarer than itself")
        if self.against is not None and self.thin is None:
            found.append("against needs thin")
        return found

    def select(self, narrow: Narrow) -> pa.Array:
        column = flat(narrow.column(self.column))
        code = codes(column)
        n = len(code)
        if n == 0:
            return first_reasons(0, [])
        _, first = np.unique(code, return_index=True)
        values = [_text(column[int(i)].as_py()) for i in first]
        counts = np.bincount(np.unique(code, return_inverse=True)[1])
        most = self._most(values, counts)
        chance = (hash_column(narrow.column("id"), self.seed) >> np.uint64(11)).astype(np.float64)
        rank = rank_within(code, chance)
        beyond = rank >= np.array(most)[np.unique(code, return_inverse=True)[1]]
        return first_reasons(n, [(beyond, f"too many of one {self.column}")])

    def _most(self, values: Sequence[str], counts: np.ndarray) -> list[float]:
        """Rows kept of each value."""
        if self.thin is None:
            return [float(np.floor(self.ratio * counts.min()))] * len(values)
        by_value = dict(zip(values, counts.tolist(), strict=True))
        others = counts.sum() - by_value.get(self.thin, 0)
        measure = others if self.against is None else by_value.get(self.against, 0)
        return [float(np.floor(self.ratio * measure)) if value == self.thin else np.inf for value in values]


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
