"""`diagnose.counterfactual_unfaithfulness`: do explanations mention what decided the answer?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
import pyarrow as pa

from ..core.errors import InputError
from ..core.estimates import mean, share_of
from ..core.registry import register
from ..core.stage import Context, Sink
from ..models.critiques import mentions
from .judging import texts_of
from .measures import leaning, measure

if TYPE_CHECKING:
    from ..core.frame import Frame


@final
@register("diagnose.counterfactual_unfaithfulness")
class CounterfactualUnfaithfulness(Sink):
    """The share of explanations that do not mention the word that flipped the answer, first and refined.

    Rows without a word or without both explanations are left out. The word need only stand there: an
    explanation may mention it and still mislead, so the share is a lower bound. Any text about a known
    defect can be tested the same way, such as a judge's reasons for a planted error.
    """

    reads = ("{word}", "{first}", "{refined}")
    paper = "SR-NLE, arXiv 2505.22823"

    word: str = "inserted_word"
    """Column with the word, or the words of a defect, that must be mentioned."""
    first: str = "first_explanation"
    """Column with the explanation before any feedback: text, or an answer."""
    refined: str = "refined_explanation"
    """Column with the refined explanation; the same column twice tests one kind of text alone."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: cases, measures (unfaithful first, unfaithful refined, their difference)."""
        names = list(dict.fromkeys((self.word, self.first, self.refined)))
        told = [_unfaithful(batch, (self.word, self.first, self.refined)) for batch in rows.batches(names)]
        found = np.concatenate(told) if told else np.empty((0, 2))
        if not len(rows):
            return {"cases": 0, "measures": []}
        if not len(found):
            hint = "rows come from synth.counterfactual_word and synth.faithful_explanation"
            raise InputError("no row has a word and explanations", place=self.name, hint=hint)
        first, refined = share_of(found[:, 0]), share_of(found[:, 1])
        change = mean(found[:, 1] - found[:, 0])
        return {
            "cases": len(found),
            "measures": [
                measure("unfaithful, first", first),
                measure("unfaithful, refined", refined),
                measure("change by refining", change, leaning(change, 0, "refining hides it", "refining tells more")),
            ],
        }


def _unfaithful(batch: pa.Table, names: Sequence[str]) -> np.ndarray:
    """float64 [m, 2]: 1 where the first or the refined text does not mention the word, of whole rows."""
    whole = [texts for texts in zip(*texts_of(batch, *names), strict=True) if all(texts)]
    found = [[not mentions(str(first), str(word)), not mentions(str(last), str(word))] for word, first, last in whole]
    return np.array(found, np.float64).reshape(-1, 2)
