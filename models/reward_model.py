"""A published reward model in this process: any sequence classifier of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, final

import numpy as np
from pydantic import Field

from ..core.errors import InputError
from ..core.registry import ModelSpec, model
from .passes import DType, Encoded, Passes, loaded
from .talks import Talk, as_pair


@final
class RewardModel:
    """Conversations to rewards. An answer's reward is the same alone and in company."""

    def __init__(self, passes: Passes, tokenizer: Any, output: int) -> None:
        self._passes, self._tokenizer, self._output = passes, tokenizer, output

    def rewards(self, prompts: Sequence[Talk], answers: Sequence[Talk]) -> np.ndarray:
        """Rewards float64 [n], higher = better, of one output of the model; NaN for a text that is too long.

        Raises RowError for a conversation the model's chat template refuses.
        """
        texts = [as_pair(self._tokenizer, p, a) for p, a in zip(prompts, answers, strict=True)]
        found: np.ndarray = self._passes.read(texts, 1, self._take)[:, 0]
        return found

    def _take(self, text: Encoded, logits: Any) -> tuple[float]:
        return (float(logits[self._output]),)


@final
@model("reward_model")
class RewardModelSpec(ModelSpec):
    """A sequence classifier as a reward model, by name on the Hub or as a folder; run in this process.

    The conversation is laid out by the tokenizer's chat template; without one, prompt and answer are
    a pair of texts. A text longer than the model reads has no reward.
    """

    kind: ClassVar[str] = "reward_model"
    extra: ClassVar[str] = "images"
    needs: ClassVar[tuple[str, ...]] = ("torch", "transformers")
    unkeyed: ClassVar[frozenset[str]] = frozenset({"device", "tokens"})

    name: Annotated[str, Field(min_length=1)]
    """A folder, or a name on the Hub."""
    output: Annotated[int | None, Field(ge=0)] = None
    """Which of the model's outputs is the reward; null = the only one."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    dtype: DType = "auto"
    """Of the weights; auto = as stored, on a CPU float32."""
    max_tokens: Annotated[int | None, Field(ge=2)] = None
    """Longest text; null = what the model reads."""
    tokens: Annotated[int, Field(ge=64)] = 8192
    """Tokens that run together on an accelerator; on a CPU each text runs alone."""

    def load(self) -> RewardModel:
        """The model with its weights read; InputError when there are none, or no such output."""
        passes, tokenizer = loaded(
            "AutoModelForSequenceClassification", self.name, self.device, self.dtype, self.max_tokens, self.tokens
        )
        outputs = int(passes.model.config.num_labels)
        if self.output is None and outputs > 1:
            names = ", ".join(f"{k} = {name}" for k, name in sorted(passes.model.config.id2label.items()))
            hint = f"say which is the reward by `output`: {names}"
            raise InputError(f"the model {self.name} has {outputs} outputs", hint=hint)
        if (self.output or 0) >= outputs:
            raise InputError(f"the model {self.name} has no output {self.output}", hint=f"they are 0 to {outputs - 1}")
        return RewardModel(passes, tokenizer, self.output or 0)
