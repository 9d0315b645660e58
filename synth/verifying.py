"""What a verifier is: told an answer and a reference, it says whether the answer is right. No judge is asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from pydantic import BaseModel, ConfigDict

Result = Literal["right", "wrong", "unreadable"]


@final
@dataclass(frozen=True)
class Finding:
    """What a verifier found, and why an answer is not right."""

    result: Result
    why: str = ""

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.result == "right"


class Verifier(BaseModel, ABC):
    """Common ground of verifiers: data, like a stage's options."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
    needs_reference: ClassVar[bool] = True

    @abstractmethod
    async def verify(self, answer: str, reference: Any) -> Finding:
        """Whether the answer is right by the reference; never raises for what a model wrote."""

    def faults(self) -> Sequence[str]:
        """What keeps it from working here; empty when nothing does."""
        return ()
