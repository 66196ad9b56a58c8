# SPDX-License-Identifier: MIT
"""cli_race.py – `juggle race` against servers that work: its own stand-in, and nginx.

If this fails, the table that people base decisions on is wrong, or is not made at all.
"""
import contextlib
import os
import re
import shutil
import socket
import sys
import threading

sys.dont_write_bytecode = True
import lib_nginx
from lib_cli import (CAUSES, FAILED, GOOD, LOCAL_LIMIT, MODELS, Skip, Suite, check, check_report,
                     descendants, equal, finish, parse_json, race, run, serving, start,
                     within)
from lib_peers import Peer, answer, read_request

suite = Suite("e2e/cli_race")

WHOLE = "--sync-requests=1M"  # sync makes all requests, too


def all_models_made(report, models, requests, rounds):
    """Every request of every model was answered, once, in every round."""
    by_name = check_report(report, models)
    for name, model in by_name.items():
        equal(model["requests_ok"], requests * rounds, f"{name}: requests_ok")
        equal(model["requests_failed"], dict.fromkeys(CAUSES, 0), f"{name}: failures")
        equal([one["requests_ok"] for one in model["rounds"]], [requests] * rounds, f"{name}: rounds")
        check(all(one["complete"] for one in model["rounds"]), f"{name}: a round is not complete")
        equal((model["workers_died"], model["first_failure"]), (0, None), f"{name}: trouble")
        check(model["wall_s"] > 0 and model["memory_bytes"] > 0, f"{name}: cost nothing")
        check(model["cpu_user_s"] + model["cpu_sys_s"] > 0, f"{name}: used no CPU")
    equal((report["exit"]["code"], report["interrupted"]), (GOOD, False), "the end")
    return by_name


@suite.test
def four_models_against_our_server():
    with serving("--latency=5ms", "--size=1234") as url:
        ended, report = race(url, "-n", "60", "-c", "6", "-r", "2", WHOLE)
    equal((ended.code, ended.err), (GOOD, ""), "code and complaints")
    models = all_models_made(report, MODELS, 60, 2)
    settings = report["settings"]
    equal((settings["url"], settings["requests"], settings["concurrency"], settings["rounds"]),
          (url, 60, 6, 2), "settings")
    equal((settings["work"], settings["expected_body_bytes"]), ("io", 1234), "settings")
    for name, model in models.items():
        workers = 1 if name == "sync" else 6
        check(1 <= model["in_flight_peak"] <= workers, f"{name}: in flight", model["in_flight_peak"])
        check(not model["extrapolated"], f"{name} is extrapolated")
        check(model["latency"]["min"] >= 0.005, f"{name}: answers before time", model["latency"])
        for one in model["rounds"]:
            equal(one["body_bytes"], 60 * 1234, f"{name}: bytes")
            equal(one["workers"], workers, f"{name}: workers")
            check(1 <= one["connections"] <= workers, f"{name}: connections", one["connections"])
            check(one["wall_s"] >= 60 / workers * 0.005, f"{name}: too quick", one["wall_s"])
    check(models["sync"]["wall_s"] > models["coroutines"]["wall_s"], "sync is not the slowest")
    check(report["verdict"], "no verdict")


@suite.test
def more_models():
    """One loop per core, and the bare epoll loop, by name only."""
    with serving("--latency=2ms") as url:
        _, report = race(url, "-n", "50", "-c", "10", "-r", "1", "-m", "floor,multicore,coroutines")
    all_models_made(report, ("floor", "multicore", "coroutines"), 50, 1)


@suite.test
def sync_is_extrapolated_and_says_so():
    with serving("--latency=10ms") as url:
        args = ("-n", "2k", "-c", "100", "-r", "1", "-m", "sync,coroutines")
        _, report = race(url, *args, "--sync-requests=5")
        table = run("race", url, *args, "--sync-requests=5")
    models = check_report(report, ("sync", "coroutines"))
    sync = models["sync"]
    check(sync["extrapolated"] and not models["coroutines"]["extrapolated"], "extrapolated")
    check(5 <= sync["requests_ok"] < 2000, "really made", sync["requests_ok"])
    equal(sync["measured_requests"], sync["requests_ok"], "measured")
    check(sync["wall_s"] >= 2000 * 0.01, "not reckoned up to all requests:", sync["wall_s"])
    row = next(line for line in table.out.splitlines() if line.split()[:1] == ["sync"])
    check("\u2020" in row, "no mark on", row)
    check(re.search("\u2020 from [0-9,]+ real requests, not run in full", table.out), table.out)
    check("One after another would have taken" in table.out, table.out)


@suite.test
def the_table():
    """What a person sees, piped: four rows, notes and a verdict; no escapes, no progress line."""
    with serving("--latency=5ms") as url:
        ended = run("race", url, "-n", "200", "-c", "50", "-r", "1")
    equal((ended.code, ended.err), (GOOD, ""), str(ended))
    first = [line.split()[0] for line in ended.out.splitlines() if line.strip()]
    check([name for name in first if name in MODELS] == list(MODELS), "rows:", ended.out)
    check("\x1b" not in ended.out and "\r" not in ended.out, "escapes:", ended.out)
    check("200 requests, 50 in flight" in ended.out and "memory*" in ended.out, ended.out)
    check(max(map(len, ended.out.splitlines())) <= 100, "wider than 100 columns:", ended.out)
    check(ended.out.rstrip().endswith("."), "no sentence at the end:", ended.out)


@suite.test
def fewer_requests_than_workers():
    with serving("--latency=1ms") as url:
        _, report = race(url, "-n", "3", "-c", "500", "-r", "1")
    models = all_models_made(report, MODELS, 3, 1)
    check(all(model["in_flight_peak"] <= 3 for model in models.values()), "in flight")


@suite.test
def answers_of_changing_length():
    """A target whose answers differ in length is not accused of truncating."""
    def behave(connection, peer):
        while read_request(connection):
            answer(connection, b"x" * (1 + peer.count() % 50))

    with Peer(behave) as peer:
        _, report = race(peer.url, "-n", "40", "-c", "4", "-r", "1")
        all_models_made(report, MODELS, 40, 1)
    equal(report["settings"]["expected_body_bytes"], None, "expected length")


@suite.test
def answers_without_a_body():
    with serving("--latency=0", "--size=0") as url:
        _, report = race(url, "-n", "30", "-c", "3", "-r", "1", WHOLE)
    all_models_made(report, MODELS, 30, 1)
    equal(report["settings"]["expected_body_bytes"], 0, "expected length")


@suite.test
def one_core():
    """--cores 1 keeps every thread and process of the client on one core."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Skip("there is only one core")
    for model, workers in (("threads", 4), ("processes", 4), ("multicore", 1)):
        seen = threading.Event()

        def behave(connection, peer, seen=seen):
            while read_request(connection):
                if peer.count() > 8:
                    seen.wait(60)
                answer(connection)

        with Peer(behave, good=1) as peer:
            process = start("race", peer.url, "-n", "8", "-c", "4", "-r", "1", "--cores=1", "-m", model, "--json")
            within(10, lambda: peer.requests > 8 and pinned_workers(process.pid) >= workers, f"{model} on one core")
            seen.set()
            ended = finish(process, 10)
        made = check_report(ended.json(), (model,), ended)[model]
        equal((made["cores"], made["requests_ok"]), (1, 8), model)
    with serving("--latency=1ms") as url:
        _, report = race(url, "-n", "2", "-c", "2", "-r", "1", "-m", "threads,coroutines")
    models = check_report(report, ("threads", "coroutines"))
    equal([model["cores"] for model in models.values()], [len(cores), 1], "cores without --cores")


def pinned_workers(pid):
    """How many threads of the client run on one core; 0 as long as any may run on more. The command
    itself, which only watches, is not counted."""
    count = 0
    for process in descendants(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(f"/proc/{process}/task"):
                if len(os.sched_getaffinity(int(thread))) != 1:
                    return 0
                count += 1
    return count


@suite.test
def computing():
    """--work cpu:TIME makes no requests, needs no URL, and costs the time that was asked for."""
    _, report = race("--work=cpu:1ms", "-n", "8", "-c", "2", "-r", "1", "-m", "threads,multicore")
    all_models_made(report, ("threads", "multicore"), 8, 1)
    equal(report["settings"]["url"], None, "the URL of no requests")

    def behave(connection, peer):
        peer.count()

    with Peer(behave) as peer:
        _, report = race(peer.url, "-n", "20", "-c", "4", "-r", "1", "-w", "cpu:4ms")
        equal(peer.accepted, 0, "connections of a race that only computes")
    models = all_models_made(report, MODELS, 20, 1)
    equal((report["settings"]["work"], report["settings"]["work_s"]), ("cpu", 0.004), "settings")
    for name, model in models.items():
        cpu = model["cpu_user_s"] + model["cpu_sys_s"]
        check(cpu >= 0.3 * 20 * 0.004, f"{name} computed for", cpu)
    with serving("--latency=1ms") as url:
        _, report = race(url, "-n", "20", "-c", "4", "-r", "1", "-w", "mixed:1ms")
    models = all_models_made(report, MODELS, 20, 1)
    for name, model in models.items():
        check(model["latency"]["min"] >= 0.001, f"{name}: latency", model["latency"])
    equal(report["settings"]["work"], "mixed", "settings")


@suite.test
def blocking():
    """--work block:TIME needs no URL; only with threads do the calls overlap."""
    everyone = (*MODELS, "multicore", "offload")
    _, report = race("--work=block:5ms", "-n", "40", "-c", "20", "-r", "1", "-m", ",".join(everyone))
    models = all_models_made(report, everyone, 40, 1)
    settings = report["settings"]
    equal((settings["url"], settings["work"], settings["work_s"]), (None, "block", 0.005), "settings")
    for name, model in models.items():
        check(model["latency"]["min"] >= 0.005, f"{name}: latency", model["latency"])
        equal(model["late"], None, f"{name}: late, without a beat")
    for name in ("sync", "coroutines"):
        check(models[name]["wall_s"] >= 40 * 0.005, f"{name}: blocked for", models[name]["wall_s"])
    for name in ("threads", "processes", "offload"):
        check(models[name]["wall_s"] < models["coroutines"]["wall_s"], f"{name} is no quicker than a loop")


@suite.test
def offload():
    """Coroutines whose computing is done by threads: any kind of work, more jobs than there are threads."""
    with serving("--latency=1ms") as url:
        for work in ("io", "mixed:100us", "cpu:100us"):
            _, report = race(url, "-n", "100", "-c", "50", "-r", "1", "-m", "offload", "-w", work)
            all_models_made(report, ("offload",), 100, 1)


@suite.test
def a_beat():
    """Who beats on a loop waits for everybody's turn; with threads, or off the loop, only for a core."""
    everyone = (*MODELS, "multicore", "offload")
    for more in ([], ["--realtime"]):
        ended = run("race", "-w", "cpu:10ms", "-n", "10", "-c", "2", "-r", "1", "-m", ",".join(everyone),
                    "--beat=2ms", "-o", "beat.json", *more)
        if more and ended.code == LOCAL_LIMIT:
            check("--realtime" in ended.err, str(ended))
            continue
        with open("beat.json", encoding="utf-8") as file:
            report = parse_json(file.read())
        models = all_models_made(report, everyone, 10, 1)
        equal((report["settings"]["beat_s"], report["settings"]["realtime"]), (0.002, bool(more)), "settings")
        equal(models["sync"]["late"], None, "sync has nobody to beat")
        for name in everyone[1:]:
            check(models[name]["late"]["samples"] > 0, f"{name}: no beat")
        # The loop computes in one go: its beat is as late as that takes.
        check(models["coroutines"]["late"]["max"] > 0.05, "late on a busy loop:", models["coroutines"]["late"])
        check(re.search(r"late +latest", ended.out) and "wants to wake every 2ms" in ended.out, ended.out)
    os.unlink("beat.json")
    with serving("--latency=5ms") as url:
        _, report = race(url, "-n", "60", "-c", "6", "-r", "1", "--beat=1ms")
    models = all_models_made(report, MODELS, 60, 1)
    for name in MODELS[1:]:
        check(models[name]["late"]["samples"] > 0, f"{name}: beats", models[name]["late"])
    # On the loop it is there from the beginning, and beats that were slept through count as well.
    check(models["coroutines"]["late"]["samples"] >= 40, "beats in 50 ms:", models["coroutines"]["late"])


@suite.test
def report_in_a_file():
    """-o writes the same report beside the table, over what was in the file."""
    with open("report.json", "w", encoding="ascii") as file:
        file.write("x" * 100000)
    with serving("--latency=0") as url:
        ended = run("race", url, "-n", "20", "-c", "2", "-r", "1", "-o", "report.json")
    with open("report.json", encoding="utf-8") as file:
        all_models_made(parse_json(file.read()), MODELS, 20, 1)
    check(ended.code == GOOD and "coroutines" in ended.out, str(ended))
    os.unlink("report.json")


@suite.test
def the_server_at_its_limit():
    """A server that computes for longer than it waits sets the pace, and the table says so."""
    with serving("--latency=0", "--cpu=4ms") as url:
        table = run("race", url, "-n", "100", "-c", "10", "-r", "1", "-m", "coroutines", "-o", "r.json")
    with open("r.json", encoding="utf-8") as file:
        load = parse_json(file.read())["models"][0]["rounds"][0]["server"]
    os.unlink("r.json")
    check(load is not None and 0 < load["cores"] <= 1.5, "the server's load:", load)
    equal("server was at its limit" in table.out, load["at_its_limit"], f"a doubt, with {load}")


# nginx.

SERVED = """
    server {{
        listen 127.0.0.1:{port}; listen unix:{directory}/sock;
        root {directory}/root;
        location /short {{ return 200 "short\\n"; }}
        location /missing {{ return 404; }}
    }}
"""


@contextlib.contextmanager
def nginx():
    """Debian's nginx on a free port; gives its URL and its Unix socket."""
    if lib_nginx.NGINX is None:
        raise Skip("nginx is not installed")
    place = os.path.join(os.getcwd(), "nginx")
    os.makedirs(f"{place}/root")
    with open(f"{place}/root/index.html", "w", encoding="ascii") as file:
        file.write("page\n" * 500)
    with lib_nginx.nginx(place, SERVED) as port:
        yield f"http://127.0.0.1:{port}/", f"{place}/sock"
    shutil.rmtree(place)


@suite.test
def four_models_against_nginx():
    with nginx() as (url, _):
        _, report = race(url, "-n", "300", "-c", "30", "-r", "2", WHOLE)
    all_models_made(report, MODELS, 300, 2)
    equal(report["settings"]["expected_body_bytes"], 2500, "length of the page")


@suite.test
def nginx_closes_kept_connections():
    """After 1,000 requests nginx closes a connection: that costs a new one, never a request."""
    with nginx() as (url, _):
        _, report = race(url + "short", "-n", "4500", "-c", "2", "-r", "1", WHOLE, "-m",
                         "sync,threads,processes,coroutines,multicore,floor")
    models = all_models_made(report, (*MODELS, "multicore", "floor"), 4500, 1)
    for name, model in models.items():
        check(model["rounds"][0]["connections"] >= 4, f"{name}: connections", model["rounds"][0])


@suite.test
def nginx_on_a_unix_socket():
    with nginx() as (_, path):
        url = "http+unix://" + path.replace("/", "%2F") + "/short"
        _, report = race(url, "-n", "100", "-c", "10", "-r", "1", WHOLE)
    all_models_made(report, MODELS, 100, 1)


@suite.test
def nginx_says_404():
    with nginx() as (url, _):
        ended, report = race(url + "missing", "-n", "50", "-c", "5", "-r", "1", WHOLE)
    models = check_report(report, MODELS, ended)
    for name, model in models.items():
        equal((model["requests_ok"], model["requests_failed"]["status"]), (0, 50), name)
    equal(ended.code, FAILED, "all answers were 404")


if __name__ == "__main__":
    sys.exit(suite.main())
