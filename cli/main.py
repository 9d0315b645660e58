"""`rather`: the verbs as one command line, and how it ends."""

from __future__ import annotations

import os
import sys
from typing import Any

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


def main(arguments: list[str] | None = None) -> None:
    """The console script: user mistakes in one message, exit codes 0, 1, 2, 3, 130."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words or bool(os.environ.get("RATHER_DEBUG"))
    words = [word for word in words if word != "--debug"]
    if words in (["--version"], ["-V"]):
        from .. import __version__

        print(f"rather {__version__}")
        return
    try:
        code: Any = app(words, standalone_mode=False)
    except (typer.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        sys.exit(_complain(error))
    if code == 130:  # the parser turns Ctrl-C into this number too
        print("rather: interrupted; what is finished is kept, the same command goes on", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _complain(error: Exception) -> int:
    """Show a mistake as one message; the exit code."""
    from ..core.errors import RatherError
    from ..core.secrets import redact

    if isinstance(error, RatherError):
        print(redact(f"rather: {error.show()}"), file=sys.stderr)
        return error.exit_code
    if hasattr(error, "format_message"):  # a usage error of the command line parser
        print(f"rather: {error.format_message()}; see: rather --help", file=sys.stderr)
        return 2
    if isinstance(error, OSError) and error.filename:
        print(redact(f"rather: {error.filename}: {error.strerror}"), file=sys.stderr)
        return 1
    print(redact(f"rather: unexpected {type(error).__name__}: {error}"), file=sys.stderr)
    print("rather: this is a bug of ours; --debug shows where it happened", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
