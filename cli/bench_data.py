"""What `rather bench` knows: the benchmarks, where their rows lie, how they are grouped."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

from ..core.errors import InputError

DATA: Final = "RATHER_TEST_DATA"


@final
@dataclass(frozen=True)
class Bench:
    """A benchmark: `file` lies under $RATHER_TEST_DATA; `by` groups its rows; `ties` are an answer there."""

    name: str
    about: str
    file: str = ""
    by: tuple[str, ...] = ()
    ties: bool = False
    read: Mapping[str, Any] = field(default_factory=dict)
    matched: float | None = None
    made: bool = False


_ALL: Final = (
    Bench("llmbar", "instruction following, five subsets; arXiv 2310.07641", "preferences/llmbar.jsonl", ("subset",)),
    Bench("hhh", "helpful, honest, harmless, other; arXiv 2112.00861", "preferences/hhh_alignment.jsonl", ("subset",)),
    Bench(
        "mt-bench",
        "human majority on MT-Bench answers; arXiv 2306.05685",
        "preferences/mt_bench_human_majority.jsonl",
    ),
    Bench(
        "pandalm",
        "three human votes a pair, ties among them; arXiv 2306.05087",
        "annotations/pandalm_human3.jsonl",
        ties=True,
        read={"layout": "labelled"},
    ),
    Bench(
        "matched-signal",
        "pairs of like length, by genre, as in WritingPreferenceBench",
        by=("genre", "category"),
        matched=1.3,
    ),
    Bench(
        "ruff-like",
        "template contrasts with exact labels, by distractors; nothing to download",
        by=("distractors",),
        made=True,
    ),
    Bench("pairs", "any gold set of pairs whose chosen answer is right", by=("subset", "category", "source")),
)
BENCHES: Final = {bench.name: bench for bench in _ALL}

STRATEGIES: Final[dict[str, dict[str, Any]]] = {
    "vanilla": {"rules": False},
    "rules": {},
    "cot": {"reason": True},
    "swap_cot": {"reason": True, "conflict": "synthesise"},
    "metrics": {"metrics": "metrics"},
    "reference": {"reference": "reference"},
    "metrics_reference": {"metrics": "metrics", "reference": "reference"},
}
"""LLMBar's ways of asking, as options of judge.pairwise; helps that are named get a stage of their own."""


def data_of(bench: Bench, data: str | None) -> str:
    """A path or Hub id with the rows; InputError that says where they may come from."""
    if data is not None:
        return data
    root = os.environ.get(DATA)
    if bench.file and root and (Path(root) / bench.file).is_file():
        return str(Path(root) / bench.file)
    columns = ", ".join(["prompt", "chosen (the right one)", "rejected", *bench.by[:1]])
    hint = f"--data FILE_OR_HUB_ID with the columns {columns}, or set {DATA}"
    raise InputError(f"the rows of {bench.name} are not shipped", hint=hint)
