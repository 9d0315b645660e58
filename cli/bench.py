"""`rather bench`: a judge against a gold set, in both orders, beside the longer-wins floor."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import yaml

from ..core.errors import InputError, did_you_mean
from ..core.overrides import apply_sets
from ..core.recipe import Recipe
from ..core.recipe_parser import parse_recipe
from ..core.secrets import redact
from ..core.session import RunOptions
from ..core.view import RunView
from . import api
from .bench_data import BENCHES, STRATEGIES, Bench, data_of
from .bench_tables import print_scores, scores_of
from .contrasts import write_contrasts
from .judge_model import judge_options
from .logs import show_stage_logs
from .run import progress

MADE_ROWS = 360
SEED = 7


@final
@dataclass(frozen=True)
class BenchRequest:
    """The options of `rather bench` as typed."""

    name: str
    judge: str
    models: Path | None = None
    data: str | None = None
    by: str | None = None
    strategy: str = "rules"
    limit: int | None = None
    matched: float | None = None
    out: Path | None = None
    sets: tuple[str, ...] = ()
    json: bool = False


def run_bench(request: BenchRequest) -> dict[str, Any]:
    """Judge the rows, print the scores; them as plain JSON."""
    for kind, name, known in (("bench", request.name, BENCHES), ("strategy", request.strategy, STRATEGIES)):
        if name not in known:
            raise InputError(f"no {kind} called {name}", hint=did_you_mean(name, known))
    bench, out = BENCHES[request.name], request.out or Path("runs") / f"bench-{request.name}"
    show_stage_logs()
    recipe = bench_recipe(request, bench, out)
    with progress(request.json) as listener:
        view = api.run(recipe, options=RunOptions(out, limit=request.limit), listener=listener)
    found = scores_of(view, bench, _by(request, bench, view))
    if request.json:
        print(redact(json.dumps(found | {"bench": bench.name, "out": str(out)}, ensure_ascii=False)))
    else:
        print_scores(found, bench, request.strategy, out)
    return found


def bench_recipe(request: BenchRequest, bench: Bench, out: Path) -> Recipe:
    """The recipe a bench stands for (kept in the run folder as `recipe.yaml`)."""
    path = (
        str(write_contrasts(out / "contrasts.jsonl", request.limit or MADE_ROWS, SEED))
        if bench.made and request.data is None
        else data_of(bench, request.data)
    )
    ask = STRATEGIES[request.strategy]
    stages: list[dict[str, Any]] = [{"read.pairs": {"path": path, **bench.read}}]
    matched = request.matched or bench.matched
    if matched is not None:
        stages += [{"score.length": {}}, {"filter.length_ratio": {"most": matched}}]
    stages += [{f"judge.{help_}": {}} for help_ in ("reference", "metrics") if help_ in ask]
    stages.append({"judge.pairwise": {"ties": bench.ties, **ask}})
    diagnose: dict[str, Any] = {"order_is_truth": True, "refuse": "warn"}
    if request.by or bench.by:
        diagnose["by"] = request.by or bench.by[0]
    stages.append({"diagnose.judge": diagnose})
    judge = judge_options(request.judge, request.models)
    whole = {"name": f"bench-{bench.name}", "seed": SEED, "models": {"judge": judge}, "stages": stages}
    return apply_sets(parse_recipe(yaml.safe_dump(whole, sort_keys=False), ""), list(request.sets))


def _by(request: BenchRequest, bench: Bench, view: RunView) -> str | None:
    """The column rows are grouped by, where there is one."""
    names = view.frame("judge.pairwise").names
    if request.by is not None:
        if request.by not in names:
            raise InputError(f"no column {request.by}", hint=did_you_mean(request.by, names))
        return request.by
    return next((name for name in bench.by if name in names), None)
