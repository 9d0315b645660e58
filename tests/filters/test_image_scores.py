"""Scores of images on fakes: every number recomputed here, every gap with its reason."""

from __future__ import annotations

import math
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from rather.core.errors import RecipeError
from rather.core.harmonic import lambda_harmonic, to_unit
from rather.core.stage import Score
from rather.filters.image_scoring import without
from rather.filters.score_blip import BlipItc
from rather.filters.score_clip import ClipI, ClipT, Dino
from rather.filters.score_lambda_harmonic import LambdaHarmonic
from rather.filters.score_patches import TwoPath
from rather.filters.score_preference import Aesthetic, Preference
from rather.filters.score_style import Style
from rather.models.fake_vision import FakeImageRating, FakeImageReward

from ..image_rows import BROKEN, FAULTS, A, B, C, D, cos, cos_text, scored, sets, table
from ..judges import FakeContext
from ..photos import photo
from ..runs import run_text


def test_clip_t_is_the_cosine_of_prompt_and_image() -> None:
    found = scored(ClipT(), FAULTS)
    hat = [cos_text("a red hat", data) for data in (A, B)]
    assert found["chosen_clip_t"] == pytest.approx([hat[0], None, None, None, hat[0], hat[0]], abs=1e-6)
    assert found["rejected_clip_t"] == pytest.approx([hat[1], None, hat[0], None, hat[1], None], abs=1e-6)
    assert found["chosen_clip_t_outcome"] == ["ok", "no prompt", "unreadable", "prompt too long", "ok", "ok"]
    assert found["rejected_clip_t_outcome"] == ["ok", "no image", "ok", None, "ok", "unreadable"]


@pytest.mark.parametrize(("stage", "name"), [(ClipI(), "clip_i"), (Dino(), "dino")])
def test_likeness_is_the_mean_cosine_to_all_references(stage: Score, name: str) -> None:
    found = scored(stage, FAULTS)
    likes = [(cos(data, C) + cos(data, D)) / 2 for data in (A, B)]
    assert found[f"chosen_{name}"] == pytest.approx([likes[0], cos(A, C), None, None, None, None], abs=1e-6)
    assert found[f"rejected_{name}"] == pytest.approx([likes[1], None, cos(A, C), None, None, None], abs=1e-6)
    outcomes = ["ok", "ok", "unreadable", "no reference", "reference unreadable", "no reference"]
    assert found[f"chosen_{name}_outcome"] == outcomes


def test_the_embedded_encoder_is_named_in_its_role() -> None:
    (column,) = Dino(of="chosen").columns_written()[:1]
    assert column.doc.endswith("by efficientnet in DINO's role")
    assert Dino(of="chosen", model="dinov2").columns_written()[0].doc.endswith("by dinov2")


def test_candidates_keep_their_places() -> None:
    batch = sets(("a red hat", [A, "none", None, B, C], [D]), ("x", None, []), ("x", [], []))
    found = scored(ClipT(of="candidates", most=4), batch)
    expected = [cos_text("a red hat", A), None, None, cos_text("a red hat", B), None]
    assert found["clip_t"][0] == pytest.approx(expected, abs=1e-6) and found["clip_t"][1:] == [None, []]
    assert found["clip_t_outcome"][0] == ["ok", None, "no image", "ok", None]
    sliced = scored(ClipT(of="candidates", most=4), sets(("y", [B], []), *[("a red hat", [A, B], [])] * 2).slice(1, 1))
    assert sliced["clip_t"][0] == pytest.approx([expected[0], expected[3]], abs=1e-6)


def test_placeholders_are_taken_out_of_prompts() -> None:
    assert without("a [V] dog on <V>, [V]'s ball", ("[V]", "<V>")) == "a dog on,'s ball"
    assert without("[V] dog", ("[V]",)) == "dog" and without("a [V] dog", ()) == "a [V] dog"
    rows = table(("a [V] hat", A, B, []), ("a hat", A, B, []))
    same, kept = scored(ClipT(), rows), scored(ClipT(placeholders=()), rows)
    assert same["chosen_clip_t"][0] == same["chosen_clip_t"][1] == kept["chosen_clip_t"][1] != kept["chosen_clip_t"][0]


@pytest.mark.parametrize(("weight", "expected"), [(0.0, 0.6), (0.3, 0.6486), (0.5, 0.6857), (0.7, 0.7273), (1.0, 0.8)])
def test_the_published_table_of_lambda(weight: float, expected: float) -> None:
    assert round(float(lambda_harmonic(0.8, 0.6, weight)), 4) == expected
    assert lambda_harmonic(0.8, 0.6, weight) == pytest.approx(expected, abs=5e-5)


def test_lambda_harmonic_holds_both_and_the_mean() -> None:
    found = scored(LambdaHarmonic(weight=0.7), FAULTS)
    image_share = ((cos(A, C) + cos(A, D)) / 2 + 1) / 2
    text_share = (cos_text("a red hat", A) + 1) / 2
    reward = 1 / (0.7 / (image_share + 1e-8) + 0.3 / (text_share + 1e-8))
    first = [found[f"chosen_lambda_harmonic{tail}"][0] for tail in ("", "_image", "_text")]
    assert first == pytest.approx([reward, image_share, text_share], abs=1e-6)
    reasons = ["ok", "no prompt", "unreadable", "no reference", "reference unreadable", "no reference"]
    assert found["chosen_lambda_harmonic_outcome"] == reasons
    assert found["chosen_lambda_harmonic"][1:] == [None] * 5
    assert found["chosen_lambda_harmonic_image"][1] == pytest.approx((cos(A, C) + 1) / 2, abs=1e-6)


def test_without_mapping_a_cosine_below_zero_has_no_reward() -> None:
    words = ["grey", "seven", "hat", "boat", "tin", "oak"]
    low = next(word for word in words if cos_text(word, A) < 0)
    high = next(word for word in words if cos_text(word, A) > 0)
    rows = table((low, A, A, [A]), (high, A, A, [A]))
    found = scored(LambdaHarmonic(mapped=False, of="chosen"), rows)
    assert found["chosen_lambda_harmonic_outcome"] == ["not positive", "ok"]
    raw = 1 / (0.3 / 1 + 0.7 / cos_text(high, A))
    assert found["chosen_lambda_harmonic"] == [None, pytest.approx(raw, abs=1e-5)]
    assert float(to_unit(-1)) == 0 and float(to_unit(1)) == 1


def test_the_heads_of_blip_never_share_a_column() -> None:
    cosine, chance = scored(BlipItc(), FAULTS), scored(BlipItc(head="itm"), FAULTS)
    assert cosine["chosen_blip_itc"][0] == pytest.approx(cos_text("a red hat", A), abs=1e-6)
    assert chance["chosen_blip_itm"][0] == pytest.approx((1 + cos_text("a red hat", A)) / 2, abs=1e-6)
    assert cosine["chosen_blip_itc_outcome"] == chance["chosen_blip_itm_outcome"]
    low = [column.low for column in (*BlipItc().columns_written()[:1], *BlipItc(head="itm").columns_written()[:1])]
    assert low == [-1, 0]


def test_preferences_and_the_chance_of_the_chosen_side() -> None:
    found = scored(Preference(), FAULTS)
    pair = FakeImageReward().score(["a red hat"] * 2, [A, B])
    assert [found["chosen_preference"][0], found["rejected_preference"][0]] == pair.tolist()
    chance = math.exp(pair[0]) / (math.exp(pair[0]) + math.exp(pair[1]))
    assert found["preference_p_chosen"][0] == pytest.approx(chance, abs=1e-12)
    assert [value is None for value in found["preference_p_chosen"]] == [False, True, True, True, False, True]
    assert found["chosen_preference_outcome"][:3] == ["ok", "no prompt", "unreadable"]
    names = [column.name for column in Preference(of="candidates").columns_written()]
    assert names == ["preference", "preference_outcome"]


def test_an_aesthetic_score_takes_no_notice_of_the_prompt() -> None:
    found = scored(Aesthetic(), FAULTS, {"aesthetic": FakeImageRating()})
    assert found["chosen_aesthetic_outcome"] == ["ok", "ok", "unreadable", "ok", "ok", "ok"]
    assert found["chosen_aesthetic"][0] == found["chosen_aesthetic"][1] == FakeImageRating().score([""], [A])[0]
    preferred = scored(Preference(), FAULTS, {"pickscore": FakeImageRating()})
    assert preferred["chosen_preference"][0] == found["chosen_aesthetic"][0], "a rating serves as a reward"


def test_where_there_is_no_image_no_model_is_asked_for() -> None:
    """Loading a model takes long: rows of texts do not wake one."""
    rows = table(("x", None, "none", [A]), ("x", "none", None, []))
    for stage in (ClipT(), ClipI(), LambdaHarmonic(), BlipItc(), Preference(), TwoPath(), Style(), Aesthetic()):
        found = stage.score(rows, FakeContext({}))
        assert found[stage.columns_written()[0].name].null_count == 2


RECIPE = """
name: scores
models: {{see: {{use: fake_image_text, most: 6}}, parts: {{use: fake_patches}}, like: {{use: fake_image_reward}}}}
stages:
  - read.rows: {{path: '{path}'}}
  - score.clip_t: {{model: see}}
  - score.clip_i: {{model: see}}
  - score.dino: {{model: parts}}
  - score.lambda_harmonic: {{model: see}}
  - score.blip_itc: {{model: see, head: itm}}
  - score.preference: {{model: like}}
  - score.two_path: {{model: parts}}
  - score.style: {{model: see}}
  - embed.image: {{model: see}}
"""


def test_a_run_scores_every_row_and_a_bad_image_fails_none(tmp_path: Path) -> None:
    rows = [("a red hat", photo(k % 5), BROKEN if k % 7 == 3 else photo(k % 4), [photo(6)]) for k in range(40)]
    pq.write_table(table(*rows), tmp_path / "rows.parquet")
    text = RECIPE.format(path=tmp_path / "rows.parquet")
    views = [run_text(text, tmp_path / name / "run", batch=batch, workers=3) for name, batch in (("a", 7), ("b", 100))]
    small, large = (view.frame("embed.image").table() for view in views)
    assert small.num_rows == 40 and sum(count.failed for count in views[0].funnel) == 0
    assert small.drop_columns(["id", "place"]).equals(large.drop_columns(["id", "place"]))
    assert small["rejected_clip_t_outcome"].to_pylist().count("unreadable") == 6
    metadata = small.schema.field("chosen_clip_t").metadata
    assert metadata[b"better"] == b"higher" and metadata[b"doc"].endswith(b"by see")


def test_more_serves_where_less_is_wanted_and_not_the_other_way(tmp_path: Path) -> None:
    pq.write_table(table(("a", A, B, [C])), tmp_path / "rows.parquet")
    text = f"name: s\nstages:\n  - read.rows: {{path: '{tmp_path}/rows.parquet'}}\n"
    for stage, model in (("dino", "fake_image_text"), ("style", "fake_image"), ("clip_i", "fake_patches")):
        run_text(f"{text}  - score.{stage}: {{model: {model}}}", tmp_path / stage / "run")
    for stage, model in (("clip_t", "fake_image"), ("two_path", "fake_image_text"), ("aesthetic", "fake_image_reward")):
        with pytest.raises(RecipeError, match=f"{model} is a .*, not a "):
            run_text(f"{text}  - score.{stage}: {{model: {model}}}", tmp_path / stage / "run")
