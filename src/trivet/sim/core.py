"""The simulated provider without a socket or a clock: a request and the time go in, an exchange comes out."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from trivet import tokens
from trivet.sim import broken, events, faults, generate, null, response, usage
from trivet.sim import provider_errors as errors
from trivet.sim import request as requests
from trivet.sim.books import Books
from trivet.sim.constants import ATTEMPTS_KEPT
from trivet.sim.draws import Attempts, Draws
from trivet.sim.exchange import Exchange
from trivet.sim.models import MODELS, find
from trivet.sim.promptcache import PromptCache
from trivet.sim.provider_errors import Refusal
from trivet.sim.ratelimit import RateLimiter, charge_of
from trivet.sim.request import Call
from trivet.sim.scenario import Scenario
from trivet.sim.stored import Stored

_JSON = "application/json"


class Core:
    """One simulated account. Not safe across threads; memory stays bounded over any number of requests."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.books = Books()
        self._attempts = Attempts(ATTEMPTS_KEPT.value)
        self._limiter = RateLimiter(scenario)
        self._cache = PromptCache()
        self._stored = Stored()
        self._common = {
            "content-type": _JSON,
            "openai-version": "2020-10-01",
            "openai-organization": errors.ORGANISATION,
            "x-trivet-simulated": scenario.identity(),
        }

    def load(self) -> None:
        """Load what the first request would wait for."""
        if not self.scenario.null:
            tokens.load()

    def handle(self, method: str, path: str, headers: Mapping[str, str], body: bytes, now: float) -> Exchange:
        """Answer one request. `headers` by lower-case name, `now` in Unix seconds."""
        steps = [step for step in path.split("?", 1)[0].split("/") if step]
        if steps[:1] == ["v1"]:
            steps = steps[1:]
        generation = steps == ["responses"] and method == "POST"
        if generation:
            self.books.arrived()
            if self.scenario.null:
                return null.exchange(body, self._common)
        draws = Draws(self.scenario.seed, body, self._attempts.next(body) if body else 0)
        own = {**self._common, "x-request-id": "req_" + draws.hexadecimal("request", 32)}
        try:
            if steps != ["trivet", "books"] and method != "OPTIONS":
                _check_key(headers)
            if generation:
                _check_type(headers)
                return self._respond(body, draws, own, now)
            return _whole(200, own, self._route(method, steps, path, headers, body))
        except Refusal as refusal:
            return self._refuse(refusal, own, generation=generation)

    def left(self, *, delivered: bool) -> None:
        """A generation exchange is over, by its end or because the client went away."""
        self.books.left(delivered=delivered)

    def too_big(self) -> Exchange:
        """The answer to a body over the limit."""
        return self._refuse(errors.too_big(), dict(self._common), generation=False)

    def _refuse(self, refusal: Refusal, own: dict[str, str], *, generation: bool) -> Exchange:
        if generation:
            self.books.refused(refusal.code or refusal.type)
        after = generate.refused_after(self.scenario) if generation else 0.0
        return _whole(refusal.status, {**own, **refusal.headers}, refusal.body(), after, generation=generation)

    def _route(self, method: str, steps: list[str], path: str, headers: Mapping[str, str], body: bytes) -> bytes:
        allowed = _allowed(steps)
        if not allowed:
            raise errors.no_such_url(method, path.split("?", 1)[0][:200])
        if method == "OPTIONS":
            return b""
        if method not in allowed and not (method == "HEAD" and "GET" in allowed):
            raise errors.not_allowed(method, ", ".join(allowed))
        if steps == ["trivet", "books"]:
            return msgspec.json.encode(self.books.statement())
        if steps[0] == "models":
            return _models(steps[1:])
        if steps == ["responses", "input_tokens"]:
            _check_type(headers)
            return _count(body)
        return self._kept(method, steps[1])

    def _kept(self, method: str, response_id: str) -> bytes:
        if method == "DELETE":
            if not self._stored.delete(response_id):
                raise errors.no_such_response(response_id[:100])
            return msgspec.json.encode({"id": response_id, "object": "response", "deleted": True})
        kept = self._stored.get(response_id)
        if kept is None:
            raise errors.no_such_response(response_id[:100])
        return kept

    def _respond(self, body: bytes, draws: Draws, own: dict[str, str], now: float) -> Exchange:
        call = self._admit(requests.decode(body), own, now)
        fault = faults.pick(self.scenario.faults, draws, flex=call.tier == "flex")
        if fault is not None:
            self.books.faulted(fault)
        if fault in faults.REFUSED:
            refusal = faults.error(fault, draws, call.model_name, own["x-request-id"])
            if fault in ("rate_limit", "slow_down", "overloaded"):
                refusal.headers |= self._limiter.retry_after(1)
            raise refusal
        if fault in faults.UNANSWERED:
            after = generate.unanswered_after(self.scenario, call, draws)
            return broken.unanswered(fault, own, after)
        exchange = self._answer(call, draws, own, fault, now)
        if fault in ("cut", "malformed", "slow"):
            return broken.spoil(fault, exchange, draws, self.scenario.time_scale)
        return exchange

    def _admit(self, fields: dict[str, object], own: dict[str, str], now: float) -> Call:
        """The validated request, charged to the limits; a malformed one is charged as a request."""
        name, model = requests.model_of(fields)
        try:
            call = requests.validate(fields, name, model)
        except Refusal as refusal:
            refusal.headers |= self._limiter.admit(model, 1, now)
            raise
        charge = charge_of(usage.characters(call), call.max_output)
        own |= self._limiter.admit(model, charge, now)
        return call

    def _answer(self, call: Call, draws: Draws, own: dict[str, str], fault: str | None, now: float) -> Exchange:
        made, pace = generate.generate(self.scenario, call, draws, self._cache, fault, now)
        created = int(now)
        done = pace.after(made.output)
        own["openai-processing-ms"] = str(max(1, round(1000 * (pace.accepted if call.stream else done))))
        if made.error is None:
            self.books.bill(call.model_name, call.tier, made)
        whole = b""
        if call.store or not call.stream:
            finished = response.finished(call, made, created, created + int(done))
            whole = msgspec.json.encode(finished)
        if call.store:
            self._stored.put(made.id, whole)
        if not call.stream:
            return _whole(200, own, whole, done, generation=True)
        own["content-type"] = "text/event-stream; charset=utf-8"
        own["cache-control"] = "no-store"
        stream = events.events(call, made, pace, draws, created)
        return Exchange(status=200, headers=own, chunks=stream, generation=True)


def _whole(
    status: int, headers: dict[str, str], body: bytes, after: float = 0.0, *, generation: bool = False
) -> Exchange:
    return Exchange(status=status, headers=headers, chunks=((after, body),), length=len(body), generation=generation)


def _allowed(steps: list[str]) -> tuple[str, ...]:
    if steps == ["trivet", "books"] or (steps[:1] == ["models"] and len(steps) <= 2):
        return ("GET",)
    if steps in (["responses"], ["responses", "input_tokens"]):
        return ("POST",)
    return ("GET", "DELETE") if steps[:1] == ["responses"] and len(steps) == 2 else ()


def _check_key(headers: Mapping[str, str]) -> None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise errors.no_key()


def _check_type(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", "")
    if kind.split(";", 1)[0].strip().lower() != _JSON:
        message = (
            f"Unsupported content type: '{kind[:100]}'. This API method only accepts "
            f"'application/json' requests, "
            "but you specified another in the header 'Content-Type'. Please try again with a "
            "supported content "
            "type."
        )
        raise Refusal(400, message, code="unsupported_content_type")


def _models(rest: list[str]) -> bytes:
    def entry(name: str) -> dict[str, object]:
        return {"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "system"}

    if not rest:
        return msgspec.json.encode({"object": "list", "data": [entry(name) for name in MODELS]})
    if find(rest[0]) is None:
        raise errors.no_such_model(rest[0][:200])
    return msgspec.json.encode(entry(rest[0]))


def _count(body: bytes) -> bytes:
    fields = requests.decode(body)
    name, model = requests.model_of(fields)
    size = generate.measure(requests.validate(fields, name, model))
    return msgspec.json.encode({"object": "response.input_tokens", "input_tokens": size.total})
