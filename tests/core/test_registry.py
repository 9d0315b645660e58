"""Names are found without importing every stage, and all of them are found."""

from __future__ import annotations

import re
import subprocess
import sys

from rather.core import registry

ROOM = re.compile(r"rather\.(models|formats|synth|filters|train)\.")
CHECK = """
import sys
from rather.cli import api
api.check("quickstart")
print(*(name for name in sys.modules if name.startswith(("rather.filters.judge", "rather.models.openai"))))
"""


def test_every_built_in_name_is_read_off_its_source() -> None:
    """A name registered in another way than by a plain decorator would be found by `rather list` alone."""
    places = registry._places()
    for kind, known in (("register", registry.stages()), ("model", registry.models())):
        ours = {name: cls for name, cls in known.items() if ROOM.match(cls.__module__)}
        assert {(kind, name) for name in ours} == {place for place in places if place[0] == kind}
        assert all(places[kind, name] == cls.__module__ for name, cls in ours.items())


def test_one_name_brings_in_its_module_alone() -> None:
    told = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""


def test_an_unknown_name_is_none() -> None:
    assert registry.stage("filter.nothing_of_the_kind") is None and registry.model_spec("no_such_model") is None
