"""`python -m trivet.openai` runs a program as the interpreter does, with the SDK's classes replaced."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from trivet import sim
from trivet.openai.command import parser, split
from trivet.openai.replacing import _OURS

ROOT = Path(__file__).parent.parent.parent
PROBE = """
import __main__, pickle, sys

class Thing: pass

def inner():
    raise KeyError("inside")

print(sys.argv, sys.path[0], __name__, __file__, __package__, __builtins__.__name__, __doc__)
print(__spec__ and __spec__.name, __main__.Thing is Thing, type(pickle.loads(pickle.dumps(Thing()))) is Thing)
print(sorted(name for name in globals() if not name.startswith("__")))
print("annotations" in globals(), [].__class__.__name__)
wanted = sys.argv[1]
if wanted == "exit":
    sys.exit(7)
if wanted == "say":
    sys.exit("a last word")
if wanted == "raise":
    try:
        inner()
    except KeyError as error:
        raise ValueError("outside") from error
if wanted == "hook":
    sys.excepthook = lambda kind, error, trace: print("hook", kind, error, trace.tb_frame.f_code.co_name, trace.tb_next)
    raise ValueError("mine")
if wanted == "interrupt":
    raise KeyboardInterrupt
if wanted == "thread":
    import threading
    threading.Thread(target=lambda: print("from a thread")).start()
"""


def start(*arguments: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The interpreter with arguments."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "TRIVET_"))} | (env or {})
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=variables, capture_output=True, text=True, timeout=300
    )


def ours(*arguments: str | Path, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The same by way of the command."""
    return start("-m", "trivet.openai", *arguments, cwd=cwd, env=env)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A script, a module, a package, a folder and an archive, each with the same program."""
    (tmp_path / "probe.py").write_text(PROBE)
    (tmp_path / "wrong.py").write_text("x = (\n")
    (tmp_path / "empty").mkdir()
    for name in ("package", "folder"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__main__.py").write_text(PROBE)
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "__init__.py").write_text("")
    (tmp_path / "failing").mkdir()
    (tmp_path / "failing" / "__init__.py").write_text("import not_there_at_all\n")
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("__main__.py", PROBE)
    return tmp_path


def traced(text: str) -> str:
    """What the interpreter itself puts before the program's frames with `-m`, taken off."""
    return re.sub(r'  File "<frozen (?:runpy|importlib)[^\n]*\n', "", text)


@pytest.mark.parametrize(
    "program",
    [
        ("probe.py", "none", "--cache", "x"),
        ("probe.py", "exit"),
        ("probe.py", "say"),
        ("./probe.py", "raise"),
        ("probe.py", "hook"),
        ("probe.py", "interrupt"),
        ("probe.py", "thread"),
        ("wrong.py",),
        ("-m", "probe", "raise", "-m", "x"),
        ("-m", "package", "exit"),
        ("-m", "package.__main__", "none"),
        ("folder", "none"),
        ("archive.zip", "none"),
    ],
    ids=" ".join,
)
def test_a_program_sees_and_leaves_what_it_does_without_us(program: tuple[str, ...], folder: Path) -> None:
    """Arguments, path, `__main__`, output, traceback and exit code."""
    expected, done = start(*program, cwd=folder), ours("--quiet", *program, cwd=folder)
    assert done.returncode == expected.returncode
    assert done.stdout == expected.stdout
    assert traced(done.stderr) == traced(expected.stderr)


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (("nothing.py",), "No such file"),
        (("empty",), "__main__"),
        (("-m", "nothing_of_that_name"), "No module named nothing_of_that_name"),
        (("-m", "library"), "cannot be directly executed"),
        (("-m", "failing"), "not_there_at_all"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_a_program_that_is_not_there_is_named(program: tuple[str, ...], said: str, folder: Path) -> None:
    """With the interpreter's own exit code."""
    expected, done = start(*program, cwd=folder), ours(*program, cwd=folder)
    assert done.returncode == expected.returncode
    assert said in done.stderr


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with sim.start(sim.Scenario(time_scale=0)) as server:
        yield server.url


EVERYWHERE = """
import asyncio, openai, os, sys
from openai import AsyncOpenAI, AzureOpenAI, Client, OpenAI
from openai.lib.azure import AsyncAzureOpenAI, AzureOpenAI as Same
import trivet.openai

for ours in (OpenAI, AsyncOpenAI, AzureOpenAI, AsyncAzureOpenAI, Client, openai.OpenAI):
    assert ours.__module__.startswith("trivet."), ours
assert Same is AzureOpenAI

ask = dict(model="gpt-5.4-mini", input="Say hello")
answers = [OpenAI().responses.create(**ask), openai.responses.create(**ask), openai.responses.create(**ask)]

async def main():
    async with AsyncOpenAI() as client:
        return await client.responses.create(**ask)

answers.append(asyncio.run(main()))
assert len({answer.id for answer in answers}) == 1
assert [trivet.openai.last(answer).hit for answer in answers] == [False, True, True, True]
assert isinstance(openai._load_client(), OpenAI)
"""


def test_every_name_of_the_classes_is_replaced(provider: str, tmp_path: Path) -> None:
    """The client of the SDK's module too; one cache serves all of them."""
    (tmp_path / "everywhere.py").write_text(EVERYWHERE)
    env = {"OPENAI_API_KEY": "any", "OPENAI_BASE_URL": provider}
    done = ours("everywhere.py", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert "4 calls, 1 answered by the provider, 3 from here" in done.stderr


def test_the_module_client_of_azure_is_one_of_ours(tmp_path: Path) -> None:
    """So that the SDK, which asks what kind of client it has, finds its own kind."""
    (tmp_path / "azure.py").write_text(
        "import openai\n"
        "client = openai._load_client()\n"
        "assert isinstance(client, openai.AzureOpenAI), type(client).__mro__\n"
        "print(client.statistics().calls.calls)\n"
    )
    env = {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://x.example", "OPENAI_API_VERSION": "v1"}
    done = ours("azure.py", cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


ONCE = """
import sys
from openai import OpenAI
print(OpenAI().responses.create(model="gpt-5.4-mini", input=sys.argv[1]).id)
"""


def test_a_second_run_is_answered_by_the_cache_of_the_first(tmp_path: Path) -> None:
    """Though the simulated provider of the second listens elsewhere; another one's answers are its own."""
    (tmp_path / "once.py").write_text(ONCE)
    options = ("--sim", "--set", "time_scale=0", "--cache", f"sqlite:///{tmp_path / 'answers.db'}")
    first = ours(*options, "once.py", "Say hello", cwd=tmp_path)
    again = ours(*options, "once.py", "Say hello", cwd=tmp_path)
    other = ours(*options, "--set", "seed=1", "once.py", "Say hello", cwd=tmp_path)
    assert first.stdout == again.stdout != other.stdout
    assert "0 answered by the provider, 1 from here" in again.stderr
    assert "1 answered by the provider" in other.stderr


def test_the_budget_and_the_records_are_the_commands(tmp_path: Path) -> None:
    """A budget that a call would exceed ends in the SDK's kind of error; records are written of what was called."""
    (tmp_path / "once.py").write_text(ONCE)
    fast = ("--sim", "--set", "time_scale=0")
    poor = ours(*fast, "--budget", "0", "--cache", "off", "once.py", "Say hello", cwd=tmp_path)
    assert poor.returncode == 1
    assert "Budget" in poor.stderr
    ours(*fast, "--records", "kept", "once.py", "Say hello", cwd=tmp_path)
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_quiet_and_observe_do_what_they_say(tmp_path: Path) -> None:
    """No summary, and nothing cached."""
    (tmp_path / "once.py").write_text(ONCE)
    quiet = ours("--sim", "--set", "time_scale=0", "--quiet", "once.py", "Say hello", cwd=tmp_path)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    (tmp_path / "twice.py").write_text(ONCE + ONCE)
    seen = ours("--sim", "--set", "time_scale=0", "--observe", "twice.py", "Say hello", cwd=tmp_path)
    assert len(set(seen.stdout.split())) == 2
    assert "2 calls, 2 answered by the provider" in seen.stderr


def test_a_program_without_standard_streams_has_its_simulator(tmp_path: Path) -> None:
    """As a daemon starts it: nothing of the simulator's comes to stand in their place."""
    (tmp_path / "quiet.py").write_text(ONCE.replace("print(", "open('said', 'w').write("))
    command = f"'{sys.executable}' -m trivet.openai --sim --set time_scale=0 quiet.py hello <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, timeout=300)
    assert done.returncode == 0
    assert (tmp_path / "said").read_text().startswith("resp_")


def test_a_proxy_of_the_environment_does_not_stand_before_the_simulator(tmp_path: Path) -> None:
    """Nothing listens at this proxy's address."""
    (tmp_path / "once.py").write_text(ONCE)
    env = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "no_proxy": "example.com"}
    done = ours("--sim", "--set", "time_scale=0", "once.py", "Say hello", cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--budget", "much"),
        ("--ttl", "x"),
        ("--rpm", "x"),
        ("--set", "tier=1"),
        ("--sim", "--set", "tier"),
        ("--nope",),
    ],
    ids=" ".join,
)
def test_options_that_can_not_be_end_in_one_sentence(options: tuple[str, ...], folder: Path) -> None:
    """And the program is not begun."""
    done = ours(*options, "probe.py", "none", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


def test_an_interrupted_program_ends_by_the_signal(tmp_path: Path) -> None:
    """As the interpreter has it, and the simulated provider ends with it."""
    (tmp_path / "wait.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    done = ours("--sim", "wait.py", cwd=tmp_path)
    assert done.returncode == -signal.SIGINT
    assert "trivet/openai" not in done.stderr.replace("\\", "/")


@pytest.mark.parametrize(
    ("words", "own", "program"),
    [
        (["--sim", "a.py", "--cache", "x"], ["--sim"], ["a.py", "--cache", "x"]),
        (["--cache", "off", "-m", "a", "-m"], ["--cache", "off"], ["-m", "a", "-m"]),
        (["--cache=off", "-ma", "b"], ["--cache=off"], ["-m", "a", "b"]),
        (["--sim", "--", "-odd.py"], ["--sim"], ["-odd.py"]),
        (["--cache"], ["--cache"], []),
        ([], [], []),
    ],
)
def test_the_options_end_where_the_program_begins(words: list[str], own: list[str], program: list[str]) -> None:
    """What comes after the program's name is the program's."""
    assert split(words) == (own, program)


def test_every_option_is_in_the_docs_and_the_help_shows_an_example() -> None:
    """docs/openai.md names each option."""
    page = (ROOT / "docs" / "openai.md").read_text()
    made = parser()
    missing = [o for action in made._actions for o in action.option_strings if o.startswith("--") and o not in page]
    assert [option for option in missing if option != "--help"] == []
    assert "Example: python -m trivet.openai" in made.format_help()


def test_every_client_class_of_the_sdk_is_replaced_or_known_not_to_be() -> None:
    """A class that a later SDK brings shows up here."""
    import openai

    base = (openai._base_client.SyncAPIClient, openai._base_client.AsyncAPIClient)
    names = dict(vars(openai)).items()
    found = {n for n, v in names if isinstance(v, type) and issubclass(v, base) and not n.startswith("_")}
    assert found - _OURS.keys() == {"BedrockOpenAI", "AsyncBedrockOpenAI"}
