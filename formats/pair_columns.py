"""The columns of a preference pair, made from a source's columns as its layout tells."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..core.errors import InputError
from ..core.row import COLUMNS, MESSAGES
from .answers import answers_of, picked, spoken_answers, with_model
from .dialogues import messages_of
from .labels import FIRST, SECOND, TIE, UNKNOWN, sides_of
from .layouts import Layout
from .parting import first_roles, list_lengths, part, without_last_cue

Arrays = Mapping[str, pa.Array]
NO_LABEL: Final = "no usable label"


@final
@dataclass(frozen=True)
class Group:
    """Columns made together: what they are made from, and how."""

    makes: tuple[str, ...]
    needs: tuple[str, ...]
    make: Callable[[Arrays], Arrays]


@final
@dataclass(frozen=True)
class PairColumns:
    """Makes prompt, chosen, rejected, verdict (and `read_error` where bad rows stay) of one layout."""

    layout: Layout
    forms: Mapping[str, str]
    drop: bool

    def groups(self) -> list[Group]:
        """Columns that depend on each other stand in one group; the others can be read alone."""
        lay = self.layout
        content, label = lay.content(), tuple(name for name in (lay.label, lay.usable) if name)
        noted = ("read_error",) if self.drop else ()
        if lay.spoken or lay.label:
            answers = content if lay.spoken else (lay.first, lay.second)
            makes = ("prompt", "chosen", "rejected") if lay.spoken else ("chosen", "rejected")
            told = (*label, *(lay.models or ()), *self._told(), *noted)
            ours = Group((*makes, "verdict", *noted), (*answers, *told), self._together)
            return [ours] if lay.spoken else [self._prompt_group(), ours]
        theirs = {"chosen": lay.first, "rejected": lay.second}
        sides = [Group((ours,), (name,), self._side(ours, name)) for ours, name in theirs.items()]
        needs = (*self._told(), *noted)
        verdict = Group(("verdict", *noted), needs or (lay.first,), self._preferred)
        return [self._prompt_group(), *sides, verdict]

    def _prompt_group(self) -> Group:
        lay = self.layout
        needs = tuple(name for name in (lay.prompt, lay.addition, lay.system) if name)
        return Group(("prompt",), needs or (lay.first,), lambda arrays: {"prompt": self._prompt(arrays)})

    def _side(self, ours: str, name: str) -> Callable[[Arrays], Arrays]:
        return lambda arrays: {ours: answers_of(arrays[name], self.forms.get(name, ""))}

    def _told(self) -> tuple[str, ...]:
        return (self.layout.verdict,) if self.layout.verdict else ()

    def _preferred(self, arrays: Arrays) -> Arrays:
        """Every pair is preferred, but for what the source's own `verdict` calls a tie and for bad rows."""
        verdict = pa.repeat("prefer", len(next(iter(arrays.values()))))
        if self.layout.verdict:
            tied = pc.equal(pc.utf8_lower(arrays[self.layout.verdict]), "tie")
            verdict = pc.if_else(pc.fill_null(tied, False), "tie", verdict)
        if not self.drop:
            return {"verdict": verdict}
        errors = arrays["read_error"]
        return {"verdict": pc.if_else(errors.is_null(), verdict, pa.scalar(None, pa.string())), "read_error": errors}

    def _prompt(self, arrays: Arrays) -> pa.Array:
        lay = self.layout
        if lay.prompt is None:
            return pa.nulls(len(next(iter(arrays.values()))), MESSAGES)
        column = arrays[lay.prompt]
        if lay.addition and pa.types.is_string(column.type):
            column = _with_addition(column, arrays[lay.addition])
        prompt = without_last_cue(messages_of(column, "user", self.forms.get(lay.prompt, "")))
        return _with_system(prompt, arrays[lay.system]) if lay.system else prompt

    def _together(self, arrays: Arrays) -> Arrays:
        lay = self.layout
        made: dict[str, pa.Array] = {}
        if lay.spoken:
            made["prompt"], first, second = self._parted(arrays)
        else:
            first, second = (answers_of(arrays[side], self.forms.get(side, "")) for side in (lay.first, lay.second))
        if lay.models:
            first, second = (with_model(a, arrays[m]) for a, m in zip((first, second), lay.models, strict=True))
        if lay.label is None:
            return {**made, "chosen": first, "rejected": second, **self._preferred({"chosen": first, **arrays})}
        return made | self._judged(first, second, arrays)

    def _parted(self, arrays: Arrays) -> tuple[pa.Array, pa.Array, pa.Array]:
        """Rows whose answers begin with someone else than an assistant bring their prompt along."""
        lay = self.layout
        whole = [messages_of(arrays[side], "assistant", self.forms.get(side, "")) for side in (lay.first, lay.second)]
        prompt, *parted = part(*whole)
        if lay.prompt is None:
            return prompt, spoken_answers(parted[0]), spoken_answers(parted[1])
        speaker = pc.coalesce(first_roles(whole[0]), first_roles(whole[1]))
        brought = pc.fill_null(pc.and_(pc.not_equal(speaker, "assistant"), prompt.is_valid()), False)
        prompt = pc.if_else(brought, prompt, self._prompt(arrays))
        first, second = (pc.if_else(brought, cut, full) for cut, full in zip(parted, whole, strict=True))
        return prompt, spoken_answers(first), spoken_answers(second)

    def _judged(self, first: pa.Array, second: pa.Array, arrays: Arrays) -> dict[str, pa.Array]:
        lay = self.layout
        assert lay.label is not None and lay.meaning is not None
        side = sides_of(arrays[lay.label], lay.meaning)
        said = pc.fill_null(arrays[lay.usable], False).to_numpy(zero_copy_only=False) if lay.usable else None
        side = side if said is None else np.where(said, side, UNKNOWN)
        errors = arrays["read_error"] if self.drop else pa.nulls(len(side), pa.string())
        lost = (side == UNKNOWN) & errors.is_null().to_numpy(zero_copy_only=False)
        if lost.any() and not self.drop:
            row = int(lost.argmax())
            name = lay.usable if lay.usable and said is not None and not said[row] else lay.label
            value = arrays[name][row].as_py()
            hint = "say what it means with label_means, or keep such rows' places and go on with bad_lines: drop"
            raise InputError(f"column {name}: {value!r} tells no preference", hint=hint)
        verdicts = pa.array(["prefer", "prefer", "tie", None]).take(pa.array(np.where(side == UNKNOWN, 3, side)))
        winner = np.where(side == TIE, FIRST, side)
        loser = np.where(winner == UNKNOWN, UNKNOWN, SECOND - winner)
        made = {"chosen": picked(first, second, winner), "rejected": picked(first, second, loser), "verdict": verdicts}
        noted = pc.if_else(pa.array(lost), NO_LABEL, errors)
        return made | ({"read_error": noted} if self.drop else {})


def types_of(names: Collection[str]) -> dict[str, pa.DataType]:
    """The types of the columns made here."""
    return {name: COLUMNS.get(name, pa.string()) for name in names}


def _with_addition(text: pa.Array, addition: pa.Array) -> pa.Array:
    """Instruction and input as one prompt, a blank line between; an empty input adds nothing."""
    more = pc.fill_null(addition, "")
    return pc.if_else(pc.equal(more, ""), text, pc.binary_join_element_wise(text, more, "\n\n"))


def _with_system(prompt: pa.Array, system: pa.Array) -> pa.Array:
    """A system message before each prompt that has one and does not begin with its own."""
    led = pc.equal(pc.coalesce(first_roles(prompt), pa.scalar("none")), "system")
    given = pc.and_(pc.not_equal(pc.fill_null(system, ""), ""), pc.and_(pc.invert(led), prompt.is_valid()))
    given = given.to_numpy(zero_copy_only=False)
    if not given.any():
        return prompt
    heads = messages_of(system.filter(pa.array(given)), "system").flatten()
    lengths = list_lengths(prompt)
    total = lengths + given
    offsets = np.concatenate([[0], np.cumsum(total)])
    place = np.empty(offsets[-1], np.int64)
    head_at = offsets[:-1][given]
    is_head = np.zeros(offsets[-1], bool)
    is_head[head_at] = True
    place[head_at] = np.arange(len(heads))
    place[~is_head] = len(heads) + np.arange(offsets[-1] - len(heads))
    values = pa.concat_arrays([heads, prompt.flatten()]).take(pa.array(place))
    null = prompt.is_null() if prompt.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=MESSAGES, mask=null)
