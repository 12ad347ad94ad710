"""CPU of `import trivet` and `trivet --help` against `import openai`.

    python benchmarks/start_up.py [--turns 5]

Each is a process of its own, all in turns; what an empty program takes is subtracted.
"""

from __future__ import annotations

import argparse
from statistics import median

from processes import child
from ratios import Ratio, show

WAYS = {
    "nothing": ["-c", "pass"],
    "openai": ["-c", "import openai"],
    "import": ["-c", "import trivet"],
    "client": ["-c", "import trivet; trivet.Client"],
    "help": ["-m", "trivet", "--help"],
}


def main() -> None:
    """Start each in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for arguments in WAYS.values():  # once for the byte code and the disk
        child(arguments)
    turns = [{way: child(arguments).cpu for way, arguments in WAYS.items()} for _ in range(options.turns)]
    net = [{way: cpu - turn["nothing"] for way, cpu in turn.items()} for turn in turns]
    control = median(turn["openai"] for turn in net)
    lines = {
        "import": ("`import trivet`", "0.125"),
        "client": ("`import trivet` and its client", ""),
        "help": ("`trivet --help`", "0.25"),
    }
    show(
        [
            Ratio(
                what=what,
                ours=f"{median(turn[way] for turn in net) * 1e3:.0f} ms",
                control=f"`import openai` {control * 1e3:.0f} ms",
                ratio=median(turn[way] / turn["openai"] for turn in net),
                wanted=wanted,
            )
            for way, (what, wanted) in lines.items()
        ],
        as_json=options.json,
    )


if __name__ == "__main__":
    main()
