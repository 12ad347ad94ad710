"""How many connections this process may open: each takes a file descriptor, and the system allows so many."""

from __future__ import annotations

RESERVED = 100
"""Descriptors kept for all else: files of the run and the cache, standard streams, what a program has open."""


def connections_allowed() -> int | None:
    """Connections that may be open at once; None where the system sets no limit."""
    try:
        import resource
    except ImportError:  # Windows has none
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else max(1, soft - RESERVED)


def allow_connections(wanted: int) -> None:
    """Raise this process's own limit as far as the system lets it, for so many connections; never lower it."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = wanted + RESERVED
    if soft == resource.RLIM_INFINITY or soft >= files:
        return
    try:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (files if hard == resource.RLIM_INFINITY else min(files, hard), hard)
        )
    except (ValueError, OSError):  # macOS names no limit and has one
        return
