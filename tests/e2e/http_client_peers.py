#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""http_client_peers.py: the HTTP client before servers that others wrote.

nginx from Debian and python3's http.server, each on loopback and started here; http_client_driver.c asks
them in a loop and without one. If this fails, the client works with our own server only.
"""
import contextlib
import hashlib
import http.server
import os
import re
import subprocess
import sys
import tempfile
import threading
import zlib

sys.dont_write_bytecode = True
import lib_nginx

BUILD = os.environ.get("JUGGLE_BUILD", "")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIMIT_S = 60

SMALL = b"small body\n"
INCLUDED = b"an included file, so that the length is not known beforehand\n" * 400
LARGE = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(320_000))  # 10 MB

SERVED = """
    client_max_body_size 50m;
    server {{
        listen 127.0.0.1:{port} backlog=512;
        listen unix:{directory}/socket;
        root {directory}/files;
        keepalive_requests 100000;
        location /five/ {{ alias {directory}/files/; keepalive_requests 5; }}
        location /closes/ {{ alias {directory}/files/; keepalive_timeout 0; }}
        location /chunked/ {{ alias {directory}/files/; ssi on; ssi_types *; }}
        location = /204 {{ return 204; }}
        location = /304 {{ return 304; }}
        location = /301 {{ return 301 http://127.0.0.1:{port}/small; }}
        location = /upload {{ proxy_pass http://127.0.0.1:{port}/taken; }}
        location = /taken {{ return 200 "taken"; }}
        location = /slow {{ limit_rate 200k; try_files /medium =404; }}
    }}
"""

tally = lib_nginx.Tally("e2e/http_client_peers")
check, skip = tally.check, tally.skip


# The driver.

def cached(name):
    with open(os.path.join(BUILD, "CMakeCache.txt"), encoding="utf-8") as cache:
        found = re.search(rf"^{name}:\w+=(.*)$", cache.read(), re.M)
    return found[1] if found else ""


def compile_driver(directory):
    """As the library was compiled, so that sanitizers fit."""
    sanitize = {"address": ["-fsanitize=address,undefined"], "thread": ["-fsanitize=thread"]}
    if cached("JUGGLE_COVERAGE") == "ON":
        sanitize["none"] = ["--coverage"]
    driver = os.path.join(directory, "driver")
    subprocess.run(
        [cached("CMAKE_C_COMPILER"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-g",
         *sanitize.get(cached("JUGGLE_SANITIZE"), []), f"-I{ROOT}/include",
         f"{ROOT}/tests/e2e/http_client_driver.c", f"{BUILD}/libjuggle.a", "-pthread",
         "-o", driver], check=True, timeout=LIMIT_S)
    return driver


class Asker:
    """Runs the driver: in a loop, and without one."""

    def __init__(self, driver):
        self.driver = driver

    def ask(self, model, url, method="GET", count=1, at_once=1, send=0):
        argv = [self.driver, model, method, str(count), str(at_once), str(send), url]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=LIMIT_S, check=False)
        return done.stdout.splitlines()

    def expect(self, name, url, status=200, body=SMALL, connections=1, **more):
        """All answers are as they should be, over so many connections (None: whatever)."""
        wanted = f"{status} {len(body)} {zlib.adler32(body):08x} "
        for model in ("loop", "blocking"):
            if model == "blocking" and more.get("at_once", 1) > 1:
                continue
            lines = self.ask(model, url, **more)
            good = len(lines) == more.get("count", 1) and all(l.startswith(wanted) for l in lines)
            new = sum(line.endswith("new") for line in lines)
            good = good and connections in (None, new)
            check(f"{name}, {model}", good,
                  f"wanted {wanted}over {connections}, got {new} new: {lines[:3]}")


# nginx.

def nginx_checks(asker, port, directory):
    url = f"http://127.0.0.1:{port}"
    unix = "http+unix://" + f"{directory}/socket".replace("/", "%2F")
    asker.expect("nginx keep-alive", url + "/small", count=1000)
    asker.expect("nginx, 50 at once", url + "/small", count=5000, at_once=50, connections=50)
    asker.expect("nginx closes after five", url + "/five/small", count=13, connections=3)
    asker.expect("nginx closes after one", url + "/closes/small", count=4, connections=4)
    asker.expect("nginx, five each, 20 at once", url + "/five/small", count=1000, at_once=20,
                 connections=None)
    asker.expect("nginx chunked", url + "/chunked/page", body=b"before\n" + INCLUDED + b"after\n",
                 count=20)
    asker.expect("nginx HEAD", url + "/large", method="HEAD", body=b"", count=5)
    asker.expect("nginx HEAD chunked", url + "/chunked/page", method="HEAD", body=b"", count=5)
    asker.expect("nginx 204", url + "/204", status=204, body=b"", count=5)
    asker.expect("nginx 304", url + "/304", status=304, body=b"", count=5)
    asker.expect("nginx large", url + "/large", body=LARGE, count=3)
    asker.expect("nginx large, five at once", url + "/large", body=LARGE, count=10, at_once=5,
                 connections=5)
    asker.expect("nginx slow", url + "/slow", body=LARGE[:100_000])
    asker.expect("nginx Unix socket", unix + "/small", count=100)
    asker.expect("nginx Unix socket, large", unix + "/large", body=LARGE, count=2)
    asker.expect("nginx upload", url + "/upload", method="PUT", body=b"taken", count=3, send=3_000_000)
    for model in ("loop", "blocking"):
        lines = asker.ask(model, url + "/none")
        check(f"nginx 404, {model}", lines and lines[0].startswith("404 "), f"{lines}")
        lines = asker.ask(model, url + "/301")
        check(f"nginx 301 is an answer, {model}", lines and lines[0].startswith("301 "), f"{lines}")


def files_write(directory):
    files = os.path.join(directory, "files")
    os.mkdir(files)
    for name, data in (("small", SMALL), ("large", LARGE), ("medium", LARGE[:100_000]),
                       ("included", INCLUDED),
                       ("page", b'before\n<!--#include virtual="/included" -->after\n')):
        with open(os.path.join(files, name), "wb") as file:
            file.write(data)


# http.server.

class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files by HTTP/1.0, a connection each; and a POST that says what it got."""

    def log_message(self, *ignored):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = b"%d %08x" % (len(body), zlib.adler32(body))
        self.send_response(201)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


class Keeping(Quiet):
    """The same by HTTP/1.1."""
    protocol_version = "HTTP/1.1"


@contextlib.contextmanager
def python_server(handler, directory):
    def make(*args):
        return handler(*args, directory=os.path.join(directory, "files"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def python_checks(asker, directory):
    sent = b"b" * 1_000_000
    taken = b"%d %08x" % (len(sent), zlib.adler32(sent))
    for handler, name, kept in ((Quiet, "HTTP/1.0", False), (Keeping, "HTTP/1.1", True)):
        with python_server(handler, directory) as url:
            name = "http.server " + name
            asker.expect(name, url + "/small", count=20, connections=1 if kept else 20)
            asker.expect(f"{name}, 8 at once", url + "/small", count=80, at_once=8,
                         connections=8 if kept else 80)
            asker.expect(f"{name} large", url + "/large", body=LARGE)
            asker.expect(f"{name} HEAD", url + "/large", method="HEAD", body=b"", count=3,
                         connections=1 if kept else 3)
            asker.expect(f"{name} POST", url + "/", method="POST", status=201, body=taken,
                         count=3, connections=1 if kept else 3, send=len(sent))


def main():
    with tempfile.TemporaryDirectory(prefix="juggle-e2e-") as directory:
        asker = Asker(compile_driver(directory))
        files_write(directory)
        if lib_nginx.NGINX:
            with lib_nginx.nginx(directory, SERVED) as port:
                nginx_checks(asker, port, directory)
        else:
            skip("nginx", "not installed")
        python_checks(asker, directory)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
