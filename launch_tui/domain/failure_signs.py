"""The messages by which known failures are recognised, and what to do about just these.

They are the runtimes' own words, not words that occur in messages: a text that mentions memory is
no sign of anything.
"""

from __future__ import annotations

import re
import signal

from launch_tui.domain.failure import FailureKind

HEADINGS = {
    FailureKind.GPU_OOM: "out of GPU memory",
    FailureKind.OOM: "out of memory",
    FailureKind.DISK_FULL: "disk full",
}
MAYBE_MEMORY = (
    "if memory ran out (see `dmesg`), ask for more of it (--memory) or run fewer at once; if "
    "somebody killed it, just rerun"
)
SOMEBODY_KILLED = (
    "the kernel did not end it for memory: somebody, or a watchdog such as earlyoom, killed it; "
    "rerun when that is settled"
)
_CRASHED = (
    "a compiled library crashed: rerun with --setenv PYTHONFAULTHANDLER=1 to see where in Python; "
    "torch and CUDA versions that do not fit each other are the usual reason"
)
SIGNAL_STEPS: dict[int, str] = {
    signal.SIGSEGV: _CRASHED,
    signal.SIGABRT: _CRASHED,
    signal.SIGBUS: "a file that it maps was cut short, or /dev/shm is full (see `df /dev/shm`): "
    "use fewer data loader workers; then rerun",
    signal.SIGILL: "a compiled library needs a newer CPU than this machine has: install another "
    "build of it, then launch a new version of the job",
    signal.SIGFPE: _CRASHED,
    signal.SIGXCPU: "it used up its CPU time: raise the ulimit, then rerun",
    signal.SIGXFSZ: "it wrote a file above the ulimit for sizes: raise it, then rerun",
    signal.SIGTERM: "somebody ended it (a shutdown, an administrator, a watchdog): find out who, "
    "then rerun",
    signal.SIGINT: "somebody interrupted it from outside; rerun",
    signal.SIGHUP: "it was ended with the terminal of something that it started: rerun",
    signal.SIGKILL: MAYBE_MEMORY,
}
SHELL_STEPS: dict[int, tuple[re.Pattern[str], str]] = {
    127: (
        re.compile(r"(?P<name>[^\s:]+): (?:command )?not found$"),
        "add what has {name} to the job's requirements or image, or correct the command; then "
        "rerun",
    ),
    126: (
        re.compile(r"(?P<name>[^\s:]+): (?:Permission denied|cannot execute.*)$", re.IGNORECASE),
        "chmod +x {name}, or give its interpreter in front of it; then rerun",
    ),
}
"""What shells say last when a command cannot be executed, by the status that they end with."""
ABOUT = re.compile(
    r"^(?:\w+\.)*(?:Assertion|Key|Value|Type|Attribute|Name|Index|Lookup|Syntax|FileNotFound)Error"
)
KILLED = re.compile(
    r"killed by signal: Killed|Signal 9 \(SIGKILL\)|exitcode\s*: -9|SIGKILL\(-9\)"
    r"|Signals\.SIGKILL: 9|terminated with signal SIGKILL|: line \d+: +\d+ Killed"
)
PID = re.compile(r"(?i:\bpid:? (\d+))|: line \d+: +(\d+) Killed")

_GPU = re.compile(
    r"\b(?:CUDA|HIP|MPS backend|XPU|NPU) out of memory"
    r"|torch(?:\.cuda)?\.OutOfMemoryError|cupy\.cuda\.memory\.OutOfMemoryError"
    r"|(?:CUDA|HIP)(?: runtime)? error[^\n]{0,60}: out of memory"
    r"|C(?:UBLAS|UDNN|USOLVER|USPARSE)_STATUS_(?:INTERNAL_ERROR_DEVICE_)?ALLOC\w*_FAILED"
    r"|(?:CUFFT|NVRTC)_ALLOC_FAILED|HIPBLAS_STATUS_ALLOC_FAILED|rocblas_status_memory_error"
    r"|CUDA_ERROR_OUT_OF_MEMORY|cudaErrorMemoryAllocation|hipErrorOutOfMemory"
    r"|RESOURCE_EXHAUSTED: (?:[^\n]{0,160}[Oo]ut of memory|Failed to allocate)"
    r"|Resource exhausted: [Oo]ut of memory"
    r"|[Oo]ut of memory error on GPU|cuMem\w+ failed: out of memory|out_of_memory: CUDA error"
    r"|(?i:cuda failure (?:\d+ )?'out of memory')|OOM when allocating tensor"
)
_HOST = re.compile(
    r"\A(?:[\w.]*\.)?\w*(?:MemoryError|OutOfMemoryError|OutOfMemoryException)\b"
    r"|DefaultCPUAllocator: (?:can't allocate|not enough) memory"
    r"|\[Errno 12\]|std::bad_alloc|os error 12\b|slurmstepd: error: Detected \d+ oom"
    r"|OOM when allocating tensor[^\n]*device:CPU"
)
_SHARED = re.compile(
    r"workers are out of shared memory|/dev/shm/nccl"
    r"|unable to (?:write to file|mmap \d+ bytes from file|open shared memory object) <?/torch_"
)
_DISK = re.compile(
    r"\[Errno (?:28|122)\]|No space left on device|Disk quota exceeded|StorageFull"
    r"|database or disk is full"
)
_IMPORT = re.compile(
    r"\A(?:\w+\.)*(?:ModuleNotFoundError|ImportError|PackageNotFoundError)\b"
    r"|cannot open shared object file|\ACould not load library lib"
)
_NOT_INITIALISED = re.compile(
    r"\Awandb[\w.]*Error: [^\n]*(?:must call wandb\.init|api_key not configured|No API key)"
)
# The CPU's variant of a message stands before the GPU's that contains it, and shared memory, which
# is said as a full disk, before the disk.
SIGNS = (
    (FailureKind.OOM, re.compile(r"OOM when allocating tensor[^\n]*device:CPU")),
    (FailureKind.GPU_OOM, _GPU),
    (FailureKind.OOM, _HOST),
    (FailureKind.OOM, _SHARED),
    (FailureKind.DISK_FULL, _DISK),
    (FailureKind.IMPORT_ERROR, _IMPORT),
    (FailureKind.NOT_TRACKED, _NOT_INITIALISED),
)
SPECIAL_STEPS = (
    (
        FailureKind.GPU_OOM,
        re.compile(r"Process (?P<pid>\d+) has (?P<size>[\d.]+ [GM]iB) memory in use"),
        "process {pid} held {size} of that GPU: wait until it ends, ask for free memory "
        "(--gpu-memory 40G), or use a smaller batch; then rerun",
    ),
    (
        FailureKind.GPU_OOM,
        re.compile(r"but unallocated memory is large try setting (?P<what>\w+=\S+\w)"),
        "use a smaller batch, or rerun with --setenv {what} if memory was in pieces; or ask for a "
        "GPU with more free memory (--gpu-memory 40G)",
    ),
    (
        FailureKind.OOM,
        _SHARED,
        "shared memory is full (see `df /dev/shm`): use fewer data loader workers, or have "
        "/dev/shm made larger; then rerun",
    ),
    (
        FailureKind.DISK_FULL,
        re.compile(r"(?:\[Errno 28\] No space left on device|quota exceeded): '(?P<path>[^'\n]+)'"),
        "free some space where {path} is, or write elsewhere; then rerun",
    ),
    (
        FailureKind.DISK_FULL,
        re.compile(r"quota"),
        "the quota is used up (see `quota -s`): remove files of yours, or write elsewhere; then "
        "rerun",
    ),
    (
        FailureKind.NOT_TRACKED,
        re.compile(r"(?i)api.key"),
        "leave mode='online' out of wandb.init, since runs are recorded offline; or pass a key on "
        "with --pass-env WANDB_API_KEY",
    ),
    (
        FailureKind.NOT_TRACKED,
        re.compile(r""),
        "call wandb.init before the first wandb.log, in the process that logs; then launch a new "
        "version of the job",
    ),
)
PLAIN_STEPS = (
    (
        re.compile(r": line \d+: (?P<what>\S+): command not found"),
        "install what has the command {what}, or add it to the job's requirements; then rerun",
    ),
    (
        re.compile(r"\.py: error: "),
        "the script refused its arguments: correct the launch's configuration, then launch again",
    ),
)
