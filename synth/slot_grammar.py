"""A slot grammar: two people, an attribute each, sentences in between, and a blank that only one of them fits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..core.errors import InputError

PACKAGED: Final = Path(__file__).resolve().parent / "templates" / "template_contrast.yaml"
Several = Annotated[tuple[str, ...], Field(min_length=2)]


@final
class Task(BaseModel):
    """A sentence about {who} with a {blank}, and the form of the attribute that fits it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    form: str
    text: str


@final
class Grammar(BaseModel):
    """Roles in pairs, attributes with their forms, and sentences with slots for both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    entities: Annotated[tuple[tuple[str, str], ...], Field(min_length=1)]
    attributes: Annotated[Mapping[str, Mapping[str, str]], Field(min_length=2)]
    introductions: Several
    continuations: tuple[str, ...] = ()
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]

    def size(self, distractors: int) -> int:
        """How many different texts there are with so many distracting sentences."""
        return math.prod(self._radices(distractors))

    def text(self, number: int, distractors: int) -> Contrast:
        """Text `number` of `size(distractors)`: the same for equal grammars."""
        digits = []
        for radix in self._radices(distractors):
            number, digit = divmod(number, radix)
            digits.append(digit)
        task, entity, mine, other, first, second, *later = digits
        names, sentences = list(self.attributes), list(self.introductions)
        right, wrong = names.pop(mine), names[other]
        role, rival = self.entities[entity]
        told = [self._filled(sentences.pop(first), role, right)]
        if distractors:
            told.append(self._filled(sentences[second], rival, wrong))
        left = list(self.continuations)
        told += [self._filled(left.pop(k), rival, wrong) for k in later]
        asked = self.tasks[task]
        stem = asked.text.replace("{who}", role)
        words = (self.attributes[name][asked.form] for name in (right, wrong))
        chosen, rejected = (stem.replace("{blank}", word) for word in words)
        prompt = f"{' '.join([*told, stem.replace('{blank}', '___')])}\n\n{self.question}"
        return Contrast(prompt, chosen, rejected, distractors, role, rival, right, wrong, asked.form)

    def faults(self, distractors: Sequence[int]) -> list[str]:
        """Forms that are missing or alike, and more distracting sentences than there are."""
        found = []
        for form in {task.form for task in self.tasks}:
            words = [forms.get(form) for forms in self.attributes.values()]
            if None in words:
                found.append(f"an attribute of the grammar has no form {form}")
            elif len(set(words)) < len(words):
                found.append(f"two attributes of the grammar are alike in the form {form}: which is right is not told")
        if max(distractors) - 1 > len(self.continuations):
            most = len(self.continuations) + 1
            found.append(f"{max(distractors)} distractors, but the grammar has sentences for {most}")
        return found

    def _radices(self, distractors: int) -> list[int]:
        kinds, begins = len(self.attributes), len(self.introductions)
        later = [len(self.continuations) - k for k in range(distractors - 1)]
        first = [len(self.tasks), len(self.entities), kinds, kinds - 1, begins, begins - 1 if distractors else 1]
        return [*first, *later]

    def _filled(self, sentence: str, who: str, attribute: str) -> str:
        forms = self.attributes[attribute]
        slots = {**forms, **{name.capitalize(): word.capitalize() for name, word in forms.items()}}
        for name, word in {"who": who, **slots}.items():
            sentence = sentence.replace(f"{{{name}}}", word)
        return sentence


@final
@dataclass(frozen=True)
class Contrast:
    """One text of a grammar: `chosen` has the bound attribute in the blank, `rejected` the other person's."""

    prompt: str
    chosen: str
    rejected: str
    distractors: int
    entity: str
    other: str
    attribute: str
    distractor_attribute: str
    form: str


def read_grammar(path: Path) -> Grammar:
    """The grammar in a YAML file. Raises InputError naming what is wrong with it."""
    import yaml

    try:
        held: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Grammar.model_validate(held)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"the grammar cannot be read: {error}", place=str(path)) from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, d['loc']))}: {d['msg']}" for d in error.errors())
        raise InputError(f"this is no grammar: {wrong}", place=str(path), hint=f"see {PACKAGED.name}") from error
