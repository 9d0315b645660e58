"""One name may stand where several are taken."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError
from rather.core.several import Chats, Names, Painters


@pytest.mark.parametrize("kind", [Names, Chats, Painters])
def test_a_string_is_a_tuple_of_one(kind: object) -> None:
    takes = TypeAdapter(kind).validate_python
    assert takes("writer") == ("writer",)
    assert takes(["writer", "other"]) == ("writer", "other")
    for wrong in ([], None, 3):
        with pytest.raises(ValidationError):
            takes(wrong)
