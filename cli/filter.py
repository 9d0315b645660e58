"""`rather filter`: clean noisy pairs in one line, by a recipe put together from the options."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, final

import yaml

from ..core.errors import InputError, did_you_mean
from ..core.overrides import apply_sets
from ..core.recipe import Recipe
from ..core.recipe_parser import parse_recipe
from ..core.session import RunOptions
from ..core.view import RunView
from . import api
from .run import progress, run_loaded
from .summary import result_line

HELD_OUT: Final = 0.15
STRATEGIES: Final = ("noise", "margin", "fifa", "top")


@final
@dataclass(frozen=True)
class FilterRequest:
    """The options of `rather filter` as typed."""

    input: str
    out: Path
    format: str | None = None
    margin: float | None = None
    noise: str | None = None
    dedup: bool = False
    diverse: int | None = None
    keep: int | None = None
    compare: str | None = None
    sets: tuple[str, ...] = ()
    json: bool = False


def run_filter(request: FilterRequest) -> None:
    """Run the filter, or several of them side by side."""
    if request.compare is None:
        run_loaded(filter_recipe(request), RunOptions(request.out), request.json)
        return
    names = [name.strip() for name in request.compare.split(",") if name.strip()]
    for name in names:
        if name not in STRATEGIES:
            raise InputError(f"no strategy called {name} to compare", hint=did_you_mean(name, STRATEGIES))
    views = {}
    for name in names:
        variant = strategy(request, name)
        with progress(request.json) as listener:
            views[name] = api.run(filter_recipe(variant), options=RunOptions(variant.out), listener=listener)
    if request.json:
        print(json.dumps({name: result_line(view) for name, view in views.items()}, ensure_ascii=False))
    else:
        _print_comparison(views)


def strategy(request: FilterRequest, name: str) -> FilterRequest:
    """The request with one strategy alone, in a run folder of its own."""
    plain = replace(request, margin=None, noise=None, diverse=None, keep=None, compare=None, out=request.out / name)
    if name == "noise":
        return replace(plain, noise=request.noise or "auto")
    if name == "margin":
        return replace(plain, margin=request.margin if request.margin is not None else 0.0)
    size = request.diverse or request.keep or 5000
    return replace(plain, diverse=size) if name == "fifa" else replace(plain, keep=size)


def filter_recipe(request: FilterRequest) -> Recipe:
    """The recipe these options stand for (kept in the run folder as `recipe.yaml`)."""
    stages: list[dict[str, Any]] = [{"read.pairs": {"path": request.input}}, {"filter.rules": {}}]
    if request.format is not None:
        stages[0]["read.pairs"]["layout"] = request.format
    if request.dedup:
        stages += [{"score.answer_hash": {}}, {"filter.exact_duplicates": {"of": "pair"}}]
    stages += [{"embed.text": {}}, {"split.heldout": {"fraction": HELD_OUT}}, {"score.reward_head": {}}]
    if request.noise is not None:
        stages += [{"score.peer_review": {"noise": noise_of(request.noise)}}, {"filter.peer_review": {}}]
    if request.margin is not None:
        stages.append({"filter.margin": {"least": request.margin}})
    if request.diverse is not None:
        stages.append({"select.fifa": {"keep": request.diverse}})
    if request.keep is not None:
        stages.append({"select.top": {"by": "margin", "keep": request.keep}})
    stages += [{"write.parquet": {}}, {"diagnose.evidence": {"against": "split.heldout"}}]
    text = yaml.safe_dump({"name": "filter", "stages": stages}, sort_keys=False)
    return apply_sets(parse_recipe(text, ""), list(request.sets))


def noise_of(text: str) -> str | float:
    """`auto`, or a share below one half."""
    if text == "auto":
        return text
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share < 0.5:
        raise InputError(f"--noise {text} is neither auto nor a share below 0.5", hint="--noise auto")
    return share


def _print_comparison(views: dict[str, RunView]) -> None:
    from rich.console import Console
    from rich.table import Table

    table, caveats = Table(box=None, header_style="bold"), dict[str, None]()
    for name in ("strategy", "rows kept", "accuracy, kept", "random, same size", "all rows"):
        table.add_column(name, justify="left" if name == "strategy" else "right", no_wrap=True)
    for name, view in views.items():
        rows = {row["set"]: row for row in view.facts["diagnose.evidence"]["rows"] if row["source"] == "all"}
        cells = [f"{r['accuracy']:.3f} ({r['low']:.2f}–{r['high']:.2f})" for r in (rows[k] for k in _SETS if k in rows)]
        table.add_row(name, f"{view.funnel[-1].rows_out:,}", *cells)
        caveats.setdefault(view.facts["diagnose.evidence"]["caveat"], None)
    Console(width=max(100, Console().width)).print(table)
    print("\n".join(caveats))


_SETS: Final = ("kept", "random, same size", "all rows")
