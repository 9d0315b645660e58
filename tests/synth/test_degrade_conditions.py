"""Negatives from degraded conditions on the fake painter: what is kept, what is recorded, what is paid for."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from rather.core.errors import RecipeError
from rather.core.hashing import digest
from rather.core.paid import Reply
from rather.core.stage import Drop, Dropped
from rather.core.view import RunView
from rather.models.fake_painter import FakePainterSpec
from rather.synth.degrade_conditions import DegradeConditions

from ..judges import FakeContext
from ..pictures import photo_rows, pixels, png, sharpness
from ..runs import run_text
from .scripted import ran, row_of


class Atelier:
    """A fake painter asked without a journal; keeps the requests."""

    name = "fake_painter test"

    def __init__(self, **options: Any) -> None:
        self.backend, self.requests = FakePainterSpec(**options).load(), list[Any]()

    async def ask(self, request: Any, attempt: int = 0) -> Any:
        self.requests.append(request)
        return await self.backend.call(request)


def picture(image: bytes) -> dict[str, Any]:
    return {"bytes": image, "path": None}


def subject(**columns: Any) -> dict[str, Any]:
    """A row: reference, another photo, target."""
    chosen = {"text": None, "image": picture(png(9)), "made_by": None}
    images = [picture(png(0)), picture(png(1))]
    return row_of("a red dog on the beach", **({"images": images, "chosen": chosen, "class_name": "dog"} | columns))


def made(stage: DegradeConditions, row: dict[str, Any], script: Sequence[Any] = ()) -> tuple[Any, Atelier]:
    atelier = Atelier()
    found, _ = ran(stage, row, script, painter=atelier)
    return found, atelier


def params(row: dict[str, Any], side: str = "rejected") -> dict[str, Any]:
    return json.loads(row[side]["made_by"]["params"])


def test_blur_and_bare_prompt_by_default() -> None:
    row = subject()
    [found], atelier = made(DegradeConditions(), row)
    [request] = atelier.requests
    assert request["prompt"] == "a photo of dog"
    assert found["chosen"] == row["chosen"] and found["verdict"] == "prefer"
    assert (found["degrade_visual"], found["degrade_text"], found["strength"]) == ("blur", "generic", 5.0)
    told = params(found)
    assert told["visual"] == "blur" and told["text"] == "generic" and told["prompt"] == "a photo of dog"
    assert told["radius_rel"] == pytest.approx(5 / 512) and told["painter"] == "painter"
    shown = base64.b64decode(request["reference"])
    assert digest(shown) == told["reference_digest"]
    assert shown != png(0) and found["rejected"]["made_by"]["seed"] == request["seed"]


def test_the_radius_is_scaled_to_the_side() -> None:
    """5 pixels at 512 are 0.39 at 40: recorded relative to the side, so that it means the same everywhere."""
    found = {}
    for radius in (5.0, 60.0):
        _, atelier = made(DegradeConditions(radius=radius), subject())
        found[radius] = sharpness(base64.b64decode(atelier.requests[0]["reference"]))
    assert found[60.0] < 0.6 * found[5.0] < 0.6 * sharpness(png(0)) * 1.0001


def test_a_large_reference_is_shrunk_for_the_painter_and_kept_in_the_row() -> None:
    row = subject(images=[picture(png(0, 300, 200))])
    for side, size in ((64, (64, 96, 3)), (200, (200, 300, 3)), (None, (200, 300, 3))):
        [found], atelier = made(DegradeConditions(side=side, visual="none"), row)
        shown = base64.b64decode(atelier.requests[0]["reference"])
        assert pixels(shown).shape == size and (shown == png(0, 300, 200)) == (side != 64)
        assert "images" not in found


@pytest.mark.parametrize("visual", ["blur", "noise", "semantic", "none"])
@pytest.mark.parametrize("text", ["generic", "none"])
def test_modes(visual: str, text: str) -> None:
    [found], atelier = made(DegradeConditions(visual=visual, text=text, radius=60), subject())
    [request] = atelier.requests
    shown = base64.b64decode(request["reference"])
    assert request["prompt"] == ("a photo of dog" if text == "generic" else "a red dog on the beach")
    assert (shown == png(0)) == (visual == "none") and (shown == png(9)) == (visual == "semantic")
    assert found["degradation"] == f"{visual}+{text}" == found["rejected"]["made_by"]["method"]
    assert found["strength"] == {"blur": 60.0, "noise": 0.3}.get(visual)
    assert pixels(found["rejected"]["image"]["bytes"]).shape == (64, 64, 3)


def test_several_modes_are_several_rows_with_one_seed() -> None:
    stage = DegradeConditions(visual=["blur", "noise"], text=["generic", "none"])
    found, atelier = made(stage, subject())
    assert [row["degradation"] for row in found] == ["blur+generic", "blur+none", "noise+generic", "noise+none"]
    assert len({request["seed"] for request in atelier.requests}) == 1
    assert len({row["rejected"]["image"]["bytes"] for row in found}) == 4
    assert stage.calls_a_row() == 4


def test_a_chat_model_writes_wrong_details() -> None:
    stage = DegradeConditions(text="hallucinated", chat="writer")
    [found], atelier = made(stage, subject(), [("The thing is: dog", "A green,\n cubic dog with wheels.")])
    assert atelier.requests[0]["prompt"] == "A green, cubic dog with wheels." == params(found)["prompt"]
    assert stage.models_named() == ("painter", "writer") and stage.calls_a_row() == 2
    dropped, _ = made(stage, subject(), [("The thing is", Reply("I'm sorry, I can't help with that.", "refusal"))])
    assert isinstance(dropped, Drop) and dropped.reason == "describe: refused"


def test_the_chosen_side_can_be_painted_too() -> None:
    [found], atelier = made(DegradeConditions(target="paint"), subject())
    clean, worse = atelier.requests
    assert clean["prompt"] == "a red dog on the beach" and clean["seed"] == worse["seed"]
    assert found["chosen"]["made_by"]["method"] == "clean" and params(found, "chosen")["painter"] == "painter"
    assert found["chosen"]["image"]["bytes"] != found["rejected"]["image"]["bytes"]
    _, atelier = made(DegradeConditions(target="paint", same_seed=False), subject())
    assert atelier.requests[0]["seed"] != atelier.requests[1]["seed"]


def test_the_seed_of_a_painted_target_is_used_again() -> None:
    row = subject()
    row["chosen"]["made_by"] = {"stage": "synth.paint", "method": "paint", "params": "{}", "model": "m", "seed": 41}
    assert made(DegradeConditions(), row)[1].requests[0]["seed"] == 41
    assert made(DegradeConditions(same_seed=False), row)[1].requests[0]["seed"] != 41


def test_rows_that_cannot_be_degraded_are_dropped_with_a_reason() -> None:
    one = [picture(png(0))]
    target = {"text": None, "image": picture(png(0)), "made_by": None}
    for reason, stage, row in (
        ("no reference image", DegradeConditions(), subject(images=[])),
        ("no target image", DegradeConditions(), subject(chosen={"text": "words", "image": None})),
        ("no name of the subject", DegradeConditions(), subject(class_name=None)),
        ("no other image to swap the reference with", DegradeConditions(visual="semantic"),
         subject(images=one, chosen=target)),
        ("no prompt", DegradeConditions(), subject() | {"prompt": []}),
    ):  # fmt: skip
        found, atelier = made(stage, row)
        assert isinstance(found, Drop) and found.reason == reason and not atelier.requests


def test_a_refused_painting_is_a_drop_and_never_a_picture() -> None:
    stage, row = DegradeConditions(), subject()
    context = FakeContext({"painter": Atelier(refused=1.0)})
    with pytest.raises(Dropped, match="rejected: refusal"):
        asyncio.run(stage.map(row, context))


RECIPE: dict[str, Any] = {
    "name": "cdns",
    "seed": 3,
    "models": {"painter": {"use": "fake_painter"}},
    "stages": [{"read.rows": {"path": ""}}, {"synth.degrade_conditions": {"target": "paint"}}],
}


def run(rows: Path, out: Path, painter: dict[str, Any] | None = None, **options: Any) -> RunView:
    recipe = RECIPE | {
        "models": {"painter": painter or {"use": "fake_painter"}},
        "stages": [{"read.rows": {"path": str(rows)}}, {"synth.degrade_conditions": {"target": "paint"} | options}],
    }
    return run_text(yaml.safe_dump(recipe, sort_keys=False), out)


def test_the_row_keeps_its_own_conditions(tmp_path: Path) -> None:
    rows = photo_rows(tmp_path / "rows.parquet")
    view = run(rows, tmp_path / "runs/one")
    before = pq.read_table(rows).to_pylist()
    after = view.frame("synth.degrade_conditions").table(["prompt", "images", "class_name", "rejected"]).to_pylist()
    assert len(after) == 4
    for old, new in zip(before, after, strict=True):
        assert new["images"] == old["images"] and new["class_name"] == old["class_name"]
        assert new["prompt"][0]["content"] == old["prompt"][0]["content"]
        assert params(new)["prompt"] == f"a photo of {old['class_name']}" != new["prompt"][0]["content"]


def test_a_second_run_paints_nothing_again(tmp_path: Path) -> None:
    rows = photo_rows(tmp_path / "rows.parquet")
    first = run(rows, tmp_path / "runs/one")
    again = run(rows, tmp_path / "runs/two")
    counts = [next(c for c in view.funnel if c.stage == "synth.degrade_conditions") for view in (first, again)]
    assert [(count.calls, count.calls_reused) for count in counts] == [(8, 0), (0, 8)]
    tables = [view.frame("synth.degrade_conditions").table(["id", "chosen", "rejected"]) for view in (first, again)]
    assert tables[0].equals(tables[1])
    more = run(rows, tmp_path / "runs/three", visual=["blur", "noise"])
    count = next(c for c in more.funnel if c.stage == "synth.degrade_conditions")
    assert (count.calls, count.calls_reused) == (4, 8), "only what is new is painted"


def test_faults_are_found_before_anything_is_painted(tmp_path: Path) -> None:
    rows = photo_rows(tmp_path / "rows.parquet")
    for options, said in (
        ({"text": "hallucinated"}, "needs a chat model"),
        ({"visual": "none", "text": "none"}, "the same painting"),
        ({"generic": "a photo"}, "has no {item}"),
        ({"item": "clas_name"}, "clas_name"),
        ({"visual": "blurr"}, "blur"),
        ({"chat": "painter", "text": "hallucinated"}, "painter is a painter, not a chat"),
    ):
        with pytest.raises(RecipeError, match=said):
            run(rows, tmp_path / "run", **options)
