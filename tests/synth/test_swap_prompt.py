"""Prompts wrong in exactly one slot: grammar, synonyms, what is left alone, and both ways to write them."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rather.core.stage import Drop
from rather.synth.paint_grid import PromptGrid
from rather.synth.prompt_numbers import plural, singular
from rather.synth.prompt_slots import SLOTS, Slot, rendered, swaps
from rather.synth.swap_prompt import SwapPrompt

from ..pictures import png
from .scripted import ran, row_of


def prompts(text: str, slot: Slot) -> set[str]:
    return {swap.prompt for swap in swaps(text, slot, Random(0))}


@pytest.mark.parametrize(
    ("text", "slot", "one"),
    [
        ("two red apples", "color", "two green apples"),
        ("a red apple", "color", "an orange apple"),
        ("an orange cat", "color", "a blue cat"),
        ("the cat is orange", "color", "the cat is pink"),
        ("one apple is on the table", "count", "three apples are on the table"),
        ("three apples are on the table", "count", "one apple is on the table"),
        ("2 small dogs", "count", "5 small dogs"),
        ("one teddy bear in a garden", "count", "two teddy bears in a garden"),
        ("Two women walking", "count", "One woman walking"),
        ("five boxes", "count", "one box"),
        ("a dog to the left of a cat", "relation", "a dog to the right of a cat"),
        ("a bench left of a bear", "relation", "a bench right of a bear"),
        ("a cat behind a sofa", "relation", "a cat in front of a sofa"),
        ("a tiny wooden chair", "attribute", "a large wooden chair"),
        ("a young man", "attribute", "an old man"),
        ("a dog in the forest", "background", "a dog on the beach"),
    ],
)
def test_one_slot_is_changed_and_the_grammar_kept(text: str, slot: Slot, one: str) -> None:
    assert one in prompts(text, slot)


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("an orange on a table", "color"),  # the fruit
        ("a man of the Red Cross", "color"),  # a name
        ('a sign that says "two red dogs"', "color"),  # words in the picture
        ('a sign that says "two red dogs"', "count"),
        ("an old house", "attribute"),  # not young, or not new?
        ("a dog under water", "relation"),  # a place
        ("chapter 3.5, 4:30 pm", "count"),
        ("two", "count"),
        ("a dog", "color"),
    ],
)
def test_what_cannot_be_changed_for_certain_is_left_alone(text: str, slot: Slot) -> None:
    assert prompts(text, slot) == set()


def test_synonyms_are_never_put_for_one_another() -> None:
    assert not {"a large dog", "a huge dog", "a giant dog"} & prompts("a big dog", "attribute")
    assert not {"a red car", "a crimson car"} & prompts("a scarlet car", "color")
    assert "a dog in a forest" not in prompts("a dog in the woods", "background")


def test_every_swap_changes_one_slot_and_says_which() -> None:
    text = "two small red dogs to the left of a wooden chair in the forest"
    for slot in SLOTS:
        found = swaps(text, slot, Random(1))
        assert found
        for swap in found:
            assert swap.slot == slot and swap.before in text and swap.after in swap.prompt
            assert swap.prompt != text
            others = [other for other in SLOTS if other not in (slot, "count")]
            for other in others:
                kept = {s.before for s in swaps(swap.prompt, other, Random(0))}
                assert kept == {s.before for s in swaps(text, other, Random(0))}, (swap, other)


def test_nouns_in_both_numbers() -> None:
    for one, many in (("box", "boxes"), ("city", "cities"), ("toy", "toys"), ("man", "men"), ("wolf", "wolves"),
                      ("teddy bear", "teddy bears"), ("bus", "buses"), ("dish", "dishes")):  # fmt: skip
        assert plural(one) == many
        if " " not in one:
            assert singular(many) == one
    assert singular("grass") is None and singular("dog") is None


def test_real_prompts_keep_all_but_one_slot(data: Path) -> None:
    """GenEval's counts, colours and positions: a swap for nearly all, each a few characters from its prompt."""
    lines = (data / "prompts" / "geneval_t2i_prompts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    wanted: dict[str, Slot] = {"counting": "count", "colors": "color", "color_attr": "color", "position": "relation"}
    rows = [row for row in rows if row["tag"] in wanted]
    assert len(rows) > 150
    made = [swaps(row["prompt"], wanted[row["tag"]], Random(0)) for row in rows]
    assert sum(map(bool, made)) >= 0.95 * len(rows)
    for row, found in zip(rows, made, strict=True):
        for swap in found:
            before, after = row["prompt"].split(), swap.prompt.split()
            same = sum(a == b for a, b in zip(before, after, strict=False)) if len(before) == len(after) else None
            assert same is None or same >= len(before) - 3, (row["prompt"], swap.prompt)


def found(stage: Any, row: dict[str, Any]) -> Any:
    return ran(stage, row, ())[0]


def test_negatives_stand_beside_the_row() -> None:
    [row] = found(SwapPrompt(most=4), row_of("two red dogs in the forest"))
    assert len(row["prompts_neg"]) == 4 and set(row) == {"prompts_neg"}
    assert {entry["slot"] for entry in row["prompts_neg"]} == {"color", "count", "background"}, "kinds take turns"
    assert found(SwapPrompt(most=4), row_of("two red dogs in the forest")) == [row]
    [only] = found(SwapPrompt(slots="count"), row_of("two red dogs"))
    assert {entry["slot"] for entry in only["prompts_neg"]} == {"count"}


def test_pairs_of_captions_of_one_picture() -> None:
    image = {"bytes": png(), "path": None}
    rows = found(SwapPrompt(write="pair", most=2), row_of("a red dog on the beach", chosen={"image": image}))
    assert len(rows) == 2
    for row in rows:
        assert row["images"] == [image] and row["chosen"]["text"] == "a red dog on the beach"
        assert row["rejected"]["text"] != "a red dog on the beach" and row["verdict"] == "prefer"
        told = json.loads(row["rejected"]["made_by"]["params"])
        assert (
            told["after"] in row["rejected"]["text"] and row["rejected"]["made_by"]["method"] == f"swap_{told['slot']}"
        )
        assert [part["type"] for part in row["prompt"][0]["parts"]] == ["image", "text"]


def test_rows_that_give_nothing() -> None:
    dropped = found(SwapPrompt(), row_of("a dog"))
    assert isinstance(dropped, Drop) and dropped.reason == "no slot to change"
    dropped = found(SwapPrompt(write="pair"), row_of("a red dog", chosen="words"))
    assert isinstance(dropped, Drop) and dropped.reason == "no picture"


GRID = {"count": ("one", "three"), "color": ("red", "orange"), "background": ("on the beach",)}


def test_a_grid_of_prompts() -> None:
    stage = PromptGrid(template="{count} {color} {object} {background}", slots=GRID, columns=("object",))
    rows = found(stage, row_of("", object="wolf"))
    assert [row["prompt"][0]["content"] for row in rows] == [
        "one red wolf on the beach",
        "one orange wolf on the beach",
        "three red wolves on the beach",
        "three orange wolves on the beach",
    ]
    assert rows[3]["slots"] == [
        {"slot": "count", "value": "three"},
        {"slot": "color", "value": "orange"},
        {"slot": "object", "value": "wolf"},
        {"slot": "background", "value": "on the beach"},
    ]


def test_some_of_a_grid_too_large_to_paint() -> None:
    slots = {name: tuple(f"{name}{k}" for k in range(40)) for name in ("a", "b", "c", "d")}
    rows = found(PromptGrid(template="{a} {b} {c} {d}", slots=slots, each=50), row_of(""))
    assert len({row["prompt"][0]["content"] for row in rows}) == 50


def test_faults_of_a_grid() -> None:
    said = " ".join(PromptGrid(template="{a} {b}", slots={"b": ("x",), "c": ("y",)}, columns=("b",)).faults())
    assert "nothing fills {a}" in said and "no slot {c}" in said and "b is among" in said
    assert PromptGrid(template="{b}", slots={"b": ("x",)}).faults() == []
    assert rendered("A {color} {object}", {"color": "orange", "object": "owl"}, ()) == "An orange owl"
