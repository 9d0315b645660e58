"""`diagnose.rubrics`: which pairs get a rubric that leads to their label, and which do not?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Final, final

import numpy as np
import pyarrow.compute as pc
from pydantic import Field

from ..core.errors import InputError
from ..core.estimates import Estimate, share_of
from ..core.registry import register
from ..core.row import answer_text, flat
from ..core.stage import Context, Sink
from .measures import Measure, measure
from .reasons import floats

if TYPE_CHECKING:
    import pyarrow as pa

    from ..core.frame import Frame

_THIRDS: Final = ("smallest", "middle", "largest")


@final
@register("diagnose.rubrics")
class Rubrics(Sink):
    """The share of rubrics that pass the label check, by which answer is longer and by the size of the margin.

    The check keeps the easy pairs, and a rubric that only says "longer" passes where chosen is longer: a pass
    rate that follows length or margin says how much. Needs the rows that failed: `synth.rubric` with
    `inconsistent: keep`. OpenRubrics (Liu et al., 2025).
    """

    reads = ("consistency", "chosen", "rejected", "{margin}?")
    paper = "OpenRubrics, arXiv 2510.07743 (groups and intervals: house)"

    margin: str = "margin"
    """Column with the lead of the chosen answer, by any scorer; left out where it is not there."""
    alike: Annotated[float, Field(ge=1)] = 1.2
    """Answers are of like length where neither has this many times the other's words."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: rows, outcomes (how many passed, failed, were not read), measures."""
        if "consistency" not in rows.names:
            raise InputError("no column consistency", place=self.name, hint="synth.rubric with a judge writes it")
        names = [n for n in ("consistency", "chosen", "rejected", self.margin) if n in rows.names]
        parts = [_part(batch, self.margin) for batch in rows.batches(names)]
        found = {key: np.concatenate([part[key] for part in parts]) if parts else np.empty(0) for key in _KEYS}
        words = np.array(["fail", "pass", "parse_error"])
        counts = {str(word): int((found["code"] == code).sum()) for code, word in enumerate(words)}
        passed = np.where(np.isnan(found["code"]), np.nan, (found["code"] == 1).astype(float))
        return {"rows": len(passed), "outcomes": counts, "measures": list(self._measures(passed, found))}

    def _measures(self, passed: np.ndarray, found: Mapping[str, np.ndarray]) -> Iterator[Measure]:
        yield measure("rubrics that pass", share_of(passed))
        ratio = found["chosen"] / np.maximum(found["rejected"], 1)
        groups = {
            "chosen longer": ratio >= self.alike,
            "of like length": (ratio < self.alike) & (ratio > 1 / self.alike),
            "chosen shorter": ratio <= 1 / self.alike,
        }
        rates = {name: share_of(passed[rows]) for name, rows in groups.items()}
        longer, shorter = rates["chosen longer"], rates["chosen shorter"]
        for name, rate in rates.items():
            yield measure(f"that pass, {name}", rate, _reading(longer, shorter) if name == "chosen longer" else "")
        size = np.abs(found["margin"])
        known = np.flatnonzero(np.isfinite(size) & np.isfinite(passed))
        if len(known) >= len(_THIRDS):
            order = known[np.argsort(size[known], kind="stable")]
            for name, rows in zip(_THIRDS, np.array_split(order, len(_THIRDS)), strict=True):
                yield measure(f"that pass, {name} third of |{self.margin}|", share_of(passed[rows]))


_KEYS: Final = ("code", "chosen", "rejected", "margin")


def _part(batch: pa.Table, margin: str) -> dict[str, np.ndarray]:
    """Codes of consistency (0 fail, 1 pass, 2 parse_error, NaN not checked), words of both sides, margins."""
    said = flat(batch["consistency"]).cast("string")
    code = pc.index_in(said, value_set=pc.cast(["fail", "pass", "parse_error"], "string"))
    sides = {
        side: floats(pc.count_substring_regex(pc.fill_null(answer_text(batch[side]), ""), r"\S+"))
        for side in ("chosen", "rejected")
    }
    leads = floats(batch[margin]) if margin in batch.column_names else np.full(batch.num_rows, np.nan)
    return {"code": floats(code), **sides, "margin": leads}


def _reading(longer: Estimate, shorter: Estimate) -> str:
    if not (longer.known and shorter.known):
        return ""
    return "length helps to pass" if longer.low > shorter.high else "no lean to length seen"
