"""`score.critique_reward` and `filter.critique_reward`: what a critique earns for its verdict and for its help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.registry import register
from ..core.row import flat
from ..core.stage import Columns, Context, Gate, Score
from ..models.answers import Answer, Of, answers_in, columns_of, laid_out, sides
from ..models.critiques import verdict_of
from .reasons import first_reasons, floats

Reward = Literal["verdict", "verdict_and_help", "change", "gain"]


@final
@register("score.critique_reward")
class CritiqueReward(Score):
    """The reward of each critique, from the verdict it ends in and the revisions it led to.

    - `verdict` (stage I): 1 where the verdict on the response is true, else -1.
    - `verdict_and_help` (stage II): share of right revisions + `bonus` where the verdict is true; -1 where
      it is false, whatever the revisions.
    - `change`: share of right revisions less 1 for a response that was right, less 0 otherwise.
    - `gain`: share of right revisions of a wrong response; 0.2 times that share for a right one.

    A critique without a verdict counts as one with a false verdict. Null where it is not known whether
    the response is right, or where its revisions were not judged. With one revision a critique the shares
    are 0 or 1, as in the paper.
    """

    reads = ("response_right",)
    writes = (Column("{column}", "reward of the critique", pa.float64(), "points", -1, None, "higher"),)
    paper = "Critique-RL, arXiv 2510.24320"

    reward: Reward = "verdict_and_help"
    """Which reward."""
    of: Of = "chosen"
    """Which critiques are rewarded: the chosen one, both of a pair, or every candidate."""
    column: str = "critique_reward"
    """Name of the score: it stands after the side."""
    refined: str = "usefulness_refined"
    """Column with the share of right revisions, as `score.refine_success` names it, without the side."""
    bonus: Annotated[float, Field(ge=0)] = 0.2
    """Added by `verdict_and_help` for a true verdict."""
    most: Annotated[int, Field(ge=1)] = 64
    """Most candidates of a row that are rewarded, the first ones; the others stay null."""

    def columns_read(self) -> tuple[str, ...]:
        return (*Score.columns_read(self), *sides(self.of), *self._refined_names())

    def columns_written(self) -> tuple[Column, ...]:
        return columns_of(Score.columns_written(self), self.of)

    def _refined_names(self) -> tuple[str, ...]:
        if self.reward == "verdict":
            return ()
        return (self.refined,) if self.of == "candidates" else tuple(f"{s}_{self.refined}" for s in sides(self.of))

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        right = flat(batch["response_right"]).to_pylist()
        shares = [flat(batch[name]).to_pylist() for name in self._refined_names()]
        answers = answers_in(batch, self.of, self.most)
        found = [self._found(answer, right[answer.row], self._share(answer, shares)) for answer in answers]
        return laid_out(Score.columns_written(self), self.of, batch, answers, found)

    def _share(self, answer: Answer, shares: Sequence[Sequence[Any]]) -> float | None:
        if not shares:
            return None
        if self.of == "candidates":
            values = shares[0][answer.row] or ()
            return values[answer.place] if answer.place < len(values) else None
        share: float | None = shares[answer.place][answer.row]
        return share

    def _found(self, answer: Answer, right: bool | None, share: float | None) -> dict[str, float | None]:
        return {self.column: rewarded(self.reward, verdict_of(answer.text), right, share, self.bonus)}


@final
@register("filter.critique_reward")
class CritiqueRewardGate(Gate):
    """Drop rows whose chosen critique has no reward above a bound."""

    reads = ("chosen_{column}",)
    paper = "Critique-RL, arXiv 2510.24320"

    column: str = "critique_reward"
    """Name of the reward, without the side."""
    above: float = 0.0
    """Rewards at or below this go."""

    def why_drop(self, batch: pa.Table) -> pa.Array:
        reward = floats(batch[f"chosen_{self.column}"])
        return first_reasons(len(reward), [(np.isnan(reward), "no reward"), (reward <= self.above, "reward too low")])


def rewarded(
    reward: Reward, said: str | None, right: bool | None, share: float | None, bonus: float = 0.2
) -> float | None:
    """The reward of one critique: `said` is its verdict on a response that is `right` or not, `share` that of
    right revisions in [0, 1]. Null where what the reward needs is not known."""
    if right is None:
        return None
    true = said is not None and (said == "right") == right
    if reward == "verdict":
        return 1.0 if true else -1.0
    if reward == "verdict_and_help" and not true:
        return -1.0
    if share is None:
        return None
    if reward == "verdict_and_help":
        return share + bonus
    return share - float(right) if reward == "change" else (0.2 if right else 1.0) * share
