"""Keep rows whose rubric leads a judge to their label."""

from __future__ import annotations

from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from ..core.registry import register
from ..core.row import flat
from ..core.stage import Gate


@final
@register("filter.consistent_rubric")
class ConsistentRubric(Gate):
    """Drop rows whose rubric failed the check of `synth.rubric`, could not be checked, or was not.

    For `inconsistent: keep`, after `diagnose.rubrics` has seen what fails. OpenRubrics (Liu et al., 2025).
    """

    reads = ("consistency",)
    paper = "OpenRubrics, arXiv 2510.07743"

    def why_drop(self, batch: pa.Table) -> pa.Array:
        found = pc.fill_null(flat(batch["consistency"]), "not checked")
        told = pc.binary_join_element_wise("rubric", found, ": ")
        return pc.if_else(pc.equal(found, "pass"), pa.scalar(None, pa.string()), told)
