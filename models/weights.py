"""What tells one set of weights from another in a model's identity."""

from __future__ import annotations

from typing import Any

from .painter_loading import fingerprint


def files_of(name: str) -> dict[str, Any]:
    """For a local folder or file, its fingerprint; nothing for a name on the Hub.

    What was made with other weights under the same name is then not taken for this model's work.
    """
    found = fingerprint(name)
    return {"files": found} if found else {}
