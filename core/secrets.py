"""Values that came from the environment never reach disk, logs, errors, cards or reports."""

from __future__ import annotations

import re
from typing import Final

_hidden: dict[str, str] = {}
_SHORTEST: Final = 6  # shorter values are words ("true", "cuda"), not secrets
_NAMED: Final = re.compile(r"key|token|secret|passw|credential|auth", re.IGNORECASE)
_BEARER: Final = re.compile(r"((?i:bearer)\s+|hf_(?!hub_)|sk-(?=[a-z._\-]*[A-Z0-9]))[A-Za-z0-9._\-]{8,}")
# Keys as providers make them: HF_HUB_OFFLINE, hf_hub_download and task-management are none.


def hide(value: str, name: str) -> None:
    """From now on `redact` writes `${name}` where `value` would stand."""
    if len(value) >= _SHORTEST:
        _hidden[value] = name


def redact(text: str) -> str:
    """`text` without any hidden value and without anything that looks like a bearer token."""
    for value in sorted(_hidden, key=len, reverse=True):
        text = text.replace(value, f"${{{_hidden[value]}}}")
    return _BEARER.sub(r"\1***", text)


def is_secret_name(name: str) -> bool:
    """True for option names that hold secrets (api_key, token, …)."""
    return _NAMED.search(name) is not None
