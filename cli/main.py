"""`rather`: the console script, and how it ends."""

from __future__ import annotations

import os
import sys


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
        from .app import answer  # here, so that Ctrl-C is heeded while it is imported

        code = answer(words)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        sys.exit(_complain(error))
    if code == 130:
        print("rather: interrupted; what is finished is kept, the same command goes on", file=sys.stderr)
    sys.exit(code)


def _complain(error: Exception) -> int:
    """Show a mistake as one message; the exit code."""
    from ..core.errors import RatherError
    from ..core.secrets import redact

    if isinstance(error, RatherError):
        print(redact(f"rather: {error.show()}"), file=sys.stderr)
        return error.exit_code
    if hasattr(error, "format_message"):  # a usage error of the command line parser
        message = str(error.format_message()).strip()
        told = message if message.startswith("Usage:") else f"rather: {message.rstrip('.')}; see: rather --help"
        print(told, file=sys.stderr)  # no words at all are answered with the help
        return 2
    if isinstance(error, OSError) and error.filename:
        print(redact(f"rather: {error.filename}: {error.strerror}"), file=sys.stderr)
        return 1
    print(redact(f"rather: unexpected {type(error).__name__}: {error}"), file=sys.stderr)
    print("rather: this is a bug of ours; --debug shows where it happened", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
