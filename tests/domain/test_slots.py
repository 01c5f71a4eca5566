from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_tui.domain.slots import (
    Assignment,
    Gpu,
    Held,
    HeldGpu,
    Machine,
    Policy,
    Request,
    Shortage,
    Stranger,
    assign,
    never_fits,
)

G = 1024**3
M = 1024**2


def gpu(index, *, total=24 * G, strangers=()):
    return Gpu(
        uuid=f"GPU-{index:04d}",
        index=index,
        name="RTX",
        memory_total=total,
        strangers=tuple(strangers),
    )


def machine(count, *, cpus=8.0, memory=64 * G, **changed):
    gpus = [gpu(index, **changed.get(f"gpu{index}", {})) for index in range(count)]
    return Machine(gpus=tuple(gpus), cpus=cpus, memory=memory)


def held(run_id, *gpus, cpus=0.0, memory=0):
    parts = [part if isinstance(part, tuple) else (part, 0) for part in gpus]
    return Held(
        run_id=run_id,
        gpus=tuple(HeldGpu(uuid=f"GPU-{index:04d}", memory=size) for index, size in parts),
        cpus=cpus,
        memory=memory,
    )


def indices(answer):
    assert isinstance(answer, Assignment), answer
    return [int(part.uuid[4:]) for part in answer.gpus]


def text(answer):
    assert isinstance(answer, Shortage), answer
    return answer.text


def alien(memory=2 * G, pid=4711, user=""):
    return Stranger(pid=pid, user=user, memory=memory)


POLICY = Policy()


def test_a_run_that_asks_for_nothing_gets_nothing():
    assert assign(machine(2), Request(), [held("a", 0, 1)], POLICY) == Assignment()


def test_concrete_devices_by_uuid_in_index_order():
    answer = assign(machine(4), Request(gpus=2), [], POLICY)
    assert answer == Assignment(gpus=(HeldGpu(uuid="GPU-0000"), HeldGpu(uuid="GPU-0001")))


def test_a_held_gpu_is_not_given_again():
    assert indices(assign(machine(3), Request(gpus=1), [held("a", 0), held("b", 1)], POLICY)) == [2]


def test_a_gpu_that_a_stranger_occupies_is_passed_over():
    there = machine(2, gpu0={"strangers": [alien()]})
    assert indices(assign(there, Request(gpus=1), [], POLICY)) == [1]


def test_a_stranger_up_to_the_threshold_is_borne():
    there = machine(1, gpu0={"strangers": [alien(memory=512 * M)]})
    assert indices(assign(there, Request(gpus=1), [], Policy(busy_memory=512 * M))) == [0]
    assert text(assign(there, Request(gpus=1), [], Policy(busy_memory=512 * M - 1)))


def test_strangers_count_together():
    there = machine(1, gpu0={"strangers": [alien(300 * M, 1), alien(300 * M, 2)]})
    assert isinstance(assign(there, Request(gpus=1), [], POLICY), Shortage)


def test_the_memory_of_borne_strangers_is_not_given_away():
    there = machine(1, gpu0={"strangers": [alien(memory=100 * M)]})
    assert isinstance(assign(there, Request(gpu_memory=24 * G), [], POLICY), Shortage)
    assert indices(assign(there, Request(gpu_memory=23 * G), [], POLICY)) == [0]


@pytest.mark.parametrize("order", [("2", "0"), ("GPU-0002", "GPU-0000")])
def test_the_preferred_order_comes_first_and_the_rest_by_index(order):
    policy = Policy(order=order)
    assert indices(assign(machine(4), Request(gpus=3), [], policy)) == [2, 0, 1]


@pytest.mark.parametrize("exclude", [("1",), ("GPU-0001",)])
def test_an_excluded_gpu_is_never_given(exclude):
    policy = Policy(exclude=exclude)
    assert indices(assign(machine(3), Request(gpus=2), [], policy)) == [0, 2]
    assert "1 of them excluded" in never_fits(machine(3), Request(gpus=3), policy)


def test_of_whole_gpus_the_smallest_that_suffices_is_taken():
    there = machine(2, gpu0={"total": 80 * G})
    assert indices(assign(there, Request(gpu_memory=20 * G), [], POLICY)) == [1]
    assert indices(assign(there, Request(gpus=1), [], POLICY)) == [0]
    assert indices(assign(there, Request(gpu_memory=20 * G), [], Policy(order=("0",)))) == [0]


def test_memory_alone_asks_for_one_whole_gpu_where_there_is_no_sharing():
    answer = assign(machine(2), Request(gpu_memory=4 * G), [], POLICY)
    assert answer == Assignment(gpus=(HeldGpu(uuid="GPU-0000", memory=0),))


def test_sharing_packs_small_runs_onto_one_gpu():
    request = Request(gpu_memory=8 * G, sharing=True)
    runs: list[Held] = []
    where = []
    for number in range(6):
        answer = assign(machine(2), request, runs, POLICY)
        where += indices(answer)
        runs.append(Held(run_id=str(number), gpus=answer.gpus))
    assert where == [0, 0, 0, 1, 1, 1]
    assert isinstance(assign(machine(2), request, runs, POLICY), Shortage)


def test_sharing_takes_the_tightest_gpu_before_the_preferred_one():
    runs = [held("a", (1, 10 * G))]
    request = Request(gpu_memory=4 * G, sharing=True)
    assert indices(assign(machine(3), request, runs, Policy(order=("2",)))) == [1]
    assert indices(assign(machine(3), request, [], Policy(order=("2",)))) == [2]


def test_a_run_that_does_not_share_stays_off_a_shared_gpu_and_the_other_way_round():
    small = Request(gpu_memory=4 * G, sharing=True)
    assert indices(assign(machine(2), Request(gpus=1), [held("a", (0, 4 * G))], POLICY)) == [1]
    assert indices(assign(machine(2), small, [held("a", 0)], POLICY)) == [1]
    alone = Request(gpu_memory=4 * G)
    assert indices(assign(machine(2), alone, [held("a", (0, 4 * G))], POLICY)) == [1]


def test_sharing_without_an_amount_is_a_whole_gpu():
    answer = assign(machine(1), Request(gpus=1, sharing=True), [], POLICY)
    assert answer == Assignment(gpus=(HeldGpu(uuid="GPU-0000", memory=0),))


def test_several_shares_are_on_different_gpus():
    request = Request(gpus=2, gpu_memory=4 * G, sharing=True)
    assert indices(assign(machine(2), request, [], POLICY)) == [0, 1]


def test_cpus_and_memory_are_slots():
    runs = [held("a", cpus=5.5, memory=40 * G)]
    assert assign(machine(0), Request(cpus=2.5, memory=24 * G), runs, POLICY) == Assignment()
    cpu = assign(machine(0), Request(cpus=3), runs, POLICY)
    assert cpu == Shortage(kind="cpu", text="waits for CPUs: 2.5 free of 8, needs 3, held by run a")
    memory = assign(machine(0), Request(memory=25 * G), runs, POLICY)
    assert memory == Shortage(
        kind="memory", text="waits for memory: 24G free of 64G, needs 25G, held by run a"
    )


def test_tenths_of_cpus_add_up():
    assert 0.3 - 0.1 < 0.2
    runs = [held("a", cpus=0.1)]
    assert assign(machine(0, cpus=0.3), Request(cpus=0.2), runs, POLICY) == Assignment()


def test_what_is_not_known_of_a_machine_limits_nothing():
    assert assign(Machine(), Request(cpus=99, memory=9**20), [], POLICY) == Assignment()


def test_the_shortage_names_the_stranger():
    there = machine(4, gpu1={"strangers": [alien()]})
    answer = assign(there, Request(gpus=4), [held("r41", 0)], POLICY)
    assert answer == Shortage(
        kind="gpu",
        text="waits for GPU: 2 free of 4, needs 4, GPU 1 used by pid 4711 of another user, "
        "GPU 0 held by run r41",
    )


def test_the_shortage_names_users_and_counts_what_it_leaves_out():
    aliens = {"strangers": [alien(1 * G, 5, "eve"), alien(9 * G, 6, "ann")]}
    hidden = {"strangers": [alien(9 * G, 0)]}
    there = machine(5, gpu0=aliens, gpu1=hidden)
    answer = text(assign(there, Request(gpus=5), [held("x", 2, 3, 4)], POLICY))
    assert "GPU 0 used by pid 6 of ann (+1)" in answer
    assert "GPU 1 used by a process that cannot be seen from here" in answer
    assert answer.endswith("GPU 2 held by run x and 2 more")


def test_a_run_on_a_gpu_that_it_was_not_given_is_named():
    mine = Stranger(pid=7, user="me", memory=2 * G, run_id="r7")
    answer = text(assign(machine(1, gpu0={"strangers": [mine]}), Request(gpus=1), [], POLICY))
    assert answer.endswith("needs 1, GPU 0 used by run r7, which was not given it")


def test_a_whole_gpu_whose_memory_the_driver_does_not_tell():
    there = machine(1, gpu0={"total": 0, "strangers": [alien(memory=5 * M)]})
    assert indices(assign(there, Request(gpus=1), [], POLICY)) == [0]


def test_the_shortage_tells_what_is_left_of_shared_gpus():
    runs = [held("a", (0, 12 * G)), held("b", (0, 8 * G))]
    answer = text(assign(machine(1), Request(gpu_memory=6 * G, sharing=True), runs, POLICY))
    assert answer == (
        "waits for GPU: 0 free of 1 with 6G, needs 1, GPU 0 has 4G left beside runs a, b"
    )


@pytest.mark.parametrize(
    ("count", "request_", "reason"),
    [
        (0, Request(gpus=1), "it asks for 1 GPU, this machine has none"),
        (4, Request(gpus=8), "it asks for 8 GPUs, this machine has 4"),
        (
            2,
            Request(gpu_memory=40 * G),
            "it asks for 1 GPU with 40G, 0 of 2 have that much (the largest has 24G)",
        ),
        (0, Request(cpus=9), "it asks for 9 CPUs, there are 8"),
        (0, Request(memory=65 * G), "it asks for 65G of memory, there are 64G"),
        (4, Request(gpus=4, cpus=8, memory=64 * G, gpu_memory=24 * G), ""),
    ],
)
def test_what_never_fits_is_said_so(count, request_, reason):
    assert never_fits(machine(count), request_, POLICY) == reason
    answer = assign(machine(count), request_, [], POLICY)
    if reason:
        assert answer == Shortage(kind="never", text=f"can never start here: {reason}")
    else:
        assert isinstance(answer, Assignment)


def test_every_gpu_is_all_that_there_are_to_give():
    request = Request(every_gpu=True)
    assert (request.empty, request.without_gpus().empty) == (False, True)
    assert indices(assign(machine(3), request, [], POLICY)) == [0, 1, 2]
    assert indices(assign(machine(3), request, [], Policy(exclude=("1",)))) == [0, 2]
    waits = assign(machine(3), request, [held("a", 1)], POLICY)
    assert text(waits) == "waits for GPU: 2 free of 3, needs 3, GPU 1 held by run a"


@pytest.mark.parametrize(
    ("count", "policy", "reason"),
    [
        (0, POLICY, "it asks for all GPUs, this machine has none"),
        (1, Policy(exclude=("0",)), "it asks for all GPUs, this machine has 1, 1 of them excluded "
         "by the agent's configuration"),
        (2, POLICY, ""),
    ],
)  # fmt: skip
def test_every_gpu_of_a_machine_without_one_is_never(count, policy, reason):
    assert never_fits(machine(count), Request(every_gpu=True), policy) == reason


def test_every_gpu_with_a_size_needs_it_on_each():
    small = machine(2, gpu1={"total": 8 * G})
    reason = never_fits(small, Request(every_gpu=True, gpu_memory=10 * G), POLICY)
    assert reason == (
        "it asks for 2 GPUs with 10G, 1 of 2 have that much (the largest has 24G)"
    )  # fmt: skip
    shared = Request(every_gpu=True, gpu_memory=4 * G, sharing=True)
    assert assign(small, shared, [], POLICY).gpus == (
        HeldGpu(uuid="GPU-0001", memory=4 * G),
        HeldGpu(uuid="GPU-0000", memory=4 * G),
    )


def test_one_cpu_is_told_as_one():
    half = Machine(cpus=0.5, memory=G)
    assert never_fits(half, Request(cpus=1), POLICY) == "it asks for 1 CPU, there are 0.5"


# The model: try every set of GPUs, by the rules as a person would say them.

SIZES = [8 * G, 24 * G, 80 * G]
shares = st.integers(1, 20).map(lambda size: size * 2 * G)


@st.composite
def situations(draw):
    count = draw(st.integers(0, 4))
    gpus = []
    for index in range(count):
        strangers = draw(
            st.lists(st.sampled_from([100 * M, 300 * M, 2 * G]), max_size=2).map(
                lambda sizes: tuple(alien(size, pid) for pid, size in enumerate(sizes, 1))
            )
        )
        gpus.append(gpu(index, total=draw(st.sampled_from(SIZES)), strangers=strangers))
    there = Machine(gpus=tuple(gpus), cpus=8.0, memory=64 * G)
    names = [str(index) for index in range(count)]
    policy = Policy(
        order=tuple(draw(st.lists(st.sampled_from(names), unique=True)) if names else ()),
        exclude=tuple(draw(st.lists(st.sampled_from(names), max_size=1)) if names else ()),
    )
    requests = draw(
        st.lists(
            st.builds(
                Request,
                gpus=st.integers(0, 3),
                gpu_memory=st.one_of(st.just(0), shares),
                cpus=st.sampled_from([0.0, 0.5, 3.0]),
                memory=st.sampled_from([0, 20 * G]),
                sharing=st.booleans(),
            ),
            min_size=1,
            max_size=8,
        )
    )
    return there, policy, requests


def allowed(there, chosen, request, runs, policy):
    """Whether a set of GPUs may be given: the rules, one by one."""
    for index in chosen:
        device = there.gpus[index]
        strange = sum(stranger.memory for stranger in device.strangers)
        parts = [part for run in runs for part in run.gpus if part.uuid == device.uuid]
        whole = not (request.sharing and request.gpu_memory)
        if str(index) in policy.exclude or strange > policy.busy_memory:
            return False
        if parts and (whole or any(part.memory == 0 for part in parts)):
            return False
        used = strange + sum(part.memory for part in parts) + request.gpu_memory
        if used > device.memory_total:
            return False
    return sum(run.cpus for run in runs) + request.cpus <= there.cpus and (
        sum(run.memory for run in runs) + request.memory <= there.memory
    )


@given(situations())
def test_against_a_model_that_tries_every_set(situation):
    there, policy, requests = situation
    runs: list[Held] = []
    for number, request in enumerate(requests):
        count = max(request.gpus, 1 if request.gpu_memory else 0)
        possible = [
            set(chosen)
            for chosen in itertools.combinations(range(len(there.gpus)), count)
            if allowed(there, chosen, request, runs, policy)
        ]
        answer = assign(there, request, runs, policy)
        if isinstance(answer, Shortage):
            assert possible == []
            continue
        assert set(indices(answer)) in possible
        assert len(answer.gpus) == count
        assert {part.memory for part in answer.gpus} <= {request.gpu_memory * request.sharing}
        runs.append(
            Held(run_id=str(number), gpus=answer.gpus, cpus=request.cpus, memory=request.memory)
        )


@given(situations())
def test_never_is_said_just_when_an_empty_machine_has_no_place(situation):
    there, policy, requests = situation
    empty = Machine(
        gpus=tuple(gpu(each.index, total=each.memory_total) for each in there.gpus),
        cpus=there.cpus,
        memory=there.memory,
    )
    for request in requests:
        answer = assign(empty, request, [], policy)
        assert isinstance(answer, Shortage) == bool(never_fits(there, request, policy))


@given(situations())
def test_a_shared_run_never_opens_a_gpu_while_a_tighter_one_has_room(situation):
    there, policy, requests = situation
    runs: list[Held] = []
    for number, request in enumerate(requests):
        answer = assign(there, request, runs, policy)
        if isinstance(answer, Shortage):
            continue
        if request.sharing and request.gpu_memory:

            def left(index, before=tuple(runs)):
                used = sum(
                    part.memory
                    for run in before
                    for part in run.gpus
                    if part.uuid == gpu(index).uuid
                )
                device = there.gpus[index]
                return device.memory_total - used - sum(s.memory for s in device.strangers)

            chosen = indices(answer)
            others = [
                index
                for index in range(len(there.gpus))
                if index not in chosen and allowed(there, [index], request, runs, policy)
            ]
            assert all(left(mine) <= left(other) for mine in chosen for other in others)
        runs.append(Held(run_id=str(number), gpus=answer.gpus))
