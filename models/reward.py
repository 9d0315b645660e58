"""A trained reward head as a model: answers to rewards, with the encoder it was fitted on.

`train.reward_head` leaves the folder that `use: reward_head` loads: `head.safetensors` (weights),
`head.json` and `config.json` (encoder and features). Nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, final

import numpy as np
import pyarrow as pa

from ..core.errors import InputError, did_you_mean
from ..core.registry import ModelSpec, model, models
from ..core.text_features import NAMES, answer_features
from .base import TextEncoder
from .heads import BradleyTerryHead
from .pair_features import pair_features

CONFIG: Final = "config.json"
BATCH: Final = 4096
"""Answers encoded at a time: bounds memory, changes no result."""


@final
@dataclass(frozen=True)
class RewardHead:
    """A Bradley-Terry head with its text encoder. Rewards are comparable within a prompt only."""

    head: BradleyTerryHead
    encoder: TextEncoder
    against_prompt: bool
    """Whether the features hold the products of the answer's vector with the prompt's."""

    def score(self, prompts: Sequence[str], answers: Sequence[str]) -> np.ndarray:
        """Rewards float64 [n] in logits, higher = better; a difference of two is their margin.

        `prompts` are the last messages of the conversations, one an answer. Raises InputError on
        unequal lengths and RowError for an entry that is no text.
        """
        if len(prompts) != len(answers):
            raise InputError(f"{len(prompts)} prompts for {len(answers)} answers", hint="one an answer")
        starts = range(0, len(answers), BATCH)
        parts = [self._batch(prompts[s : s + BATCH], answers[s : s + BATCH]) for s in starts]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _batch(self, prompts: Sequence[str], answers: Sequence[str]) -> np.ndarray:
        said = self.encoder.encode(answers)
        asked = self.encoder.encode(prompts) if self.against_prompt else np.zeros_like(said)
        surface, _ = answer_features(pa.array(prompts, pa.string()), pa.array(answers, pa.string()))
        # an answer's own features are its difference from an answer whose features are all 0
        meaning, surface = pair_features(asked, said, np.zeros_like(said), surface, np.zeros_like(surface))
        meaning = meaning if self.against_prompt else meaning[:, : said.shape[1]]
        return self.head.margin(np.concatenate([meaning, surface], axis=1))


@final
@model("reward_head")
class RewardHeadSpec(ModelSpec):
    """A reward head that `train.reward_head` left: answers to rewards in logits, on a CPU."""

    kind: ClassVar[str] = "reward"

    path: str
    """The folder that `train.reward_head` wrote."""

    def identity(self) -> dict[str, Any]:
        """The weights decide an answer, not the folder they lie in."""
        weights = Path(self.path) / "head.safetensors"
        held = hashlib.sha256(weights.read_bytes()).hexdigest() if weights.is_file() else ""
        return {"use": self.use, "weights": held}

    def load(self) -> RewardHead:
        """The head and its encoder; InputError for a folder that is none or is of other features."""
        return load_reward(Path(self.path))


def save_reward(head: BradleyTerryHead, encoder: Mapping[str, Any], against_prompt: bool, folder: Path) -> None:
    """Write a head and what is needed to ask it; `encoder` is the identity of its model spec."""
    head.save(folder)
    about = {
        "kind": "reward_head",
        "encoder": dict(encoder),
        "prompt": "last message",
        "against_prompt": against_prompt,
        "surface_features": list(NAMES),
    }
    text = json.dumps(about, indent=1, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def load_reward(folder: Path) -> RewardHead:
    """Read what `save_reward` wrote; InputError says what is missing or does not fit."""
    config = folder / CONFIG
    if not config.is_file():
        raise InputError("no reward head here", place=str(folder), hint="train.reward_head makes one")
    about = json.loads(config.read_text(encoding="utf-8"))
    if about.get("kind") != "reward_head" or about.get("surface_features") != list(NAMES):
        hint = "train it again with this version"
        raise InputError("this head was fitted on other features", place=str(config), hint=hint)
    options = dict(about["encoder"])
    use = options.pop("use")
    if use not in models():
        cause = f"the head needs the encoder {use}, which is not known"
        raise InputError(cause, place=str(config), hint=did_you_mean(use, models()))
    encoder = models()[use](**options).load()
    return RewardHead(BradleyTerryHead.load(folder), encoder, bool(about["against_prompt"]))
