"""A language model in this process as a measure: how probable it finds an answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, final

import numpy as np
from pydantic import Field

from ..core.registry import ModelSpec, model
from .passes import DType, Encoded, Passes, loaded
from .talks import Talk, as_continuation, joined, offsets_of


@final
@dataclass(frozen=True)
class Tokens:
    """An answer's tokens: `ids`, where each stands in its text (code points, end exclusive, int [m, 2]), and its
    log-probability after what is before it (nats, float64 [m])."""

    ids: tuple[int, ...]
    places: np.ndarray
    logprobs: np.ndarray


@final
class CausalLM:
    """Conversations to log-probabilities. An answer's are the same alone and in company."""

    def __init__(self, passes: Passes, tokenizer: Any, between: str) -> None:
        self._passes, self._tokenizer, self._between = passes, tokenizer, between

    def logprobs(self, prompts: Sequence[Talk], answers: Sequence[Talk]) -> tuple[np.ndarray, np.ndarray]:
        """Σ log p(token | what is before it) over an answer's tokens, and their number: float64 [n] each.

        NaN for a text that is longer than the model reads, in nats otherwise. The end of the answer
        (its end token, or what the chat template closes it with) counts as one of its tokens. Raises
        RowError for a conversation the chat template refuses.
        """
        texts = [as_continuation(self._tokenizer, p, a, self._between) for p, a in zip(prompts, answers, strict=True)]
        found = self._passes.read(texts, 2, _summed)
        return found[:, 0], found[:, 1]

    def tokens(self, prompts: Sequence[Talk], answers: Sequence[Talk]) -> list[Tokens | None]:
        """The tokens that make up each answer's text; None for a text that is longer than the model reads.

        Tokens of the chat template and the end token are left out. Raises InputError for a tokenizer that
        does not tell where its tokens stand, RowError for a conversation the chat template refuses.
        """
        texts = [as_continuation(self._tokenizer, p, a, self._between) for p, a in zip(prompts, answers, strict=True)]
        width = max((len(text.ids) - text.start for text in texts), default=0)
        found = self._passes.read(texts, width, lambda text, logits: _padded(text, logits, width))
        return [
            self._tokens(text, logprobs, prompt, answer) if len(text.ids) <= self._passes.most else None
            for text, logprobs, prompt, answer in zip(texts, found, prompts, answers, strict=True)
        ]

    def _tokens(self, text: Encoded, logprobs: np.ndarray, prompt: Talk, answer: Talk) -> Tokens:
        places = np.array(offsets_of(self._tokenizer, prompt, answer, self._between), np.int64)[text.start :]
        inside = places[:, 1] > places[:, 0]
        ids = np.array(text.ids[text.start :])[inside].tolist()
        return Tokens(tuple(ids), trimmed(places[inside], joined(answer)), logprobs[: len(places)][inside])


def trimmed(places: np.ndarray, text: str) -> np.ndarray:
    """Places without the white space at their ends, where more than that is left."""
    found = []
    for start, end in places.tolist():
        piece = text[start:end]
        lead, trail = len(piece) - len(piece.lstrip()), len(piece) - len(piece.rstrip())
        found.append((start + lead, end - trail) if piece.strip() else (start, end))
    return np.array(found, np.int64).reshape(-1, 2)


def _summed(text: Encoded, logits: Any) -> tuple[float, float]:
    picked = _picked(text, logits)
    return float(picked.sum()), float(len(picked))


def _padded(text: Encoded, logits: Any, width: int) -> list[float]:
    """The log-probability of each token of the answer, NaN beyond its end."""
    picked: list[float] = _picked(text, logits).tolist()
    return [*picked, *[float("nan")] * (width - len(picked))]


def _picked(text: Encoded, logits: Any) -> Any:
    """The log-probability of each token of the answer, a float64 tensor."""
    import torch

    answer = torch.tensor(text.ids[text.start :], dtype=torch.long, device=logits.device)
    before = logits[-len(answer) - 1 : -1].float()
    return (before.gather(1, answer[:, None])[:, 0] - before.logsumexp(1)).double()


@final
@model("causal_lm")
class CausalLMSpec(ModelSpec):
    """A causal language model that tells how probable an answer is, such as the reference model of DPO.

    Prompts are laid out by the tokenizer's chat template, which must be the one of training; without
    one, the answer follows the prompt and ends in the end token.
    """

    kind: ClassVar[str] = "causal_lm"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device", "tokens"})

    name: Annotated[str, Field(min_length=1)]
    """A folder, or a name on the Hub."""
    between: str = ""
    """What stands between prompt and answer where there is no chat template."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    max_tokens: Annotated[int | None, Field(ge=2)] = None
    """Longest text, prompt and answer; null = what the model reads."""
    tokens: Annotated[int, Field(ge=64)] = 8192
    """Tokens that run together on an accelerator; on a CPU each text runs alone."""

    def load(self) -> CausalLM:
        """The model with its weights read; InputError when there are none."""
        passes, tokenizer = loaded(
            "AutoModelForCausalLM", self.name, self.device, self.dtype, self.max_tokens, self.tokens
        )
        return CausalLM(passes, tokenizer, self.between)
