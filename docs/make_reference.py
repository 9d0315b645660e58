"""Writes docs/stages.md, the table of stages, from the stages themselves; `--check` fails when it is stale."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from rather.core import registry

PAGE = Path(__file__).with_name("stages.md")


def table() -> str:
    """The page as it should be."""
    lines = ["# Stages", "", "Made by `make docs`; `rather show NAME` has the options.", ""]
    lines += ["| stage | shape | what it does | reads | writes | paper |", "|---|---|---|---|---|---|"]
    for name, cls in registry.stages().items():
        what = (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " ")
        writes = [column if isinstance(column, str) else column.name for column in cls.writes]
        reads = ", ".join(f"`{column}`" for column in cls.reads)
        cells = [f"`{name}`", cls.shape, what, reads, ", ".join(f"`{column}`" for column in writes), cls.paper]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv and PAGE.read_text(encoding="utf-8") != table():
        sys.exit("docs/stages.md is stale: make docs")
    PAGE.write_text(table(), encoding="utf-8")
