"""From real feedback to a trained model in one recipe: cleaned, written, pushed, loaded back, DPO, weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..fake_hub import Hub
from ..tiny_llama import tiny_llama

pytestmark = pytest.mark.full
LOAD = "import sys; from datasets import load_dataset; print(load_dataset(sys.argv[1], split='train').num_rows)"
GENERATE = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = AutoModelForCausalLM.from_pretrained(sys.argv[1]), AutoTokenizer.from_pretrained(sys.argv[1])
before = AutoModelForCausalLM.from_pretrained(sys.argv[2])
moved = max((a - b).abs().max().item() for a, b in zip(model.parameters(), before.parameters()))
print(moved > 0, tuple(model.generate(**tokenizer("Hello", return_tensors="pt"), max_new_tokens=3).shape))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub(token="hf_planted0123456789abcdef") as running:
        yield running


def client(hub: Hub, home: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """A process of its own, in a clean home, that knows only the Hub of this test."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    known = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_TOKEN": hub.token, "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, words)], env=kept | known, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def test_feedback_to_a_trained_model(tmp_path: Path, hub: Hub, data: Path) -> None:
    base = tiny_llama(tmp_path / "base")
    sets = {
        "read.path": data / "preferences" / "hh_harmless_test.jsonl.gz",
        "write.hub.repo": "tester/pairs",
        "train.trl.base": base,
        "train.trl.steps": 3,
        "train.trl.device": "cpu",
        "train.trl.max_length": 64,
    }
    words = [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]
    run = client(
        hub,
        tmp_path / "home",
        "-m",
        "rather",
        "run",
        "full-chain",
        "--limit",
        200,
        "--out",
        tmp_path / "run",
        "--json",
        *words,
    )
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["rows_in"] == 200 and 0 < told["rows_out"] < 200
    assert hub.dataset("tester/pairs").private
    loaded = client(hub, tmp_path / "other", "-c", LOAD, "tester/pairs")
    assert int(loaded.stdout) == told["facts"]["write.parquet"]["rows"]["train"]
    trained = told["facts"]["train.trl"]["path"]
    weights = client(hub, tmp_path / "home", "-c", GENERATE, trained, base)
    assert weights.stdout.split(maxsplit=1)[0] == "True"
    for path in (tmp_path / "run").rglob("*"):
        assert not path.is_file() or hub.token.encode() not in path.read_bytes(), path
