"""The one error tree.

    TrivetError                      everything this package raises on purpose
    ├── UsageError                   wrong input, found before any spend (exit 2)
    │   ├── SettingsError            an option, an environment variable, a missing key
    │   ├── TaskError                a task file, a template, an output contract
    │   ├── DataError                a dataset that can't be read at all
    │   └── RunError                 a run folder or results file that is in the way
    ├── RequestError                 one request ended without an answer
    │   ├── TransportError           no whole HTTP reply came; `sent` tells whether it may be billed
    │   ├── ProviderError            the provider answered with an error; `status`, `code`, `retryable`, `fatal`
    │   ├── ProtocolError            the reply is not what the protocol promises (HTML, broken JSON, cut stream)
    │   ├── DeadlineError            the time allowed for the whole reply is over
    │   ├── BudgetError              sending could exceed the budget (exit 3)
    │   ├── PauseError               the provider asks for a longer wait than any call waits (exit 4)
    │   └── WithdrawnError           the run that asked was stopped before this was sent
    ├── AnswerError                  an answer came that is not a result; `reply` holds what was paid for
    ├── RepeatedError                row after row fails alike: a run stops, and shows the one message (exit 4)
    ├── MachineError                 this machine can't go on: disk full, store lost (exit 4)
    └── MissingExtra                 an optional part is not installed

Every message is one sentence that says what happened, where, and what to do. Errors of libraries
below are mapped where that library's door is, never passed on bare.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Self

if TYPE_CHECKING:
    from trivet.types import Attempt, RateLimits, Reply, Usage

TransportKind = Literal["connect", "tls", "timeout", "reset", "closed", "too_large", "encoding"]


class TrivetError(Exception):
    """Base of all errors of this package."""

    code: str = "error"

    def copy(self) -> Self:
        """The same error without a traceback, so that several waiters can each raise their own."""
        twin = type(self).__new__(type(self), *self.args)
        twin.__dict__.update(self.__dict__)
        twin.args = self.args
        return twin


class UsageError(TrivetError):
    """Wrong usage or bad input, found before any spend."""

    code = "usage"


class SettingsError(UsageError):
    """An option or an environment variable is wrong or missing."""

    code = "settings"


class TaskError(UsageError):
    """A task, its template or its output contract is wrong."""

    code = "task"


class DataError(UsageError):
    """A dataset can't be read at all."""

    code = "data"


class RunError(UsageError):
    """A run folder or a results file is in the way, or not what it should be."""

    code = "run"


class RequestError(TrivetError):
    """One request ended without an answer.

    `retryable`: a later attempt may succeed. `fatal`: no other request of this account or server can
    succeed either, so a run stops. `retry_after`: seconds the server asked for. `limits`: what its headers
    said. `billed`: None when unknown. `attempts`: what was tried, oldest first. `latency`, `queued`: seconds,
    set by the meter. `raw`: the HTTP reply that was the error, for a door that hands it on.
    """

    code = "request"
    retryable: bool = False
    fatal: bool = False
    retry_after: float | None = None
    limits: RateLimits | None = None
    possibly_billed: bool = False
    attempts: tuple[Attempt, ...] = ()
    usage: Usage | None = None  # what the failed attempt was billed, where the provider told
    cost: Decimal | None = Decimal(0)
    latency: float | None = None
    queued: float = 0.0
    raw: Any = None


class TransportError(RequestError):
    """No whole HTTP reply came back.

    `kind` says what broke; `sent` is False only when no byte of the request can have reached the
    provider (*not sent*); otherwise the attempt is *possibly billed*.
    """

    def __init__(self, message: str, *, kind: TransportKind, sent: bool) -> None:
        super().__init__(message)
        self.kind = kind
        self.sent = sent
        self.code = f"transport_{kind}"
        self.possibly_billed = sent
        self.retryable = kind in ("connect", "timeout", "reset", "closed")


class ProviderError(RequestError):
    """The provider answered with an error: HTTP status (None inside a stream), and its code, type, param."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None,
        code: str,
        type: str | None = None,
        param: str | None = None,
        request_id: str | None = None,
        retryable: bool = False,
        fatal: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.type = type
        self.param = param
        self.request_id = request_id
        self.retryable = retryable
        self.fatal = fatal
        self.retry_after = retry_after


class ProtocolError(RequestError):
    """The reply breaks the protocol: HTML for JSON, a broken body, a stream without its end."""

    code = "protocol"
    possibly_billed = True

    def __init__(self, message: str, *, retryable: bool = True, fatal: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
        self.fatal = fatal


class DeadlineError(RequestError):
    """The time allowed for the whole reply, its retries and waits included, is over."""

    code = "deadline"


class BudgetError(RequestError):
    """Sending this attempt could exceed the budget, so it was not sent."""

    code = "budget"
    fatal = True


class PauseError(RequestError):
    """The provider asks to wait for longer than any call waits; `retry_after` says how long, in seconds."""

    code = "paused"
    fatal = True


class WithdrawnError(RequestError):
    """The run that asked was stopped before this attempt was sent, so it was not sent."""

    code = "withdrawn"


class AnswerError(TrivetError):
    """An answer came back, and was paid for, but is not a result.

    `code` is one of `incomplete`, `content_filter`, `failed`, `refused`, `empty`, `invalid_output`.
    """

    def __init__(self, message: str, *, code: str, reply: Reply | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reply = reply


class RepeatedError(TrivetError):
    """Row after row fails in the same way, so the rest of a run was not tried; it can be resumed."""

    code = "repeated"


class MachineError(TrivetError):
    """This machine can't go on: a full disk, a lost file. What was written is safe; the run can be resumed."""

    code = "machine"


class MissingExtra(TrivetError):
    """An optional part is not installed."""

    code = "missing_extra"

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs an optional part: pip install 'trivet[{extra}]'")
        self.extra = extra
