"""The child process of `sim.start`: serves a scenario until its standard input ends.

    python -m trivet.sim SCENARIO_JSON REPORT_FD

Writes the base URL, or `! ` and what is wrong, to the descriptor and closes it.
"""

from __future__ import annotations

import os
import sys

from trivet.errors import TrivetError
from trivet.sim.scenario import Scenario
from trivet.sim.server import serve


def main() -> int:
    """Serve; 2 when the scenario or the machine does not allow it."""
    report = int(sys.argv[2])

    def ready(url: str) -> None:
        os.write(report, f"{url}\n".encode())
        os.close(report)

    try:
        serve(Scenario.from_json(sys.argv[1]), ready=ready, until_eof=0)
    except TrivetError as error:
        os.write(report, f"! {error}\n".encode())
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
