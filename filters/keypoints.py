"""The 24 key points of prompts for pictures in 6 groups (PromptEnhancer, arXiv 2509.04545), and their score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "linguistic": {
        "negation": "something must not be there",
        "attribute consistency": "several things share an attribute",
        "pronoun resolution": "a pronoun stands for the right thing",
    },
    "visual attributes": {
        "counting": "an exact number of things, three or more",
        "size": "how large something is",
        "material": "what something is made of",
        "expression": "the look on a face",
        "artistic style": "a style, medium or school of art",
    },
    "action and interaction": {
        "full-body action": "what a person does with the whole body",
        "hand action": "what hands do",
        "animal action": "what an animal does",
        "contact interaction": "things or persons that touch each other",
        "interaction without contact": "things or persons that relate without touching, such as by a look",
        "state": "the state something is in, such as melting or torn",
    },
    "relations and structure": {
        "comparative relation": "something is larger, older or more of something than another",
        "compositional relation": "something is put together from parts",
        "containment": "something is inside something else",
        "similarity": "something has the shape or the look of something else",
        "cross-entity binding": "several things, each with its own attributes",
        "entity layout": "where things stand in the picture or to each other",
    },
    "world knowledge": {
        "knowledge application": "something that must be known, such as a landmark or a law of nature",
        "counterfactual": "something that cannot be in the real world",
    },
    "scene text": {
        "text rendering": "letters or words to be read in the picture",
        "text layout": "where and how such words stand",
    },
}
POINTS: Final[Mapping[str, str]] = {name: meaning for points in GROUPS.values() for name, meaning in points.items()}


def group_of(point: str) -> str:
    """The group of a key point. Raises KeyError for one that is not known."""
    return next(group for group, points in GROUPS.items() if point in points)


def grouped_mean(met: Mapping[str, bool]) -> float:
    """The share of points met within each group, then the mean over the groups there are, in [0, 1]."""
    groups: dict[str, list[bool]] = {}
    for point, yes in met.items():
        groups.setdefault(group_of(point), []).append(yes)
    return sum(sum(values) / len(values) for values in groups.values()) / len(groups)
