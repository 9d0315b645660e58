"""`rather view`: rows of a run or a dataset side by side, as a page to search or on the terminal."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, final

from ..core.errors import InputError
from ..core.runs import open_run
from ..core.secrets import redact
from ..core.view import RunView
from ..formats.pairs_page import PICTURES, Shown, Wish, pairs_page, shown
from ..formats.report import save_page
from ..formats.report_pairs import reason_blocks
from ..formats.report_text import excerpt
from ..formats.thumbnails import Thumbnails
from .opened import Reading, is_run, mapped, read_run, refuse_for_run, rows_after

if TYPE_CHECKING:
    from ..formats.report_data import Pair

PRINTED: Final = 400
"""Characters of one text on the terminal."""


@final
@dataclass(frozen=True)
class ViewRequest:
    """The options of `rather view` as typed."""

    path: str
    out: Path | None = None
    print: int | None = None
    rows: int = 200
    stage: str | None = None
    split: str = "train"
    format: str | None = None
    maps: tuple[str, ...] = ()
    wish: Wish = Wish()

    @property
    def page(self) -> Path:
        """Where the page goes: into a run folder, or else into the working directory."""
        if self.out is not None:
            return self.out / "view.html" if self.out.is_dir() else self.out
        path = Path(self.path)
        return path / "view.html" if is_run(path) else Path(f"{path.name or path.resolve().name}.view.html")


def view(request: ViewRequest) -> None:
    """Print pairs, or write the page and print where it is."""
    with tempfile.TemporaryDirectory() as scratch:
        found = _opened(request, Path(scratch))
        stage, frame = rows_after(found, request.stage)
        most = request.rows if request.print is None else request.print
        rows = shown(frame, most, request.wish, PICTURES if request.print is None else 0)
        told = summary(rows, stage if is_run(request.path) else "")
        if request.print is not None:
            _print(rows.pairs, told)
            return
        dropped = _dropped(request, found)
    if dropped:
        told += f" {len(dropped)} rows that were dropped stand beside them."
    print(save_page(redact(pairs_page(request.path, told, rows.pairs, dropped)), request.page))


def summary(rows: Shown, stage: str) -> str:
    """Which rows these are, in a sentence."""
    after = f" after {stage}" if stage else ""
    among = f"{rows.matched:,} that match, of {rows.rows:,}" if rows.matched < rows.rows else f"{rows.rows:,}"
    drawn = ", drawn by the hash of their id: the same ones every time" if len(rows.pairs) < rows.matched else ""
    noun = "row" if len(rows.pairs) == 1 else "rows"
    return f"{len(rows.pairs):,} {noun} of {among}{after}{drawn}."


def _opened(request: ViewRequest, scratch: Path) -> RunView:
    if is_run(request.path):
        split = request.split != "train"
        refuse_for_run(request.path, split=split, format=request.format, map=request.maps)
        return open_run(request.path)
    if request.stage is not None:
        raise InputError("--stage is for run folders", place=request.path, hint="a dataset has no stages")
    reading = Reading(request.path, request.split, request.format, mapped(request.maps))
    return read_run(reading.source(), scratch, name="view")


def _dropped(request: ViewRequest, found: RunView) -> Sequence[Pair]:
    """Some dropped rows of each reason, those holding the text looked for; none beside a comparison or a stage."""
    if not is_run(request.path) or request.wish.where or request.stage is not None:
        return ()
    find = request.wish.find.lower()
    _, _, pairs = reason_blocks(found, Thumbnails())
    return [pair for pair in pairs if find in f"{pair.prompt.text}\n{pair.chosen.text}\n{pair.rejected.text}".lower()]


def _print(pairs: Sequence[Pair], told: str) -> None:
    for number, pair in enumerate(pairs, 1):
        this, that = ("this:", "rather than:") if pair.heads[0] == "Chosen" else (f"{head}:" for head in pair.heads)
        lines = [("", pair.prompt.text), (this, pair.chosen.text), (that, pair.rejected.text)]
        width = max(len(head) for head, _ in lines) + 1
        for k, (head, text) in enumerate(lines):
            start = f"{number}." if k == 0 else ""
            words = excerpt(" ".join(text.split()), PRINTED) or "(no text)"
            print(redact(f"{start:<4}{words}" if k == 0 else f"    {head:<{width}}{words}"))
        values = "  ".join(f"{name} {value}" for name, value in pair.values)
        print(redact(f"    {values}  {pair.place}".rstrip()) + "\n")
    print(told)
