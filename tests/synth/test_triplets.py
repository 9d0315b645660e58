"""Content, style and stylised picture by two painters in series."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rather.core.stage import Drop
from rather.synth.triplets import Triplets

from ..pictures import png
from .scripted import ran, row_of
from .test_degrade_conditions import Atelier, picture


def made(row: dict[str, Any] | None = None, **options: Any) -> tuple[Any, Atelier, Atelier]:
    stylist, destylist = Atelier(name="stylist"), Atelier(name="destylist")
    row = row or row_of("a red dog", images=[picture(png(0))])
    found, _ = ran(Triplets(**options), row, (), stylist=stylist, destylist=destylist)
    return found, stylist, destylist


def test_a_plain_picture_is_stylised_and_the_style_shown_on_another_subject() -> None:
    [row], stylist, destylist = made(styles="watercolour", others="a sailing ship")
    over, style = stylist.requests
    assert over["prompt"] == "a red dog, watercolour" and "image" in over and over["strength"] == 0.6
    assert style["prompt"] == "a sailing ship, watercolour" and "image" not in style and "reference" not in style
    assert not destylist.requests and over["seed"] != style["seed"]
    assert row["content_image"]["bytes"] == png(0) == row["rejected"]["image"]["bytes"]
    assert row["stylised_image"] == row["chosen"]["image"] and row["images"] == [row["style_image"]]
    assert len({row[f"{name}_image"]["bytes"] for name in ("content", "style", "stylised")}) == 3
    assert row["prompt"][0]["content"] == "a red dog, watercolour" and row["style"] == "watercolour"
    told = json.loads(row["chosen"]["made_by"]["params"])
    assert told["style"] == "watercolour" and told["style_seed"] == style["seed"] and told["strength"] == 0.6
    assert row["chosen"]["made_by"]["method"] == "stylise"


def test_a_stylised_picture_loses_its_style_and_hands_it_on() -> None:
    [row], stylist, destylist = made(start="stylised", carry="reference", others="a bowl of fruit")
    [off], [on] = destylist.requests, stylist.requests
    assert off["prompt"] == "a plain photo, a red dog" and "image" in off
    assert on["prompt"] == "a bowl of fruit" and "reference" in on
    assert row["stylised_image"]["bytes"] == png(0) == row["chosen"]["image"]["bytes"]
    assert row["content_image"] == row["rejected"]["image"]
    assert row["rejected"]["made_by"]["method"] == "destylise" and row["prompt"][0]["content"] == "a red dog"


def test_several_styles_of_one_picture() -> None:
    rows, stylist, _ = made(each=3)
    assert len({row["style"] for row in rows}) == 3 and len(stylist.requests) == 6 == Triplets(each=3).calls_a_row()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"each": 3, "styles": "watercolour"}, "more styles"),
        ({"start": "stylised", "each": 2, "carry": "reference"}, "leave out each"),
        ({"start": "stylised"}, "carry: reference"),
    ],
)
def test_faults(options: dict[str, Any], said: str) -> None:
    assert said in " ".join(Triplets(**options).faults())
    assert Triplets().faults() == [] and Triplets().models_named() == ("stylist",)


def test_no_picture_no_triplet() -> None:
    found, _, _ = made(row_of("a red dog", images=[]))
    assert isinstance(found, Drop) and found.reason == "no reference image"
