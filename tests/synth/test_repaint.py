"""Masked parts painted anew on the fake painter: what changes, what may not, what is told and what is paid for."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rather.core.errors import RecipeError
from rather.core.hashing import digest
from rather.core.stage import Drop
from rather.synth.repaint import Repaint

from ..photos import photo
from ..pictures import mask, photo_rows, pixels, png
from ..runs import run_text
from .scripted import ran, row_of
from .test_degrade_conditions import Atelier, picture


def torn(image: bytes = png(), region: bytes | None = mask(24), prompt: str = "a red dog") -> dict[str, Any]:
    chosen = {"text": None, "turns": None, "image": picture(image), "model": "old painter", "made_by": None}
    return row_of(prompt, chosen=chosen, mask=region and picture(region))


def mended(row: dict[str, Any], painter: Atelier, **options: Any) -> Any:
    return ran(Repaint(**options), row, (), painter=painter)[0]


def test_only_what_is_masked_is_painted_anew() -> None:
    atelier, row = Atelier(), torn()
    [found] = mended(row, atelier, strength=0.8, negative_prompt="blur")
    before, after = pixels(png()), pixels(found["chosen"]["image"]["bytes"])
    assert (after[:, :24] == before[:, :24]).all() and (after[:, 24:] != before[:, 24:]).mean() > 0.5
    assert found["rejected"] == row["chosen"] and found["verdict"] == "prefer"
    [request] = atelier.requests
    assert request["prompt"] == "a red dog" and request["strength"] == 0.8 and request["negative_prompt"] == "blur"
    assert base64.b64decode(request["image"]) == png()
    origin = found["chosen"]["made_by"]
    told = json.loads(origin["params"])
    assert origin["stage"] == "synth.repaint" and origin["seed"] == request["seed"]
    assert told["mask_area"] == 0.5 and told["mask_digest"] == digest(base64.b64decode(request["mask"]))
    assert told["painter"] == "painter" and told["strength"] == 0.8 and "mask" not in told and "image" not in told


def test_the_painter_changes_more_than_the_mask_and_is_put_right() -> None:
    """The fake leaves its brushwork everywhere, as decoding latents does."""
    atelier = Atelier()
    mended(torn(), atelier)
    reply = atelier.backend.paint(atelier.requests[0])
    painted = pixels(base64.b64decode((reply.data or {})["image"]))
    assert (painted[:, :24] != pixels(png())[:, :24]).any()


@pytest.mark.parametrize("side", [16, 96])
def test_paintings_and_masks_of_other_sizes_are_fitted(side: int) -> None:
    """A mask of half the size, white from column 12 of 24 on, and a JPEG, of which the decoded pixels stay."""
    [found] = mended(torn(photo(3, "JPEG", 48, 40), mask(12, 24, 20)), Shrinking(side))
    before, after = pixels(photo(3, "JPEG", 48, 40)), pixels(found["chosen"]["image"]["bytes"])
    changed = np.flatnonzero((after != before).any(axis=(0, 2)))
    assert after.shape == (40, 48, 3) and changed.min() >= 23 and changed.max() == 47


class Shrinking(Atelier):
    """A painter that paints at a size of its own."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    async def ask(self, request: Any, attempt: int = 0) -> Any:
        return await super().ask(request | {"width": self.side, "height": self.side}, attempt)


def test_rows_that_cannot_be_mended_are_dropped_with_a_reason() -> None:
    words = {"text": "words", "image": None}
    for reason, row, painter in (
        ("no mask", torn(region=None), Atelier()),
        ("a mask that marks nothing", torn(region=mask(48)), Atelier()),
        ("no picture", torn() | {"chosen": words}, Atelier()),
        ("no picture", torn() | {"chosen": None}, Atelier()),
        ("no prompt", torn(prompt=" "), Atelier()),
        ("repainted: refusal", torn(), Atelier(refused=1.0)),
    ):
        found = mended(row, painter)
        assert isinstance(found, Drop) and found.reason == reason
        assert len(painter.requests) == (reason == "repainted: refusal")


def test_what_comes_back_unchanged_is_no_pair() -> None:
    class Copying(Atelier):
        async def ask(self, request: Any, attempt: int = 0) -> Any:
            reply = await super().ask(request, attempt)
            reply.data["image"] = request["image"]
            return reply

    found = mended(torn(), Copying())
    assert isinstance(found, Drop) and found.reason == "painting anew changes nothing"


def recipe(rows: Path, **options: Any) -> str:
    stages = [{"read.rows": {"path": str(rows)}}, {"synth.repaint": {"painter": "fake_painter"} | options}]
    return yaml.safe_dump({"name": "mend", "seed": 3, "stages": stages})


def test_a_second_run_paints_nothing_again(tmp_path: Path) -> None:
    rows = photo_rows(tmp_path / "rows.parquet", mask=[picture(mask(12 * k, 48, 40)) for k in range(4)])
    views = [run_text(recipe(rows), tmp_path / "runs" / name) for name in ("one", "two")]
    counts = [view.funnel[-1] for view in views]
    assert [(c.calls, c.calls_reused, c.rows_out) for c in counts] == [(4, 0, 4), (0, 4, 4)]
    tables = [view.frame("synth.repaint").table(["id", "chosen", "rejected", "verdict"]) for view in views]
    assert tables[0].equals(tables[1])


def test_faults(tmp_path: Path) -> None:
    rows = photo_rows(tmp_path / "rows.parquet", maske=[picture(mask(1))] * 4)
    for options, said in (({}, "maske"), ({"mask": "maske", "nag": [5, 2.5, 0.25]}, "needs a negative_prompt")):
        with pytest.raises(RecipeError, match=said):
            run_text(recipe(rows, **options), tmp_path / "run")
