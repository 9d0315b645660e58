"""Topics find planted groups, name them by their words, and do not mind degenerate vectors."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from rather.core.row import numpy_vectors
from rather.formats.report_compare import compare
from rather.formats.report_topics import topic_map
from rather.formats.topics import distinctive_words, find_topics

from ..fake_view import FakeRun, pairs, vectors

SUBJECTS = ("violin concert orchestra", "sourdough flour oven", "glacier crevasse alpine", "compiler parser syntax")


def run_of(n: int = 200) -> FakeRun:
    prompts = [f"What about {SUBJECTS[k % 4]} number {k}" for k in range(n)]
    return FakeRun().source(pairs(prompts, ["aa"] * n, ["b"] * n)).score("embed.text", {"prompt_vector": vectors(n)})


def test_planted_groups_are_found_and_named():
    raw = numpy_vectors(vectors(400))
    topics = find_topics(raw, most=4)
    labels = topics.assign(raw)
    for group in range(4):
        counts = np.bincount(labels[group::4], minlength=4)
        assert counts.max() == 100
    words = distinctive_words([SUBJECTS[k % 4] for k in range(400)], labels, 4)
    assert {frozenset(label.split(", ")) for label in words} == {frozenset(s.split()) for s in SUBJECTS}


def test_the_map_keeps_groups_apart():
    raw = numpy_vectors(vectors(400))
    flat = find_topics(raw, most=4).flatten(raw)
    centres = np.array([flat[g::4].mean(axis=0) for g in range(4)])
    within = np.mean([flat[g::4].std(axis=0).max() for g in range(4)])
    between = min(np.linalg.norm(centres[a] - centres[b]) for a in range(4) for b in range(a))
    assert between > 3 * within


def test_topics_are_the_same_at_every_call():
    raw = numpy_vectors(vectors(300))
    first, second = find_topics(raw), find_topics(raw)
    assert np.array_equal(first.centres, second.centres) and np.array_equal(first.axes, second.axes)


@pytest.mark.parametrize(
    "raw",
    [np.zeros((5, 8)), np.ones((50, 8)), np.full((4, 3), np.nan), np.eye(3), np.linspace(-1, 1, 40)[:, None]],
)
def test_degenerate_vectors_still_make_a_map(raw: np.ndarray):
    topics = find_topics(raw)
    flat = topics.flatten(raw)
    assert flat.shape == (len(raw), 2) and np.isfinite(flat).all()
    assert set(topics.assign(raw)) <= set(range(len(topics.centres)))


def test_the_table_counts_every_row_before_and_after():
    run = run_of().gate("filter.music", ["music" if k % 4 == 0 else None for k in range(200)])
    found = topic_map(compare(run))
    assert found is not None and (found.points, found.rows) == (200, 200)
    assert sum(line.before for line in found.topics) == 200 and sum(line.after for line in found.topics) == 150
    music = [line for line in found.topics if "violin" in line.label]
    assert music and all(line.after == 0 for line in music)
    assert found.svg.count("<title>") == 200


def test_kept_rows_are_recognised_by_prompt_when_a_map_gave_new_ids():
    run = run_of(40)
    table = run.tables[run.last].slice(0, 10)
    fresh = pa.array([f"new{k}" for k in range(10)])
    run.gate("filter.none", [None] * 40)
    table = table.set_column(table.column_names.index("id"), "id", fresh).drop_columns(["prompt_vector"])
    run.source(table, "synth.rewrite")
    run.funnel[-1] = type(run.funnel[-1])("synth.rewrite", "synth.rewrite", "map", 40, 10, 10)
    found = topic_map(compare(run))
    assert found is not None and sum(line.after for line in found.topics) == 10


def test_rows_without_a_vector_are_left_out():
    run = FakeRun().source(pairs([f"p{k}" for k in range(30)], ["a"] * 30, ["b"] * 30))
    some = pa.array([None if k % 3 else [float(k), 1.0] for k in range(30)], pa.list_(pa.float32(), 2))
    found = topic_map(compare(run.score("embed.text", {"prompt_vector": some})))
    assert found is not None and found.points == 10
