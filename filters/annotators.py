"""A pool of simulated annotators: who they are, and the chance that decides who labels what."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Final, Literal, final

TERSE: Final = "You are a busy engineer. You like short, exact answers and dislike politeness and repetition."
CURIOUS: Final = "You are a curious student. You like examples and full explanations and dislike bare results."


@final
@dataclass(frozen=True)
class Annotator:
    """One way of being asked: the model's grade, the wording, the manner and the persona."""

    name: str
    grade: Literal["strong", "medium", "weak"]
    wording: Literal["basic", "crowd", "strict", "careful"] = "basic"
    json: bool = False
    persona: str = ""


POOL: Final = (
    Annotator("strong-basic", "strong"),
    Annotator("strong-careful-json", "strong", "careful", json=True),
    Annotator("strong-crowd", "strong", "crowd"),
    Annotator("strong-terse", "strong", persona=TERSE),
    Annotator("strong-curious-json", "strong", json=True, persona=CURIOUS),
    Annotator("medium-basic", "medium"),
    Annotator("medium-basic-json", "medium", json=True),
    Annotator("medium-crowd", "medium", "crowd"),
    Annotator("medium-strict-json", "medium", "strict", json=True),
    Annotator("weak-basic", "weak"),
    Annotator("weak-crowd", "weak", "crowd"),
    Annotator("weak-strict", "weak", "strict"),
    Annotator("weak-basic-json", "weak", json=True),
)
"""Thirteen, as in AlpacaFarm: five strong, four medium, four weak; two have tastes of their own."""


@final
@dataclass(frozen=True)
class Lot:
    """What chance decides before anybody is asked: the annotator, the order shown, and a coin or none.

    `coin` is 1 or 2 where a fair coin takes the place of the label, else None.
    """

    annotator: Annotator
    swapped: bool
    coin: int | None


def draw_lot(seed: int, instruction: str, flip: float, noise_text: str) -> Lot:
    """The lot of an instruction: a coin with chance 2·flip, so that a label is wrong with chance flip.

    Annotator and order depend on (seed, instruction), the coin on (seed, `noise_text`).
    """
    who, noise = seeded(seed, "who", instruction), seeded(seed, "noise", noise_text)
    annotator, swapped = who.choice(POOL), who.random() < 0.5
    return Lot(annotator, swapped, noise.choice((1, 2)) if noise.random() < 2 * flip else None)


def seeded(seed: int, what: str, text: str) -> random.Random:
    """A generator that depends on (seed, what, text) alone."""
    key = f"{seed}\0{what}\0{text}".encode("utf-8", "surrogatepass")
    return random.Random(int.from_bytes(hashlib.blake2b(key, digest_size=16).digest(), "little"))
