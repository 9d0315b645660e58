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

import asyncio
import hashlib
import json
import random
import resource
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

HERE: Final = Path(__file__).resolve()
CONCURRENCY: Final = 256
PAIRS: Final = 5000
PROMPT: Final = """You compare two answers to an instruction. Judge helpfulness, correctness and clarity.
# Instruction
{prompt}
# Answer A
{a}
# Answer B
{b}
Reply with JSON only: {{"winner": "A" or "B", "score_a": 1-10, "score_b": 1-10, "reason": "..."}}"""
SCORE: Final = {"type": "integer", "minimum": 1, "maximum": 10}
FIELDS: Final = {"winner": {"enum": ["A", "B"]}, "score_a": SCORE, "score_b": SCORE, "reason": {"type": "string"}}
SCHEMA: Final = {"type": "object", "properties": FIELDS, "required": list(FIELDS)}
KINDS: Final = ("fast", "slow", "half", "kill", "run")


def rows() -> Iterator[dict[str, str]]:
    """5,000 seeded pairs of 50 to 160 made-up words."""
    rng = random.Random(1)
    words = ["".join(rng.choices("aeioulnrstkm", k=rng.randint(2, 9))) for _ in range(5000)]

    def text(low: int, high: int) -> str:
        return " ".join(rng.choices(words, k=rng.randint(low, high)))

    for _ in range(PAIRS):
        yield {"prompt": text(15, 60), "chosen": text(60, 160), "rejected": text(50, 160)}


def texts() -> list[str]:
    """10,000 prompts: each pair in both orders."""
    found = []
    for row in rows():
        found.append(PROMPT.format(prompt=row["prompt"], a=row["chosen"], b=row["rejected"]))
        found.append(PROMPT.format(prompt=row["prompt"], a=row["rejected"], b=row["chosen"]))
    return found


def soundly(said: str) -> dict[str, Any] | None:
    try:
        value = json.loads(said)
        return value if value["winner"] in ("A", "B") and value["score_b"] and value["reason"] else None
    except (ValueError, KeyError, TypeError):
        return None


async def bare(url: str, asked: list[str], out: Path) -> list[Any]:
    """aiohttp and a semaphore: Retry-After is waited for outside the slot, bad answers are asked again."""
    import aiohttp

    found: list[Any] = [None] * len(asked)
    gate = asyncio.Semaphore(CONCURRENCY)

    async def one(session: aiohttp.ClientSession, i: int) -> None:
        body = {"model": "judge", "messages": [{"role": "user", "content": asked[i]}], "temperature": 0.0}
        for attempt in range(50):
            wait = 0.0
            async with gate, session.post(url + "/chat/completions", json=body) as response:
                content = await response.read()
                if response.status == 200:
                    found[i] = soundly(json.loads(content)["choices"][0]["message"]["content"])
                    if found[i] is not None:
                        break
                elif response.status == 429:
                    wait = float(response.headers["retry-after"])
                else:
                    wait = 0.25 * 2**attempt
            if wait:
                await asyncio.sleep(wait)

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        await asyncio.gather(*(one(session, i) for i in range(len(asked))))
    return found


async def ours(url: str, asked: list[str], out: Path) -> list[Any]:
    """The toolkit's client: journal on disk, meter, throttle, readers."""
    from rather.core.journal import Journal
    from rather.core.meter import Budget, Meter
    from rather.core.paid import PaidModel
    from rather.models.openai_chat import OpenAISpec
    from rather.models.readers import read_json
    from rather.models.verdict import ask_verdicts

    spec = OpenAISpec(name="judge", url=url, concurrency=CONCURRENCY)
    journal = Journal(out / "journal.sqlite")
    loop = asyncio.get_running_loop()
    model = PaidModel(spec.load(), spec.identity(), journal, Meter(Budget()), "bench", loop)
    requests = [{"messages": [{"role": "user", "content": text}], "temperature": 0.0} for text in asked]
    verdicts = await asyncio.to_thread(ask_verdicts, model, requests, read_json(SCHEMA), again=4)
    await model.close()
    journal.close()
    return [verdict.value for verdict in verdicts]


def work(system: str, url: str, out: Path) -> None:
    """One run in this process; prints its figures as a line of JSON."""
    asked = texts()
    imported(system)
    began, cpu = time.perf_counter(), time.process_time()
    if system == "run":
        found = through_the_engine(url, out)
    else:
        found = asyncio.run({"ours": ours, "bare": bare}[system](url, asked, out))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    marks = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]
    figures = {"system": system, "seconds": seconds, "cpu_ms": cpu / len(asked) * 1000, "digest": marks}
    figures |= {"rows": len(found), "null": sum(value is None for value in found)}
    figures["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures), flush=True)


def imported(system: str) -> None:
    """Import what the system needs: starting up is no part of the work."""
    if system == "bare":
        import aiohttp  # noqa: F401
    else:
        import rather.core.journal
        import rather.models.openai_chat
        import rather.models.readers  # noqa: F401
    if system == "run":
        import rather.core.engine
        import rather.core.registry

        rather.core.registry.stages()


def through_the_engine(url: str, out: Path) -> list[Any]:
    """The pairs through a recipe with `judge.pairwise`."""
    from rather.core.engine import execute
    from rather.core.listeners import Silent
    from rather.core.plan import make_plan
    from rather.core.recipe_parser import parse_recipe
    from rather.core.session import RunOptions

    (out / "pairs.jsonl").write_text("\n".join(map(json.dumps, rows())), encoding="utf-8")
    recipe = f"""
models:
  judge: {{use: openai, name: judge, url: "{url}", concurrency: {CONCURRENCY}}}
stages:
  - read.pairs: {{path: "{out}/pairs.jsonl"}}
  - judge.pairwise
"""
    view = execute(make_plan(parse_recipe(recipe, "bench.yaml")), RunOptions(out / "run"), Silent())
    return view.frame("judge.pairwise").table(["judge_p"])["judge_p"].to_pylist()


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
    command = [sys.executable, str(HERE), "work", system, address + "/v1", str(out)]
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
    if sys.argv[1:2] == ["work"]:
        work(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        main(sys.argv[1:])
