"""Questions asked at once: what becomes of a row does not depend on which reply comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, final

import pytest
from rather.core.errors import BudgetReached, CallError, StageFailed
from rather.core.paid import Reply, Request
from rather.core.stage import Dropped
from rather.synth.making import together
from rather.synth.reference_feedback import ReferenceFeedback

from ..judges import FakeContext
from .scripted import row_of

SEED = row_of("Explain tides to a child.", chosen="The moon pulls the sea, so it comes and goes twice a day.")
PROMPT, ANSWER = "What makes this prompt valuable", "What makes this answer good"


@final
class Slow:
    """Answers each part of a prompt after its own number of turns of the loop."""

    name = "slow"

    def __init__(self, said: Mapping[str, tuple[int, Reply | CallError]]) -> None:
        self.said = said
        self.ended: list[str] = []

    async def ask(self, request: Request, attempt: int = 0) -> Reply:
        text = str(request["messages"][-1]["content"])
        part = next(part for part in self.said if part in text)
        turns, reply = self.said[part]
        for _ in range(turns):
            await asyncio.sleep(0)
        self.ended.append(part)
        if isinstance(reply, CallError):
            raise reply
        return reply


def fate(prompt: tuple[int, Reply | CallError], answer: tuple[int, Reply | CallError]) -> tuple[str, int]:
    """Why the row goes when both parts of its feedback come to nothing, and how many calls had ended by then."""
    model = Slow({PROMPT: prompt, ANSWER: answer})
    context = FakeContext({"writer": model})

    async def mapped() -> Any:
        return await ReferenceFeedback(new=2).map(SEED, context)

    try:
        asyncio.run(mapped())
    except Dropped as dropped:
        return dropped.drop.reason, len(model.ended)
    except CallError as error:
        return error.cause, len(model.ended)
    raise AssertionError("the row stayed")


CUT, NO = Reply("It na", "length"), Reply("I'm sorry, I can't help with that.", "refusal")


@pytest.mark.parametrize(("first", "second"), [(1, 9), (9, 1), (4, 4)])
def test_the_reason_does_not_depend_on_the_order_of_replies(first: int, second: int) -> None:
    """Two asks of a truncated reply and one of a refusal end, whichever comes first."""
    assert fate((first, CUT), (second, NO)) == ("prompt_feedback: truncated", 3)
    assert fate((first, NO), (second, CUT)) == ("prompt_feedback: refused", 3)


@pytest.mark.parametrize(("first", "second"), [(1, 9), (9, 1)])
def test_a_failed_call_fails_the_row_whatever_else_would_drop_it(first: int, second: int) -> None:
    """The row is tried again: with the reply, the reason may be another one."""
    down = CallError("the endpoint is down")
    assert fate((first, NO), (second, down)) == ("the endpoint is down", 2)
    assert fate((first, down), (second, NO)) == ("the endpoint is down", 2)


async def after(turns: int, end: Any) -> Any:
    for _ in range(turns):
        await asyncio.sleep(0)
    if isinstance(end, BaseException):
        raise end
    return end


def test_values_come_in_the_order_given() -> None:
    async def asked() -> list[Any]:
        return await together(after(3, "a"), after(1, None), after(2, "c"))

    assert asyncio.run(asked()) == ["a", None, "c"]
    assert asyncio.run(together()) == []


@pytest.mark.parametrize("turns", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3)])
@pytest.mark.parametrize("end", [BudgetReached("spent"), StageFailed("the endpoint is gone"), MemoryError("full")])
def test_what_ends_the_run_comes_before_what_fails_the_row(turns: tuple[int, ...], end: Exception) -> None:
    ends = (Dropped("first"), CallError("down"), end, CallError("down as well"))

    async def asked(number: int) -> None:
        await together(*(after(*one) for one in list(zip(turns, ends, strict=True))[:number]))

    for number, expected in ((1, ends[0]), (2, ends[1]), (4, ends[2])):
        with pytest.raises(type(expected)) as raised:
            asyncio.run(asked(number))
        assert raised.value is expected


def test_a_cancelled_row_leaves_nothing_running() -> None:
    ended: list[str] = []

    async def never() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    async def stopped() -> None:
        row = asyncio.ensure_future(together(never(), never()))
        await asyncio.sleep(0.01)
        row.cancel()
        with pytest.raises(asyncio.CancelledError):
            await row

    asyncio.run(stopped())
    assert ended == ["cancelled", "cancelled"]
