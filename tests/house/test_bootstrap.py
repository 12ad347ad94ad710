"""The set-up finds a Python that can do the work, whatever else the PATH holds."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOOLS = ("sh", "dirname", "cat", "cksum", "grep", "sort", "head", "tail", "rm", "mktemp")

FAKE = """
import sys
sys.version_info = ({version}, 0, "final", 0)
sys.executable = sys._base_executable = sys.argv[1]
if not {whole}:
    sys.modules["ensurepip"] = None
exec(sys.argv[sys.argv.index("-c") + 1])
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def fake_python(path: Path, version: str, *, whole: bool = True) -> Path:
    """A Python that says it has another version, and lacks ensurepip if it is not whole."""
    path.parent.mkdir(exist_ok=True, parents=True)
    body = path.with_name(path.name + "-body")
    body.write_text(FAKE.format(version=version.replace(".", ", "), whole=whole))
    return script(path, f'exec {shlex.quote(sys.executable)} {shlex.quote(str(body))} "$0" "$@"')


def script(path: Path, line: str) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bootstrap(root: Path, tmp_path: Path) -> Run:
    """Runs the script of a checkout of its own, in a PATH of the given folders and the tools it needs."""
    tools = tmp_path / "tools only"
    tools.mkdir()
    for name in TOOLS:
        where = shutil.which(name)
        assert where, name
        (tools / name).symlink_to(where)
    checkout = tmp_path / "a checkout"
    (checkout / "tools").mkdir(parents=True)
    shutil.copy(root / "tools" / "bootstrap.sh", checkout / "tools")

    def run(what: str, *path: Path | str, **environment: str) -> subprocess.CompletedProcess[str]:
        joined = os.pathsep.join(map(str, [*path, tools]))
        return subprocess.run(
            ["sh", str(checkout / "tools" / "bootstrap.sh"), what],
            env={"PATH": joined, **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_one_that_is_too_old_is_passed_over(bootstrap: Run, tmp_path: Path) -> None:
    fake_python(tmp_path / "a" / "python3", "3.8")
    new = fake_python(tmp_path / "b" / "python3.12", "3.12")
    assert bootstrap("find-python", tmp_path / "a", tmp_path / "b").stdout == f"1 3.12 {new}\n"


def test_a_shim_that_fails_does_not_hide_the_next_one(bootstrap: Run, tmp_path: Path) -> None:
    script(tmp_path / "shims" / "python3", "echo 'pyenv: python3: command not found'; exit 127")
    script(tmp_path / "shims" / "python", "echo '1 3.13'; exit 0")
    sound = fake_python(tmp_path / "bin" / "python3", "3.11")
    assert bootstrap("find-python", tmp_path / "shims", tmp_path / "bin").stdout == f"1 3.11 {sound}\n"


def test_what_the_user_calls_python3_comes_before_newer_ones(bootstrap: Run, tmp_path: Path) -> None:
    fake_python(tmp_path / "bin" / "python3.14", "3.14")
    own = fake_python(tmp_path / "bin" / "python3", "3.12")
    assert bootstrap("find-python", tmp_path / "bin").stdout == f"1 3.12 {own}\n"


def test_one_without_ensurepip_is_taken_only_where_no_whole_one_is(bootstrap: Run, tmp_path: Path) -> None:
    half = fake_python(tmp_path / "debian" / "python3", "3.13", whole=False)
    assert bootstrap("find-python", tmp_path / "debian").stdout == f"2 3.13 {half}\n"
    whole = fake_python(tmp_path / "own" / "python3.11", "3.11")
    assert bootstrap("find-python", tmp_path / "debian", tmp_path / "own").stdout == f"1 3.11 {whole}\n"


def test_one_too_new_for_wheels_is_the_last_choice(bootstrap: Run, tmp_path: Path) -> None:
    newest = fake_python(tmp_path / "bin" / "python3", "3.15")
    assert bootstrap("find-python", tmp_path / "bin").stdout == f"3 3.15 {newest}\n"
    known = fake_python(tmp_path / "bin" / "python3.14", "3.14", whole=False)
    assert bootstrap("find-python", tmp_path / "bin").stdout == f"2 3.14 {known}\n"


def test_spaces_in_paths_and_relative_folders_do_no_harm(bootstrap: Run, tmp_path: Path) -> None:
    fake_python(tmp_path / "here" / "python3", "3.14")
    sound = fake_python(tmp_path / "my programs *" / "python3", "3.12")
    found = bootstrap("find-python", "here", "", "no such folder", tmp_path / "my programs *")
    assert found.stdout == f"1 3.12 {sound}\n"


def test_the_shells_python_settings_are_ignored(bootstrap: Run, tmp_path: Path) -> None:
    sound = fake_python(tmp_path / "bin" / "python3", "3.12")
    found = bootstrap("find-python", tmp_path / "bin", PYTHONHOME="/nowhere", PYTHONWARNINGS="error")
    assert found.stdout == f"1 3.12 {sound}\n"


@pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="runs outside an environment")
def test_an_activated_environment_is_not_built_upon(bootstrap: Run) -> None:
    found = bootstrap("find-python", Path(sys.prefix) / "bin").stdout.split(" ", 2)[2].strip()
    assert Path(found).exists()
    assert not found.startswith(sys.prefix)


@pytest.mark.parametrize("what", ["run", "dev"])
def test_where_all_are_too_old_it_says_so_and_makes_nothing(bootstrap: Run, tmp_path: Path, what: str) -> None:
    old = fake_python(tmp_path / "bin" / "python3", "3.9")
    ended = bootstrap(what, tmp_path / "bin")
    assert ended.returncode == 1
    assert f"needs Python 3.11 or newer; the PATH has only 3.9 ({old})" in ended.stderr
    assert not (tmp_path / "a checkout" / ".venv").exists()


def test_where_none_runs_it_says_so(bootstrap: Run, tmp_path: Path) -> None:
    script(tmp_path / "bin" / "python3", "exit 1")
    ended = bootstrap("run", tmp_path / "bin")
    assert ended.returncode == 1
    assert "no Python on the PATH runs" in ended.stderr


def test_without_a_purpose_it_says_which_there_are(bootstrap: Run) -> None:
    ended = bootstrap("")
    assert ended.returncode == 1
    assert "run, dev or find-python" in ended.stderr


@pytest.mark.soak
def test_a_fresh_checkout_is_set_up_and_a_second_time_costs_nothing(
    root: Path, tmp_path: Path, text_files: dict[str, str]
) -> None:
    checkout = tmp_path / "a fresh checkout"
    for name in [*text_files, "src/trivet/data/o200k_base.tiktoken.gz"]:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, checkout / name)
    command = ["sh", str(checkout / "tools" / "bootstrap.sh"), "run"]
    first = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False)
    assert first.returncode == 0, first.stdout + first.stderr
    shown = subprocess.run([checkout / ".venv/bin/trivet", "--help"], capture_output=True, text=True, check=True)
    assert "run" in shown.stdout
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert again.stdout == ""
