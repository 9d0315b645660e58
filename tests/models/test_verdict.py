"""What a call that brought no reply amounts to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from rather.core.errors import CallError, CallRefused
from rather.core.paid import Reply, Request
from rather.models.readers import read_text
from rather.models.verdict import Outcome, ask_verdicts


class Raising:
    """An asker all of whose calls end in one error."""

    def __init__(self, error: CallError) -> None:
        self.error = error

    async def ask(self, request: Request, attempt: int = 0) -> Reply:
        raise self.error

    def ask_each(
        self, requests: Sequence[Request], read: Callable[[Reply | CallError], Any], **options: Any
    ) -> list[Any]:
        return [read(self.error) for _ in requests]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (CallError("503: overloaded"), Outcome.FAILED),
        (CallRefused("400: the prompt has 9000 tokens, the context 4096"), Outcome.FAILED),
        (CallRefused("404: no model called judg"), Outcome.FAILED),
        (CallRefused("400: The response was filtered content_filter"), Outcome.REFUSED),
        (CallRefused("400: flagged by our moderation system"), Outcome.REFUSED),
    ],
)
def test_only_a_content_policy_is_a_refusal(error: CallError, outcome: Outcome) -> None:
    """A prompt that is too long or a model that is not there says nothing about the answer judged."""
    verdict = ask_verdicts(Raising(error), [{}], read_text)[0]
    assert verdict.outcome is outcome and verdict.value is None and verdict.why == error.cause
