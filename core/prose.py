"""Prompts as prose files: sandboxed Jinja2, one file a method, hashed into the key of the stage.

A file holds one or more messages, each begun by a line `--- system`, `--- user` or `--- assistant`;
text before the first such line is a comment for the reader. A method of several steps has a part
for each in one file, begun by a line `=== name`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, final

from .errors import InputError, did_you_mean
from .hashing import digest

_PART: Final = re.compile(r"^=== ([a-z_]+)[ \t]*$", re.MULTILINE)
_MARK: Final = re.compile(r"^--- (system|user|assistant)[ \t]*$", re.MULTILINE)


@final
@dataclass(frozen=True)
class Prose:
    """A prompt template: its text, and `messages(values)` filled in."""

    name: str
    text: str

    @property
    def digest(self) -> str:
        """Changes when a character of the template does."""
        return digest(self.text)

    def messages(self, values: Mapping[str, Any]) -> list[dict[str, str]]:
        """{role, content} messages with every `{{ name }}` filled; an unknown name is an InputError."""
        from jinja2 import TemplateError

        try:
            filled = [(role, part.render(values).strip()) for role, part in _compiled(self.text)]
        except TemplateError as error:
            raise InputError(f"the template cannot be filled: {error}", place=self.name) from error
        return [{"role": role, "content": content} for role, content in filled if content]


def load_prose(folder: Path, name: str, part: str = "") -> Prose:
    """The template `name.md` of a folder, or the file `name` itself, or one part of it.

    Raises InputError when it, or the part, is not there.
    """
    path = Path(name) if name.endswith((".md", ".j2", ".txt")) else folder / f"{name}.md"
    try:
        prose = Prose(name, path.read_text(encoding="utf-8"))
        if part:
            prose = _part(prose, part)
    except OSError as error:
        known = [file.stem for file in folder.glob("*.md")]
        raise InputError(f"no template {name}", place=str(path), hint=did_you_mean(name, known)) from error
    if not _MARK.search(prose.text):
        raise InputError("the template has no `--- user` line", place=str(path), hint="begin each message with one")
    return prose


def _part(prose: Prose, part: str) -> Prose:
    pieces = _PART.split(prose.text)
    parts = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    if part not in parts:
        hint = did_you_mean(part, list(parts)) if parts else f"begin it with a line `=== {part}`"
        raise InputError(f"the template has no part {part}", place=prose.name, hint=hint)
    return Prose(f"{prose.name}.{part}", parts[part])


@lru_cache(maxsize=256)
def _compiled(text: str) -> tuple[tuple[str, Any], ...]:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    parts = _MARK.split(text)
    return tuple((role, environment.from_string(body)) for role, body in zip(parts[1::2], parts[2::2], strict=True))
