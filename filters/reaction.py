"""`score.reaction` and `diagnose.reaction`: the chance of a reaction, and what its score would reward."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, final

import numpy as np
import pyarrow as pa
from pydantic import Field

from ..core.declared import Column
from ..core.frame import Frame
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.row import answer_text
from ..core.stage import Columns, Context, Fit, Sink
from .reasons import floats
from .vectors import present_vectors

_WORD: Final = re.compile(r"\w+(?:['’]\w+)?|[^\w\s]")
_LONGEST: Final = 3


@final
@register("score.reaction")
class ReactionScore(Fit):
    """P(reaction | context, answer): a logistic head on text vectors, cross-fitted over prompts.

    Learns from rows that say whether users reacted (a column of booleans); others are scored by a head
    fitted on all of those. No reaction is no dislike: use the chance beside other scores, and look at
    `diagnose.reaction` before training on it. Where rows without a reaction were thinned out, `rate`
    brings the chances back to the rate seen in use. RLUF (Han et al., 2025).
    """

    reads = ("chosen_vector", "prompt_vector?", "{label}", "prompt_hash")
    writes = (Column("{column}", "chance that users react", pa.float64(), "probability", 0, 1, "higher"),)
    paper = "RLUF, arXiv 2505.14946"

    label: str = "reaction"
    """Column that says whether users reacted; null = not known."""
    column: str = "p_reaction"
    """Name of the chance."""
    rate: Annotated[float | None, Field(gt=0, lt=1)] = None
    """Share of reactions in use; null = the share among the labelled rows."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Parts of the prompts; each is scored by a head fitted on the others."""
    l2: Annotated[float, Field(gt=0)] = 1.0
    """Ridge of the head."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        from ..models.heads import cross_fit, fit_head

        names = [n for n in ("chosen_vector", "prompt_vector") if n in narrow.names]
        label = floats(narrow.column(self.label))
        vectors, present = zip(*(present_vectors(narrow.column(name)) for name in names), strict=True)
        features = np.hstack([*vectors, np.ones((len(label), 1), np.float32)])
        scored, known = np.logical_and.reduce(present), ~np.isnan(label)
        learnt = scored & known
        if len(np.unique(label[learnt])) < 2:
            return {self.column: pa.nulls(len(label), pa.float64())}
        # A Bradley–Terry head on features signed by the label is logistic regression on the label.
        sign = np.where(label[learnt] > 0, 1.0, -1.0)
        signed = features[learnt] * sign[:, None]
        groups = narrow.column("prompt_hash").to_numpy()[learnt]
        logit = fit_head(signed, l2=self.l2).margin(features)
        logit[learnt] = sign * cross_fit(signed, groups, folds=self.folds, seed=ctx.seed, l2=self.l2)
        chance = 1 / (1 + np.exp(-(logit + prior_shift(float((sign > 0).mean()), self.rate))))
        return {self.column: pa.array(chance, mask=~scored)}


@final
@register("diagnose.reaction")
class DiagnoseReaction(Sink):
    """Say what a reaction score would reward: phrases that are frequent among its highest answers.

    Facts: AUROC against the label where there is one, and the phrases of one to three words whose share
    among the top answers exceeds that among the others by the most standard errors. Kind closings on
    top of the list are the drift that RLUF saw.
    """

    reads = ("chosen", "{column}", "{label}?")
    paper = "RLUF, arXiv 2505.14946"

    column: str = "p_reaction"
    """The score that is looked at."""
    label: str = "reaction"
    """Column that says whether users reacted."""
    top: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the answers that counts as the top."""
    phrases: Annotated[int, Field(ge=1, le=1000)] = 20
    """Phrases told."""
    most: Annotated[int, Field(ge=100)] = 20_000
    """Answers looked at, the first ones."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        columns = [name for name in ("chosen", self.column, self.label) if name in rows.names]
        parts, seen = [], 0
        for batch in rows.batches(columns):
            parts.append(batch.slice(0, self.most - seen))
            seen += parts[-1].num_rows
            if seen >= self.most:
                break
        if not parts:
            return {"answers": 0, "auroc": None, "phrases": []}
        table = pa.concat_tables(parts)
        score = floats(table[self.column])
        texts = answer_text(table["chosen"]).to_pylist()
        label = floats(table[self.label]) if self.label in columns else np.full(len(score), np.nan)
        able = ~np.isnan(score) & np.array([text is not None for text in texts], bool)
        high = np.zeros(len(score), bool)
        ranked = np.flatnonzero(able)[np.argsort(-score[able], kind="stable")]
        high[ranked[: int(np.ceil(self.top * len(ranked)))]] = True
        told = enriched([texts[i] for i in np.flatnonzero(high)], [texts[i] for i in np.flatnonzero(able & ~high)])
        return {"answers": int(able.sum()), "auroc": auroc(score, label), "phrases": told[: self.phrases]}


def prior_shift(sampled: float, rate: float | None) -> float:
    """What to add to a logit learnt at the share `sampled` to hold at `rate`: logit(rate) - logit(sampled)."""
    if rate is None:
        return 0.0
    return float(np.log(rate / (1 - rate)) - np.log(sampled / (1 - sampled)))


def auroc(score: np.ndarray, label: np.ndarray) -> float | None:
    """Chance that a labelled 1 scores above a labelled 0, ties half; None when one of them is missing."""
    able = ~np.isnan(score) & ~np.isnan(label)
    yes, no = np.sort(score[able & (label > 0)]), np.sort(score[able & (label <= 0)])
    if len(yes) == 0 or len(no) == 0:
        return None
    below, up_to = (np.searchsorted(no, yes, side=side) for side in ("left", "right"))
    return float((below + up_to).sum() / (2 * len(yes) * len(no)))


def enriched(top: Sequence[str], rest: Sequence[str]) -> list[dict[str, Any]]:
    """Phrases more frequent in `top` than in `rest`, by z of the difference of shares, largest first."""
    if not top or not rest:
        return []
    ours, theirs = (Counter(p for text in texts for p in phrases(text)) for texts in (top, rest))
    found = []
    for phrase, count in ours.items():
        a, b = count / len(top), theirs[phrase] / len(rest)
        pooled = (count + theirs[phrase]) / (len(top) + len(rest))
        error = np.sqrt(pooled * (1 - pooled) * (1 / len(top) + 1 / len(rest)))
        if a > b and error > 0:
            found.append({"phrase": phrase, "top": a, "rest": b, "z": float((a - b) / error)})
    return sorted(found, key=lambda entry: (-entry["z"], entry["phrase"]))


def phrases(text: str) -> set[str]:
    """The runs of one to three words and signs of a text, each once."""
    words = _WORD.findall(text.casefold())
    return {" ".join(words[k : k + n]) for n in range(1, _LONGEST + 1) for k in range(len(words) - n + 1)}
