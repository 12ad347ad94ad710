"""The rate that holds: how much of a limit is ours, learned from refusals. An estimator: it gives a number.

    rate    = limit / 60 * share * MARGIN
    cut     W = share;   share = W * beta,   beta by how long ago the last cut is: under SOON, under LONG, longer
    growth  share(t) = min(1, W * (1 + (1 - share_cut / W) * ((t - K) / K)^3)),   t seconds after the cut

The curve is CUBIC's (RFC 9438): it comes back quickly to where it was refused, stays just below for a while,
and then looks, faster and faster, whether whoever took the rest has left. Nothing is refused where nobody
else uses the key: then `share` stays 1, and the margin is for the unevenness of networks.

Not additive increase (TCP Reno's): with a stranger taking 30 % it spends half of its time far below what is
left. Not the rate at which requests were admitted lately: a bucket that had saved up a minute hides for a minute
that more goes out than comes in, and pauses hide the contrary.

One refusal in a long while is an unevenness of the network, and costs little; several in a row mean that much less
is left. Requests sent before a cut tell nothing new when they are refused after it, so they cut no more.
"""

from __future__ import annotations

MARGIN = 0.985
SOON, LONG = 20.0, 90.0
STEEP, BETA, GENTLE = 0.8, 0.9, 0.97
K = 45.0
LEAST = 0.01


class Share:
    """The part of a limit that may be used, in (0, 1]."""

    def __init__(self) -> None:
        self._refused_at = 1.0
        self._after_cut = 1.0
        self._cut = -1e9

    def share(self, now: float) -> float:
        """The part at this moment."""
        if self._after_cut >= 1.0:
            return 1.0
        curve = ((now - self._cut - K) / K) ** 3
        return min(1.0, self._refused_at + (self._refused_at - self._after_cut) * curve)

    def refused(self, sent: float, now: float) -> bool:
        """A request sent at `sent` was refused for pace; whether that says something new."""
        if sent <= self._cut:
            return False
        share = self.share(now)
        ago = now - self._cut
        beta = STEEP if ago < SOON else BETA if ago < LONG else GENTLE
        self._refused_at = share
        self._after_cut = max(LEAST, share * beta)
        self._cut = now
        return True

    def memory(self) -> tuple[float, float, float]:
        """All that it knows: where it was refused, the share after that cut, and when that was."""
        return self._refused_at, self._after_cut, self._cut

    def recall(self, refused_at: float, after_cut: float, cut: float) -> None:
        """Know what another one knows, instead."""
        self._refused_at, self._after_cut, self._cut = refused_at, after_cut, cut

    def __repr__(self) -> str:
        return f"Share({self._after_cut:.3g} after the last cut)"
