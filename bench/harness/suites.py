# SPDX-License-Identifier: MIT
"""suites.py: what is measured, with whom, and how one run of each is made.

Holds      the benches in the order they are shown, and what each must reach.
Invariant  a run measures one subject once and returns {bench: value}; whoever calls it interleaves.
Called by  run.py.
Why        one table of subjects: adding a peer is one program and one line here.
Quirks     wrk is a subject (what does a request cost its client?) and the load on http_server (how
           many can the server answer?). It gives no count per request, so its CPU is that of its
           whole life, connecting included: at 1,000 connections about 1 % too much.
           unobserved is juggle compiled without a hook for debug mode and traces: what these cost
           where they are off. The same code is up to 9 % slower or faster with where it lies in the
           program, which is all that its times are held to; instructions do not move, and are
           counted as well.
"""

import contextlib
import os
import re
import shutil
from dataclasses import dataclass, field

from . import memory, process, servers

SLEEPERS = 1_000_000
SLEEP_MS = 3000
SLEEPERS_NEED_BYTES = 5 << 30
PYTHON_EXEC = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                           "peers", "python_exec.py")
BURST = 10_000
BURST_DELAY_MS = 100
FEW, MANY = 1_000, 11_000  # operations; what is between two runs is counted
SUBJECT_ORDER = ("juggle", "unobserved", "floor", "nginx", "wrk", "state_threads", "boost_fiber", "libuv",
                 "libcurl", "python", "go")
# The Debian package behind a subject, or a tool, that may be missing.
PACKAGES = {
    "state_threads": "libst-dev", "boost_fiber": "libboost-fiber-dev and g++",
    "libuv": "libuv1-dev", "libcurl": "libcurl4-openssl-dev", "go": "golang-go", "wrk": "wrk", "nginx": "nginx-light",
    "valgrind": "valgrind",
}
TOOL_PATHS = {"wrk": lambda: shutil.which("wrk"), "nginx": servers.nginx_path,
              "valgrind": lambda: shutil.which("valgrind")}


@dataclass
class Setting:
    """Where the programs are, which core is whose, and how much work a run gets."""
    build: str
    client_core: int
    server_core: int
    quick: bool

    def program(self, name):
        return os.path.join(self.build, "bench", name)

    def steady_requests(self, in_flight):
        full = 20_000 if in_flight == 1 else 150_000
        return full // 5 if self.quick else full

    @property
    def wrk_s(self):
        return 1 if self.quick else 3


@dataclass
class Suite:
    """Subjects that are run in turn, A B C A B C, and the units of what they yield."""
    name: str
    units: dict
    runs: dict                                     # subject -> function returning {bench: value}
    missing: list = field(default_factory=list)    # one line for each subject that is skipped
    warm_up: bool = True                           # whether a first round is made and dropped
    exact: bool = False                            # a count, the same each time: one round will do


def available(suite, candidates):
    """Keeps the candidates that can run: subject -> (its program or None, tools, function)."""
    for subject, (program, tools, function) in candidates.items():
        absent = [tool for tool in tools if not TOOL_PATHS[tool]()]
        if program and not os.access(program, os.X_OK):
            package = f" (Debian package {PACKAGES[subject]})" if subject in PACKAGES else ""
            suite.missing.append(f"{subject}: {program} is not built{package}")
        elif absent:
            suite.missing.append(f"{subject}: needs the Debian package {PACKAGES[absent[0]]}")
        else:
            suite.runs[subject] = function
    return suite


def micro(setting, bench, width, subjects):
    """CPU ns per operation, measured inside the program."""
    kind = re.sub(r"_\d+$", "", bench)

    def once(subject):
        argv = [setting.program(f"{subject}_core"), kind, width]
        return {bench: process.run_subject(argv, setting.client_core)["value"]}

    suite = Suite(bench, {bench: "ns"}, {})
    return available(suite, {
        s: (setting.program(f"{s}_core"), (), lambda s=s: once(s)) for s in subjects})


def instructions(setting, bench, *arguments):
    """Instructions per operation in user space, with the hooks for who looks on and without them."""
    name = f"instr_{bench}"

    def count(program, operations):
        output, _ = process.run(
            ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1", program,
             *arguments, operations], setting.client_core)
        collected = re.search(r"Collected : (\d+)", output)
        if not collected:
            raise process.Failed("valgrind: no count in its output")
        return int(collected.group(1))

    def once(program):
        return {name: (count(program, MANY) - count(program, FEW)) / (MANY - FEW)}

    programs = {s: setting.program(f"{s}_core") for s in ("juggle", "unobserved")}
    return available(Suite(name, {name: "instr"}, {}, exact=True), {
        s: (program, ("valgrind",), lambda program=program: once(program))
        for s, program in programs.items()})


def round_trip(setting, bench, kind, programs):
    """Wall us from handing a function over until its answer is there, one at a time, on one core."""

    def once(program):
        result = process.run_subject([program, kind, 1], setting.client_core)
        return {bench: result["wall_s"] / result["count"] * 1e6}

    return available(Suite(bench, {bench: "us"}, {}), {
        s: (program, (), lambda program=program: once(program))
        for s, program in programs.items()})


def run_many(setting):
    """How many times the work of one core two do in the same time: as loops, and as bare threads."""

    def once(program):
        return {"run_many_cpu": process.run_subject([program, 2], setting.client_core)["value"]}

    programs = {s: setting.program(f"{s}_many") for s in ("juggle", "floor")}
    return available(Suite("run_many_cpu", {"run_many_cpu": "x"}, {}), {
        s: (program, (), lambda program=program: once(program))
        for s, program in programs.items()})


def sleepers(setting):
    """A million tasks asleep for 3 s: seconds from the first spawn to the last join, and memory."""

    def once(subject):
        memory.back(SLEEPERS_NEED_BYTES)
        peak = memory.Peak(exact=False)
        argv = [setting.program(f"{subject}_core"), "sleepers", SLEEPERS, SLEEP_MS]
        result = process.run_subject(argv, setting.client_core, watch=peak.look)
        return {"sleepers_wall": result["value"], "sleepers_memory": peak.bytes}

    # Backing the memory is the warm-up.
    suite = Suite("sleepers", {"sleepers_wall": "s", "sleepers_memory": "bytes"}, {}, warm_up=False)
    if memory.available_bytes() < SLEEPERS_NEED_BYTES * 5 // 4:
        suite.missing.append("sleepers: a million stacks need 6.7 GB of free memory")
        return suite
    return available(suite, {
        s: (setting.program(f"{s}_core"), (), lambda s=s: once(s))
        for s in ("juggle", "go", "libuv")})


def wrk(core, url, connections, seconds):
    """Runs wrk; returns (requests per second, CPU seconds, requests). A bad answer is a failure."""
    output, cpu_s = process.run(
        [TOOL_PATHS["wrk"](), "-t1", f"-c{connections}", f"-d{seconds}s", url], core)
    count = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", output)
    if not count or not rate or "Non-2xx" in output or "Socket errors" in output:
        raise process.Failed(f"wrk: {process.one_line(output)}")
    return float(rate.group(1)), cpu_s, int(count.group(1))


def http_client(setting, in_flight):
    """CPU us of the client process per request, against nginx on the other core."""
    bench = f"http_client_{in_flight}"
    requests = setting.steady_requests(in_flight)

    def once(subject):
        with servers.nginx(setting.server_core) as server:
            argv = [setting.program(f"{subject}_http"), "steady", server.port, in_flight,
                    len(servers.BODY), max(requests // 10, in_flight), requests]
            return {bench: process.run_subject(argv, setting.client_core)["value"]}

    def once_wrk():
        with servers.nginx(setting.server_core) as server:
            _, cpu_s, count = wrk(setting.client_core, server.url, in_flight, setting.wrk_s)
            return {bench: cpu_s / count * 1e6}

    candidates = {s: (setting.program(f"{s}_http"), ("nginx",), lambda s=s: once(s))
                  for s in ("juggle", "floor", "libcurl", "go")}
    if in_flight > 1:
        candidates["wrk"] = (None, ("wrk", "nginx"), once_wrk)
    return available(Suite(bench, {bench: "us"}, {}), candidates)


def http_burst(setting):
    """10,000 requests at once, each on a connection of its own, answered after 100 ms.

    Two runs each: one for the wall clock with nobody watching, one for memory whose wall time is
    thrown away."""

    def once(subject):
        argv = [setting.program(f"{subject}_http"), "burst"]
        values = {}
        for bench in ("http_burst_wall", "http_burst_memory"):
            overflows = servers.accept_queue_overflows()
            delay = [setting.program("delay_server"), BURST_DELAY_MS, servers.BODY]
            with servers.printing_port(delay, setting.server_core) as server:
                peak = memory.Peak(exact=True) if bench == "http_burst_memory" else None
                result = process.run_subject(
                    argv + [server.port, BURST, len(servers.BODY)], setting.client_core,
                    watch=peak.look if peak else None)
            values[bench] = peak.bytes if peak else result["value"]
            if servers.accept_queue_overflows() != overflows:
                raise process.Failed(f"{subject}: the accept queue overflowed, which costs a 1 s "
                                     "retry: no figure of this run counts")
        return values

    suite = Suite("http_burst", {"http_burst_wall": "s", "http_burst_memory": "bytes"}, {})
    return available(suite, {
        s: (setting.program(f"{s}_http"), (), lambda s=s: once(s))
        for s in ("juggle", "floor", "libcurl", "go")})


def http_server(setting):
    """Requests per second of a server on one core, under wrk with 64 connections on the other.

    http_server_cpu is the server's CPU per request: it tells the servers apart even where wrk, at
    the end of its own core, cannot ask for more."""

    @contextlib.contextmanager
    def serving(subject):
        if subject == "nginx":
            with servers.nginx(setting.server_core) as server:
                yield server
        else:
            argv = [setting.program(f"{subject}_server"), servers.BODY]
            with servers.printing_port(argv, setting.server_core) as server:
                yield server

    def once(subject):
        with serving(subject) as server:
            wrk(setting.client_core, server.url, 64, 1)
            before_s = server.cpu_s()
            rate, _, count = wrk(setting.client_core, server.url, 64, setting.wrk_s)
            return {"http_server": rate,
                    "http_server_cpu": (server.cpu_s() - before_s) / count * 1e6}

    suite = Suite("http_server", {"http_server": "requests/s", "http_server_cpu": "us"}, {})
    return available(suite, {
        "juggle": (setting.program("juggle_server"), ("wrk",), lambda: once("juggle")),
        "nginx": (None, ("nginx", "wrk"), lambda: once("nginx")),
        "go": (setting.program("go_server"), ("wrk",), lambda: once("go"))})


def cancel(setting):
    """CPU ns per task of a crowd cancelled at once, and what four times the crowd costs per task.

    Linear is 1, quadratic 4. Both crowds are too large for the caches; 10,000 would still fit."""

    def once(subject):
        values = {}
        for bench, width in (("cancel_100k", 100_000), ("cancel_400k", 400_000)):
            argv = [setting.program(f"{subject}_core"), "cancel", width]
            values[bench] = process.run_subject(argv, setting.client_core)["value"]
        values["cancel_growth"] = values["cancel_400k"] / values["cancel_100k"]
        return values

    suite = Suite("cancel", {"cancel_100k": "ns", "cancel_400k": "ns", "cancel_growth": "x"}, {})
    return available(suite, {
        s: (setting.program(f"{s}_core"), (), lambda s=s: once(s))
        for s in ("juggle", "unobserved", "go")})


def suites(setting):
    """Every suite, in the order it is shown: (kind, suite)."""
    hooks = ("juggle", "unobserved")
    switching = (*hooks, "floor", "state_threads", "boost_fiber", "libuv", "go")
    spawning = (*hooks, "floor", "state_threads", "boost_fiber", "go")
    talking = (*hooks, "boost_fiber", "go")
    locking = (*hooks, "state_threads", "boost_fiber", "go")
    return [
        ("core", micro(setting, "yield", 2, switching)),
        ("core", micro(setting, "yield_1", 1, switching)),
        ("core", micro(setting, "yield_1000", 1000, switching)),
        ("core", micro(setting, "spawn_join", 1, spawning)),
        ("core", micro(setting, "spawn_join_100", 100, spawning)),
        ("core", micro(setting, "chan", 1, talking)),
        ("core", micro(setting, "chan_buffered", 1, talking)),
        ("core", micro(setting, "queue", 1, ("juggle",))),
        ("core", micro(setting, "lock", 1, locking)),
        ("core", micro(setting, "byte", 1, hooks)),
        ("core", micro(setting, "open_close", 1, hooks)),
        ("core", cancel(setting)),
        ("core", sleepers(setting)),
        ("core", round_trip(setting, "thread_pool_roundtrip", "thread_pool", {
            "juggle": setting.program("juggle_exec"), "libuv": setting.program("libuv_core")})),
        ("core", round_trip(setting, "process_pool_roundtrip", "process_pool", {
            "juggle": setting.program("juggle_exec"), "python": PYTHON_EXEC})),
        ("core", run_many(setting)),
        ("instructions", instructions(setting, "yield", "yield", 2)),
        ("instructions", instructions(setting, "spawn_join", "spawn_join", 1)),
        ("instructions", instructions(setting, "chan", "chan", 1)),
        ("instructions", instructions(setting, "lock", "lock", 1)),
        ("instructions", instructions(setting, "byte", "byte", 1)),
        ("instructions", instructions(setting, "open_close", "open_close", 1)),
        ("instructions", instructions(setting, "cancel", "cancel")),
        ("http", http_client(setting, 1)),
        ("http", http_client(setting, 64)),
        ("http", http_client(setting, 1000)),
        ("http", http_burst(setting)),
        ("http", http_server(setting)),
    ]


# What juggle must reach: bench, how, and the limit: a number, or a factor of another's figure.
TARGETS = [
    ("yield", "<=", 6.0, None),
    ("spawn_join", "<=", 40.0, None),
    ("chan", "<=", 25.0, None),
    ("lock", "<=", 5.0, None),
    ("cancel_growth", "<=", 1.5, None),
    ("sleepers_wall", "<=", 1.0, "go"),
    ("sleepers_memory", "<=", 4.6e9, None),
    ("thread_pool_roundtrip", "<=", 1.0, "libuv"),
    ("process_pool_roundtrip", "<=", 0.5, "python"),
    ("run_many_cpu", ">=", 1.9, None),
    *((bench, "<=", 1.1, "unobserved")
      for bench in ("yield", "spawn_join", "chan", "lock", "byte", "open_close", "cancel_100k")),
    *((f"instr_{bench}", "<=", 1.01, "unobserved")
      for bench in ("yield", "spawn_join", "chan", "lock", "byte", "cancel")),
    ("instr_open_close", "<=", 1.1, "unobserved"),
    ("http_client_1", "<=", 1.1, "floor"),
    ("http_client_64", "<=", 1.2, "floor"),
    ("http_client_64", "<=", 1.0, "wrk"),
    ("http_client_1000", "<=", 1.3, "floor"),
    ("http_burst_wall", "<=", 0.6, None),
    ("http_burst_memory", "<=", 110e6, None),
    ("http_server", ">=", 1.0, "nginx"),
]
