# SPDX-License-Identifier: MIT
"""process.py: programs that are pinned, bounded in time, and never left behind.

Holds      every program started and not yet reaped, so that end_all() can end them.
Invariant  a program started here runs on the one core it was given, in a process group of its own,
           and gets SIGTERM from the kernel should run.py die first.
Called by  servers.py, suites.py, run.py.
Why        wait4 hands out the CPU time of exactly one program; subprocess.run does not.
Quirks     a group of its own means ^C on the terminal does not reach it: run.py ends it instead.
"""

import ctypes
import json
import os
import resource
import signal
import subprocess
import threading
import time

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)
started = []


class Failed(Exception):
    """A program did not do its work; the text is one line that says why."""


def one_line(text):
    """The last line of a program's complaint, or '' if it said nothing."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def start(argv, core, env=None, stdout=subprocess.PIPE):
    """Starts a program on one core, with as many open files as the hard limit allows."""

    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.sched_setaffinity(0, {core})
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    environment = {**os.environ, "GOMAXPROCS": "1", "LC_ALL": "C", **(env or {})}
    process = subprocess.Popen(
        [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=stdout,
        stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=prepare,
        start_new_session=True)
    started.append(process)
    return process


def stop(process):
    """Ends a program and everything in its group: politely first, then not."""
    for number, patience_s in ((signal.SIGTERM, 3), (signal.SIGKILL, 3)):
        if process.poll() is not None:
            break
        try:
            os.killpg(process.pid, number)
            process.wait(patience_s)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def end(process):
    """Stops a program and lets go of it."""
    stop(process)
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
    if process in started:
        started.remove(process)


def end_all():
    """Ends whatever is still running."""
    while started:
        end(started[-1])


def run(argv, core, limit_s=60, env=None, watch=None):
    """Runs a program to its end; `watch(pid)` is called every few milliseconds meanwhile.

    Returns its output, and the CPU seconds it used."""
    process = start(argv, core, env)
    output = {}
    readers = [threading.Thread(target=lambda n=n, s=s: output.update({n: s.read()}))
               for n, s in (("out", process.stdout), ("err", process.stderr))]
    for reader in readers:
        reader.start()
    try:
        deadline = time.monotonic() + limit_s
        interval_s = 0.01 if watch else 0.002
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                raise Failed(f"{os.path.basename(str(argv[0]))} did not end within {limit_s} s")
            if watch:
                watch(process.pid)
            time.sleep(interval_s)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        stop(process)
        for reader in readers:
            reader.join()
        end(process)
    if process.returncode != 0:
        why = one_line(output["err"]) or f"exit code {process.returncode}"
        raise Failed(f"{os.path.basename(str(argv[0]))}: {why}")
    return output["out"], usage.ru_utime + usage.ru_stime


def run_subject(argv, core, limit_s=60, watch=None):
    """Runs a timed program and returns the object on its one line."""
    output, _ = run(argv, core, limit_s, watch=watch)
    try:
        return json.loads(output)
    except ValueError:
        raise Failed(f"{os.path.basename(str(argv[0]))}: no result in its output") from None
