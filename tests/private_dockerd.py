"""A dockerd that belongs to a test: it may be stopped, killed and paused, and leaves nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
import uuid
from pathlib import Path

from launch_tui.engine.client import Engine
from launch_tui.errors import EngineError

STARTED_S = 60.0
STOPPED_S = 30.0
POLL_S = 0.05


def answers(environ):
    """Say whether an engine answers to these variables."""
    engine = Engine(environ, answer_s=10.0)
    try:
        engine.facts_blocking()
    except EngineError:
        return False
    finally:
        engine.close_blocking()
    return True


class PrivateDockerd:
    """A dockerd of one's own: its socket, its images, no network; it may be ended at any time.

    ``network`` gives it a bridge, which only one dockerd of a machine can have.
    """

    def __init__(self, folder, *, network=False, options=()):
        self.folder = Path(folder)
        # A socket's path may be 107 bytes long, and those of containerd lie below it.
        self.run = Path(f"/tmp/lt-dockerd-{uuid.uuid5(uuid.NAMESPACE_URL, str(folder)).hex[:8]}")
        self.socket = self.run / "s"
        self.pidfile = self.run / "pid"
        self.log = self.folder / "dockerd.log"
        self.options = options if network else ("--bridge=none", "--iptables=false", *options)
        self.process = None

    @property
    def environ(self):
        return {"DOCKER_HOST": f"unix://{self.socket}"}

    def start(self):
        """Start it and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(exist_ok=True)
        # What a dockerd that was killed left would keep the next one from starting.
        for left in (self.pidfile, self.run / "exec/containerd/containerd.pid"):
            left.unlink(missing_ok=True)
        # Without a bridge it would remove the one of the machine's own dockerd.
        alone = ("unshare", "--net") if "--bridge=none" in self.options else ()
        command = (
            *alone,
            *("dockerd", "--data-root", self.folder / "data", "--exec-root", self.run / "exec"),
            *("--pidfile", self.pidfile, "--host", f"unix://{self.socket}"),
            *("--containerd-namespace", self.run.name),
            *("--containerd-plugins-namespace", f"{self.run.name}-plugins"),
        )
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*map(str, command), *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + STARTED_S
        while not answers(self.environ):
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text(errors="replace").splitlines()[-5:]
                self.kill()
                raise RuntimeError("dockerd did not start: " + "\n".join(said))
            time.sleep(POLL_S)
        return self

    def stop(self):
        """End it as a service manager would; its containers end with it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOPPED_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self):
        """Kill it and nothing else: its containers run on."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def pause(self):
        """Let it stand still: it takes connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def remove(self):
        """End it, what it started, and what it has on disk."""
        self.stop()
        for process in _processes_of(self.run):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            mounted = line.split()[1]
            if mounted.startswith((f"{self.folder}/", f"{self.run}/")):
                subprocess.run(["umount", "-l", mounted], check=False, capture_output=True)
        for folder in (self.folder, self.run):
            shutil.rmtree(folder, ignore_errors=True)


def _processes_of(folder):
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if f"{folder}/".encode() in (entry / "cmdline").read_bytes():
                    yield int(entry.name)
