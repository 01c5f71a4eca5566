"""Keys act one after the other, however fast they come: over a slow link many come at once.

Textual hands a key to what has the focus when the key comes, not to what has it once the keys
before have acted: of ``/loss-x`` in one burst all but the first would act on the list, ``-`` by
lowering a run's priority. Here each key waits until the one before has been through all that may
handle it, and until what that opened has taken the focus. No key acts on a screen that is still
being made.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from textual.events import Key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from textual.app import App
    from textual.events import Event
    from textual.message_pump import MessagePump
    from textual.timer import Timer

LOST_S = 1.0
"""Seconds after which a key does not hold up others any more: whatever handled it has gone."""


class KeyOrder:
    """Lets keys, and what is pasted among them, through one at a time.

    Args:
        app: Whose keys.
        handle: Hands an event to what has the focus.
    """

    def __init__(self, app: App[Any], handle: Callable[[Event], Awaitable[None]]) -> None:
        self._app = app
        self._handle = handle
        self._held: deque[Event] = deque()
        self._under_way: Event | None = None
        self._handed_over = False
        self._lost: Timer | None = None

    async def take(self, event: Event) -> None:
        """Take a key that has come; it acts when those before have acted."""
        self._held.append(event)
        if self._under_way is None:
            await self._next()
        elif self._lost is None:
            # Only who waits has to know of what never ends.
            self._lost = self._app.set_timer(LOST_S, self._give_up)

    async def take_back(self, event: Key) -> bool:
        """Take a key again that comes up to the application while the screen is being made.

        What it was handed to has opened that screen since: the key is for it, once it is there.
        """
        if self._app.screen.is_mounted:
            return False
        self._held.appendleft(Key(event.key, event.character))
        if self._under_way is None:
            await self._next()
        return True

    async def _next(self) -> None:
        event = self._under_way = self._held.popleft()
        self._handed_over = False
        await self._hand_over(event)

    async def _hand_over(self, event: Event) -> None:
        if event is not self._under_way or self._handed_over:
            return
        screen = self._app.screen
        if not screen.is_mounted and screen.call_after_refresh(
            self._app.call_later, self._hand_over, event
        ):
            return
        self._handed_over = True
        shown = self._shown()
        target: MessagePump = self._app.focused or self._app.screen
        await self._handle(event)
        # Behind the key in the queue of whoever has been given it.
        self._follow(event, target if event.is_forwarded else self._app, shown)

    def _follow(self, event: Event, node: MessagePump, shown: tuple[object, ...]) -> None:
        """Go with a key from widget to widget, up to the application or whoever stops it."""
        if not node.call_later(self._passed, event, node, shown):
            self._app.call_later(self._ended, event)

    def _passed(self, event: Event, node: MessagePump, shown: tuple[object, ...]) -> None:
        parent = None if event._stop_propagation else node._parent
        if parent is not None:
            self._follow(event, parent, shown)
        # The focus is moved by a message, too; what was opened takes it when it is there.
        elif self._held and self._shown() != shown:
            self._app.screen.call_after_refresh(self._app.call_later, self._ended, event)
        else:
            self._app.call_later(self._settled, event, shown)

    def _settled(self, event: Event, shown: tuple[object, ...]) -> None:
        if self._held and self._shown() != shown:
            self._app.screen.call_after_refresh(self._app.call_later, self._ended, event)
        else:
            self._app.call_later(self._ended, event)

    async def _ended(self, event: Event) -> None:
        if event is not self._under_way:
            return
        self._under_way = None
        if self._lost is not None:
            self._lost.stop()
            self._lost = None
        if self._held:
            await self._next()
            if self._held:
                self._lost = self._app.set_timer(LOST_S, self._give_up)

    async def _give_up(self) -> None:
        event, self._lost = self._under_way, None
        if event is None:
            return
        if self._handed_over:
            await self._ended(event)
            return
        # The screen that it waits for may have gone before it was there.
        self._lost = self._app.set_timer(LOST_S, self._give_up)
        await self._hand_over(event)

    def _shown(self) -> tuple[object, ...]:
        return self._app.screen, self._app.focused
