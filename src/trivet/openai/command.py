"""The command `python -m trivet.openai`: sets the program up by the environment, runs it, and tells what it came to."""

from __future__ import annotations

import argparse
import atexit
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from trivet.errors import SettingsError, TrivetError, UsageError
from trivet.openai import program
from trivet.openai.asking import name_simulated
from trivet.openai.replacing import replace_classes
from trivet.settings import drop_in, duration, money, proxies, set_variables
from trivet.sim import Scenario, start

NAME = "python -m trivet.openai"
STOPPED = 4
TIER = 3
"""The usage tier of the simulated account, as of `trivet sim`."""

_VARIABLES = {
    "cache": ("TRIVET_CACHE", "URL", "where answers are kept: memory://, sqlite:///FILE, redis://HOST/0, off"),
    "ttl": ("TRIVET_TTL", "60s", "how long an answer lives"),
    "budget": ("TRIVET_BUDGET", "USD", "US dollars that the program may spend"),
    "rpm": ("TRIVET_RPM", "N", "requests a minute at most"),
    "tpm": ("TRIVET_TPM", "N", "tokens a minute at most"),
    "concurrency": ("TRIVET_CONCURRENCY", "N", "requests at once at most"),
    "records": ("TRIVET_RECORDS", "DIR", "a folder for records, for trivet report"),
}
_VALUED = frozenset((*(f"--{name}" for name in _VARIABLES), "--set"))


def parser() -> argparse.ArgumentParser:
    """The options, which come before the program."""
    made = argparse.ArgumentParser(
        prog=NAME,
        usage=f"{NAME} [OPTIONS] (SCRIPT | -m MODULE) [ARGUMENTS]",
        description="Runs a program unchanged, with trivet's layers under the official OpenAI SDK.",
        epilog=f"Example: {NAME} --sim --cache sqlite:///answers.db --budget 1.00 script.py tickets.csv",
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--sim", action="store_true", help="send it to the built-in simulated provider; no key needed")
    made.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="a setting of --sim; repeatable")
    for name, (variable, value, text) in _VARIABLES.items():
        made.add_argument(f"--{name}", metavar=value, help=f"{text} ({variable})")
    made.add_argument("--observe", action="store_true", help="measure, and change nothing (TRIVET_MODE=observe)")
    made.add_argument("--quiet", action="store_true", help="no summary at the end (TRIVET_SUMMARY=0)")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program that the arguments name."""
    own, rest = split(sys.argv[1:] if arguments is None else arguments)
    options = parser()
    given = options.parse_args(own)
    if not rest:
        options.error("which program? Name a script, or -m and a module")
    try:
        variables = _variables(given)
        set_variables(variables)
        drop_in()
        if given.sim:
            _simulate(given.set)
            if not given.quiet:
                _say("trivet: a simulated provider answers; nothing here is a real model")
        elif given.set:
            raise SettingsError("--set goes with --sim")
    except TrivetError as error:
        _end(str(error), 2 if isinstance(error, UsageError) else STOPPED)
    replace_classes()
    try:
        program.run(rest)
    except program.NoProgram as missing:
        _end(str(missing), missing.status)


def split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """(our options, the program with its arguments)."""
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in ("-", "--"):
        if words[at].startswith("-m"):
            name = words[at][2:]
            return list(words[:at]), ["-m", *([name] if name else []), *words[at + 1 :]]
        at += 2 if words[at] in _VALUED else 1
    return list(words[:at]), list(words[at + 1 :] if words[at : at + 1] == ["--"] else words[at:])


def _variables(given: argparse.Namespace) -> dict[str, str]:
    if given.budget is not None:
        money(given.budget)
    if given.ttl is not None:
        duration(given.ttl)
    told = {variable: getattr(given, name) for name, (variable, _, _) in _VARIABLES.items()}
    told["TRIVET_MODE"] = "observe" if given.observe else None
    told["TRIVET_SUMMARY"] = "0" if given.quiet else "1"
    return {variable: value for variable, value in told.items() if value is not None}


def _simulate(settings: Sequence[str]) -> None:
    pairs = [pair.partition("=") for pair in settings]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise SettingsError(f"--set {name}: write it as key=value, like --set tier=1")
    chosen = {name: value for name, _, value in pairs}
    if not chosen.keys() & {"tier", "rpm", "tpm", "null"}:
        chosen["tier"] = str(TIER)
    _occupy_standard_streams()
    simulator = start(Scenario.parse(chosen))
    parent = os.getpid()
    atexit.register(lambda: simulator.stop() if os.getpid() == parent else None)
    direct = ",".join(filter(None, (proxies().get("no"), "127.0.0.1")))
    set_variables(
        {
            "OPENAI_API_KEY": "simulated",
            "OPENAI_BASE_URL": simulator.url,
            "NO_PROXY": direct,
            "no_proxy": direct,
        }
    )
    name_simulated(simulator.url, simulator.identity)


def _occupy_standard_streams() -> None:
    """Of a program that is started without one of them, the simulator's pipe must not take its place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one


def _end(message: str, status: int) -> NoReturn:
    _say(f"{NAME}: {message}")
    sys.exit(status)


def _say(text: str) -> None:
    if sys.stderr is not None:  # a program may be started without
        sys.stderr.write(text + "\n")
