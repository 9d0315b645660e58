"""What a judge's reply amounts to: a typed outcome, and a value only when it is sound.

Asking for a verdict and reading it stands below both the stages that judge and the stages that make,
so that a generator may have its negative confirmed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar, final

from ..core.errors import CallError, CallRefused
from ..core.paid import Reply, Request

T = TypeVar("T")
# How providers word a request declined for what it says; other refusals (too long, no such model) are failed calls.
_POLICY: Final = re.compile(r"content[ _-]?(?:filter|policy|management)|moderation|safety|policy[ _]violation", re.I)


@final
class Outcome(StrEnum):
    """How a reply ended; none but `ok` becomes a number."""

    OK = "ok"
    UNPARSABLE = "unparsable"
    REFUSED = "refused"
    TRUNCATED = "truncated"
    OFF_SCALE = "off_scale"
    FAILED = "failed"


@final
@dataclass(frozen=True)
class Verdict:
    """One reading of one reply. `value` is None unless the outcome is ok.

    `spread` holds the probability of each allowed answer where log-probabilities were asked for
    (summing to 1), `why` the judge's own words.
    """

    outcome: Outcome
    value: Any = None
    why: str = ""
    spread: dict[str, float] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there is a value."""
        return self.outcome is Outcome.OK


class Asker(Protocol):
    """A chat model as a stage has it (`ctx.models[...]`)."""

    async def ask(self, request: Request, attempt: int = 0) -> Reply:
        """One reply."""

    def ask_each(
        self,
        requests: Sequence[Request],
        read: Callable[[Reply | CallError], T],
        *,
        attempt: int = 0,
        again: int = 0,
        poor: Callable[[T], bool] | None = None,
    ) -> list[T]:
        """What `read` makes of many replies, from a worker thread; poor ones are asked for `again`."""


Reader = Callable[[Reply], Verdict]


def ask_verdicts(model: Asker, requests: Sequence[Request], read: Reader, *, again: int = 1) -> list[Verdict]:
    """A verdict for each request; replies that do not parse are asked for anew, `again` times.

    A refusal, also by an endpoint's content policy, is final; a failed call is `failed` with its error as the reason.
    """
    return model.ask_each(requests, lambda reply: _verdict(reply, read), again=again, poor=_worth_another)


async def ask_verdict(model: Asker, request: Request, read: Reader, *, again: int = 1) -> Verdict:
    """The same for one request, from a coroutine."""
    verdict = Verdict(Outcome.FAILED)
    for attempt in range(again + 1):
        try:
            reply: Reply | CallError = await model.ask(request, attempt)
        except CallError as error:
            reply = error
        verdict = _verdict(reply, read)
        if verdict.outcome not in _WORTH_ANOTHER:
            break
    return verdict


def counted(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many verdicts ended how, every outcome named."""
    return {outcome.value: sum(v.outcome is outcome for v in verdicts) for outcome in Outcome}


_WORTH_ANOTHER = frozenset({Outcome.UNPARSABLE, Outcome.TRUNCATED, Outcome.OFF_SCALE})


def _worth_another(verdict: Verdict) -> bool:
    return verdict.outcome in _WORTH_ANOTHER


def _verdict(reply: Reply | CallError, read: Reader) -> Verdict:
    if isinstance(reply, CallRefused) and _POLICY.search(reply.cause):
        return Verdict(Outcome.REFUSED, why=reply.cause)
    if isinstance(reply, CallError):
        return Verdict(Outcome.FAILED, why=reply.cause)
    verdict = read(reply)
    if verdict.outcome is Outcome.UNPARSABLE and reply.finish == "length":
        return Verdict(Outcome.TRUNCATED, why=verdict.why)
    if verdict.outcome is Outcome.UNPARSABLE and reply.finish in ("refusal", "content_filter"):
        return Verdict(Outcome.REFUSED, why=verdict.why)
    return verdict
