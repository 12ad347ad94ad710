"""The command line's garbage collector looks less often, and still finds garbage."""

from __future__ import annotations

import subprocess
import sys

CYCLES = """
import gc
from trivet.cli.collector import YOUNG, collect_less

alive = 0

class Cycle:
    def __init__(self):
        global alive
        alive += 1
        self.me = self
    def __del__(self):
        global alive
        alive -= 1

looks = 0
def count(phase, info):
    global looks
    looks += phase == "start"

collect_less()
gc.callbacks.append(count)
kept = [[] for _ in range(YOUNG - 1000)]
assert looks == 0, "what is not garbage is not looked through"
most = 0
for _ in range(10 * YOUNG):
    Cycle()
    most = max(most, alive)
assert most <= 2 * YOUNG, most
"""


def test_what_lives_is_not_looked_through_and_cycles_do_not_pile_up() -> None:
    """Fewer objects than the threshold start no collection; half a million cycles never lie about at once."""
    done = subprocess.run([sys.executable, "-c", CYCLES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
