from __future__ import annotations

import pytest

from launch_tui.domain.classify import RECENT_S, classify
from launch_tui.domain.failure import FailureKind
from launch_tui.domain.kernel import KernelEvidence, OomKill
from launch_tui.domain.last_words import STALE_LINES, last_words

K = FailureKind
TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n    f()\n'
TORCH_OOM = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total "
    "capacity of 23.64 GiB of which 1.20 GiB is free."
)
CHILD_FAILED = (
    "torch.distributed.elastic.multiprocessing.errors.ChildFailedError: \n"
    "============================================================\n"
    "train.py FAILED\n"
    "------------------------------------------------------------\n"
    "Root Cause (first observed failure):\n"
    "[0]:\n"
    "  rank      : 0 (local_rank: 0)\n"
    "  exitcode  : {code} (pid: 14750)\n"
    "  traceback : {told}\n"
    "============================================================\n"
)


def kind(log, code=1):
    return classify(code, log).kind


@pytest.mark.parametrize(
    "line",
    [
        TORCH_OOM,
        "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 MiB (GPU 0; …)",
        "RuntimeError: CUDA out of memory. Tried to allocate 2.00 MiB",
        "RuntimeError: CUDA error: out of memory",
        "torch.AcceleratorError: CUDA error: out of memory",
        "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 3.31 GiB.",
        "RuntimeError: MPS backend out of memory (MPS allocated: 5.00 GB)",
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to "
        "allocate 7406166528 bytes.",
        "XlaRuntimeError: RESOURCE_EXHAUSTED: Failed to allocate request for 2.0GiB on device 0",
        "tensorflow.python.framework.errors_impl.ResourceExhaustedError: Graph execution error:\n\n"
        "OOM when allocating tensor with shape[16,64,64,64] and type float on "
        "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc",
        "ResourceExhaustedError (see above for traceback): OOM when allocating tensor with "
        "shape[64,2016] on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc",
        "cupy.cuda.memory.OutOfMemoryError: Out of memory allocating 8,000 bytes",
        "numba.cuda.cudadrv.driver.CudaAPIError: [2] Call to cuMemAlloc results in "
        "CUDA_ERROR_OUT_OF_MEMORY",
        "pycuda._driver.MemoryError: cuMemAlloc failed: out of memory",
    ],
)
def test_out_of_gpu_memory_by_the_words_of_each_runtime(line):
    failure = classify(1, "epoch 1\n" + TRACEBACK + line + "\n")
    assert failure.kind is K.GPU_OOM
    assert failure.cause.startswith("exit status 1: out of GPU memory: ")


@pytest.mark.parametrize(
    "line",
    [
        "MemoryError",
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 74.5 GiB for an array with "
        "shape (100000, 100000) and data type float64",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't "
        "allocate memory: you tried to allocate 400000000000 bytes. Error code 12",
        "OSError: [Errno 12] Cannot allocate memory",
        "pyarrow.lib.ArrowMemoryError: malloc of size 8388608 failed",
        "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.",
        "ResourceExhaustedError: OOM when allocating tensor with shape[9] and type float on "
        "/job:localhost/replica:0/task:0/device:CPU:0 by allocator cpu",
    ],
)
def test_out_of_host_memory_by_the_words_of_each_runtime(line):
    assert kind(TRACEBACK + line + "\n") is K.OOM


def test_a_native_abort_for_memory():
    host = "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  bad_alloc\n"
    gpu = "terminate called after throwing an instance of 'c10::Error'\n  what():  CUDA error: "
    assert kind(host, -6) is K.OOM
    assert kind(gpu + "out of memory\n", -6) is K.GPU_OOM
    assert kind(gpu + "an illegal memory access was encountered\n", -6) is K.SIGNAL


@pytest.mark.parametrize(
    "line",
    [
        "KeyError: 'memory'",
        "ValueError: memory format is not channels_last",
        "AssertionError: expected 'CUDA out of memory' to be handled",
        "RuntimeError: CUDA error: an illegal memory access was encountered",
        "RuntimeError: memory_efficient_attention is out of date",
        "grpc._channel._InactiveRpcError: StatusCode.RESOURCE_EXHAUSTED: Received message larger "
        "than max",
        "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 147456",
        "sqlalchemy.exc.OperationalError: out of shared memory",
    ],
)
def test_what_mentions_memory_is_not_out_of_memory(line):
    failure = classify(1, TRACEBACK + line + "\n")
    assert failure.kind is K.ERROR
    assert line.partition(":")[0] in failure.cause


@pytest.mark.parametrize(
    ("status", "line", "step"),
    [
        (127, "sh: 1: nosuch: not found", "add what has nosuch to the job's requirements or image"),
        (127, "train.sh: line 3: nvcc: command not found", "add what has nvcc to"),
        (126, "bash: line 1: ./run.sh: Permission denied", "chmod +x ./run.sh"),
        (127, "epoch 3: loss not a number", "read the log"),
        (1, "sh: 1: nosuch: not found", "read the log"),
    ],
)
def test_what_a_shell_says_of_a_command_that_it_cannot_execute(status, line, step):
    failure = classify(status, f"before\n{line}\n")
    assert failure.next_step.startswith(step)
    told = status != 1 and "not a number" not in line
    assert failure.cause == f"exit status {status}" + (f": {line}" if told else "")


def test_an_error_that_was_survived_is_not_the_end():
    survived = TRACEBACK + TORCH_OOM + "\nhalving the batch\nepoch 2\n"
    failure = classify(1, survived + TRACEBACK + "ValueError: labels missing\n")
    assert (failure.kind, failure.cause) == (K.ERROR, "exit status 1: ValueError: labels missing")
    assert kind(TORCH_OOM + "\n" + "epoch done\n" * (STALE_LINES + 1), 3) is K.ERROR
    assert kind("CUDA out of memory, skipping the batch\nepoch 2\n") is K.ERROR


def test_what_wandb_and_destructors_print_after_the_end_does_not_hide_it():
    after = (
        "wandb: \nwandb: Run history:\n" + "wandb: loss ▁▂▃\n" * STALE_LINES * 2 + "Exception "
        "ignored in: <function _MultiProcessingDataLoaderIter.__del__ at 0x7f>\n" + TRACEBACK
    )
    log = TRACEBACK + TORCH_OOM + "\n" + after + "AttributeError: 'NoneType' has no 'x'\n"
    assert kind(log) is K.GPU_OOM


def test_chained_exceptions():
    cause = "\nThe above exception was the direct cause of the following exception:\n\n"
    handling = "\nDuring handling of the above exception, another exception occurred:\n\n"
    end = TRACEBACK + "SomeLibraryError: training failed\n"
    missing = TRACEBACK + "ModuleNotFoundError: No module named 'flash_attn'\n"
    assert kind(TRACEBACK + TORCH_OOM + "\n" + cause + end) is K.GPU_OOM
    assert kind(TRACEBACK + TORCH_OOM + "\n" + handling + end) is K.GPU_OOM
    assert kind(missing + cause + end) is K.IMPORT_ERROR
    # It was tried and done without; what failed then is another thing.
    assert kind(missing + handling + end) is K.ERROR
    assert kind(missing + end) is K.ERROR


def test_the_rank_that_failed_is_found_behind_its_launcher():
    rank = "".join(f"[rank1]: {line}\n" for line in (TRACEBACK + TORCH_OOM).splitlines())
    log = rank + TRACEBACK + CHILD_FAILED.format(code=1, told="To enable traceback see …")
    failure = classify(1, log)
    assert failure.kind is K.GPU_OOM
    assert "torch.OutOfMemoryError" in failure.cause


def test_an_error_of_a_peer_is_told_by_its_own_words():
    log = TRACEBACK + "ValueError: bad shape\n" + TRACEBACK
    failure = classify(1, log + CHILD_FAILED.format(code=1, told="see above"))
    assert (failure.kind, failure.cause) == (K.ERROR, "exit status 1: ValueError: bad shape")


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("ModuleNotFoundError: No module named 'einops'", "add einops to "),
        ("ModuleNotFoundError: No module named 'cv2'", "add opencv-python-headless to "),
        ("ModuleNotFoundError: No module named 'torch._six'", "torch is there and has no"),
        (
            "ImportError: cannot import name 'AdamW' from 'transformers' (/x/__init__.py)",
            "pin a version of transformers that has AdamW",
        ),
        (
            "ImportError: cannot import name 'a' from partially initialized module 'b' (most "
            "likely due to a circular import) (/x/b.py)",
            "two files import each other",
        ),
        (
            "ImportError: libcudnn.so.8: cannot open shared object file: No such file or directory",
            "libcudnn.so.8 is missing: add nvidia-cudnn-cu12",
        ),
        ("OSError: libGL.so.1: cannot open shared object file: No such file", "headless"),
        ("ImportError: /x/flash.so: undefined symbol: _ZN3c10", "another version"),
        ("ImportError: /lib/libc.so.6: version `GLIBC_2.34' not found", "GLIBC_2.34"),
        (
            "Could not load library libcudnn_cnn_infer.so.8. Error: libcuda.so: cannot open shared "
            "object file",
            "no NVIDIA driver",
        ),
    ],
)
def test_a_failed_import_names_what_to_add(line, step):
    failure = classify(1, TRACEBACK + line + "\n")
    assert failure.kind is K.IMPORT_ERROR
    assert step in failure.next_step


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("OSError: [Errno 28] No space left on device: '/data/a.pt'", "where /data/a.pt is"),
        ("OSError: [Errno 122] Disk quota exceeded", "quota"),
        (
            "safetensors_rust.SafetensorError: Error while serializing: IoError(Os { code: 28, "
            'kind: StorageFull, message: "No space left on device" })',
            "free some space",
        ),
    ],
)
def test_a_full_disk(line, step):
    failure = classify(1, TRACEBACK + line + "\n")
    assert failure.kind is K.DISK_FULL
    assert failure.cause.startswith("exit status 1: disk full: ")
    assert step in failure.next_step


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: unable to write to file </torch_98_1>: No space left on device (28)",
        "RuntimeError: DataLoader worker (pid 11011) is killed by signal: Bus error. It is "
        "possible that dataloader's workers are out of shared memory.",
    ],
)
def test_full_shared_memory_is_memory_and_no_disk(line):
    failure = classify(1, TRACEBACK + line + "\n")
    assert failure.kind is K.OOM
    assert "/dev/shm" in failure.next_step


def test_wandb_used_before_it_was_initialised():
    line = "wandb.errors.errors.Error: You must call wandb.init() before wandb.log()\n"
    failure = classify(1, TRACEBACK + line)
    assert failure.kind is K.NOT_TRACKED
    assert "before the first wandb.log" in failure.next_step
    line = "wandb.errors.errors.UsageError: api_key not configured (no-tty). call wandb.login\n"
    assert "mode='online'" in classify(1, TRACEBACK + line).next_step


def test_gpu_memory_that_somebody_else_holds_is_named():
    line = TORCH_OOM + " Process 4711 has 60.00 GiB memory in use. Of the allocated memory …\n"
    assert "process 4711 held 60.00 GiB" in classify(1, TRACEBACK + line).next_step


def test_fragments_are_told():
    line = TORCH_OOM + (
        " If reserved but unallocated memory is large try setting "
        "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.\n"
    )
    step = classify(1, TRACEBACK + line).next_step
    assert "--setenv PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True if" in step


@pytest.mark.parametrize(
    ("code", "name"), [(-11, "SIGSEGV"), (-6, "SIGABRT"), (-15, "SIGTERM"), (-40, "signal 40")]
)
def test_a_signal_is_named(code, name):
    failure = classify(code, "epoch 3\n")
    assert failure.kind is K.SIGNAL
    assert failure.cause == f"killed by {name} (exit status {128 - code})"


def test_a_shells_way_of_telling_a_signal():
    assert kind("epoch 3\n", 139) is K.SIGNAL
    # A script may exit with any number for reasons of its own.
    assert kind(TRACEBACK + "ValueError: x\n", 139) is K.ERROR
    assert kind("", 255) is K.ERROR


def test_shells_and_argument_parsers_speak_for_themselves():
    failure = classify(127, "train.sh: line 2: torchrun: command not found\n")
    assert failure.cause == "exit status 127: train.sh: line 2: torchrun: command not found"
    assert "torchrun" in failure.next_step
    failure = classify(2, "usage: train.py [-h]\ntrain.py: error: unrecognized arguments: --lr\n")
    assert "refused its arguments" in failure.next_step


def kill(pid, age=1.0, limited=True):
    return OomKill(pid=pid, name="python", resident=49 << 20, limited=limited, age=age)


def by_kernel(code, log="", **values):
    return classify(code, log, lambda: KernelEvidence(main=7, pids=frozenset({7, 8}), **values))


def test_a_kill_that_nobody_sent_is_memory_where_the_kernel_cannot_be_asked():
    assert kind("epoch 3\n", -9) is K.OOM
    assert kind("Killed\n", 137) is K.OOM
    assert by_kernel(-9).kind is K.OOM


def test_the_kernel_names_the_main_process():
    failure = by_kernel(-9, kills=(kill(7),), log_complete=True)
    assert failure.kind is K.OOM
    assert failure.cause == (
        "killed by SIGKILL (exit status 137): out of memory: the kernel ended process 7 (python), "
        "which held 49M, at its memory limit"
    )
    assert "raise its limit" in failure.next_step
    whole = by_kernel(-9, kills=(kill(7, limited=False),), log_complete=True)
    assert "fewer runs share the machine" in whole.next_step


def test_a_complete_log_that_names_nobody_of_ours_clears_the_kernel():
    failure = by_kernel(-9, kills=(kill(99),), log_complete=True, machine_kills=1, group_kills=1)
    assert failure.kind is K.SIGNAL
    assert "somebody" in failure.next_step
    assert by_kernel(-9, machine_kills=0, group_kills=0).kind is K.SIGNAL


def test_counters_count_where_the_log_cannot_be_read():
    assert "cgroup" in by_kernel(-9, group_kills=1, machine_kills=1).cause
    assert "of this machine" in by_kernel(-9, group_kills=None, machine_kills=1).cause
    assert by_kernel(-9, group_kills=None, machine_kills=1).kind is K.OOM


def test_a_worker_that_the_kernel_ended():
    line = "RuntimeError: DataLoader worker (pid 1234) is killed by signal: Killed. \n"
    named = by_kernel(1, TRACEBACK + line, kills=(kill(1234, age=9999),), log_complete=True)
    assert named.kind is K.OOM
    assert "process 1234" in named.cause
    cleared = by_kernel(1, TRACEBACK + line, log_complete=True, machine_kills=0)
    assert cleared.kind is K.SIGNAL
    assert kind(TRACEBACK + line) is K.OOM


def test_a_rank_that_the_kernel_ended():
    log = TRACEBACK + CHILD_FAILED.format(code=-9, told="Signal 9 (SIGKILL) received by PID 14750")
    assert by_kernel(1, log, kills=(kill(14750),), log_complete=True).kind is K.OOM


def test_a_child_of_a_shell_is_told_by_the_time():
    assert by_kernel(137, kills=(kill(99),), log_complete=True).kind is K.OOM
    old = kill(99, age=RECENT_S + 1)
    assert by_kernel(137, kills=(old,), log_complete=True).kind is K.SIGNAL


def test_a_worker_lost_long_ago_is_not_what_ended_it():
    old = kill(8, age=RECENT_S + 1)
    assert by_kernel(-9, kills=(old,), log_complete=True).kind is K.SIGNAL
    assert by_kernel(1, TRACEBACK + "ValueError: x\n", kills=(kill(8),)).kind is K.ERROR


def test_the_kernel_is_asked_about_killed_processes_only():
    def asked():
        raise AssertionError("it was asked")

    assert classify(1, TRACEBACK + "ValueError: x\n", asked).kind is K.ERROR
    assert classify(-11, "", asked).kind is K.SIGNAL


def test_a_tail_that_begins_within_a_traceback():
    words = last_words('line 3, in <module>\n    f()\nqueue.Empty: x\nmylib.errors.BadError: "x"\n')
    assert [error.line for error in words] == ['mylib.errors.BadError: "x"']


def test_exceptions_of_any_name_count_below_a_traceback():
    assert last_words(TRACEBACK + "queue.Empty\n")[0].line == "queue.Empty"
    assert last_words("queue.Empty\n") == ()


def test_a_thread_of_its_own_ends_no_process():
    log = "Exception in thread Thread-1:\n" + TRACEBACK + "OSError: [Errno 28] No space\n"
    assert kind(TRACEBACK + "ValueError: x\n" + log) is K.ERROR
    assert kind(log) is K.DISK_FULL


def test_a_long_log_is_read_fast_whatever_is_in_it():
    for text in ("a." * 8000, "Traceback (most recent call last)\n" * 480, "(pid=" * 3000):
        assert kind(text) is K.ERROR
