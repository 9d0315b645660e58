"""Scores of images on fakes: every number recomputed here, every gap with its reason."""

from __future__ import annotations

import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from rather.core.errors import InputError, RecipeError
from rather.core.harmonic import lambda_harmonic, to_unit
from rather.core.patches import best_match, mutual_match
from rather.core.row import ANSWER, COLUMNS, text_messages
from rather.core.stage import Score
from rather.filters.embed_image import EmbedImage
from rather.filters.image_scoring import without
from rather.filters.score_blip import BlipItc
from rather.filters.score_clip import ClipI, ClipT, Dino
from rather.filters.score_lambda_harmonic import LambdaHarmonic
from rather.filters.score_patches import ClsPatch, PatchMatch, TwoPath
from rather.filters.score_preference import Aesthetic, Preference
from rather.filters.score_setwise import Setwise
from rather.filters.score_style import Style
from rather.models.encoders_image import EfficientNetLite0
from rather.models.fake_vision import FakeImageReward, FakeVision

from ..judges import FakeContext
from ..photos import photo
from ..runs import run_text

SEE = FakeVision(most=6)
A, B, C, D = (photo(k) for k in range(4))
BROKEN = A[: len(A) // 2]
FALLBACKS = ("open_clip", "align", "blip", "dino", "csd", "efficientnet")
MODELS: dict[str, Any] = dict.fromkeys(FALLBACKS, SEE) | {"pickscore": FakeImageReward()}


def image(data: bytes | None) -> dict[str, Any] | None:
    return None if data is None else {"bytes": data, "path": None}


def answer(data: bytes | None) -> dict[str, Any]:
    return {"image": image(data), "text": None}


def table(*rows: tuple[str | None, Any, Any, list[bytes] | None]) -> pa.Table:
    """Prompt, chosen, rejected and reference images a row; the answers are images, or "none" for no answer."""
    prompts, chosen, rejected, references = zip(*rows, strict=True)
    sides = [[None if data == "none" else answer(data) for data in side] for side in (chosen, rejected)]
    return pa.table(
        {
            "prompt": text_messages(pa.array(prompts, pa.string())),
            "chosen": pa.array(sides[0], ANSWER),
            "rejected": pa.array(sides[1], ANSWER),
            "images": pa.array([None if r is None else [image(d) for d in r] for r in references], COLUMNS["images"]),
        }
    )


def sets(*rows: tuple[str | None, list[Any] | None, list[bytes]]) -> pa.Table:
    """Prompt, candidates and reference images a row."""
    prompts, candidates, references = zip(*rows, strict=True)
    listed = [None if c is None else [None if d == "none" else answer(d) for d in c] for c in candidates]
    return pa.table(
        {
            "prompt": text_messages(pa.array(prompts, pa.string())),
            "candidates": pa.array(listed, COLUMNS["candidates"]),
            "images": pa.array([[image(d) for d in r] for r in references], COLUMNS["images"]),
        }
    )


def scored(stage: Score, batch: pa.Table, models: dict[str, Any] | None = None) -> dict[str, list[Any]]:
    found = stage.score(batch, FakeContext(models or MODELS))
    assert list(found) == [column.name for column in stage.columns_written()]
    for column in stage.columns_written():
        assert column.type is None or found[column.name].type == column.type
    return {name: array.to_pylist() for name, array in found.items()}


def cos(a: bytes, b: bytes) -> float:
    x, y = SEE.encode([a, b]).astype(np.float64)
    return float(x @ y)


def cos_text(text: str, data: bytes) -> float:
    return float(SEE.encode_text([text])[0].astype(np.float64) @ SEE.encode([data])[0])


FAULTS = table(
    ("a red hat", A, B, [C, D]),
    (None, A, None, [C]),
    ("a red hat", BROKEN, A, [C]),
    ("one two three four five six seven", A, "none", []),
    ("a red hat", A, B, [C, BROKEN]),
    ("a red hat", A, b"", None),
)


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


def test_an_aesthetic_score_asks_for_no_prompt() -> None:
    class Unprompted:
        name, prompted = "plain", False

        def score(self, prompts: list[str], images: list[bytes]) -> np.ndarray:
            assert set(prompts) == {""}
            return FakeImageReward().score(prompts, images)

    found = scored(Aesthetic(), FAULTS, {"aesthetic": Unprompted()})
    assert found["chosen_aesthetic_outcome"] == ["ok", "ok", "unreadable", "ok", "ok", "ok"]
    assert found["chosen_aesthetic"][0] == FakeImageReward().score([""], [A])[0]
    with pytest.raises(InputError, match="scores an image for a prompt"):
        scored(Aesthetic(), FAULTS, {"aesthetic": FakeImageReward()})


def test_patches_by_hand() -> None:
    reference = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    seen = np.array([[0.8, 0.6], [0, 1]], np.float32)
    assert best_match(reference, seen) == pytest.approx((0.8 + 1 + 0.96) / 3, abs=1e-6)
    # reference 0 is left over: image 0, its nearest, is nearer to reference 2
    assert mutual_match(reference, seen, 0.6) == pytest.approx((1 + 0.96) / 3, abs=1e-6)
    assert mutual_match(reference[:2], seen, 0.6) == pytest.approx((0.8 + 1) / 2, abs=1e-6)
    assert mutual_match(reference[:2], seen, 0.9) == pytest.approx(1 / 2, abs=1e-6)
    assert mutual_match(reference, reference, 0.6) == pytest.approx(1, abs=1e-6)
    assert mutual_match(reference[:1], seen[1:], 0.6) == 0


def test_scores_by_patches_and_by_both_paths() -> None:
    pairs = [("a", photo(k), photo(k + 1), [photo(k + 2), photo(k + 3)]) for k in range(19)]
    batch = table(*pairs, ("a", BROKEN, A, [C]))
    both, patch, whole = (scored(stage, batch) for stage in (TwoPath(), PatchMatch(), ClsPatch(weight=0.25)))
    for k, (_, chosen, _, references) in enumerate(pairs):
        parts = SEE.patches([chosen, *references])
        sem = sum(cos(chosen, r) for r in references) / 2
        detail = sum(mutual_match(r, parts[0], 0.6) for r in parts[1:]) / 2
        best = sum(best_match(r, parts[0]) for r in parts[1:]) / 2
        assert both["chosen_subject_sem"][k] == pytest.approx(sem, abs=1e-6)
        assert both["chosen_subject_detail"][k] == patch["chosen_patch_match"][k] == pytest.approx(detail, abs=1e-6)
        assert whole["chosen_cls_patch"][k] == pytest.approx(0.25 * sem + 0.75 * best, abs=1e-6)
    assert both["chosen_subject_outcome"][-1] == "unreadable" and both["rejected_subject_outcome"][-1] == "ok"
    assert len(set(patch["chosen_patch_match"][:-1])) > 10


def test_a_stand_in_for_a_style_encoder_is_named_one() -> None:
    class Styled:
        name, dim, persist, styled = "csd", SEE.dim, False, True
        encode = SEE.encode

    fallback, own = scored(Style(), FAULTS), scored(Style(), FAULTS, {"csd": Styled()})
    assert fallback["chosen_style_by"] == ["fallback: fake_vision", "fallback: fake_vision", None, None, None, None]
    assert own["chosen_style_by"][:3] == ["csd", "csd", None]
    assert fallback["chosen_style"][1] == own["chosen_style"][1] == pytest.approx(cos(A, C), abs=1e-6)


def test_a_set_and_what_each_of_it_adds() -> None:
    batch = sets(("x", [A, B, None, C, BROKEN], []), ("x", [A, B], []), ("x", [A, None], []), ("x", None, []))
    found = scored(Setwise(), batch)
    ab, ac, bc = cos(A, B), cos(A, C), cos(B, C)
    assert found["setwise"] == pytest.approx([(ab + ac + bc) / 3, ab, None, None], abs=1e-6)
    gains = [(ab + ac + bc) / 3 - left for left in (bc, ac, ab)]
    assert found["setwise_gain"][0] == pytest.approx([*gains[:2], None, gains[2], None], abs=1e-6)
    assert found["setwise_gain"][1:] == [[None, None], [None, None], None]
    assert found["setwise_size"] == [3, 2, 1, 0]
    assert found["setwise_outcome"] == ["ok", "ok", *["fewer than two images"] * 2]


def test_image_vectors_of_every_column() -> None:
    batch = table(("x", A, BROKEN, [C, BROKEN]), ("x", "none", B, None), ("x", None, A, []))
    found = EmbedImage(of=("chosen", "rejected", "images")).score(batch, FakeContext(MODELS))
    a, b, c = SEE.encode([A, B, C]).tolist()
    assert found["chosen_image_vector"].to_pylist() == [a, None, None]
    assert found["rejected_image_vector"].to_pylist() == [None, b, a]
    assert found["images_image_vector"].to_pylist() == [[c, None], None, []]
    listed = EmbedImage(of=("candidates",)).score(
        sets(("x", [A], []), ("x", ["none", B], [])).slice(1), FakeContext(MODELS)
    )
    assert listed["candidates_image_vector"].to_pylist() == [[None, b]]


def test_where_there_is_no_image_no_model_is_asked_for() -> None:
    """Loading a model takes long: rows of texts do not wake one."""
    rows = table(("x", None, "none", [A]), ("x", "none", None, []))
    for stage in (ClipT(), ClipI(), LambdaHarmonic(), BlipItc(), Preference(), TwoPath(), Style(), Aesthetic()):
        found = stage.score(rows, FakeContext({}))
        assert found[stage.columns_written()[0].name].null_count == 2


def odd_images() -> dict[str, tuple[bytes, str]]:
    """Images of every kind that turns up, and what becomes of them."""
    picture = Image.open(io.BytesIO(photo(3, "PNG")))
    turned, tag = picture.transpose(Image.Transpose.ROTATE_90), Image.Exif()
    tag[0x0112] = 6
    saved: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "plain": (picture, "PNG", {}),
        "turned": (turned, "PNG", {"exif": tag}),
        "cmyk": (picture.convert("CMYK"), "JPEG", {}),
        "grey16": (Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257), "PNG", {}),
        "animated": (picture, "GIF", {"save_all": True, "append_images": [turned]}),
        "pixel": (Image.new("RGB", (1, 1), "red"), "PNG", {}),
        "wide": (Image.new("RGB", (30_000, 2), "red"), "PNG", {}),
        "palette": (picture.convert("RGBA").quantize(8), "PNG", {}),
    }
    found = {}
    for name, (made, kind, options) in saved.items():
        out = io.BytesIO()
        made.save(out, kind, **options)
        found[name] = (out.getvalue(), "ok")
    bomb = found["pixel"][0]
    header = bomb[:16] + struct.pack(">II", 60_000, 60_000) + bomb[24:29]
    check = struct.pack(">I", zlib.crc32(header[12:29]))
    broken = {"bomb": header + check + bomb[33:], "empty": b"", "cut": photo(3)[:900], "text": b"no image at all"}
    return found | {name: (data, "unreadable") for name, data in broken.items()}


@pytest.mark.parametrize("encoder", [EfficientNetLite0(), SEE], ids=["efficientnet", "fake"])
def test_odd_images_have_a_score_or_a_reason(encoder: Any) -> None:
    odd = odd_images()
    plain = odd["plain"][0]
    batch = table(*(("a red hat", data, plain, [plain]) for data, _ in odd.values()))
    found = scored(Dino(), batch, {"efficientnet": encoder})
    assert dict(zip(odd, found["chosen_dino_outcome"], strict=True)) == {name: told for name, (_, told) in odd.items()}
    assert found["rejected_dino"] == pytest.approx([1.0] * len(odd), abs=1e-5)
    likes = dict(zip(odd, found["chosen_dino"], strict=True))
    assert likes["turned"] == pytest.approx(1, abs=1e-5) and likes["cmyk"] > 0.85 and likes["animated"] > 0.8
    assert all((likes[name] is None) == (told == "unreadable") for name, (_, told) in odd.items())


@pytest.mark.data
def test_the_embedded_encoder_prefers_the_same_subject(data: Path) -> None:
    """A photo of the subject against one of another, beside a reference photo of the subject."""
    folders = sorted(path for path in (data / "images/dreambooth_subset").iterdir() if path.is_dir())
    photos = [[file.read_bytes() for file in sorted(folder.glob("*.jpg"))] for folder in folders]
    rows = [("x", own[1], photos[k - 1][0], [own[0]]) for k, own in enumerate(photos)]
    found = scored(Dino(), table(*rows), {"efficientnet": EfficientNetLite0()})
    gaps = np.array(found["chosen_dino"]) - np.array(found["rejected_dino"])
    assert (gaps > 0).mean() > 0.9 and gaps.mean() > 0.15


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
    for stage, model in (("clip_t", "fake_image"), ("two_path", "fake_image_text"), ("dino", "fake_image_reward")):
        with pytest.raises(RecipeError, match=f"{model} is a .*, not a "):
            run_text(f"{text}  - score.{stage}: {{model: {model}}}", tmp_path / stage / "run")
