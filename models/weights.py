"""What tells one set of weights from another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.hashing import digest

_TELLING = (".safetensors", ".json", ".txt", ".model")


def files_of(name: str) -> dict[str, Any]:
    """For a local folder or file, a digest of its files' names, sizes and times; nothing for a name on the Hub.

    Belongs into a model's identity, so that what was made with other weights is not taken for its work.
    """
    path = Path(name)
    if not path.exists():
        return {}
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.suffix in _TELLING)
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return {"files": digest(repr(facts))}
