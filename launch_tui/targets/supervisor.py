"""The fork server and the supervisors of local jobs: a program of its own, outside the package.

The agent runs ``python -IS supervisor.py FD`` once. That *fork server* receives, on the socket FD,
one connection per attempt and forks a *supervisor* for each; it knows nothing of what travels on
the connection and ends when the agent does. A supervisor reads its request, takes the attempt's
token, starts the job with its output going straight to ``output.log``, records the outcome in
``exit``, ends what the job left behind, and leaves. It needs nobody: not the agent, not the server.

The order of what it writes is what makes crashes harmless. ``started`` (the token) is complete and
on disk before anything can run; ``pid`` is in place before the job's first instruction; the blocks
that ``exit`` needs are reserved before either. Records are JSON objects; fields are only ever
added, because supervisors outlive an upgrade of the agent. No secret reaches a command line or a
file: the environment travels over the connection only.

Only the standard library is imported, little of it, and all of it before the first fork: forks
share the pages, and an upgrade of Python cannot take a module from a supervisor that still runs.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import json
import os
import resource  # noqa: F401, what os.wait4 imports when it is called
import signal
import socket
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

LINGER_SECONDS = 0.3
"""What a job leaves behind may end by itself this long: workers that read the end of a pipe."""
TERM_SECONDS = 2.0
"""Then it is asked to end, and has this long."""
KILL_SECONDS = 10.0
"""Then it is killed; a process that the kernel cannot end is left alone after this long."""
RETRY_SECONDS = 1.0
RESERVED_BYTES = 1024
"""Room for the ``exit`` record, allocated while there is still space."""

PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)

_libc = ctypes.CDLL(None, use_errno=True)
# Looked up once, and not by each fork.
_prctl = _libc.prctl
_pthread_sigmask = _libc.pthread_sigmask
NO_SIGNALS = bytes(128)
"""An empty ``sigset_t``."""
_boot_id = ""
_faults: tuple[str, int] = ("", 0)


def serve(control: socket.socket) -> None:
    """Fork a supervisor for each connection received, until the agent closes its end."""
    global _boot_id, _faults
    # A blocked signal ends nobody: neither the server nor a supervisor dies of a closed terminal,
    # a Ctrl-C, or a service manager's SIGTERM before it has written its job's outcome.
    signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    # Ignored, children are reaped by the kernel: no zombie, also where process 1 reaps nothing.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.chdir("/")
    try:
        _boot_id = _read("/proc/sys/kernel/random/boot_id").decode().strip()
    except OSError:
        pass  # Some sandboxes have none; start times tell processes apart there.
    gc.disable()
    gc.freeze()
    name, _, count = os.environ.get("LAUNCH_TUI_FAULT", "").partition(":")
    left = int(count or 1)
    while True:
        message, fds, _, _ = socket.recv_fds(control, 1, 1)
        if not message:
            return
        if fds:
            # A job that kept it would keep the agent waiting (recv_fds ignores its flags).
            os.set_inheritable(fds[0], False)
            # Each supervisor passes each point once, so the n-th supervisor is the n-th time.
            _faults, left = (name, left), left - 1
            _fork_supervisor(control, fds[0])


def _fork_supervisor(control: socket.socket, fd: int) -> None:
    connection = socket.socket(fileno=fd)
    try:
        child = os.fork()
    except OSError as error:
        _answer(connection, f"cannot fork: {error.strerror}")
        return
    if child == 0:
        control.close()
        _supervise(connection)
    connection.close()


def _supervise(connection: socket.socket) -> NoReturn:
    """Be the supervisor of the attempt that the connection asks for; does not return."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    status = 0
    try:
        request = _receive(connection)
        if request is not None:
            _prctl(PR_SET_NAME, b"lt:" + request[1], 0, 0, 0)
            _fault("supervisor.forked")
            Supervisor(connection, request).run()
    except BaseException as error:
        status = 1
        _answer(connection, f"the supervisor failed: {error!r}")
    os._exit(status)


def _receive(connection: socket.socket) -> list[bytes] | None:
    """The request's fields, None when the agent died while it was sending them."""
    data = bytearray()
    while chunk := connection.recv(1 << 16):
        data += chunk
        size, newline, rest = data.partition(b"\n")
        if newline and len(rest) == int(size):
            return bytes(rest).split(b"\0")
    return None


def _answer(connection: socket.socket, refusal: str = "") -> None:
    """Tell the agent, if it still lives: ``+`` to look at the records, else why there are none."""
    try:
        connection.sendall(f"-{refusal}".encode() if refusal else b"+")
    except OSError:
        pass  # The records tell the next agent.
    connection.close()


class Supervisor:
    """One attempt: ``directory, handle, working directory, argc, *command, *K=V``, as bytes."""

    def __init__(self, connection: socket.socket, request: list[bytes]) -> None:
        self.connection = connection
        directory, _handle, self.working_directory, count = request[:4]
        self.command = request[4 : 4 + int(count)]
        pairs = [pair.partition(b"=") for pair in request[4 + int(count) :]]
        self.environment = {name: value for name, _, value in pairs}
        self.program = self._find_absolute(self.command[0])
        self.directory = os.open(directory, os.O_DIRECTORY | os.O_CLOEXEC)
        self.identity = _identity(os.getpid())
        self.job = 0
        self.reserve = -1

    def run(self) -> None:
        """From the token to the last process of the job's tree."""
        try:
            self._reserve_exit()
            taken = self._take_token()
        except OSError as error:
            self._drop_reserve()
            return _answer(self.connection, _explain_error(error))
        if not taken:
            self._drop_reserve()
            return _answer(self.connection)
        _fault("supervisor.token_taken")
        try:
            cause = self._start()
        except OSError as error:
            cause = _explain_error(error)
        if cause:
            self._record_exit({"kind": "not_started", "cause": cause, "ended_at": time.time()})
            return _answer(self.connection)
        _fault("supervisor.job_started")
        _answer(self.connection)
        self._wait()

    def _reserve_exit(self) -> None:
        name = self._temporary("exit")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self.reserve = os.open(name, flags, 0o666, dir_fd=self.directory)
        _write(self.reserve, b" " * RESERVED_BYTES)

    def _drop_reserve(self) -> None:
        try:
            os.unlink(self._temporary("exit"), dir_fd=self.directory)
        except OSError:
            pass

    def _take_token(self) -> bool:
        """Take ``started``; False when somebody has it. A link appears complete or not at all."""
        name = self._temporary("started")
        try:
            self._create(name, self.identity, sync=True)
            os.link(name, "started", src_dir_fd=self.directory, dst_dir_fd=self.directory)
        except FileExistsError:
            return False
        finally:
            try:
                os.unlink(name, dir_fd=self.directory)
            except OSError:
                pass
        os.fsync(self.directory)
        return True

    def _start(self) -> str:
        """Start the job; the cause when it could not be executed, else nothing."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        output = os.open("output.log", flags, 0o666, dir_fd=self.directory)
        gate, release = os.pipe2(os.O_CLOEXEC)
        failure, report = os.pipe2(os.O_CLOEXEC)
        self.job = os.fork()
        if self.job == 0:
            os.close(release)
            self._become_job(output, gate, report)
        for fd in (output, gate, report):
            os.close(fd)
        _fault("supervisor.job_forked")
        try:
            self._record_pid()
            _fault("supervisor.pid_written")
            os.write(release, b"+")
        except BrokenPipeError:
            pass  # The waiting child was killed: that is how the job ended.
        finally:
            # Closed without a word, the gate sends the child away: no job runs without a record.
            os.close(release)
        problem = os.read(failure, 64).decode()
        os.close(failure)
        return self._explain(problem) if problem else ""

    def _become_job(self, output: int, gate: int, report: int) -> NoReturn:
        stage = "start"
        try:
            if os.read(gate, 1):
                os.setsid()
                os.dup2(output, 1)
                os.dup2(output, 2)
                stage = "chdir"
                os.chdir(self.working_directory)
                stage = "exec"
                # Python's own would make an enum member of each of 64 signals for its answer.
                _pthread_sigmask(signal.SIG_SETMASK, NO_SIGNALS, None)
                if self.program:
                    try:
                        os.execve(self.program, self.command, self.environment)
                    except OSError:
                        pass  # What is to be said of it, or done instead, the other one knows.
                os.execvpe(self.command[0], self.command, self.environment)
        except OSError as error:
            os.write(report, f"{stage} {error.errno}".encode())
        finally:
            os._exit(127)

    def _record_pid(self) -> None:
        name = self._temporary("pid")
        record: dict[str, object] = {
            **_identity(self.job),
            "supervisor_pid": self.identity["pid"],
            "supervisor_start_time": self.identity["start_time"],
            "started_at": time.time(),
        }
        self._create(name, record)
        os.rename(name, "pid", src_dir_fd=self.directory, dst_dir_fd=self.directory)

    def _wait(self) -> None:
        pid = 0
        while pid != self.job:
            pid, status, usage = os.wait4(-1, 0)
        record: dict[str, object] = {
            "kind": "exited",
            "exit_code": os.waitstatus_to_exitcode(status),
            "ended_at": time.time(),
            "user_seconds": round(usage.ru_utime, 6),
            "system_seconds": round(usage.ru_stime, 6),
            "max_rss_bytes": usage.ru_maxrss * 1024,
            # With the job gone and no child here, the tree is empty for good: nobody need look.
            "left_processes": _reap(),
        }
        _fault("supervisor.job_ended")
        self._record_exit(record, _end_leftovers)
        _fault("supervisor.exit_written")
        _end_leftovers()

    def _record_exit(
        self, record: dict[str, object], meanwhile: Callable[[], None] | None = None
    ) -> None:
        """Put ``exit`` in place. On a full disk it tries again until there is space."""
        data = json.dumps(record).encode() + b"\n"
        while True:
            try:
                os.lseek(self.reserve, 0, os.SEEK_SET)
                _write(self.reserve, data)
                os.ftruncate(self.reserve, len(data))
                os.fsync(self.reserve)
                name = self._temporary("exit")
                os.rename(name, "exit", src_dir_fd=self.directory, dst_dir_fd=self.directory)
                os.fsync(self.directory)
                return
            except OSError as error:
                if error.errno not in NO_SPACE:
                    return  # The directory is gone: nobody is left to tell.
            if meanwhile:
                meanwhile()
            time.sleep(RETRY_SECONDS)

    def _create(self, name: str, record: dict[str, object], *, sync: bool = False) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        fd = os.open(name, flags, 0o666, dir_fd=self.directory)
        try:
            _write(fd, json.dumps(record).encode() + b"\n")
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)

    def _temporary(self, name: str) -> str:
        return f".{name}.{self.identity['pid']}"

    def _explain(self, problem: str) -> str:
        """One line that says why the job could not be executed."""
        stage, _, number = problem.partition(" ")
        reason = os.strerror(int(number))
        if stage == "chdir":
            if int(number) == errno.ENOENT:
                return f"working directory missing: {os.fsdecode(self.working_directory)}"
            return f"cannot enter {os.fsdecode(self.working_directory)}: {reason}"
        program = os.fsdecode(self.command[0])
        if stage != "exec":
            return f"cannot start {program}: {reason}"
        if int(number) == errno.ENOENT:
            found = self._find(self.command[0])
            return f"{found}: no such interpreter" if found else f"command not found: {program}"
        if int(number) == errno.EACCES:
            return f"permission denied: {program}"
        if int(number) == errno.ENOEXEC:
            return f"{program} is neither a program nor a script with a #! line"
        return f"cannot execute {program}: {reason}"

    def _find_absolute(self, program: bytes) -> bytes:
        """Where PATH has a program, empty when that is not plain: then ``execvpe`` finds out.

        That one tries to execute in each folder of PATH, with all of the environment each time,
        which takes longer than all else that is done for the job.
        """
        if b"/" in program:
            return b""
        for folder in self.environment.get(b"PATH", b"").split(b":"):
            if not folder.startswith(b"/"):
                return b""
            candidate = folder + b"/" + program
            if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
                return candidate
        return b""

    def _find(self, program: bytes) -> str:
        """Where a program that could not be executed is; empty when it is nowhere."""
        path = self.environment.get(b"PATH", os.defpath.encode())
        folders = [b""] if b"/" in program else path.split(b":")
        for folder in folders:
            candidate = os.path.join(self.working_directory, folder, program)
            if os.path.exists(candidate):
                return os.fsdecode(candidate)
        return ""


def _explain_error(error: OSError) -> str:
    if error.errno in NO_SPACE:
        return "no space left where the run's directory is"
    where = f" ({error.filename})" if error.filename else ""
    return f"the supervisor could not start the job: {error.strerror}{where}"


def _reap() -> bool:
    """Reap what has ended. True while there are children."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _end_leftovers() -> None:
    """End every process of the job's tree that is left, however it detached itself.

    Only own children are signalled: an unreaped child's pid cannot be anyone else's. The others
    become own children as their parents end, because this process is the tree's subreaper.
    """
    begin = time.monotonic()
    asked: set[int] = set()
    while _reap():
        age = time.monotonic() - begin
        if age > LINGER_SECONDS + TERM_SECONDS + KILL_SECONDS:
            return
        if age > LINGER_SECONDS + TERM_SECONDS:
            _signal(_children(), signal.SIGKILL)
        elif age > LINGER_SECONDS:
            fresh = _children() - asked
            _signal(fresh, signal.SIGTERM)
            _signal(fresh, signal.SIGCONT)
            asked |= fresh
        signal.sigtimedwait({signal.SIGCHLD}, 0.05)


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass  # It changed its user, or has just ended.


def _children() -> set[int]:
    me = str(os.getpid()).encode()
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if _stat(int(name))[1] == me:
                    found.add(int(name))
            except OSError:
                pass  # It has ended.
    return found


def _identity(pid: int) -> dict[str, object]:
    return {"pid": pid, "start_time": int(_stat(pid)[19]), "boot_id": _boot_id}


def _stat(pid: int) -> list[bytes]:
    """``/proc/<pid>/stat`` from the state on: the name before it may hold anything."""
    return _read(f"/proc/{pid}/stat").rpartition(b") ")[2].split()


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _fault(point: str) -> None:
    """What ``launch_tui.faults.point`` does; its ``POINTS`` lists these."""
    if _faults == (point, 1):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
