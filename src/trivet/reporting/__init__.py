"""Saved runs and comparisons as one page, one table, or one document of figures; drawn from their records alone."""
