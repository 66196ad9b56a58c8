# SPDX-License-Identifier: MIT
"""cli_trace.py [--update] – `juggle trace`: a trace becomes a picture that needs nothing else.

If this fails, a picture in the guide is missing a task, or asks the network for something. After a change of the
pictures look at what tests/fixtures/trace/small.json becomes and, if that is as it should be, run this with --update.
"""
import json
import pathlib
import sys
import tempfile
import xml.dom.minidom

sys.dont_write_bytecode = True
from lib_cli import FAILED, GOOD, USAGE, Suite, check, equal, run

suite = Suite("e2e/cli_trace")


def event(tid, name, kind, start_us, length_us, **args):
    return {"ph": "X", "pid": 1, "tid": tid, "name": name, "cat": kind, "ts": start_us,
            "dur": length_us, "args": args}


def task(tid, name, spawner, step):
    return {"ph": "M", "pid": 1, "tid": tid, "name": "thread_name",
            "args": {"name": name, "spawned": "a.c:1", "spawner": spawner, "step": step, "at": 0.0}}


EVENTS = [
    {"ph": "M", "pid": 1, "tid": 0, "name": "process_name",
     "args": {"name": "loop 1 (sim)", "backend": "sim", "dropped": 0}},
    task(1, "host", 0, 0),
    task(2, "guest <1>", 1, 1),
    event(1, "runs", "run", 0.0, 0.0, step=1),
    event(2, "runs", "run", 0.0, 0.0, step=2),
    event(1, "sleep", "wait", 0.0, 2000.0, step=1, woken_in=2, by="timer"),
    event(1, "runs", "run", 2000.0, 0.0, step=3, ends=0),
    event(2, "lock", "wait", 0.0, 2000.0, step=2, up_to=1, woken_in=3, by="task", waker=1),
    event(2, "runs", "run", 2000.0, 0.0, step=4, ends=0),
]


# A trace of three tasks, as unit/obs/trace_write has it written, and the pictures made of it.
SMALL = pathlib.Path(__file__).resolve().parents[1] / "fixtures/trace/small.json"


def with_trace(events, body, text=None):
    with tempfile.TemporaryDirectory() as place:
        path = pathlib.Path(place) / "t.json"
        document = {"otherData": {"writer": "juggle"}, "traceEvents": events}
        path.write_text(json.dumps(document) if text is None else text)
        body(path)


@suite.test
def a_picture_on_standard_output():
    def body(path):
        ended = run("trace", str(path), "--title", "Two & a lock")
        equal((ended.code, ended.err), (GOOD, ""), str(ended))
        root = xml.dom.minidom.parseString(ended.out).documentElement
        equal(root.tagName, "svg", "an SVG document")
        for part in ("host", "guest &lt;1&gt;", "Two &amp; a lock", "2 ms of virtual time", ">lock<"):
            check(part in ended.out, f"{part} is missing", ended.out)
        equal(ended.out.count('<path class="wake" marker-end="url(#tip)" d="M'), 2,
              "one wake, and its sign in the legend")
        check("<script" not in ended.out and "href" not in ended.out, "it stands alone")
        equal(run("trace", str(path), "--title", "Two & a lock").out, ended.out, "twice the same")
    with_trace(EVENTS, body)


@suite.test
def pictures_byte_for_byte():
    """If this fails, every picture of the guide changes with the next release of the command."""
    with tempfile.TemporaryDirectory() as place:
        for ending in (".svg", ".html"):
            kept, made = SMALL.with_suffix(ending), pathlib.Path(place) / f"small{ending}"
            ended = run("trace", str(SMALL), "--title", "Two <guests> & a \"host\"", "-o", str(made))
            equal((ended.code, ended.out, ended.err), (GOOD, "", ""), str(ended))
            if "--update" in sys.argv:
                kept.write_bytes(made.read_bytes())
            different = [lines for lines in zip(kept.read_text().split("\n"), made.read_text().split("\n"))
                         if lines[0] != lines[1]]
            check(kept.read_bytes() == made.read_bytes(), f"{kept.name}, first kept, then made:", different[:1])


@suite.test
def a_file_by_its_ending():
    def body(path):
        for ending, start in ((".svg", "<svg"), (".html", "<!doctype html>")):
            output = path.with_suffix(ending)
            equal(run("trace", str(path), "-o", str(output)).code, GOOD, ending)
            check(output.read_text().startswith(start), ending)
        check("<table>" in output.read_text(), "the page has the same as a table")
        ended = run("trace", str(path), "-o", str(path.with_suffix(".png")))
        equal(ended.code, USAGE, str(ended))
        check(".svg or .html" in ended.err, str(ended))
        equal(run("trace", str(path), "-o", "/nowhere/x.svg").code, FAILED, "no such place")
    with_trace(EVENTS, body)


@suite.test
def only_as_many_tasks_as_wanted():
    def body(path):
        ended = run("trace", str(path), "--tasks", "1")
        check("the first 1 are shown" in ended.out, str(ended))
        check(">guest" not in ended.out, str(ended))
    with_trace(EVENTS, body)


@suite.test
def as_wide_as_wanted():
    """If this fails, pictures do not fit the pages of the guide."""
    def body(path):
        ended = run("trace", str(path), "--width", "900")
        picture = xml.dom.minidom.parseString(ended.out).documentElement
        equal(picture.getAttribute("width"), "900", "width")
        equal(run("trace", str(path), "--width", "799").code, USAGE, "too narrow for its legend")
    with_trace(EVENTS, body)


@suite.test
def what_is_no_trace():
    for text, reason in (("", "no JSON"), ("[1", "no JSON"), ("[]", "not written by juggle"),
                         ('{"traceEvents":[]}', "not written by juggle"),
                         ('{"otherData":{"writer":"juggle"},"traceEvents":[]}', "no tasks"),
                         ('{"otherData":{"writer":"juggle"},"traceEvents":[3,{"pid":-1}]}', "no tasks")):
        def body(path):
            ended = run("trace", str(path))
            equal(ended.code, FAILED, str(ended))
            check(reason in ended.err and ended.err.count("\n") == 1, reason, str(ended))
        with_trace(None, body, text)
    equal(run("trace", "/nowhere/t.json").code, FAILED, "no such file")
    equal(run("trace").code, USAGE, "no file named")


@suite.test
def numbers_that_do_not_fit():
    odd = EVENTS + [event(2, "runs", "run", -5.0, 1e300, step=4000000000),
                    event(9, "lock", "wait", 5.0, 1.0, step=77, woken_in=99, waker=12),
                    {"ph": "X", "pid": 1, "tid": "x", "args": 3}]
    def body(path):
        ended = run("trace", str(path))
        equal(ended.code, GOOD, str(ended))
        xml.dom.minidom.parseString(ended.out)
        check("nan" not in ended.out and "inf" not in ended.out, ended.out)
    with_trace(odd, body)


if __name__ == "__main__":
    sys.exit(suite.main())
