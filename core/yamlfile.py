"""YAML read safely, with the line of every key, duplicate keys refused, and `${ENV}` filled in."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, final

import yaml

from . import secrets
from .errors import Fault

RECIPES: Final = Path(__file__).resolve().parent.parent / "recipes"
"""Where `${RATHER_RECIPES}` points: the rows that ship with the package."""

_ENV = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_MAX_DEPTH = 40
_MAX_NODES = 100_000  # aliases multiply: a few lines can stand for millions of values


@final
@dataclass(frozen=True)
class Located:
    """A YAML value with the line it begins on; mappings and lists hold Located values."""

    value: Any
    line: int

    def plain(self) -> Any:
        """The value without lines, `${ENV}` still unexpanded."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, item in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


@final
@dataclass
class Reader:
    """Turns YAML text into Located values; mistakes are collected in `faults`."""

    file: str
    faults: list[Fault] = field(default_factory=list)
    nodes: int = 0

    def read(self, text: str) -> Located | None:
        """The document, or None when it is not YAML at all (a fault says where)."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
            return None if node is None else self._value(node, 0)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            hint = "a stage with keys under it ends in a colon" if "mapping values" in str(error.problem) else ""
            self.fault(mark.line + 1 if mark else 1, f"not YAML: {error.problem or error.context}", hint)
        except yaml.YAMLError as error:
            self.fault(1, f"not YAML: {_first_line(error)}")
        except (RecursionError, ValueError) as error:
            self.fault(1, f"not YAML that can be read: {_first_line(error)}")
        return None

    def fault(self, line: int, cause: str, hint: str = "") -> None:
        """Enter a mistake."""
        self.faults.append(Fault(line, cause, hint, self.file))

    def _value(self, node: yaml.Node, depth: int) -> Located:
        line = node.start_mark.line + 1
        self.nodes += 1
        if depth > _MAX_DEPTH or self.nodes > _MAX_NODES:
            if self.nodes <= _MAX_NODES + 1:
                self.fault(line, "nested too deeply" if depth > _MAX_DEPTH else f"more than {_MAX_NODES:,} values")
            return Located(None, line)
        if isinstance(node, yaml.MappingNode):
            return Located(self._mapping(node, depth), line)
        if isinstance(node, yaml.SequenceNode):
            return Located([self._value(item, depth + 1) for item in node.value], line)
        return Located(self._scalar(node, line), line)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> dict[str, Located]:
        found: dict[str, Located] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or not is_text(key_node.value):
                self.fault(line, "a key must be plain text")
                continue
            if key_node.value in found:
                self.fault(line, f"the key {key_node.value} stands twice")
            value = self._value(value_node, depth + 1)
            found[key_node.value] = Located(value.value, line)
        return found

    def _scalar(self, node: yaml.Node, line: int) -> Any:
        loader = yaml.SafeLoader("")
        try:
            value = loader.construct_object(node)
        except (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            self.fault(line, f"a value of a kind recipes do not have: {_first_line(error)}", "quote it")
            return None
        finally:
            loader.dispose()
        if isinstance(value, str) and not is_text(value):
            self.fault(line, "a value with characters no text has (a zero byte or half a surrogate pair)")
            return None
        return value


def is_text(value: str) -> bool:
    """True unless a file name or a UTF-8 file could not hold it."""
    return "\0" not in value and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__


def expand(value: Any, missing: set[str]) -> Any:
    """`value` with `${NAME}` and `${NAME:-default}` filled from the environment, in strings at any depth.

    Names that are not set are added to `missing`. Filled-in values are kept out of every text
    the package writes (see `secrets`).
    """
    if isinstance(value, dict):
        return {key: expand(item, missing) for key, item in value.items()}
    if isinstance(value, list):
        return [expand(item, missing) for item in value]
    if not isinstance(value, str) or "${" not in value:
        return value

    def fill(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        if name == "RATHER_RECIPES":
            return str(RECIPES)
        if name in os.environ:
            secrets.hide(os.environ[name], name)
            return os.environ[name]
        if default is None:
            missing.add(name)
        return default or ""

    return _ENV.sub(fill, value)
