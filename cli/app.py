"""The verbs as one command line."""

from __future__ import annotations

import typer

from . import data_verbs as data
from . import recipe_verbs as recipes

app = typer.Typer(
    name="rather",
    help="This, rather than that: build, curate and export preference datasets.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verb in (
    recipes.run,
    recipes.check,
    recipes.plan,
    recipes.preview,
    recipes.list_,
    recipes.show,
    recipes.copy,
    recipes.schema,
    data.filter_,
    data.report,
    data.view,
    data.export,
    data.push,
    data.pull,
    data.merge,
    data.train,
    data.bench,
    data.winrate,
    recipes.doctor,
):  # in the order help shows them
    app.command(verb.__name__.rstrip("_"))(verb)


def answer(words: list[str]) -> int:
    """Do what the words say; the exit code. Raises what goes wrong; 130 for Ctrl-C, which the parser catches."""
    try:
        code = app(words, standalone_mode=False)
    except typer.Abort:
        return 130
    return code if isinstance(code, int) else 0
