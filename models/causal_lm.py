"""A language model in this process as a measure: how probable it finds an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, final

import numpy as np
from pydantic import Field

from ..core.registry import ModelSpec, model
from .passes import DType, Encoded, Passes, loaded
from .talks import Talk, as_continuation


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


def _summed(text: Encoded, logits: Any) -> tuple[float, float]:
    import torch

    answer = torch.tensor(text.ids[text.start :], device=logits.device)
    if len(answer) == 0:
        return 0.0, 0.0
    before = logits[-len(answer) - 1 : -1].float()
    picked = before.gather(1, answer[:, None])[:, 0] - before.logsumexp(1)
    return float(picked.double().sum()), float(len(answer))


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
