"""Lines that stages log (a trainer's output, say), shown on standard error while a run goes."""

from __future__ import annotations

import logging
import sys
from typing import final

from ..core.secrets import redact


@final
class RedactedLines(logging.Handler):
    """Writes each record as one line, secrets taken out."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        print(redact(record.getMessage()), file=sys.stderr, flush=True)


def show_stage_logs() -> None:
    """Show what the package's stages log from now on, once."""
    logger = logging.getLogger("rather")
    if not any(isinstance(handler, RedactedLines) for handler in logger.handlers):
        logger.addHandler(RedactedLines())
        logger.setLevel(logging.INFO)
        logger.propagate = False
