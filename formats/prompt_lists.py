"""Prompt lists of subject-driven benchmarks: which scenes are asked for of which subject."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import pyarrow as pa

from ..core.errors import InputError
from .tables import FileTables

DREAMBENCH: Final = "prompts_and_classes.txt"
LISTED: Final = "prompts.jsonl"
LIVE: Final = frozenset({"cat", "dog"})
"""Classes that DreamBench asks the prompts for live subjects of; all others are objects."""
_PROMPT: Final = re.compile(r"""^\s*(['"])(?P<text>.*)\1\.format\(""")


@final
@dataclass(frozen=True)
class PromptLists:
    """The class of each subject, and its prompts: {0} stands for its name or token, {1} for its class."""

    classes: Mapping[str, str]
    prompts: Mapping[str, tuple[str, ...]]

    def filled(self, subject: str, token: str) -> list[str]:
        """The subject's prompts as text; without a token its class alone is named."""
        kind = self.classes.get(subject, subject)
        found = (text.replace("{0}", token).replace("{1}", kind) for text in self.prompts.get(subject, ()))
        return [" ".join(text.split()) for text in found]


def prompt_lists(folder: Path) -> PromptLists | None:
    """What `prompts.jsonl` or DreamBench's `prompts_and_classes.txt` in the folder says; None without them."""
    if (folder / LISTED).is_file():
        return _from_lines(folder / LISTED)
    if (folder / DREAMBENCH).is_file():
        return _from_dreambench(folder / DREAMBENCH)
    return None


def _from_lines(path: Path) -> PromptLists:
    """Rows of subject, class_name and prompt_template (or a ready prompt)."""
    tables = FileTables((path,), drop=False)
    told = pa.concat_tables(tables.read(tables.schema()))
    text = next((name for name in ("prompt_template", "prompt") if name in told.column_names), None)
    if text is None or "subject" not in told.column_names:
        raise InputError("a prompt list has columns subject and prompt_template or prompt", place=str(path))
    named = told["class_name"].to_pylist() if "class_name" in told.column_names else [None] * told.num_rows
    classes: dict[str, str] = {}
    prompts: dict[str, list[str]] = {}
    for subject, kind, prompt in zip(told["subject"].to_pylist(), named, told[text].to_pylist(), strict=True):
        classes.setdefault(subject, kind or subject.replace("_", " "))
        prompts.setdefault(subject, []).append(prompt)
    return PromptLists(classes, {subject: tuple(texts) for subject, texts in prompts.items()})


def _from_dreambench(path: Path) -> PromptLists:
    """A table `subject_name,class`, then the prompts for objects and those for live subjects."""
    classes: dict[str, str] = {}
    lists: dict[str, list[str]] = {"object": [], "live": []}
    part = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        title = line.strip().lower()
        if title in ("classes", "object prompts", "live subject prompts"):
            part = title.split()[0]
        elif part == "classes" and line.count(",") == 1 and title != "subject_name,class":
            subject, _, kind = line.strip().partition(",")
            classes[subject] = kind
        elif part in lists and (found := _PROMPT.match(line)):
            lists[part].append(found["text"])
    if not classes or not all(lists.values()):
        raise InputError("classes, object prompts or live subject prompts are missing", place=str(path))
    return PromptLists(classes, {s: tuple(lists["live" if kind in LIVE else "object"]) for s, kind in classes.items()})
