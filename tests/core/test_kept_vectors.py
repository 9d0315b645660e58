"""Vectors are made once: across calls, threads, runs and orders of inputs."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rather.core.errors import RowError
from rather.core.vectors import KeptEncoder
from rather.models.fakes import FakeImageEncoder, FakeTextEncoder


class Counted:
    """An encoder that counts what it is asked for and can be slow; refuses what contains `bad`."""

    name, dim, persist, scale = "counted", 8, True, 3.0

    def __init__(self, delay: float = 0.0) -> None:
        self.delay, self.asked, self.lock = delay, list[Any](), threading.Lock()

    def encode(self, images: Sequence[bytes]) -> np.ndarray:
        time.sleep(self.delay)
        for k, image in enumerate(images):
            if b"bad" in image:
                raise RowError("no image", place=f"input {k}")
        with self.lock:
            self.asked += images
        return FakeImageEncoder(8).encode(images)

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        with self.lock:
            self.asked += texts
        rows = FakeTextEncoder(8).encode(texts)
        rows[[len(text) > 9 for text in texts]] = np.nan
        return rows

    def patches(self, images: Sequence[bytes]) -> list[np.ndarray]:
        return [np.zeros((2, 3), np.float32) for _ in images]


def kept(folder: Path, encoder: Any, **identity: Any) -> KeptEncoder:
    return KeptEncoder(encoder, {"use": "counted"} | identity, folder)


IMAGES = [f"image {k % 30}".encode() for k in range(50)]


def test_each_distinct_input_is_asked_for_once_in_all_runs(tmp_path: Path) -> None:
    encoder = Counted()
    store = kept(tmp_path, encoder)
    expected = FakeImageEncoder(8).encode(IMAGES)
    assert store.encode(IMAGES[:20]).tobytes() == expected[:20].tobytes()
    assert store.encode(IMAGES[::-1]).tobytes() == expected[::-1].tobytes()
    assert sorted(encoder.asked) == sorted(set(IMAGES))
    again = Counted()
    assert kept(tmp_path, again).encode(IMAGES).tobytes() == expected.tobytes() and again.asked == []
    assert store.encode([]).shape == (0, 8)


def test_texts_and_images_of_one_encoder_are_kept_apart(tmp_path: Path) -> None:
    encoder = Counted()
    store = kept(tmp_path, encoder)
    image, text = store.encode([b"two words"]), store.encode_text(["two words", "a long text"])
    assert image.tobytes() != text[:1].tobytes() and np.isnan(text[1]).all()
    assert np.isnan(kept(tmp_path, Counted()).encode_text(["a long text"])).all()
    assert (store.scale, store.dim, store.name) == (3.0, 8, "counted") and len(store.patches([b"x"])) == 1
    with pytest.raises(AttributeError, match="nothing_such"):
        store.nothing_such  # noqa: B018


def test_another_identity_shares_nothing(tmp_path: Path) -> None:
    first, second = Counted(), Counted()
    kept(tmp_path, first, name="a").encode(IMAGES[:3])
    kept(tmp_path, second, name="b").encode(IMAGES[:3])
    assert first.asked == second.asked == IMAGES[:3]


def test_threads_that_want_the_same_wait_for_each_other(tmp_path: Path) -> None:
    encoder = Counted(delay=0.02)
    store = kept(tmp_path, encoder)
    expected = FakeImageEncoder(8).encode(IMAGES)
    starts = [0, 10, 20, 5, 15, 0, 10, 25]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: store.encode(IMAGES[start : start + 25]), starts))
    for start, rows in zip(starts, found, strict=True):
        assert rows.tobytes() == expected[start : start + 25].tobytes()
    assert sorted(encoder.asked) == sorted(set(IMAGES))


def test_what_one_thread_fails_at_another_may_still_get(tmp_path: Path) -> None:
    """A call with a bad image fails as a whole; one that waited for the same good images makes them itself."""
    store = kept(tmp_path, Counted(delay=0.05))
    with ThreadPoolExecutor(2) as pool:
        failing = pool.submit(store.encode, [*IMAGES[:5], b"bad"])
        time.sleep(0.01)
        assert pool.submit(store.encode, IMAGES[:5]).result().shape == (5, 8)
        with pytest.raises(RowError, match="input 5: no image"):
            failing.result()


def test_a_bad_input_is_named_by_its_place_in_the_call(tmp_path: Path) -> None:
    store = kept(tmp_path, Counted())
    store.encode(IMAGES[:4])
    with pytest.raises(RowError, match="input 4: no image"):
        store.encode([*IMAGES[:4], b"bad", IMAGES[7]])
    with pytest.raises(RowError, match="input 1: a NoneType"):
        kept(tmp_path / "t", FakeImageEncoder(8)).encode([b"x", None])
    with pytest.raises(TypeError, match="not one bytes"):
        kept(tmp_path / "u", FakeImageEncoder(8)).encode(b"x")


def test_a_write_that_was_cut_off_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(self: Path, target: Path) -> Path:
        raise OSError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(OSError, match="killed"):
            kept(tmp_path, Counted()).encode(IMAGES[:4])
    encoder = Counted()
    assert kept(tmp_path, encoder).encode(IMAGES[:4]).tobytes() == FakeImageEncoder(8).encode(IMAGES[:4]).tobytes()
    assert encoder.asked == IMAGES[:4]
