"""`rather doctor`: what is installed, what is missing, and the pip line that brings it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import shutil
import sys
from pathlib import Path

from .. import __version__
from ..core import registry
from ..core.hints import holds
from ..synth.sandbox import sandbox_fault


def print_doctor() -> None:
    """Versions, extras, devices, data, and stages that cannot run here."""
    print(f"rather {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    print(f"cores {os.cpu_count()}, GPU {'yes' if holds('gpu') else 'none'}, disk free {_free()} GiB in {Path.cwd()}")
    for extra, names in _extras().items():
        found = {name: _version(name) for name in names}
        missing = [name for name, version in found.items() if version is None]
        told = ", ".join(f"{name} {version}" for name, version in found.items() if version is not None)
        state = "complete" if not missing else f"lacks {', '.join(missing)}"
        cure = f"; pip install 'rather[{extra}]'" if missing and extra != "base" else ""
        print(f"{extra}: {state}{cure}" + (f"\n   {told}" if told else ""))
    print(f"sandbox for unit tests: {sandbox_fault() or 'works here'}")
    needs = {name: cls.needs for name, cls in registry.stages().items()}
    needs |= {name: spec.needs for name, spec in registry.models().items()}
    blocked = {
        name: [module for module in modules if importlib.util.find_spec(module) is None]
        for name, modules in needs.items()
    }
    for name, modules in blocked.items():
        if modules:
            print(f"{name}: cannot run here, needs {', '.join(modules)}")
    if not any(blocked.values()):
        print("every stage and model can run here")


def _extras() -> dict[str, list[str]]:
    """Requirements of the installed package by extra, from its own metadata."""
    found: dict[str, list[str]] = {"base": []}
    try:
        requirements = importlib.metadata.requires("rather") or []
    except importlib.metadata.PackageNotFoundError:
        print("rather is not installed (run from a folder); extras are not known", file=sys.stderr)
        return {}
    for line in requirements:
        name = re.split(r"[\s<>=!~;\[]", line, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if name != "rather" and (extra is None or extra[1] not in ("test", "all")):
            found.setdefault(extra[1] if extra else "base", []).append(name)
    return found


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _free() -> str:
    return f"{shutil.disk_usage(Path.cwd()).free / 2**30:.0f}"
