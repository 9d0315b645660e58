"""Judging 10,000 pairs of answers at 256 calls in flight, beside a bare aiohttp runner.

Run: make bench-judge, or python bench/judge.py [fast] [slow] [half] [kill] [run]. The endpoint is
bench/judge_endpoint.py on the loopback address: a tail of latencies, 429s, 500s, answers cut short.

    fast   ours and the bare runner in turn (A B A B): seconds, CPU a call, peak memory, null verdicts
    slow   the same with latencies eight times as long
    half   half of all calls answered 429: requests sent for a row
    kill   SIGKILL at ten random moments, started again each time: what was paid for again
    run    the same pairs through `rather run` with `judge.pairwise`

Every run is a process of its own. Ideal = the sum of the latencies imposed / 256.
"""

from __future__ import annotations

import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from judge_endpoint import mark_of
from judge_systems import CONCURRENCY, PAIRS, soundly, texts

HERE: Final = Path(__file__).resolve()
KINDS: Final = ("fast", "slow", "half", "kill", "run")


@contextmanager
def endpoint(**settings: float) -> Iterator[str]:
    """The judge in a process of its own; its address without the path."""
    process = subprocess.Popen([sys.executable, HERE.with_name("judge_endpoint.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = f"http://127.0.0.1:{process.stdout.readline().split()[1]}"
        post(address + "/config", settings)
        yield address
    finally:
        process.kill()
        process.wait()


def post(url: str, body: Any = None) -> dict[str, Any]:
    """JSON out, JSON in."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data)) as response:
        return json.loads(response.read())


def child(system: str, address: str, out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE.with_name("judge_systems.py")), system, address + "/v1", str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def measured(system: str, address: str) -> dict[str, Any]:
    """One run from nothing, with what the endpoint saw of it."""
    post(address + "/reset", {})
    with tempfile.TemporaryDirectory() as folder:
        told, _ = child(system, address, Path(folder)).communicate()
    stats = post(address + "/stats")
    ideal = stats["latency"] / CONCURRENCY
    return json.loads(told.splitlines()[-1]) | {"ideal": ideal, "requests": stats["requests"]} | {"stats": stats}


def compare(name: str, runs: int, systems: tuple[str, ...], **settings: float) -> None:
    """Runs in turn, one line each."""
    with endpoint(**settings) as address:
        for system in systems * runs:
            r = measured(system, address)
            print(
                f"{name:5} {system:5} {r['seconds']:6.2f} s  {r['seconds'] / r['ideal']:5.2f} × ideal"
                f"  {r['cpu_ms']:.3f} ms CPU a call  peak {r['peak_mib']:.0f} MiB  rows {r['rows']}"
                f"  null {r['null']}  requests a row {r['requests'] / (2 * PAIRS):.2f}  {r['digest']}",
                flush=True,
            )


def killed() -> None:
    """SIGKILL at ten random moments; the last start is left alone."""
    rng, asked, kept = random.Random(7), texts(), dict[str, bool]()
    with endpoint() as address, tempfile.TemporaryDirectory() as folder:
        for _ in range(10):
            target = post(address + "/stats")["requests"] + rng.randint(200, 1200)
            process = child("ours", address, Path(folder))
            while post(address + "/stats")["requests"] < target:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            kept = journalled(Path(folder), asked)
            time.sleep(0.7)  # calls of the dead run end at the endpoint
            post(address + "/kept", [mark_of(text).hex() for text, sound in kept.items() if sound])
            print(f"kill  replies in the journal {len(kept)}", flush=True)
        told, _ = child("ours", address, Path(folder)).communicate()
        stats, r = post(address + "/stats"), json.loads(told.splitlines()[-1])
        asked_again = stats["answered"] - sum(journalled(Path(folder), asked).values())
        print(
            f"kill  rows {r['rows']}  null {r['null']}  {r['digest']}  paid again though journalled"
            f" {stats['paid_again']}, though on its way at a kill {asked_again}",
            flush=True,
        )


def journalled(out: Path, asked: list[str]) -> dict[str, bool]:
    """Texts with a durable reply, and whether it is sound."""
    from rather.core.journal import call_key
    from rather.models.openai_chat import OpenAISpec

    identity, found = OpenAISpec(name="judge").identity(), dict[str, bool]()
    with sqlite3.connect(out / "journal.sqlite") as connection:
        replies = dict(connection.execute("SELECT key, reply FROM replies"))
    for text in asked:
        request = {"messages": [{"role": "user", "content": text}], "temperature": 0.0}
        said = [replies.get(call_key(identity, request, attempt)) for attempt in range(5)]
        if said[0] is not None:
            found[text] = any(soundly(json.loads(reply)["text"]) for reply in said if reply)
    return found


def main(kinds: list[str]) -> None:
    """The benches named, all by default."""
    for kind in kinds or KINDS:
        if kind == "fast":
            compare(kind, 2, ("ours", "bare"))
        elif kind == "slow":
            compare(kind, 1, ("ours", "bare"), scale=8)
        elif kind == "half":
            compare(kind, 1, ("ours",), busy=0.5)
        elif kind == "kill":
            killed()
        else:
            compare(kind, 1, ("run",))


if __name__ == "__main__":
    main(sys.argv[1:])
