"""How fast and how much: pure estimators that know no clock and no loop."""
