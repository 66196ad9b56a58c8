# SPDX-License-Identifier: MIT
"""lib_peers.py – servers that misbehave, each in its own way.

Holds      Peer, which does to every connection what a function says, and such functions.
Invariant  a Peer that is closed has no thread and no descriptor left.
Called by  cli_*.py beside it.
Why        what a client does with a bad server cannot be tested with a good one.
Quirks     a peer is good to its first connections (`good`), as juggle looks at a target before it
           races against it.
"""
import contextlib
import socket
import struct
import threading

BODY = b"x" * 100


def read_request(connection):
    """Reads up to the end of a request's head. Returns False when there is none."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            return False
        head += piece
    return True


def answer(connection, body=BODY, status="200 OK", length=None):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body) if length is None else length}\r\n\r\n"
    connection.sendall(head.encode() + body)


def serve_well(connection, requests=1 << 30):
    """Answers so many requests on the connection."""
    while requests > 0 and read_request(connection):
        answer(connection)
        requests -= 1


def reset(connection):
    """Closes with RST, as a server that crashed does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Peer:
    """A server on a free loopback port. `behave(connection, peer)` is called once per connection, on
    a thread of its own; the first `good` connections are served well instead."""

    def __init__(self, behave, good=0):
        self.behave, self.good = behave, good
        self.lock = threading.Lock()
        self.accepted = self.requests = 0
        self.connections = set()
        self.threads = []
        self.stopping = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"

    def __enter__(self):
        self.add_thread(self.accept)
        return self

    def __exit__(self, *ignored):
        self.die()
        for thread in list(self.threads):
            thread.join(timeout=10)
        self.listener.close()

    def add_thread(self, function, *args):
        thread = threading.Thread(target=function, args=args, daemon=True)
        self.threads.append(thread)
        thread.start()

    def die(self):
        """Stops listening and drops every connection, as a killed server does."""
        self.stopping.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        with self.lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def accept(self):
        while not self.stopping.is_set():
            try:
                connection = self.listener.accept()[0]
            except OSError:
                break
            with self.lock:
                self.accepted += 1
                is_good = self.accepted <= self.good
                self.connections.add(connection)
            self.add_thread(self.handle, connection, is_good)
        self.listener.close()

    def handle(self, connection, is_good):
        with contextlib.suppress(OSError):
            if is_good:
                serve_well(connection)
            else:
                self.behave(connection, self)
        with self.lock:
            self.connections.discard(connection)
            connection.close()

    def count(self):
        """Counts a request; returns its number, from 1."""
        with self.lock:
            self.requests += 1
            return self.requests
