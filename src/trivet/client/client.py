"""`AsyncClient`: one call, a stream of events, a task over many rows; every call through every layer."""

from __future__ import annotations

import asyncio
import random
import time
import weakref
from collections.abc import AsyncGenerator, Coroutine, Iterable, Mapping
from contextlib import aclosing
from decimal import Decimal
from os import PathLike
from pathlib import Path
from typing import Any, Self

from msgspec.structs import replace

from trivet.client.run import AsyncRun
from trivet.client.statistics import ClientStatistics
from trivet.client.today import today
from trivet.client.together import open_together
from trivet.engine.limit import MOST, Limits
from trivet.engine.send import SendConfig
from trivet.engine.shared_account import SharedAccount
from trivet.engine.sharing import Sharing
from trivet.engine.shelf import ShelfStatistics
from trivet.engine.stack import Clocks, Stack, StackConfig
from trivet.engine.statistics import StackStatistics, together
from trivet.errors import SettingsError, TaskError
from trivet.jobs.job import Job, JobConfig, check_columns
from trivet.jobs.runner import RunnerConfig
from trivet.jobs.select import Selection, select
from trivet.jobs.sources import open_source
from trivet.jobs.unkept import Unkept
from trivet.limits.account import Account, AccountStatistics
from trivet.limits.backoff import Backoff
from trivet.prices.book import standard_book
from trivet.settings import duration, endpoint, money, proxies
from trivet.store.open import open_store
from trivet.store.protocol import Store
from trivet.store.redis import RedisStore
from trivet.tasks.answer import problem
from trivet.tasks.plan import DEFAULT_MODEL
from trivet.tasks.task import Task
from trivet.transport.descriptors import RESERVED, connections_allowed
from trivet.transport.open import open_transport
from trivet.transport.protocol import Transport
from trivet.types import Event, Reply, Request
from trivet.wire import openai_responses
from trivet.wire.cacheable import cacheable

CLOSING_GRACE = 5.0
"""Seconds that shared requests under way get to land when a client is closed: they are being paid for."""


class AsyncClient:
    """Calls a model, measured, cached, limited and within a budget.

    `model`: the default one. `cache`: `"memory://"`, `"sqlite:///path"`, `"redis://host:6379/0"` (shared between
    processes, as are calls under way) or None. `ttl`: how long an answer lives, seconds or text like `"7d"`.
    `shared`: the Redis through which processes that use one account share its limits, `"redis://host/0"`; else
    `TRIVET_SHARED`, else the cache's, if that is one. `limits`: requests at once and a minute. `budget`: US dollars
    that this client may spend at most, or with a `budget_name` all clients that share the one of that name.
    `retries`: of failures; refusals for pace are waited out besides. `timeout`: seconds for one attempt;
    `deadline`: seconds for a whole reply. `base_url`, `api_key`, `organization`, `project`: else from
    `OPENAI_BASE_URL`, `OPENAI_API_KEY`, `OPENAI_ORG_ID`, `OPENAI_PROJECT_ID`. `prices`: US dollars per million
    tokens of models without a known price, `{"my-model": {"input": "0.1", "output": "0.4"}}`. `tags`: what to call all
    this, `{"team": "search"}`: on every span and record, and in the summary's bill. `simulated`: the
    identity of a simulated provider at `base_url`.

    Raises `SettingsError` when something is wrong or missing. Opens no connection until the first call.
    """

    def __init__(
        self,
        *,
        model: str = DEFAULT_MODEL,
        cache: str | None = "memory://",
        shared: str | None = None,
        ttl: float | str | None = None,
        limits: Limits | None = None,
        budget: Decimal | float | str | None = None,
        budget_name: str | None = None,
        retries: int = Backoff().retries,
        timeout: float | str = SendConfig().timeout,
        deadline: float | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        tags: Mapping[str, str] | None = None,
        prices: Mapping[str, Mapping[str, Any]] | None = None,
        simulated: str | None = None,
        transport: Transport | None = None,
    ) -> None:
        if not isinstance(model, str) or not model.strip():
            raise SettingsError(f"model is {model!r}, and must be a model's name")
        if limits is not None and not isinstance(limits, Limits):
            raise SettingsError(f"limits is {limits!r}, and must be trivet.Limits(...)")
        self.model = model
        self.endpoint = endpoint(
            base_url=base_url,
            api_key=api_key,
            organization=organization,
            project=project,
            simulated=simulated,
        )
        self.config = StackConfig(
            endpoint=self.endpoint,
            limits=limits or Limits(),
            backoff=Backoff(retries=retries),
            send=SendConfig(timeout=duration(timeout) if isinstance(timeout, str) else float(timeout)),
            deadline=deadline,
            ttl=duration(ttl) if isinstance(ttl, str) else ttl,
            most=MOST if transport is not None else _connections(limits),
        )
        self.account = Account(None if budget is None else money(str(budget)))
        self.prices = standard_book().with_overrides(prices) if prices else standard_book()
        self.tags = _checked(tags or {})
        self.store: Store | None = open_store(cache)
        self.together = open_together(shared, cache, self.endpoint, self.account.budget, budget_name)
        self._budget_name = budget_name
        self._shared_account: SharedAccount | None = None
        self._named_account: SharedAccount | None = None
        self._transport = transport or open_transport(proxies())
        self._stacks: dict[asyncio.AbstractEventLoop, Stack] = {}
        self._past: list[StackStatistics] = []  # of event loops that are over, as one
        self._front = self._new_stack(self.account, None)  # of no loop: for hits in the thread that asks
        self._runs: weakref.WeakSet[AsyncRun] = weakref.WeakSet()
        self._closed = False

    async def respond(
        self, input: str | list[Any], *, model: str | None = None, timeout: float | str | None = None, **params: Any
    ) -> Reply:
        """One request, one reply. `params` go to the provider as they are (`instructions`, `max_output_tokens`...).

        Raises `RequestError` when no reply came, and `AnswerError` when what came is not an answer (cut off,
        refused, empty); the error's `reply` holds it.
        """
        return await self.answer(self.request(input, model, timeout, params))

    async def answer(self, request: Request) -> Reply:
        """An encoded request through every layer. Raises like `respond`."""
        return _answer(await self._stack()(request))

    def stored(self, request: Request) -> Reply | None:
        """The answer that is in the cache, looked up in the thread that asks; None when it must be asked for."""
        self._check_open()
        reply = self._front.hit(request, time.monotonic)
        return None if reply is None else _answer(reply)

    async def stream(
        self, input: str | list[Any], *, model: str | None = None, timeout: float | str | None = None, **params: Any
    ) -> AsyncGenerator[Event, None]:
        """One request, its events as they come: `event.delta` is visible text, the last event has the `reply`.

        Raises like `respond`, in place of the last event.
        """
        request = self.request(input, model, timeout, params | {"stream": True})
        async with aclosing(self._stack().stream(request)) as events:
            async for event in events:
                wrong = problem(event.reply, None) if event.reply is not None else None
                if wrong is not None:
                    raise wrong
                yield event

    def map(
        self,
        task: Task,
        rows: str | PathLike[str] | Iterable[Any],
        *,
        model: str | None = None,
        id: str | None = None,
        keep: Iterable[str] = (),
        folder: str | PathLike[str] | None = "runs",
        durable: bool = False,
        keep_going: bool = False,
    ) -> AsyncRun:
        """Run a task over rows: it starts at once, results stream in input order, memory stays flat.

        `rows`: a list or iterator of dicts, a DataFrame, or a path. `id`: the column that names a row; `keep`:
        columns copied to the records. `folder`: where run folders are made, so that nothing paid for is lost
        in a crash; None keeps nothing; `durable`: nor in a power cut. `keep_going`: go on when 50 rows in a row fail
        alike. Raises `UsageError` at once for what can be known at once.
        """
        if not isinstance(task, Task):
            raise TaskError(f"the task is {task!r:.80}, and must be a trivet.Task: see Task.load for task files")
        chosen = model or task.plan.model or task.model or self.model
        kept = tuple(keep)
        selection = Selection(id=id, keep=kept)
        source = select(open_source(rows), selection)
        config = JobConfig(
            task_name=task.name,
            model=chosen,
            server="simulated" if self.endpoint.simulated else self.endpoint.base_url,
            provider="simulated" if self.endpoint.simulated else self.endpoint.host,
            root=Path(folder or "."),
            selection=selection,
            resume=False,
            durable=durable,
        )
        check_columns(task, source)
        job = Unkept(config, source) if folder is None else Job.open(config, task, source, time.time())
        running = RunnerConfig(
            model=chosen,
            workers=2 * self.concurrency,
            id_column=id,
            kept_columns=kept,
            tags=self.tags,
            keep_going=keep_going,
        )
        run = AsyncRun(task, self.ask, running, job, self.wants_more)
        self._runs.add(run)
        return run

    def request(
        self, input: str | list[Any], model: str | None, timeout: float | str | None, params: dict[str, Any]
    ) -> Request:
        """What `respond` asks, encoded."""
        fields = {"model": model or self.model, "input": input, **params}
        head, tail = openai_responses.encode(fields)
        return Request(
            head=head,
            tail=tail,
            model=fields["model"],
            accept=_accept,
            max_output=params.get("max_output_tokens"),
            characters=_characters(input, params.get("instructions")),
            tier=params.get("service_tier"),
            cacheable=cacheable(fields),
            timeout=duration(timeout) if isinstance(timeout, str) else timeout,
            tags=self.tags,
        )

    def ask(self, request: Request) -> Coroutine[Any, Any, Reply]:
        """An encoded request through every layer; what is not a result comes back as it is."""
        if self.tags and not request.tags:
            request = replace(request, tags=self.tags)
        return self._stack()(request)

    def _stack(self) -> Stack:
        """The layers of the running loop."""
        self._check_open()
        loop = asyncio.get_running_loop()
        stack = self._stacks.get(loop)
        if stack is None:
            self._sweep()
            stack = self._stacks[loop] = self._new_stack(
                self._books(), None if self.together is None else self.together.sharing()
            )
        return stack

    def _new_stack(self, account: Account | SharedAccount, sharing: Sharing | None) -> Stack:
        return Stack(
            self.config,
            transport=self._transport,
            store=self.store,
            account=account,
            prices=self.prices,
            clocks=Clocks(now=time.time, today=today, draw=random.random),
            sharing=sharing,
        )

    def _sweep(self) -> None:
        """Let go of event loops that are over, but for what they counted."""
        for loop in [loop for loop in list(self._stacks) if loop.is_closed()]:
            ended = self._stacks.pop(loop, None)
            if ended is not None:
                self._past = [together([*self._past, ended.statistics()])]

    def _books(self) -> Account | SharedAccount:
        """The account of one event loop."""
        if self._shared_account is not None:
            return self._shared_account
        if self.together is None or self._budget_name is None or self.account.budget is None:
            return self.account
        self._named_account = self.together.account(self._budget_name, self.account.budget)
        return self._named_account

    def books(self) -> AccountStatistics:
        """The books of the budget; of one that is shared, as they were last seen."""
        return (self._shared_account or self._named_account or self.account).statistics()

    def share_budget(self, account: SharedAccount) -> None:
        """Spend from this account, and not from one of this client's own; before the first call."""
        self._shared_account = account

    def _check_open(self) -> None:
        if self._closed:
            raise SettingsError("this client is closed: make a new one")

    @property
    def concurrency(self) -> int:
        """Requests at once, at most."""
        return int(self.config.limits.concurrency or self.config.most)

    def wants_more(self) -> bool:
        """Whether more requests waiting would be of use, for whoever has rows to ask about."""
        return self._stack().wants_more()

    def statistics(self) -> ClientStatistics:
        """Counts so far, over all event loops that used this client, and hits that took none."""
        front = self._front.statistics()
        parts = [*self._past, *(stack.statistics() for stack in list(self._stacks.values()))]
        layers = together([*parts, _hits_alone(front)]) if parts else front
        return ClientStatistics(
            meter=layers.meter,
            shelf=layers.shelf,
            coalesce=layers.coalesce,
            retry=layers.retry,
            limit=layers.limit,
            budget=self.books(),
            transport=self._transport.statistics(),
            store=None if self.store is None else self.store.statistics(),
        )

    def moment(self) -> StackStatistics:
        """What the layers of the running loop count, for progress."""
        return self._stack().statistics()

    async def flush(self) -> None:
        """Return when every answer kept so far would survive the death of this process."""
        if self.store is not None:
            await self.store.flush()

    async def close(self) -> None:
        """Let shared requests land, then close connections and the cache."""
        if self._closed:
            return
        for run in list(self._runs):
            await run.close()
        self._closed = True
        stack = self._stacks.get(asyncio.get_running_loop())
        if stack is not None:
            await stack.close(CLOSING_GRACE)
        await self._transport.close()
        if self.together is not None:
            await self.together.close()
        if self.store is not None:
            await self.store.close()

    async def reach(self) -> None:
        """See that a cache in Redis is there, before anything is sent; SettingsError or MachineError where not."""
        if isinstance(self.store, RedisStore):
            await self.store.reach()

    async def __aenter__(self) -> Self:
        await self.reach()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(model={self.model!r}, base_url={self.endpoint.base_url!r})"


def _hits_alone(front: StackStatistics) -> StackStatistics:
    """Of the layers without a loop, what is not counted again where a miss is asked."""
    shelf = ShelfStatistics(hits=front.shelf.hits, kept=0, stale=0, unaccepted=0, damaged=0)
    return replace(front, shelf=shelf, limit=replace(front.limit, concurrency=0))


def _answer(reply: Reply) -> Reply:
    wrong = problem(reply, None)
    if wrong is not None:
        raise wrong
    return reply


def _accept(reply: Reply) -> str | None:
    wrong = problem(reply, None)
    return None if wrong is None else wrong.code


def _checked(tags: Mapping[str, str]) -> dict[str, str]:
    for name, value in tags.items():
        if not (isinstance(name, str) and name and isinstance(value, str)):
            raise SettingsError(f"the tag {name!r}: {value!r:.80} is not text with a name, like {{'team': 'search'}}")
    return dict(tags)


def _characters(input: object, instructions: object) -> int:
    """Characters of a plain prompt; 0, not known, where it has parts."""
    if not isinstance(input, str):
        return 0
    return len(input) + (len(instructions) if isinstance(instructions, str) else 0)


def _connections(limits: Limits | None) -> int:
    """Requests at once for which this process may open connections."""
    allowed = connections_allowed()
    chosen = limits.concurrency if limits is not None else None
    if allowed is not None and chosen is not None and chosen > allowed:
        raise SettingsError(
            f"concurrency is {chosen}, and this process may open {allowed + RESERVED} files and connections: "
            f"raise that with `ulimit -n {chosen + RESERVED}`, or lower the concurrency"
        )
    return MOST if allowed is None else min(MOST, allowed)
