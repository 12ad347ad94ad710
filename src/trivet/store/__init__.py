"""Where answers are kept: memory, a SQLite file, Redis."""
