"""`train.reward_head`: a small reward model on text vectors, and how well it does on unseen prompts."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, final

import numpy as np
from pydantic import Field

from ..core.declared import ModelOf
from ..core.errors import InputError, RunError
from ..core.registry import register
from ..core.row import answer_text, last_user_text
from ..core.stage import Context, Sink
from ..models.heads import cross_fit, fit_head
from ..models.pair_table import LABEL_COLUMNS, PAIR_COLUMNS, vectors_of
from ..models.reward import save_reward
from .intervals import accuracy_interval
from .pair_sample import Sample, gather, usable

if TYPE_CHECKING:
    from ..core.frame import Frame

LOOKED_AT: Final = 16
"""Rows whose texts are encoded again, to see that `model` made their vectors."""


@final
@register("train.reward_head")
class TrainRewardHead(Sink):
    """Fit a linear Bradley-Terry reward on the pairs' text vectors and surface features, and keep it.

    Its accuracy is measured out of fold: every pair by a head that never saw its prompt. The
    folder is what `use: reward_head` loads as a model. A proxy: it knows topic and surface only.
    """

    reads = (*PAIR_COLUMNS, *LABEL_COLUMNS, "prompt_hash")
    paper = "Bradley and Terry, 1952; Stiennon et al., 2020 (reward models of pairwise preference)"

    model: Annotated[str, ModelOf("text_encoder")] = "static"
    """The encoder that made the vectors: it is kept with the head, to score new answers with."""
    path: str = "reward_head"
    """Folder of the head; a relative path is taken from the run folder."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Parts the prompts are split into to measure accuracy."""
    l2: Annotated[float, Field(gt=0)] = 1.0
    """Strength of the ridge: a priori a margin has variance 1 / l2 (logits squared)."""
    most: Annotated[int, Field(ge=100)] = 100_000
    """Largest number of pairs fitted on; beyond it a random sample is."""

    def sink(self, rows: Frame, ctx: Context) -> Mapping[str, Any]:
        """Facts: path, accuracy with low and high (95 %), rows, sampled, seconds."""
        began = time.perf_counter()
        self._check_encoder(rows, ctx)
        picked = usable(rows)
        fitted = picked
        if len(picked) > self.most:
            rng = np.random.default_rng([ctx.seed, len(picked)])
            fitted = np.sort(rng.choice(picked, self.most, replace=False))
        sample = gather(rows, fitted)
        accuracy = self._accuracy(sample, ctx)
        delta, weights, _ = sample.to_fit()
        head = fit_head(delta, l2=self.l2, weights=weights)
        folder = Path(ctx.out) / self.path
        encoder = ctx.view.plan.models[self.model].identity()
        save_reward(head, encoder, "prompt_vector" in rows.names, folder)
        facts = {"path": str(folder), **accuracy, "rows": len(sample), "of": len(picked)}
        (folder / "measured.json").write_text(json.dumps(accuracy, indent=1) + "\n", encoding="utf-8")
        return facts | {"seconds": round(time.perf_counter() - began, 2)}

    def _accuracy(self, sample: Sample, ctx: Context) -> dict[str, float]:
        """Accuracy of out-of-fold margins on the labels as they stand; ties in margin count half."""
        if len(np.unique(sample.prompts)) < self.folds:
            cause = f"{len(np.unique(sample.prompts))} prompts cannot be split into {self.folds} folds"
            raise InputError(cause, place="train.reward_head", hint="give more pairs or fewer folds")
        if ctx.stop_asked():
            raise RunError("interrupted before the reward head was fitted")
        delta, weights, owner = sample.to_fit()
        margin = cross_fit(delta, sample.prompts[owner], folds=self.folds, seed=ctx.seed, l2=self.l2, weights=weights)[
            : len(sample)
        ]
        right = np.where(margin == 0, 0.5, (margin > 0) == (sample.weight >= sample.counter))
        found = accuracy_interval(right[None].astype(np.float64), sample.prompts)
        figures = {"accuracy": found.value, "low": found.low, "high": found.high}
        return {name: round(value, 4) for name, value in figures.items()}

    def _check_encoder(self, rows: Frame, ctx: Context) -> None:
        """InputError unless the vectors are those `model` makes of the texts."""
        names = [n for n in (c.rstrip("?") for c in PAIR_COLUMNS) if n in rows.names]
        table = next(rows.batches(names, LOOKED_AT), None)
        if table is None:
            raise InputError("no pair to learn from", place="train.reward_head")
        texts = {"chosen_vector": answer_text(table["chosen"])}
        if "prompt_vector" in names:
            texts["prompt_vector"] = last_user_text(table["prompt"])
        for name, column in texts.items():
            stored, made = vectors_of(table, name), ctx.models[self.model].encode(_plain(column))
            there = column.is_valid().to_numpy(zero_copy_only=False)
            if stored.shape != made.shape or not np.allclose(stored[there], made[there], atol=1e-3):
                cause = f"{name} was not made by the encoder {self.model}"
                hint = "set model: to the one embed.text used, with prompt: last"
                raise InputError(cause, place="train.reward_head", hint=hint)


def _plain(column: Any) -> list[str]:
    return [text or "" for text in column.to_pylist()]
