# SPDX-License-Identifier: MIT
"""servers.py: the servers of the HTTP benches: started on a free loopback port, ended, wiped away.

Holds      one process per server, and nginx's directory while it runs.
Invariant  every run of every subject gets a fresh server on a fresh port; leaving the `with` block
           leaves no process and no file.
Called by  suites.py.
Why        a fresh port is not tidiness but correctness: 10,000 connections leave 10,000 ports in
           TIME_WAIT, and the next 10,000 connections to the same address and port then cost three
           times as much, all of it in the kernel's search for a free port.
Quirks     nginx cannot bind port 0, so its port is found by binding one and letting it go; should
           somebody else take it in between, the next one is tried.
"""

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile
import time

from . import process

# What every server answers, 164 bytes: the stats API of the talk.
BODY = ('{"platforms":{"pc":{"label":"PC","count":41873,"peak24":98214},'
        '"ps4":{"label":"PS4","count":20481,"peak24":51230},'
        '"xone":{"label":"XBOX","count":917,"peak24":983}}}')
PATH = "/api/onlinePlayers?output=json"

NGINX_CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 200 '{body}'; }}
    }}
}}
"""


def nginx_path():
    """Debian keeps nginx in a directory that is not on everyone's PATH."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server: its port, and the CPU seconds its processes have used so far."""

    def __init__(self, running, port):
        self.process = running
        self.port = port

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}{PATH}"

    def cpu_s(self):
        """Sums over the session: nginx answers in a child of the process we started."""
        ticks = 0
        for name in os.listdir("/proc"):
            if name.isdigit():
                with contextlib.suppress(OSError, IndexError), open(f"/proc/{name}/stat") as stat:
                    after_name = stat.read().rpartition(")")[2].split()
                    if int(after_name[3]) == self.process.pid:
                        ticks += int(after_name[11]) + int(after_name[12])
        return ticks / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def nginx(core):
    """nginx with one worker, answering from memory, logging nothing."""
    directory = tempfile.mkdtemp(prefix="juggle-bench-")
    running = None
    try:
        os.chmod(directory, 0o755)
        for _ in range(5):
            port = free_port()
            with open(f"{directory}/nginx.conf", "w", encoding="ascii") as configuration:
                configuration.write(NGINX_CONFIGURATION.format(
                    directory=directory, port=port, body=BODY))
            running = process.start(
                [nginx_path(), "-e", f"{directory}/error.log", "-p", directory,
                 "-c", f"{directory}/nginx.conf"], core, stdout=subprocess.DEVNULL)
            for _ in range(200):
                if running.poll() is not None or accepts(port):
                    break
                time.sleep(0.01)
            if running.poll() is None and accepts(port):
                break
            process.end(running)
        else:
            with open(f"{directory}/error.log", encoding="ascii", errors="replace") as log:
                raise process.Failed(f"nginx: {process.one_line(log.read()) or 'did not start'}")
        yield Server(running, port)
    finally:
        if running:
            process.end(running)
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def printing_port(argv, core):
    """A server of ours: binds port 0 and prints {"port": N} once it listens."""
    running = process.start(argv, core)
    try:
        ready, _, _ = select.select([running.stdout], [], [], 10)
        line = running.stdout.readline() if ready else ""
        if not line:
            process.stop(running)
            why = process.one_line(running.stderr.read()) or "did not start"
            raise process.Failed(f"{os.path.basename(str(argv[0]))}: {why}")
        yield Server(running, json.loads(line)["port"])
    finally:
        process.end(running)


def accept_queue_overflows():
    """How often this machine's kernel has dropped a connection because an accept queue was full."""
    with open("/proc/net/netstat", encoding="ascii") as netstat:
        lines = netstat.read().splitlines()
    for names, values in zip(lines, lines[1:]):
        if names.startswith("TcpExt:") and values.startswith("TcpExt:"):
            return int(dict(zip(names.split(), values.split())).get("ListenOverflows", 0))
    return 0
