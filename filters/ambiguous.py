"""Labels that a whole panel of strong models contradicts: to be looked at again, not learned from."""

from __future__ import annotations

from typing import Annotated, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.errors import InputError
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Gate
from .reasons import first_reasons, floats


@final
@register("filter.ambiguous")
class Ambiguous(Gate):
    """Drop rows whose label every model of a panel contradicts; the ledger is the list to review.

    A vote is a number in [0, 1], 1 = the model holds with the label: whether it prefers `chosen`
    (`panel_p_by_judge` of `judge.panel_pairwise`), or whether its answer was right (true or false). Below ½ it
    contradicts the label; ½ is a tie and contradicts nothing. A null (unparsable, refused, cut off, its own
    answer) is no vote: neither for nor against. All contradict when there are `quorum` votes at least and every
    one of them does; rows of fewer votes are kept, as nobody can tell, unless `unjudged` is false.
    """

    reads = ("{votes}",)
    paper = "DatBench (labels that all strong models contradict go to review); ties, nulls and the quorum: house"

    votes: str = "panel_p_by_judge"
    """Column of a list of votes, one a model, in [0, 1]: 1 = holds with the label, 0 = contradicts it."""
    quorum: Annotated[int, Field(ge=2)] = 3
    """Fewest votes that can condemn a label."""
    unjudged: bool = True
    """Keep rows with fewer votes than that."""

    def why_drop(self, batch: pa.Table) -> pa.Array:
        cast, against = _counted(flat(batch[self.votes]))
        told = cast >= self.quorum
        rules = [(told & (against == cast), "every model contradicts the label")]
        if not self.unjudged:
            rules.append((~told, "too few votes"))
        return first_reasons(len(cast), rules)


def _counted(votes: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """int64 [n] twice: how many votes a row has, and how many of them contradict its label.

    Raises InputError for a column of no lists, and for votes outside [0, 1].
    """
    if not (pa.types.is_list(votes.type) or pa.types.is_large_list(votes.type)):
        raise InputError(f"a column of {str(votes.type)[:60]} holds no votes", hint="name a list with one vote a model")
    value = floats(votes.flatten())
    odd = (value < 0) | (value > 1)
    if odd.any():
        cause = f"{value[odd][0]:g} is no vote"
        raise InputError(cause, hint="votes lie in [0, 1], 1 = holds with the label; true and false will do")
    row = pc.list_parent_indices(votes).to_numpy(zero_copy_only=False)
    n = len(votes)
    return np.bincount(row[~np.isnan(value)], minlength=n), np.bincount(row[value < 0.5], minlength=n)
