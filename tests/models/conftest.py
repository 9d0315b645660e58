"""Folders of tiny models, made once for all tests that load them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .. import tiny_pipelines
from ..seeing import FOLDERS


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of each kind of model that sees, as published ones are saved."""
    return {name: made(tmp_path_factory.mktemp(name)) for name, made in FOLDERS.items()}


@pytest.fixture(scope="session")
def sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny Stable Diffusion."""
    return tiny_pipelines.stable_diffusion(tmp_path_factory.mktemp("pipelines") / "sd")
