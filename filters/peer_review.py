"""Suspected flips: measured once by two peers, then dropped, turned round or softened."""

from __future__ import annotations

from typing import Annotated, Literal, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from ..core.declared import Column
from ..core.narrow import Narrow
from ..core.registry import register
from ..core.stage import Columns, Context, Fit, Gate, Score

PAPER = "Collaborative Reward Modeling (CRM); peers, schedule and calibration: house"


@final
@register("score.peer_review")
class PeerReviewScore(Fit):
    """Two heads on different views of the pairs review each other; out-of-fold log-odds of each label.

    View A is what the answers mean, view B how they are written. `flip_suspect` marks at most the
    noise rate of all rows: those both views together hold for reversed.
    """

    reads = (
        "prompt", "chosen", "rejected", "chosen_vector", "rejected_vector", "prompt_vector?",
        "prompt_hash", "verdict?", "{by}?",
    )  # fmt: skip
    writes = (
        Column(
            "peer_margin_a",
            "log-odds of the label by meaning",
            pa.float64(),
            "logit",
            None,
            None,
            "higher: label right",
        ),
        Column(
            "peer_margin_b",
            "log-odds of the label by surface",
            pa.float64(),
            "logit",
            None,
            None,
            "higher: label right",
        ),
        Column(
            "p_label",
            "chance that the label is right, both views",
            pa.float64(),
            "probability",
            0,
            1,
            "higher: label right",
        ),
        Column("flip_suspect", "the label is suspected to be reversed", pa.bool_()),
        Column("keep_votes", "reviews that called the label right, of twice the rounds", pa.int32()),
    )
    paper = PAPER
    version = 2

    noise: Annotated[float, Field(ge=0, lt=0.5)] | Literal["auto"] = "auto"
    """Share of labels expected to be reversed; auto = estimated from the margins."""
    rounds: Annotated[int, Field(ge=1, le=20)] = 3
    """Times the peers exchange what they trust."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Parts of the prompts for cross-fitting."""
    l2: Annotated[float, Field(gt=0)] = 3.0
    """Ridge of the heads: a priori a margin has variance 1 / l2."""
    by: str | None = "source"
    """Column of sources, used where it is there: each is judged by heads of its own or by the common ones,
    by which its labels are more likely out of fold."""

    def fit(self, narrow: Narrow, ctx: Context) -> Columns:
        from ..models.pair_table import comparable, pair_views
        from ..models.peer_review import peer_review

        table = narrow.table()
        sound = comparable(table) if table.num_rows else np.zeros(0, bool)
        n = table.num_rows
        a, b, p = np.zeros(n), np.zeros(n), np.full(n, 0.5)
        suspect, votes = np.zeros(n, bool), np.zeros(n, np.int32)
        if sound.sum() >= 2 * self.folds:
            views = tuple(view[sound] for view in pair_views(table))
            found = peer_review(
                (views[0], views[1]), table["prompt_hash"].to_numpy()[sound],
                noise=None if self.noise == "auto" else self.noise,
                rounds=self.rounds, folds=self.folds, l2=self.l2, seed=ctx.seed, sources=self._sources(table, sound),
            )  # fmt: skip
            a[sound], b[sound], suspect[sound] = found.margin_a, found.margin_b, found.flip_suspect
            p[sound], votes[sound] = 1 / (1 + np.exp(-found.margin)), found.keep_votes
        mask = ~sound
        return {
            "peer_margin_a": pa.array(a, mask=mask),
            "peer_margin_b": pa.array(b, mask=mask),
            "p_label": pa.array(p, mask=mask),
            "flip_suspect": pa.array(suspect, mask=mask),
            "keep_votes": pa.array(votes, mask=mask),
        }

    def _sources(self, table: pa.Table, sound: np.ndarray) -> np.ndarray | None:
        if self.by is None or self.by not in table.column_names:
            return None
        names = pc.fill_null(table[self.by].combine_chunks().cast(pa.string()), "")
        codes = names.dictionary_encode().indices.to_numpy()[sound]
        return codes if codes.max(initial=0) > 0 else None


@final
@register("filter.peer_review")
class PeerReviewFilter(Gate):
    """Drop the rows whose label `score.peer_review` suspects to be reversed."""

    reads = ("flip_suspect", "peer_margin_a", "peer_margin_b", "keep_votes")
    paper = PAPER

    votes: Annotated[int, Field(ge=0, le=40)] | None = None
    """Also drop rows with fewer keep votes than this (of twice the rounds)."""

    def why_drop(self, batch: pa.Table) -> pa.Array:
        keep = pa.scalar(None, pa.string())
        suspect = pc.fill_null(batch["flip_suspect"], False)
        reasons = pc.if_else(suspect, pa.scalar("suspected flip"), keep)
        if self.votes is not None:
            few = pc.fill_null(pc.less(batch["keep_votes"], self.votes), False)
            reasons = pc.if_else(pc.and_(few, pc.is_null(reasons)), pa.scalar("few keep votes"), reasons)
        return reasons


@final
@register("transform.relabel")
class Relabel(Score):
    """Act on suspected flips without losing rows: swap the answers, or soften the label.

    `p_chosen` is the chance that the answer now chosen is the better, by both views. `flip`
    exchanges the answers where suspected, every weight 1; `soften` leaves them and gives a row the
    weight |2 p - 1|. Put it before measures that depend on who is chosen.
    """

    reads = ("chosen", "rejected", "flip_suspect", "p_label")
    writes = (
        Column("chosen", "the answer held for the better"), Column("rejected", "the other answer"),
        Column("p_chosen", "chance that chosen is the better", pa.float64(), "probability", 0, 1, "higher: surer"),
        Column("weight", "importance in training", pa.float64(), "", 0, 1, "higher: counts more"),
        Column("relabelled", "the answers were exchanged", pa.bool_()),
    )  # fmt: skip
    paper = PAPER

    action: Literal["flip", "soften"] = "soften"
    """What is done with suspected rows."""

    def score(self, batch: pa.Table, ctx: Context) -> Columns:
        n = batch.num_rows
        chosen, rejected = batch["chosen"].combine_chunks(), batch["rejected"].combine_chunks()
        p = pc.fill_null(batch["p_label"].combine_chunks(), 1.0).to_numpy()
        if self.action == "soften":
            weight = np.abs(2 * p - 1)
            return {
                "chosen": chosen, "rejected": rejected, "p_chosen": pa.array(p),
                "weight": pa.array(weight), "relabelled": pa.array(np.zeros(n, bool)),
            }  # fmt: skip
        swap = pc.fill_null(batch["flip_suspect"].combine_chunks(), False)
        flipped = swap.to_numpy(zero_copy_only=False)
        return {
            "chosen": pc.if_else(swap, rejected, chosen),
            "rejected": pc.if_else(swap, chosen, rejected),
            "p_chosen": pa.array(np.where(flipped, 1 - p, p)),
            "weight": pa.array(np.ones(n)),
            "relabelled": swap,
        }
