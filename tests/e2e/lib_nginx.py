# SPDX-License-Identifier: MIT
"""lib_nginx.py – Debian's nginx on free ports of the loopback, and the tally of who asks it.

Holds      how it is configured, started and ended, wherever it is; Tally, for scripts without a Suite.
Invariant  it writes below its directory alone, and is gone, with its workers, when its block is left.
Called by  cli_race.py, http_client_peers.py, http_server_peers.py.
Why        what others wrote is the judge of what we believe HTTP to be.
Quirks     started by root its workers stay root: they have to read a directory of the test's own.
"""
import contextlib
import os
import shutil
import socket
import subprocess
import time

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
LIMIT_S = 60

CONFIGURATION = """
daemon off;
worker_processes 1;
{user}
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
"""


class Tally:
    """Counts what was checked, and prints what went wrong."""

    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0

    def check(self, name, good, said=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAIL {name}\n{said}")

    def skip(self, name, why):
        self.skipped += 1
        print(f"SKIP {name}: {why}")

    def end(self):
        """Prints the closing line. Returns the exit code."""
        print(f"{self.name}: {self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return int(self.failed > 0)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def nginx(directory, http, **names):
    """Serves what `http` says, in which {directory}, {port} and the other names are filled in. Gives its
    port."""
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    with open(f"{directory}/nginx.conf", "w", encoding="ascii") as file:
        file.write((CONFIGURATION + http + "}}\n").format(directory=directory, port=port, user=user, **names))
    with open(f"{directory}/said", "wb") as said:
        process = subprocess.Popen([NGINX, "-e", f"{directory}/error.log", "-p", directory,
                                    "-c", f"{directory}/nginx.conf"],
                                   stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    try:
        until = time.monotonic() + LIMIT_S
        while process.poll() is None and not accepts(port) and time.monotonic() < until:
            time.sleep(0.01)
        if process.poll() is not None:
            with open(f"{directory}/said", encoding="utf-8", errors="replace") as said:
                raise RuntimeError(f"nginx ended: {said.read()}")
        yield port
    finally:
        process.terminate()
        process.wait(timeout=LIMIT_S)
