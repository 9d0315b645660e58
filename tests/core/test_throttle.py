"""Admission against simulated endpoints, on a clock that jumps: capacity, chance 429s, waits, limits a minute."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rather.core.throttle import Throttle

from ..endpoints import Answer, Sent, completion, serving
from ..quickloop import run_quickly
from ..runs import run_text


@dataclass
class Endpoint:
    """Answers after `latency` seconds; 429 with `wait` above `capacity`, or by chance, after 5 ms."""

    capacity: int = 10**9
    chance: float = 0.0
    latency: float = 0.05
    wait: float = 1.0
    asked: int = 0
    refused: int = 0
    running: int = 0
    most: int = 0
    starts: list[float] = field(default_factory=list)
    rng: random.Random = field(default_factory=lambda: random.Random(5))

    async def call(self) -> bool:
        self.asked += 1
        self.starts.append(asyncio.get_running_loop().time())
        if self.running >= self.capacity or self.rng.random() < self.chance:
            self.refused += 1
            await asyncio.sleep(0.005)
            return False
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.latency * self.rng.lognormvariate(0, 0.5))
        self.running -= 1
        return True


async def row(throttle: Throttle, endpoint: Endpoint, tokens: int = 0) -> None:
    """One call until it is answered, as a paid model does it."""
    again = False
    while True:
        round = await throttle.enter(again)
        if await endpoint.call():
            throttle.leave(round, tokens, ok=True)
            return
        throttle.busy(round, endpoint.wait)
        again = True
        await asyncio.sleep(endpoint.wait)


def seconds(throttle: Callable[[], Throttle], endpoint: Endpoint, rows: int, tokens: int = 0) -> float:
    async def all_rows() -> float:
        gate = throttle()
        await asyncio.gather(*(row(gate, endpoint, tokens) for _ in range(rows)))
        assert gate.in_flight == 0
        return asyncio.get_running_loop().time()

    return run_quickly(all_rows())


def test_the_width_is_reached_within_a_few_round_trips() -> None:
    endpoint = Endpoint()
    took = seconds(lambda: Throttle(256), endpoint, 10_000)
    ideal = 10_000 * 0.05 * 1.133 / 256  # the mean of a lognormal with σ = ½ is exp(1/8) medians
    assert endpoint.most == 256 and endpoint.asked == 10_000
    assert took < 1.15 * ideal


def test_a_background_of_429s_does_not_lower_the_width() -> None:
    endpoint = Endpoint(chance=0.01)
    took = seconds(lambda: Throttle(256), endpoint, 10_000)
    assert endpoint.most == 256
    assert took < 1.15 * 10_000 * 0.05 * 1.133 / 256 + 1.1  # and the wait of one 429 near the end


@pytest.mark.parametrize("capacity", [4, 16, 40, 100, 200])
def test_a_hidden_capacity_is_found_and_used(capacity: int) -> None:
    endpoint = Endpoint(capacity=capacity, latency=0.2)
    rows = 100 * capacity
    took = seconds(lambda: Throttle(256), endpoint, rows)
    ideal = rows * 0.2 * 1.133 / capacity
    assert took < 1.8 * ideal + 2
    assert endpoint.asked < 1.5 * rows + 400


@pytest.mark.parametrize("latency", [0.05, 5.0])
def test_half_of_all_calls_refused_by_chance_costs_two_requests_a_row(latency: float) -> None:
    endpoint = Endpoint(chance=0.5, latency=latency)
    took = seconds(lambda: Throttle(256), endpoint, 10_000)
    assert endpoint.asked < 2.1 * 10_000
    assert took < 40 + 3 * 10_000 * latency * 1.133 / 256


def test_an_endpoint_that_takes_nothing_rests_for_what_it_asks() -> None:
    async def closed() -> tuple[int, float]:
        endpoint = Endpoint(capacity=0, wait=20.0)
        throttle = Throttle(64)
        rows = [asyncio.ensure_future(row(throttle, endpoint)) for _ in range(1000)]
        await asyncio.sleep(100)
        asked, endpoint.capacity = endpoint.asked, 1000
        await asyncio.gather(*rows)
        return asked, asyncio.get_running_loop().time()

    asked, took = run_quickly(closed())
    assert asked < 200  # 64 at once, 32 more in a few steps down, then one or two after each rest
    assert took < 100 + 20 + 30


@pytest.mark.parametrize("limit", [30, 200])
def test_no_more_requests_a_minute_than_allowed(limit: int) -> None:
    endpoint = Endpoint()
    took = seconds(lambda: Throttle(64, per_minute=limit), endpoint, 500)
    starts = endpoint.starts
    assert all(b - a >= 60 - 1e-6 for a, b in zip(starts, starts[limit:], strict=False))
    assert took < 60 * (500 // limit + 1)


def test_tokens_a_minute_close_the_door_until_the_minute_is_over() -> None:
    endpoint = Endpoint()
    seconds(lambda: Throttle(1, tokens_per_minute=1000), endpoint, 40, tokens=100)
    starts = endpoint.starts
    assert starts[9] < 1 and starts[10] >= 60 and starts[20] >= 120


def test_a_waiting_call_that_is_cancelled_takes_no_place() -> None:
    async def cancelled() -> int:
        throttle = Throttle(1)
        held = await throttle.enter()
        waiting = [asyncio.ensure_future(throttle.enter()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        throttle.leave(held, ok=True)
        waiting[1].cancel()  # it has been let in, and has not noticed yet
        throttle.leave(await waiting[2], ok=True)
        return throttle.in_flight

    assert run_quickly(cancelled()) == 0


def test_those_who_come_again_go_first() -> None:
    async def order() -> list[str]:
        throttle, found = Throttle(1), list[str]()

        async def come(name: str, again: bool) -> None:
            round = await throttle.enter(again)
            found.append(name)
            throttle.leave(round, ok=True)

        held = await throttle.enter()
        tasks = [asyncio.ensure_future(come(n, a)) for n, a in (("first", False), ("second", False), ("again", True))]
        await asyncio.sleep(0)
        throttle.leave(held, ok=True)
        await asyncio.gather(*tasks)
        return found

    assert run_quickly(order()) == ["again", "first", "second"]


def test_nicknames_of_one_endpoint_are_admitted_together(tmp_path: Path) -> None:
    """Two judges at one address, four calls each at most, would be eight: the address sees four."""
    most, now, lock = [0], [0], threading.Lock()

    def answer(sent: Sent) -> Answer:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return Answer(completion("7"))

    rows = "\n".join(json.dumps({"prompt": f"q{k}", "chosen": f"a{k}", "rejected": "x"}) for k in range(12))
    (tmp_path / "rows.jsonl").write_text(rows, encoding="utf-8")
    with serving(answer) as server:
        judge = f'{{use: openai, url: "{server.url}/v1", concurrency: 4, name: '
        run_text(
            f"""
models: {{a: {judge} a}}, b: {judge} b}}, c: {judge} c}}}}
stages:
  - read.pairs: {{path: {tmp_path}/rows.jsonl}}
  - judge.panel: {{judges: [a, b, c]}}
""",
            tmp_path / "run",
        )
        assert len(server.sent) == 12 * 2 * 3
    assert 2 <= most[0] <= 4
