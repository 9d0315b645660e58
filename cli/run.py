"""`rather run`: options to a run, progress while it goes, a summary or one JSON line at the end."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import final

from ..core.errors import InputError
from ..core.listeners import JsonLines
from ..core.meter import Budget
from ..core.recipe import Recipe
from ..core.secrets import redact
from ..core.session import Listener, RunOptions
from ..core.view import RunView
from . import api
from .logs import show_stage_logs
from .summary import print_pairs, print_summary, result_line


@final
@dataclass(frozen=True)
class RunRequest:
    """The options of `rather run` as typed."""

    recipe: str
    sets: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    out: Path | None = None
    limit: int | None = None
    shard: str | None = None
    budget_calls: int | None = None
    budget_tokens: int | None = None
    budget_usd: float | None = None
    batch: int | None = None
    workers: int | None = None
    fresh: bool = False
    executor: str = "local"
    show: int = 0
    json: bool = False

    def options(self, recipe: Recipe) -> RunOptions:
        """The engine's options for this request."""
        return RunOptions(
            out=self.out or Path("runs") / recipe.name,
            limit=self.limit,
            shard=parse_shard(self.shard),
            batch=self.batch,
            workers=self.workers or recipe.workers or min(8, os.cpu_count() or 2),
            fresh=self.fresh,
            budget=Budget(self.budget_calls, self.budget_tokens, self.budget_usd),
        )


def run_recipe(request: RunRequest) -> RunView:
    """Run, report, summarise."""
    if request.executor != "local":
        raise InputError(f"no executor called {request.executor}", hint="known: local")
    recipe = api.load_recipe(request.recipe, request.sets, request.plugins)
    return run_loaded(recipe, request.options(recipe), request.json, request.show)


def run_loaded(recipe: Recipe, options: RunOptions, as_json: bool, show: int = 0) -> RunView:
    """Run a recipe already loaded, with progress on a terminal and JSON lines otherwise."""
    show_stage_logs()
    with progress(as_json) as listener:
        view = api.run(recipe, options=options, listener=listener)
    if as_json:
        print(redact(json.dumps(result_line(view), ensure_ascii=False)))
    else:
        print_summary(view)
        print_pairs(view, show)
    return view


def progress(as_json: bool) -> ListenerScope:
    """A live display on a terminal, JSON lines on standard error otherwise."""
    return ListenerScope(sys.stderr.isatty() and not as_json)


@final
class ListenerScope:
    """Holds the listener for the length of a `with`."""

    def __init__(self, live: bool) -> None:
        self._live = live

    def __enter__(self) -> Listener:
        if not self._live:
            return JsonLines()
        from .progress import Live

        self._display = Live()
        return self._display

    def __exit__(self, *exc: object) -> None:
        if self._live:
            self._display.stop()


def parse_shard(text: str | None) -> tuple[int, int] | None:
    """`i/n` with 1 ≤ i ≤ n as (i-1, n)."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"--shard {text} is not i/n with 1 ≤ i ≤ n", hint="the first of four is --shard 1/4")
    return int(match[1]) - 1, int(match[2])
