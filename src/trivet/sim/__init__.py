"""The simulated provider: for tests, demos and capacity planning, without a key and without a bill.

    from trivet import sim
    with sim.start(sim.Scenario(tier=1)) as server:
        client = OpenAI(base_url=server.url, api_key="any")

Written from the provider's own documentation, apart from the client side of this package, so that the two
check each other. Token counts are exact; what is said and how long it takes is assumed (`sim.constants`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trivet.sim.process import Simulator, start
    from trivet.sim.scenario import Faults, Latency, Scenario

__all__ = ["Faults", "Latency", "Scenario", "Simulator", "start"]

_HOMES = {
    "Faults": "trivet.sim.scenario",
    "Latency": "trivet.sim.scenario",
    "Scenario": "trivet.sim.scenario",
    "Simulator": "trivet.sim.process",
    "start": "trivet.sim.process",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(home), name)
