"""Names in a text: which capitalised words are one, of which rough kind, and pools of them.

A rule-based finder for English, made to be precise rather than complete: a single capitalised word
counts only when it is known by sight, and the first word of a sentence only when something else
says that it is a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

from .lexicon import AMBIGUOUS, GIVEN_NAMES, HEADS, KNOWN, STARTERS

_KIND_OF: Final = {name: kind for kind, names in KNOWN.items() for name in names}
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_OPENERS = frozenset(".!?:;\"'“”‘(*#>-–—•/|=")
_PARTICLES = frozenset(("da", "de", "van", "von"))
ANY_NAME: Final = "name"
ANY_THING: Final = "the name"
"""The kinds of a multi-word name of which only its capitals are known, without and with *the*."""


@final
@dataclass(frozen=True)
class Entity:
    """A name as it stands in a text, and its rough kind (`city`, `person`, `ocean`, ...)."""

    name: str
    kind: str


def prose(text: str) -> str:
    """`text` with fenced and inline code blanked out; every other character keeps its offset."""
    return _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code.group()), text)


def entity_kind(name: str) -> str | None:
    """The rough kind of `name`, or None for a single word that is not known by sight."""
    if name in _KIND_OF:
        return _KIND_OF[name]
    words = name.split()
    if len(words) < 2:
        return None
    for word in (words[-1], words[0]):
        if word in HEADS:
            return word.lower()
    return "person" if words[0] in GIVEN_NAMES else ANY_NAME


def find_entities(text: str) -> list[Entity]:
    """The distinct names of `text` outside code, in order; a part of a longer one is left out."""
    found: dict[str, Entity] = {}
    plain = prose(text)
    for run in _runs(plain):
        for name in _names_of(run, _opens_sentence(plain, run[0].start())):
            kind = entity_kind(name)
            if kind == ANY_NAME and re.search(rf"\b[Tt]he {re.escape(name)}\b", plain):
                kind = ANY_THING
            if kind is not None:
                found.setdefault(name, Entity(name, kind))
    spelt = [f" {name} " for name in found]
    return [e for e in found.values() if sum(f" {e.name} " in name for name in spelt) == 1]


def entity_pool(texts: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Every name of `texts` by kind, sorted: equal texts give an equal pool in whatever order."""
    kinds: dict[str, set[str]] = {}
    for text in texts:
        for entity in find_entities(text):
            kinds.setdefault(entity.kind, set()).add(entity.name)
    return MappingProxyType({kind: tuple(sorted(kinds[kind])) for kind in sorted(kinds)})


def _runs(text: str) -> Iterator[list[re.Match[str]]]:
    """Maximal runs of capitalised words, one space apart, over connectors (*Bay of Bengal*)."""
    run: list[re.Match[str]] = []
    pending: re.Match[str] | None = None
    for word in _WORD.finditer(text):
        last = pending or (run[-1] if run else None)
        adjacent = last is not None and text[last.end() : word.start()] == " "
        if word.group()[0].isupper():
            if run and not adjacent:
                yield run
                run = []
            run += [pending, word] if pending and run else [word]
            pending = None
        elif run and adjacent and pending is None and _connects(run, word.group()):
            pending = word
        elif run:
            yield run
            run, pending = [], None
    if run:
        yield run


def _connects(run: list[re.Match[str]], word: str) -> bool:
    """*Leonardo da Vinci* and *Bay of Bengal*, but not *Usain Bolt of Jamaica*."""
    return word in _PARTICLES or (word == "of" and run[-1].group() in HEADS)


def _opens_sentence(text: str, start: int) -> bool:
    before = text[max(0, start - 12) : start]
    bare = before.rstrip()
    return not bare or "\n" in before[len(bare) :] or bare[-1] in _OPENERS


def _names_of(run: list[re.Match[str]], opening: bool) -> list[str]:
    words = [word.group() for word in run]
    if not opening:
        return _parts(words)
    head, rest = words[0], words[1:]
    if head in STARTERS:
        return _parts(rest)
    whole = " ".join(words)
    if whole in _KIND_OF:
        return [] if whole in AMBIGUOUS else [whole]
    if head in GIVEN_NAMES or (head in HEADS and rest) or (rest and rest[-1] in HEADS):
        return _parts(words)
    if head in _KIND_OF and head not in AMBIGUOUS:
        return _parts(words)
    return [name for name in _parts(rest) if name in _KIND_OF]


def _parts(words: list[str]) -> list[str]:
    """The run as one name, or its one known part when the whole says nothing of its kind."""
    if words and words[0] in STARTERS:
        words = words[1:]
    if not words or any(_is_symbol(word) for word in words) or not words[0][0].isupper():
        return []
    whole = " ".join(words)
    if entity_kind(whole) != ANY_NAME or _PARTICLES.intersection(words):
        return [whole]
    known = [word for word in words if word in _KIND_OF]
    return [] if len(known) == len(words) else known or [whole]


def _is_symbol(word: str) -> bool:
    """A single letter, an acronym or a chemical formula: capitalised, yet nobody's name."""
    return (len(word) == 1 and word.isupper()) or (len(word) < 6 and any(letter.isupper() for letter in word[1:]))
