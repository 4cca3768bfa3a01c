"""The wheel and the sdist that users install."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import cnnblocks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


@pytest.fixture(scope="module")
def scripts(distributions, tmp_path_factory):
    """The script folder of a fresh environment that has the wheel and borrows its dependencies."""
    home = tmp_path_factory.mktemp("fresh") / "venv"
    venv.create(home, with_pip=False, symlinks=os.name != "nt")
    paths = sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})
    Path(paths["purelib"], "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", home]
        + ["install", "--no-deps", "--no-index", distributions[0]],
        check=True,
        capture_output=True,
    )
    return Path(paths["scripts"])


def test_wheel_holds_both_packages_and_nothing_else(distributions):
    with zipfile.ZipFile(distributions[0]) as wheel:
        tops = {name.split("/")[0] for name in wheel.namelist()}
    assert tops == {"cnnblocks", "cnnblocks_tui", f"cnnblocks-{cnnblocks.__version__}.dist-info"}


def test_wheel_holds_every_source_file_and_stylesheet(distributions):
    with zipfile.ZipFile(distributions[0]) as wheel:
        held = set(wheel.namelist())
    for top in (ROOT / "src", ROOT / "tui"):
        for path in top.rglob("*"):
            if path.suffix in {".py", ".tcss", ".toml"} or path.name == "py.typed":
                assert path.relative_to(top).as_posix() in held


def test_sdist_holds_what_a_packager_needs(distributions):
    with tarfile.open(distributions[1]) as sdist:
        held = {name.split("/", 1)[-1] for name in sdist.getnames()}
    wanted = {"pyproject.toml", "LICENSE", "README.md", "CHANGELOG.md", "constraints.txt"}
    assert wanted | {"src/cnnblocks/__init__.py", "tests/conftest.py"} <= held


@pytest.mark.parametrize("script", ["cnnblocks", "cnnblocks-tui"])
def test_console_scripts_start_in_a_fresh_environment(scripts, script, tmp_path):
    result = subprocess.run(
        [scripts / script, "--version"], capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert cnnblocks.__version__ in result.stdout


def test_the_installed_package_is_the_wheel(scripts, tmp_path):
    python = scripts / Path(sys.executable).name
    code = (
        "import cnnblocks, cnnblocks_tui; print(cnnblocks.__file__); print(cnnblocks_tui.__file__)"
    )
    result = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True
    )
    assert all(str(scripts.parent) in line for line in result.stdout.splitlines())
