from __future__ import annotations

import queue

from textual.app import App
from textual.drivers._writer_thread import WriterThread

from launch_tui.tui.pulse import Pulse


class Store:
    def __init__(self):
        self.news = False
        self.asked = 0

    def changed(self):
        self.asked += 1
        news, self.news = self.news, False
        return news


class Listening(App):
    """An application that counts what its pulse publishes."""

    def __init__(self, **options):
        super().__init__()
        self.store = Store()
        self.now = 0.0
        self.pulse = Pulse(self, self.store, clock=lambda: self.now, **options)
        self.heard = {"store_changed": 0, "frame": 0, "minute": 0}

    def on_mount(self):
        for name in self.heard:
            getattr(self.pulse, name).subscribe(self, lambda _, name=name: self.count(name))

    def count(self, name):
        self.heard[name] += 1


async def test_a_frame_each_tick_and_a_change_only_when_there_was_one():
    app = Listening()
    async with app.run_test() as pilot:
        app.pulse.tick()
        await pilot.pause()
        assert app.heard == {"store_changed": 0, "frame": 1, "minute": 0}
        app.store.news = True
        app.pulse.tick()
        app.pulse.tick()
        await pilot.pause()
        assert app.heard == {"store_changed": 1, "frame": 3, "minute": 0}


async def test_ages_tick_by_the_minute_and_only_with_a_live_run():
    live = False
    app = Listening(live=lambda: live)
    async with app.run_test() as pilot:
        app.now = 61.0
        app.pulse.tick()
        await pilot.pause()
        assert app.heard["minute"] == 0
        live = True
        app.now = 100.0
        app.pulse.tick()
        app.now = 121.0
        app.pulse.tick()
        app.pulse.tick()
        await pilot.pause()
        assert app.heard["minute"] == 1


async def test_a_terminal_that_is_behind_skips_frames_and_loses_no_change():
    app = Listening()
    async with app.run_test() as pilot:
        writer = WriterThread.__new__(WriterThread)
        writer._queue = queue.Queue()
        app._driver._writer_thread = writer
        for _ in range(4):
            writer._queue.put("frame")
        app.store.news = True
        for _ in range(5):
            app.pulse.tick()
        await pilot.pause()
        assert app.heard["frame"] == 0
        assert app.store.asked == 0
        assert app.pulse.skipped == 5
        assert app.pulse.slow_link == "slow link 0 fps"
        writer._queue.get()
        app.pulse.tick()
        await pilot.pause()
        assert app.heard == {"store_changed": 1, "frame": 1, "minute": 0}
        for _ in range(20):
            app.pulse.tick()
        assert app.pulse.slow_link == ""
        del app._driver._writer_thread


def test_textual_still_has_the_names_that_the_gate_reads():
    writer = WriterThread(file=None)
    assert writer._queue.qsize() == 0
    assert "_driver" in vars(App())


async def test_the_timer_ticks_and_stops():
    app = Listening(fps=200)
    async with app.run_test() as pilot:
        app.pulse.start()
        app.pulse.start()
        while app.heard["frame"] < 3:
            await pilot.pause(0.005)
        app.pulse.stop()
        await pilot.pause()
        heard = app.heard["frame"]
        await pilot.pause(0.03)
        assert app.heard["frame"] == heard
