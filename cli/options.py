"""Options that several verbs take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeArg = Annotated[str, typer.Argument(metavar="RECIPE", help="A recipe file, or the name of a shipped one.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="a.b=v", help="Set an option: stage.option=value.")]
Plugins = Annotated[list[str] | None, typer.Option("--plugin", metavar="FILE", help="A .py file that adds stages.")]
Out = Annotated[Path | None, typer.Option("--out", help="Run folder; default runs/<recipe name>.")]
Json = Annotated[bool, typer.Option("--json", help="End with one JSON line on standard output.")]
