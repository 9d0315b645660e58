"""What verbs are given as DATA: a finished run, or a dataset of any make, opened as rows."""

from __future__ import annotations

import random
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final, get_args

import yaml

from ..core.engine import execute
from ..core.errors import InputError, did_you_mean
from ..core.listeners import Silent
from ..core.plan import make_plan
from ..core.recipe_parser import parse_recipe
from ..core.row import SYSTEM
from ..core.session import RunOptions
from ..core.stage import Source, Stage
from ..core.view import RunView
from ..formats.joined import Joined
from ..formats.layouts import LayoutName
from ..formats.read_pairs import ReadPairs
from ..formats.read_rows import ReadRows

if TYPE_CHECKING:
    from ..core.frame import Frame

_RECIPE_WORDS: Final = re.compile(r"map yours, e\.g\. columns: \{.*\}$")


@final
@dataclass(frozen=True)
class Reading:
    """How a dataset is read: options of `read.pairs`; `pairs` tells whether only pairs will do."""

    data: str
    split: str = "train"
    layout: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    pairs: bool = False

    def source(self) -> ReadPairs | ReadRows:
        """The stage that reads it, as pairs if it can; InputError when neither can."""
        if self.layout:
            known(self.layout, get_args(LayoutName), "--format")
        known_as = {"path": self.data, "split": self.split, "columns": dict(self.columns)}
        told = known_as | ({"layout": self.layout} if self.layout else {})
        try:
            pairs = ReadPairs(**told)
            _names(pairs, self.data)
            return pairs
        except InputError:
            rows = ReadRows(**known_as)
            _names(rows, self.data)  # a file that cannot be read is told before its columns
            if self.pairs or self.layout:
                raise
            return rows


@final
@dataclass(frozen=True)
class OutsideRun:
    """What a sink is handed when no engine runs it: a view, where to write, the seed."""

    view: RunView | Joined
    out: str
    seed: int
    models: Mapping[str, Any] = field(default_factory=dict)

    def rng(self, row_id: str) -> random.Random:
        """A generator that depends on (seed, row) alone."""
        return random.Random(f"{self.seed}:{row_id}")

    def stop_asked(self) -> bool:
        """Never: an interruption ends the verb, and nothing is published."""
        return False


def is_run(data: str | Path) -> bool:
    """Whether this is a run folder; InputError for one that has not finished."""
    folder = Path(data)
    if (folder / "run.json").is_file():
        return True
    if (folder / "recipe.yaml").is_file() and (folder / "stages").is_dir():
        raise InputError("this run has not finished", place=str(data), hint="run the same command again to go on")
    return False


def read_run(source: Source, folder: Path, *then: Stage, name: str = "read") -> RunView:
    """Read a dataset in a run folder of its own, and do what `then` says with its rows."""
    entries = [{stage.name: stage.model_dump(exclude_defaults=True, mode="json")} for stage in (source, *then)]
    text = yaml.safe_dump({"name": name, "stages": entries}, sort_keys=False)
    return execute(make_plan(parse_recipe(text, "")), RunOptions(folder), Silent())


def check_target(out: Path, *data: Path) -> None:
    """InputError where a dataset written to `out` would take the place of a file, or of what it is made from."""
    if out.is_file():
        raise InputError("this is a file", place=str(out), hint="give a folder with -o")
    target = out.expanduser().resolve()
    for path in data:
        whole = path.expanduser().resolve()
        if path.exists() and (whole == target or target / "data" in (whole, *whole.parents)):
            cause = f"the dataset would be written over what it is made from ({path})"
            raise InputError(cause, place=str(out), hint="give another folder with -o")


@contextmanager
def nothing_left(out: Path) -> Iterator[None]:
    """A failure inside leaves no folder `out` behind, unless it was there before."""
    before = out.exists()
    try:
        yield
    except BaseException:
        if not before:
            shutil.rmtree(out, ignore_errors=True)
        raise


def refuse_for_run(data: str, **given: object) -> None:
    """InputError where an option of datasets is given for a run folder, which would not heed it."""
    for option, value in given.items():
        if value:
            raise InputError(f"--{option} is for datasets", place=data, hint="this is a run folder")


def rows_after(view: RunView, stage: str | None = None) -> tuple[str, Frame]:
    """(name, rows) of a stage, the last one that has rows if none is named."""
    if stage is not None:
        return stage, view.frame(stage)
    ran = [line.stage for line in view.funnel if line.skipped is None and line.shape != "sink"]
    if not ran:
        raise InputError("no stage of this run has finished", place=str(view.path))
    return ran[-1], view.frame(ran[-1])


def mapped(pairs: Sequence[str]) -> dict[str, str]:
    """`OURS=THEIRS` as typed, as a mapping."""
    found = {}
    for pair in pairs:
        ours, equals, theirs = pair.partition("=")
        if not (ours and equals and theirs):
            raise InputError(f"--map {pair} is not OURS=THEIRS", hint="as in --map chosen=better")
        found[ours] = theirs
    return found


def known(value: str, names: Sequence[str], option: str) -> str:
    """The value of an option that takes one of a few words; InputError with the nearest otherwise."""
    if value not in names:
        raise InputError(f"{option} {value} is not known", hint=did_you_mean(value, names))
    return value


def check_columns(stage: Stage, names: Collection[str], place: str) -> None:
    """InputError naming what a stage reads and these columns lack."""
    if not names:
        raise InputError("it holds no rows", place=place, hint="is it the right file?")
    there = {*names, *SYSTEM}
    missing = [name for name in stage.columns_read() if not name.endswith("?") and name not in there]
    if missing:
        shown = [name for name in names if name not in SYSTEM]
        near = did_you_mean(missing[0], shown)
        hint = f"{near + ' ' if near.startswith('did') else ''}columns there are: {', '.join(sorted(shown))}"
        raise InputError(f"no column {missing[0]}, which {stage.name} reads here", place=place, hint=hint)


def _names(source: Source, data: str) -> Sequence[str]:
    try:
        return source.schema_names()
    except InputError as error:
        known_at = "" if data in error.cause else data
        hint = _RECIPE_WORDS.sub("name yours as in --map chosen=THEIRS", error.hint)
        raise InputError(error.cause, place=error.place or known_at, hint=hint) from error
