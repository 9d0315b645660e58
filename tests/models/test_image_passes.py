"""Decoding ahead and pictures of extreme shapes; no network is needed for either."""

from __future__ import annotations

import threading
import time

import pytest
from PIL import Image
from rather.models.image_passes import AHEAD, ahead, middle


def test_work_is_done_ahead_in_order_and_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    begun, taken, most, lock = 0, 0, 0, threading.Lock()

    def work(piece: int) -> int:
        nonlocal begun, most
        with lock:
            begun += 1
            most = max(most, begun - taken)
        return piece * piece

    found = []
    for value in ahead(work, range(40)):
        time.sleep(0.002)  # the network at work
        found.append(value)
        with lock:
            taken += 1
    assert found == [k * k for k in range(40)]
    assert 2 <= most <= 3 + 2, "some are ready before they are asked for, never all of them"
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert max(len(threading.enumerate()) for _ in ahead(work, range(90))) <= AHEAD + 8


def test_decoding_and_the_network_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one piece is with the network, the next is decoded: here the network waits for exactly that."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    decoded = [threading.Event() for _ in range(21)]

    def decode(piece: int) -> int:
        decoded[piece].set()
        return piece

    for piece in ahead(decode, range(20)):
        assert piece == 19 or decoded[piece + 1].wait(20), "nothing is decoded while the network works"


def test_an_error_comes_at_its_place_and_ends_the_work() -> None:
    done: list[int] = []

    def work(piece: int) -> int:
        if piece == 5:
            raise ValueError("five")
        done.append(piece)
        return piece

    seen = []
    with pytest.raises(ValueError, match="five"):
        for value in ahead(work, range(1000)):
            seen.append(value)
    assert seen == [0, 1, 2, 3, 4] and len(done) < 50


@pytest.mark.parametrize(
    ("size", "kept"),
    [
        ((30_000, 1), (16, 1)),
        ((1, 5000), (1, 16)),
        ((1600, 100), (1600, 100)),
        ((1601, 100), (1600, 100)),
        ((1, 1), (1, 1)),
    ],
)
def test_of_a_very_long_picture_the_middle_is_seen(size: tuple[int, int], kept: tuple[int, int]) -> None:
    picture = Image.new("L", size)
    picture.putpixel((size[0] // 2, size[1] // 2), 255)
    found = middle(picture)
    assert found.size == kept and max(found.tobytes()) == 255
