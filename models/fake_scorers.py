"""Fakes of the models that score answers in this process: no weights, numbers by hash."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, final

import numpy as np
from pydantic import Field

from ..core.registry import ModelSpec, model
from .causal_lm import Tokens
from .talks import Talk, joined


@final
class FakeReward:
    """A reward in [-4, 4) by the hash of prompt and answer."""

    def __init__(self, most: int) -> None:
        self._most = most

    def rewards(self, prompts: Sequence[Talk], answers: Sequence[Talk]) -> np.ndarray:
        """Rewards float64 [n]; NaN for a text of more than `most` words."""
        texts = [f"{joined(p)}\0{joined(a)}" for p, a in zip(prompts, answers, strict=True)]
        fits = (len(text.replace("\0", " ").split()) <= self._most for text in texts)
        return np.array([8 * _chance(t) - 4 if fit else math.nan for t, fit in zip(texts, fits, strict=True)])


@final
class FakeCausalLM:
    """Each word of an answer is a token, its chance by the hash of the word and of what it answers."""

    def __init__(self, most: int) -> None:
        self._most = most

    def logprobs(self, prompts: Sequence[Talk], answers: Sequence[Talk]) -> tuple[np.ndarray, np.ndarray]:
        """Sums of log-probabilities in nats and numbers of words, float64 [n] each; NaN beyond `most` words."""
        found = [self._one(joined(p), joined(a)) for p, a in zip(prompts, answers, strict=True)]
        both = np.array(found).reshape(-1, 2)
        return both[:, 0], both[:, 1]

    def tokens(self, prompts: Sequence[Talk], answers: Sequence[Talk]) -> list[Tokens | None]:
        """See `CausalLM.tokens`."""
        return [self._words(joined(p), joined(a)) for p, a in zip(prompts, answers, strict=True)]

    def _words(self, asked: str, said: str) -> Tokens | None:
        words = list(re.finditer(r"\S+", said))
        if len(words) + len(asked.split()) > self._most:
            return None
        places = np.array([word.span() for word in words], np.int64).reshape(-1, 2)
        ids = tuple(int(2**31 * _chance(word.group())) for word in words)
        return Tokens(ids, places, np.array([_logprob(asked, word.group()) for word in words], np.float64))

    def _one(self, asked: str, said: str) -> tuple[float, float]:
        words = said.split()
        if len(words) + len(asked.split()) > self._most:
            return math.nan, math.nan
        return math.fsum(_logprob(asked, word) for word in words), float(len(words))


@final
@model("fake_reward")
class FakeRewardSpec(ModelSpec):
    """A fake reward model: numbers by hash, no weights; for tests and dry runs only."""

    kind: ClassVar[str] = "reward_model"

    most: Annotated[int, Field(ge=1)] = 512
    """Longest text, in words."""

    def load(self) -> FakeReward:
        """The fake."""
        return FakeReward(self.most)


@final
@model("fake_causal_lm")
class FakeCausalLMSpec(ModelSpec):
    """A fake language model: chances of words by hash, no weights; for tests and dry runs only."""

    kind: ClassVar[str] = "causal_lm"

    most: Annotated[int, Field(ge=1)] = 512
    """Longest text, in words."""

    def load(self) -> FakeCausalLM:
        """The fake."""
        return FakeCausalLM(self.most)


def _logprob(asked: str, word: str) -> float:
    return math.log(0.05 + 0.9 * _chance(f"{asked}\0{word}"))


def _chance(text: str) -> float:
    """In [0, 1), by the hash of a text."""
    hashed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(hashed[:4], "little") / 2**32
