"""What `bench/judge.py` measures, each in a process of its own: our client, a bare aiohttp runner, a whole run.

Run: python bench/judge_systems.py SYSTEM URL FOLDER, SYSTEM one of ours, bare, run. Figures are printed as JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

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


if __name__ == "__main__":
    work(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
