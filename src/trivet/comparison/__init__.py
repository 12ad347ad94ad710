"""Variants of a task over the same rows, side by side, with a verdict."""
