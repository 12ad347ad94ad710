"""The cancellation that costs nothing."""

from __future__ import annotations

import asyncio


class CancelledInQueue(asyncio.CancelledError):
    """A cancellation that came while the request still waited for its permit: nothing was sent."""
