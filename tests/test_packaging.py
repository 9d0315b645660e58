"""What is shipped: the list of packages, their data, and a wheel that works far from this folder."""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUP = PROJECT["tool"]["setuptools"]
NOT_SHIPPED = {"tests", "bench", "docs", "build", "dist", "runs"}


def package_of(folder: Path) -> str:
    """The import name of a folder of the repository."""
    return ".".join(["rather", *folder.relative_to(ROOT).parts])


def package_folders() -> list[Path]:
    """Every folder that is a package, the repository itself among them."""
    found = [ROOT]
    for folder in sorted(ROOT.iterdir()):
        if folder.is_dir() and not folder.name.startswith(".") and folder.name not in NOT_SHIPPED:
            found += [path.parent for path in sorted(folder.rglob("__init__.py"))]
    return found


def data_files() -> list[tuple[str, str]]:
    """(package, path inside it) of every file of the package that is not Python."""
    folders = package_folders()[1:]
    found = [("rather", "py.typed")]
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            inner = path.relative_to(folder)
            nested = any(
                other != folder and other.is_relative_to(folder) and path.is_relative_to(other) for other in folders
            )
            if path.is_file() and path.suffix not in (".py", ".pyc") and not nested:
                found.append((package_of(folder), inner.as_posix()))
    return found


def test_the_list_of_packages_is_the_folders() -> None:
    assert sorted(SETUP["packages"]) == sorted(package_of(folder) for folder in package_folders())
    assert SETUP["package-dir"] == {"rather": "."}


def test_every_data_file_is_shipped() -> None:
    unshipped = [
        f"{package}: {path}"
        for package, path in data_files()
        if not any(fnmatch.fnmatch(path, pattern) for pattern in SETUP["package-data"].get(package, ()))
    ]
    assert unshipped == []


def test_no_pattern_of_data_is_idle() -> None:
    files = data_files()
    for package, patterns in SETUP["package-data"].items():
        for pattern in patterns:
            assert any(p == package and fnmatch.fnmatch(path, pattern) for p, path in files), f"{package}: {pattern}"


def test_the_version_is_told_once() -> None:
    import rather

    assert rather.__version__ == PROJECT["project"]["version"]


def test_python_dash_m_works_from_another_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rather", "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"rather {PROJECT['project']['version']}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that nothing is left in the repository."""
    copy, out = tmp_path_factory.mktemp("copy") / "source", tmp_path_factory.mktemp("dist")
    skip = shutil.ignore_patterns(".*", "__pycache__", "runs", "build", "dist", "*.egg-info")
    shutil.copytree(ROOT, copy, ignore=skip)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean environment with the wheel alone; dependencies are those of this environment, ours hidden."""
    folder = tmp_path_factory.mktemp("clean") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    install = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--target", str(site), str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    borrowed = folder / "borrowed"  # links to what is installed here, except the package under test
    borrowed.mkdir()
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        if not path.name.startswith(("rather", "__editable__")) and path.suffix != ".pth":
            (borrowed / path.name).symlink_to(path)
    (site / "borrowed.pth").write_text(f"{borrowed}\n", encoding="utf-8")
    return folder


@pytest.mark.full
def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"rather"}
    rooms = {name.split("/")[1] for name in names if name.startswith("rather/") and name.count("/") > 1}
    assert rooms == {package.split(".")[1] for package in SETUP["packages"] if "." in package}
    expected = {"/".join([*package.split("."), path]) for package, path in data_files()}
    assert expected <= set(names)
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]


@pytest.mark.full
def test_the_wheel_runs_the_quickstart_with_an_empty_environment(home: Path, tmp_path: Path) -> None:
    python = home / "bin" / "python"
    where = subprocess.run(
        [python, "-c", "import rather; print(rather.__file__)"],
        env={}, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert Path(where.stdout.strip()).is_relative_to(home)
    command = [python, "-m", "rather", "run", "quickstart", "--out", "runs/first", "--json"]
    done = subprocess.run(
        command, env={"HOME": str(tmp_path)}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["rows_in"] >= 300 and told["rows_out"] >= 200 and told["failed"] == 0
    assert list((tmp_path / "runs/first/data").rglob("*.parquet"))
    report = (tmp_path / "runs/first/report.html").read_text(encoding="utf-8")
    assert "<html" in report and os.fspath(ROOT) not in report


@pytest.mark.full
def test_the_console_script_is_there(home: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "rather = rather.cli.main:main" in archive.read(entry).decode()
