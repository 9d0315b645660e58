"""Template contrasts with exact labels: whose attribute is it, with distractors between? (RUFF)

A person is introduced with an attribute, others with theirs, and a question asks for the first's.
The chosen answer uses the bound attribute, the rejected one a distractor's. No model makes them, so
the labels cannot be wrong; the number of distractors is the difficulty.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

PEOPLE: Final = (
    "accountant", "baker", "carpenter", "dentist", "electrician", "farmer", "gardener", "historian", "inspector",
    "jeweller", "librarian", "mechanic", "nurse", "optician", "painter", "surgeon", "tailor", "veterinarian",
)  # fmt: skip
PRONOUNS: Final = (
    ("he", "him", "his", "was"), ("she", "her", "her", "was"), ("they", "them", "their", "were"),
    ("xe", "xem", "xyr", "was"),
)  # fmt: skip
THINGS: Final = ("umbrella", "notebook", "bicycle", "lantern", "suitcase", "camera", "kettle", "ladder")
COLOURS: Final = ("red", "green", "blue", "yellow", "grey", "purple", "brown", "white")
TASKS: Final = ("pronoun", "colour", "thing")
DISTRACTORS: Final = (0, 1, 2, 3, 4, 5)


def contrasts(rows: int, seed: int) -> Iterator[dict[str, str | int]]:
    """`rows` pairs (prompt, chosen, rejected, task, distractors), every task at every number of distractors."""
    rng = random.Random(seed)
    kinds = itertools.cycle(itertools.product(DISTRACTORS, TASKS))
    for distractors, task in itertools.islice(kinds, rows):
        yield _contrast(rng, task, distractors)


def write_contrasts(path: Path, rows: int, seed: int) -> Path:
    """The pairs as JSON lines; the same file for the same rows and seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in contrasts(rows, seed)), encoding="utf-8")
    return path


def _contrast(rng: random.Random, task: str, distractors: int) -> dict[str, str | int]:
    """One pair; without distractors the wrong attribute is one nobody in the text has."""
    count = max(distractors + 1, 2)
    people = rng.sample(PEOPLE, count)
    pronouns = rng.sample(PRONOUNS, 2)
    colours, things = rng.sample(COLOURS, count), rng.sample(THINGS, count)
    told = [_told(people[k], pronouns[min(k, 1)], colours[k], things[k]) for k in range(distractors + 1)]
    end, right, wrong = {
        "pronoun": (_blank(people[0]), *(f"{p[0].capitalize()} {p[3]} well prepared." for p in pronouns)),
        "colour": (
            f"What colour is the {people[0]}'s {things[0]}?",
            *(f"The {people[0]}'s {things[0]} is {c}." for c in colours[:2]),
        ),
        "thing": (f"What did the {people[0]} bring?", *(f"The {people[0]} brought {_an(c)}." for c in things[:2])),
    }[task]
    prompt = " ".join(told) + f"\n\n{end}"
    return {"prompt": prompt, "chosen": right, "rejected": wrong, "task": task, "distractors": distractors}


def _told(person: str, pronoun: tuple[str, str, str, str], colour: str, thing: str) -> str:
    subject, objective, own, was = pronoun
    return (
        f"The {person} brought a {colour} {thing}, because {subject} {was} asked to,"
        f" and everyone thanked {objective} for {own} help."
    )


def _an(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def _blank(person: str) -> str:
    return (
        f"The {person} finished early. Write the next sentence, which says that the {person} was well prepared,"
        " with the pronoun used above."
    )
