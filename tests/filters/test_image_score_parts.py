"""Scores by patches, of style and of sets, and image vectors: every number recomputed here."""

from __future__ import annotations

import numpy as np
import pytest
from rather.core.patches import best_match, mutual_match
from rather.filters.embed_image import EmbedImage
from rather.filters.score_patches import ClsPatch, PatchMatch, TwoPath
from rather.filters.score_setwise import Setwise
from rather.filters.score_style import Style
from rather.models.fake_vision import FakeStyle

from ..image_rows import BROKEN, FAULTS, MODELS, SEE, A, B, C, cos, scored, sets, table
from ..judges import FakeContext
from ..photos import photo


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
    fallback, own = scored(Style(), FAULTS), scored(Style(), FAULTS, {"csd": FakeStyle()})
    assert fallback["chosen_style_by"] == ["fallback: fake_vision", "fallback: fake_vision", None, None, None, None]
    assert own["chosen_style_by"][:3] == ["fake_style", "fake_style", None]
    assert fallback["chosen_style"][1] == pytest.approx(cos(A, C), abs=1e-6)
    a, c = FakeStyle().encode([A, C]).astype(np.float64)
    assert own["chosen_style"][1] == pytest.approx(float(a @ c), abs=1e-6)


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
