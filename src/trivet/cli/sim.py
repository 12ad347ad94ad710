"""`trivet sim`: the simulated provider as a server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from trivet.cli.connect import SIMULATED_TIER
from trivet.cli.options import once
from trivet.cli.show import document, note, say
from trivet.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class SimOptions:
    """What to simulate, and where."""

    port: int
    host: str
    set: tuple[str, ...]
    seed: int
    null: bool
    describe: bool
    as_json: bool


def execute(options: SimOptions) -> int:
    """Serve until interrupted, or describe."""
    from trivet.sim.scenario import Scenario

    pairs = [pair.partition("=") for pair in options.set]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise SettingsError(f"--set {name}: write it as key=value, like --set tier=1")
    once("--set", [name for name, _, _ in pairs])
    if options.describe:
        return _describe(options.as_json)
    settings = {name: value for name, _, value in pairs} | {"seed": str(options.seed)}
    if not settings.keys() & {"tier", "rpm", "tpm", "null"} and not options.null:
        settings["tier"] = str(SIMULATED_TIER)
    if options.null:
        settings["null"] = "true"
    scenario = Scenario.parse(settings)
    if not _is_loopback(options.host):
        note(f"trivet: warning: {options.host} is not loopback: others on the network can reach this server")

    def ready(url: str) -> None:
        if options.as_json:
            document({"url": url, "identity": scenario.identity()})
        else:
            say(f"simulated provider at {url} (nothing here is a real model; any API key is accepted)")
            say("stop it with Ctrl-C")

    from trivet.sim.server import serve

    serve(scenario, host=options.host, port=options.port, ready=ready)
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _describe(as_json: bool) -> int:
    from trivet.sim.constants import describe

    constants = describe()
    if as_json:
        document(constants)
        return 0
    for constant in constants:
        say(f"{constant.name} = {constant.value} {constant.unit}".rstrip())
        say(f"    {constant.source}")
    return 0
