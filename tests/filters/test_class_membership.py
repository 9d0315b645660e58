"""Whether an image is of its class: cosines and ranks recomputed, and what is dropped for them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from rather.core.errors import InputError
from rather.core.row import ANSWER
from rather.filters.class_membership import CLASSES, ClassMembership, ClassMembershipFilter
from rather.models.fake_vision import FakeVision

from ..judges import FakeContext
from ..photos import photo

SEE = FakeVision()
PHOTOS = [photo(k) for k in range(6)]


def batch() -> pa.Table:
    """Six photos with classes; one row each without a class, without an image and with a broken one."""
    names = ["dog", "cat", "an alien", None, "dog", "dog"]
    images = [*PHOTOS[:4], None, PHOTOS[5][:300]]
    answers = [{"image": {"bytes": data, "path": None} if data else None, "text": "t"} for data in images]
    return pa.table({"class_name": pa.array(names), "chosen": pa.array(answers, ANSWER)})


def found() -> dict[str, list[object]]:
    columns = ClassMembership(of="chosen").score(batch(), FakeContext({"open_clip": SEE}))
    return {name: column.to_pylist() for name, column in columns.items()}


def test_cosines_and_ranks_are_those_of_the_encoder() -> None:
    told = found()
    for row, name in enumerate(("dog", "cat", "an alien")):
        vector = SEE.encode([PHOTOS[row]])[0].astype(float)
        others = [other for other in CLASSES if other != name]
        own, *rest = SEE.encode_text([f"a photo of a {each}" for each in (name, *others)]).astype(float) @ vector
        assert told["chosen_class"][row] == pytest.approx(own, abs=1e-6)
        assert told["chosen_class_rank"][row] == 1 + int((np.array(rest) > own).sum())
    assert told["chosen_class"][3:] == told["chosen_class_rank"][3:] == [None, None, None]
    assert told["chosen_class_outcome"] == ["ok", "ok", "ok", "no class", "no image", "unreadable"]


def test_a_row_is_the_same_alone_and_in_company() -> None:
    whole, stage = found(), ClassMembership(of="chosen")
    for row in range(6):
        alone = stage.score(batch().slice(row, 1), FakeContext({"open_clip": SEE}))
        assert {name: column.to_pylist()[0] for name, column in alone.items()} == {n: v[row] for n, v in whole.items()}


def test_a_class_the_encoder_cannot_read_has_no_number() -> None:
    stage = ClassMembership(of="chosen", others=("dog", "owl"))
    found = stage.score(batch(), FakeContext({"open_clip": FakeVision(most=5)}))
    assert found["chosen_class_outcome"].to_pylist()[:3] == ["ok", "ok", "class too long"]
    assert found["chosen_class"].to_pylist()[2] is None
    with pytest.raises(InputError, match="cannot read 'dog' whole"):
        stage.score(batch(), FakeContext({"open_clip": FakeVision(most=4)}))


def test_what_left_its_class_is_dropped() -> None:
    rows = pa.table(
        {
            "chosen_class": pa.array([0.30, 0.18, 0.30, None]),
            "chosen_class_rank": pa.array([1, 1, 2, None], pa.int32()),
        }
    )
    why = ClassMembershipFilter(least=0.2).why_drop(rows).to_pylist()
    assert why == [None, "too unlike its class", "another class is nearer", "class not measured"]
    assert ClassMembershipFilter(most_rank=2).why_drop(rows).to_pylist()[:3] == [None, None, None]


def test_mistakes_are_told_before_the_run() -> None:
    assert ClassMembershipFilter(most_rank=None).faults() and not ClassMembershipFilter().faults()
    assert ClassMembership(template="a photo").faults() and not ClassMembership().faults()
    assert ClassMembershipFilter(side="rejected", column="c").columns_read() == ("rejected_c", "rejected_c_rank")
    assert "by mine" in ClassMembership(model="mine").columns_written()[0].doc
