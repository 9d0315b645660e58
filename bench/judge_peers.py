"""The judge bench with what users would pick instead: 10,000 calls at concurrency 256 through each, in turn.

Run: python bench/judge_peers.py [--reps N] [--systems ours,bare,openai] [--venvs FOLDER]

Each peer is installed into an environment of its own under --venvs (default: beside the system's
temporary files) the first time. The endpoint is that of bench/judge.py. Printed: seconds of work, CPU a
call, rows without a verdict, and the ratio to ours in the same turn. `openai` is the SDK with a
semaphore and retries, as most people write it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any, Final

from judge import HERE, endpoint, measured, post
from judge_systems import CONCURRENCY, PAIRS

PEERS: Final = {"openai": ["openai==3.54.0"]}
OPENAI: Final = """
import asyncio
from openai import AsyncOpenAI
async def one(client, gate, i):
    async with gate:
        try:
            reply = await client.chat.completions.create(
                model="judge", messages=[{"role": "user", "content": asked[i]}], temperature=0.0)
            found[i] = soundly(reply.choices[0].message.content)
        except Exception:
            found[i] = None
async def main():
    gate = asyncio.Semaphore(CONCURRENCY)
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=6) as client:
        await asyncio.gather(*(one(client, gate, i) for i in range(len(asked))))
run = lambda: asyncio.run(main())
"""
AROUND: Final = """
import json, os, sys, time
sys.path.insert(0, {bench!r})
from judge_systems import CONCURRENCY, soundly, texts
url, out = sys.argv[1:3]
asked = texts()
found = [None] * len(asked)
{body}
began, cpu = time.perf_counter(), time.process_time()
run()
seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
n = len(asked)
print(json.dumps({{"seconds": seconds, "cpu_ms": cpu / n * 1000, "rows": n, "null": found.count(None)}}))
"""


def peer(name: str, venvs: Path, address: str) -> dict[str, Any]:
    """One run of a peer from nothing, with what the endpoint saw of it."""
    python = venvs / name / "bin" / "python"
    if not python.exists():
        venv.create(venvs / name, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PEERS[name]], check=True)
    post(address + "/reset", {})
    script = AROUND.format(bench=str(HERE.parent), body=OPENAI)
    with tempfile.TemporaryDirectory() as out:
        file = Path(out) / "peer.py"
        file.write_text(script, encoding="utf-8")
        command = [str(python), str(file), address + "/v1", out]
        told = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    return json.loads(told.splitlines()[-1]) | {"stats": post(address + "/stats")}


def main() -> None:
    """Every system in turn, `reps` times; medians and ratios to ours."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reps", type=int, default=2)
    parser.add_argument("--systems", default="ours,bare,openai")
    parser.add_argument("--venvs", type=Path, default=Path(tempfile.gettempdir()) / "rather-bench-venvs")
    asked = parser.parse_args()
    ratios: dict[str, list[float]] = {}
    with endpoint() as address:
        for _ in range(asked.reps):
            ours = float("nan")
            for name in asked.systems.split(","):
                r = peer(name, asked.venvs, address) if name in PEERS else measured(name, address)
                ours = r["seconds"] if name == "ours" else ours
                ratios.setdefault(name, []).append(r["seconds"] / ours)
                print(
                    f"{name:8} {r['seconds']:7.2f} s  {r['cpu_ms']:.3f} ms CPU a call  null {r['null']} of {2 * PAIRS}"
                    f"  {r['seconds'] / ours:6.2f} × ours  load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
    print(
        f"medians at {CONCURRENCY} in flight: "
        + ", ".join(f"{n} {statistics.median(v):.2f} × ours" for n, v in ratios.items())
    )


if __name__ == "__main__":
    sys.exit(main())
