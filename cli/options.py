"""Options that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def given_path(text: str) -> Path:
    """A path as typed. An empty one is a variable that is not set, not the working directory."""
    if not text.strip():
        raise typer.BadParameter("no path is given")
    return Path(text)


RecipeArg = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped one.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="a.b=v", help="Set an option: stage.option=value.")]
Plugins = Annotated[list[str] | None, typer.Option("--plugin", metavar="FILE", help="A .py file that adds stages.")]
Out = Annotated[
    Path | None,
    typer.Option("--out", parser=given_path, metavar="<path>", help="Run folder; default runs/<recipe name>."),
]
Json = Annotated[bool, typer.Option("--json", help="End with one JSON line on standard output.")]
