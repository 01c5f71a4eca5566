from __future__ import annotations

from textual.app import App
from textual.widgets import Static

from launch_tui.tui.widgets.scrolled import Scrolled


class Reading(App):
    def compose(self):
        with Scrolled():
            yield Static("\n".join(map(str, range(100))))


async def test_a_page_moves_by_the_keys_of_every_list():
    app = Reading()
    async with app.run_test(size=(40, 20)) as pilot:
        app.animation_level = "none"
        page = app.query_one(Scrolled)
        page.focus()
        await pilot.pause()
        at = []
        for key in ("j", "ctrl+d", "ctrl+u", "k", "G", "g", "pagedown"):
            await pilot.press(key)
            await pilot.pause()
            at.append(round(page.scroll_offset.y))
        assert at == [1, 11, 1, 0, page.max_scroll_y, 0, 20]
