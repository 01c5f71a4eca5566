"""Delivers what the outbox holds to the webhooks of the settings, and never lets a run wait for it.

Each webhook has a task of its own, one post at a time, each with a deadline: one that hangs holds
up neither a run nor another webhook. A post counts once it is answered with 2xx and that is noted;
until then it is tried again, ever more rarely, for a day. The note may be lost with the agent, so
a receiver may hear a thing twice and tells that by ``Idempotency-Key``, which is the same each
time. HTTP is loaded only where there is a webhook.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING

from launch_tui import faults
from launch_tui.agent.ledger import RETRY_S
from launch_tui.agent.letters import payload, value_of
from launch_tui.agent.retrying import Complaint, doubled, pause_until
from launch_tui.domain.webhook import is_address, references, resolved
from launch_tui.errors import LaunchError
from launch_tui.store import outbox, write
from launch_tui.store.clock import iso, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import httpx

    from launch_tui.domain.webhook import Webhook
    from launch_tui.store.database import Database
    from launch_tui.store.outbox import Letter

CONNECT_S = 5.0
ANSWER_S = 15.0
"""How long a webhook may take to answer, connection included."""
FIRST_PAUSE_S = 1.0
"""Before the second try; doubled each time."""
LONGEST_PAUSE_S = 300.0
GIVE_UP_S = 24 * 3600.0
"""After so long since its first try something is not tried again."""
FLUSH_S = 5.0
"""How long an agent that has nothing more to do waits for what was never tried."""
LONGEST_ANSWER = 200

log = logging.getLogger(__name__)


class Refused(Exception):
    """A post that did not arrive; ``pause`` is how long the receiver asked to be left alone."""

    def __init__(self, why: str, pause: float = 0.0) -> None:
        super().__init__(why)
        self.pause = pause


class Outbox:
    """What the agent owes to webhooks.

    Args:
        db: The store, on the agent's thread.
        agent: The agent's name, for events.
        report: Called with what happens, one line each.
    """

    def __init__(self, db: Database, agent: str, report: Callable[[str], None]) -> None:
        self._db = db
        self._agent = agent
        self._report = report
        self._hooks: tuple[Webhook, ...] | None = None
        self._tasks: dict[Webhook, asyncio.Task[None]] = {}
        self._news: dict[str, asyncio.Event] = {}
        self._idle = asyncio.Event()

    def look(self, hooks: Sequence[Webhook]) -> None:
        """Tell whom the settings name, from now on; costs nothing where nobody is named.

        Raises:
            StoreError: The store cannot be written now.
        """
        hooks = tuple(hooks)
        if hooks != self._hooks:
            outbox.subscribe(self._db, [(hook.name, hook.on) for hook in hooks])
            self._hooks = hooks
            self._begin(hooks)
        for event in self._news.values():
            event.set()

    async def flush(self) -> None:
        """Wait a little until everything has been tried once."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                while any(each.fresh for each in outbox.standing(self._db)):
                    self._idle.clear()
                    await self._idle.wait()

    async def close(self) -> None:
        """Stop telling; what is owed is owed on."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()

    def _begin(self, hooks: Sequence[Webhook]) -> None:
        for hook in set(self._tasks) - set(hooks):
            self._tasks.pop(hook).cancel()
        self._news = {hook.name: self._news.get(hook.name) or asyncio.Event() for hook in hooks}
        for hook in hooks:
            if hook not in self._tasks:
                work = self._tell(hook, self._news[hook.name])
                self._tasks[hook] = asyncio.create_task(work, name=f"webhook {hook.name}")

    async def _tell(self, hook: Webhook, news: asyncio.Event) -> None:
        """Tell one webhook what it is owed, for as long as the agent works."""
        client: httpx.AsyncClient | None = None
        complaint = Complaint(self._report)
        try:
            while True:
                news.clear()
                try:
                    letter = outbox.due(self._db, hook.name)
                    if letter is not None:
                        if client is None:
                            client = await asyncio.to_thread(_client)
                        await self._deliver(hook, letter, client)
                        complaint.over()
                        continue
                    pause = pause_until(outbox.next_at(self._db, hook.name), LONGEST_PAUSE_S)
                    complaint.over()
                except LaunchError as error:
                    complaint.say(f"webhook {hook.name} waits: {error.cause}")
                    pause = RETRY_S
                self._idle.set()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(news.wait(), pause)
        finally:
            if client is not None:
                await client.aclose()

    async def _deliver(self, hook: Webhook, letter: Letter, client: httpx.AsyncClient) -> None:
        faults.point("outbox.before")
        try:
            await self._post(hook, letter, client)
        except Refused as refusal:
            self._put_off(hook, letter, refusal)
        except LaunchError:
            raise
        except Exception as error:
            # Whatever it is, the next one is to be told all the same.
            log.exception("telling a webhook failed")
            self._put_off(hook, letter, Refused(f"not sent: {type(error).__name__}"))
        else:
            faults.point("outbox.answered")
            outbox.delivered(self._db, letter)
            faults.point("outbox.noted")
            if letter.tries:
                self._report(f"webhook {hook.name}: told of {letter.key} at last")
        self._idle.set()

    async def _post(self, hook: Webhook, letter: Letter, client: httpx.AsyncClient) -> None:
        """Post once.

        Raises:
            Refused: It did not arrive, or may not have.
        """
        import httpx

        url = self._address(hook)
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": letter.key,
            "User-Agent": "launch-tui",
        }
        body = payload(self._db, letter)
        try:
            async with asyncio.timeout(ANSWER_S):
                post = client.stream("POST", url, content=body, headers=headers)
                async with post as answer:
                    status, after = answer.status_code, answer.headers.get("Retry-After", "")
        except TimeoutError:
            raise Refused(f"no answer within {ANSWER_S:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise Refused(_said(error, url)) from None
        if not 200 <= status < 300:
            raise Refused(f"HTTP {status}", float(after) if after.isdecimal() else 0.0)

    def _address(self, hook: Webhook) -> str:
        values = {name: value_of(name, self._db) for name in references(hook.url)}
        for name, value in values.items():
            if value is None:
                where = f"neither the agent's environment nor secrets/{name} has it"
                raise Refused(f"{name}: {where}")
        url = resolved(hook.url, {name: value or "" for name, value in values.items()}).strip()
        if not is_address(url):
            raise Refused(f"what {hook.name} stands for is no address")
        return url

    def _put_off(self, hook: Webhook, letter: Letter, refusal: Refused) -> None:
        """Note when to try again, or that it is of no use."""
        why, at = str(refusal), time.time()
        began = seconds(letter.first_tried_at) if letter.first_tried_at else at
        if at - began > GIVE_UP_S:
            outbox.give_up(self._db, letter, why)
            text = f"webhook {hook.name} was never told of {letter.key}: {why}"
            write.add_event(self._db, text, actor=self._agent, run_id=letter.run_id)
            self._report(text)
            return
        pause = max(pause_after(letter.tries), min(refusal.pause, LONGEST_PAUSE_S))
        outbox.failed(self._db, letter, why, iso(at + pause))
        if letter.tries == 0:
            self._report(f"webhook {hook.name}: {why}; {letter.key} is tried again")


def pause_after(tries: int) -> float:
    """Return how long to wait after a failed try, ``tries`` others having failed before it."""
    return doubled(FIRST_PAUSE_S, tries, LONGEST_PAUSE_S)


def _client() -> httpx.AsyncClient:
    """Return what posts; takes a tenth of a second, so on a thread."""
    import httpx

    # It tells each address it asks, and an address may be a secret.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.AsyncClient(timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S))


def _said(error: Exception, url: str) -> str:
    """Return what an error says, without the address."""
    text = str(error).replace(url, "the address") or type(error).__name__
    return " ".join(text.split())[:LONGEST_ANSWER]
