#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""http_server_peers.py: the HTTP server before clients and beside a server that others wrote.

curl, wrk and ab talk to examples/mirror; then requests that servers are known to read in different
ways go to it and to nginx, and both verdicts are printed. Where they differ, ours must be the stricter,
or the difference is named below with its reason. If this fails, somebody out there cannot talk to us,
or can be talked past.
"""
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
import lib_nginx

BUILD = os.environ.get("JUGGLE_BUILD", "")
MIRROR = os.path.join(BUILD, "examples", "mirror")
LIMIT_S = 60

tally = lib_nginx.Tally("e2e/http_server_peers")
check, skip = tally.check, tally.skip


def run(*argv, data=None):
    done = subprocess.run(argv, input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=LIMIT_S, check=False)
    return done.returncode, done.stdout.decode("latin-1")


@contextlib.contextmanager
def program(*argv, **more):
    process = subprocess.Popen(argv, **more)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=LIMIT_S)
        if process.stdout:
            process.stdout.close()


# Clients.

def curl(*argv, data=None):
    return run("curl", "-sS", "-m", "20", *argv, data=data)


def curl_checks(url):
    code, said = curl("-i", url + "/a?b")
    check("curl GET", code == 0 and said.startswith("HTTP/1.1 200 OK") and
          said.endswith("GET /a\n0 bytes\n"), said)
    code, said = curl("-I", url)
    check("curl HEAD", code == 0 and "Transfer-Encoding: chunked" in said and "GET" not in said, said)
    code, said = curl("-0", "-i", url + "/old")
    check("curl HTTP/1.0", code == 0 and said.endswith("GET /old\n0 bytes\n") and
          "Connection: close" in said and "chunked" not in said, said)
    code, said = curl("-v", url + "/1", url + "/2")
    check("curl twice on one connection", code == 0 and "Re-using existing connection" in said, said)
    body = bytes(range(256)) * 2000
    for name, argv in (("Content-Length", ("-H", "Expect:")),
                       ("Expect", ("-H", "Expect: 100-continue")),
                       ("chunked", ("-H", "Transfer-Encoding: chunked"))):
        code, said = curl(*argv, "--data-binary", "@-", url + "/up", data=body)
        check(f"curl POST {name}", code == 0 and said.encode("latin-1") ==
              b"POST /up\n%d bytes\n" % len(body) + body, said[:200])
    big = b"x" * (20 << 20)
    for name, argv in (("asked for", ("-H", "Expect: 100-continue")), ("sent unasked", ("-H", "Expect:"))):
        code, said = curl("-o", os.devnull, "-w", "%{http_code}", *argv, "--data-binary", "@-", url,
                          data=big)
        # Sent unasked, its sending may fail; but it must see the answer.
        check(f"curl POST too large, {name}", re.search(r"\b413", said), f"{code} {said}")


def wrk_check(url):
    code, said = run("wrk", "-t1", "-c50", "-d1s", url + "/")
    requests = re.search(r"(\d+) requests in", said)
    check("wrk", code == 0 and requests and int(requests[1]) > 100 and
          "Socket errors" not in said and "Non-2xx" not in said, said)


def ab_checks(url):
    for name, argv in (("keep-alive", ("-k",)), ("a connection each", ())):
        code, said = run("ab", "-q", "-n", "2000", "-c", "20", *argv, url + "/")
        kept = re.search(r"Keep-Alive requests:\s+(\d+)", said)
        good = code == 0 and re.search(r"Complete requests:\s+2000\b", said) and \
            re.search(r"Failed requests:\s+0\b", said) and "Non-2xx" not in said
        check(f"ab, {name}", good, said)
        check(f"ab, {name}: connections", (kept is None) == (not argv), said)


# Doubtful requests.

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def content_length(value, rest=b"abc"):
    return POST + b"Content-Length: " + value + b"\r\n\r\n" + rest + NEXT


def transfer_encoding(value, rest=b"0\r\n\r\n"):
    return POST + b"Transfer-Encoding: " + value + b"\r\n\r\n" + rest + NEXT


CASES = {
    "plain": GET + b"\r\n" + NEXT,
    "Content-Length": content_length(b"3"),
    "chunked": CHUNKED + b"3\r\nabc\r\n0\r\n\r\n" + NEXT,
    "CL +3": content_length(b"+3"),
    "CL -0": content_length(b"-0", b""),
    "CL 0x3": content_length(b"0x3"),
    "CL 3abc": content_length(b"3abc"),
    "CL 3.0": content_length(b"3.0"),
    "CL 1_0": content_length(b"1_0"),
    "CL empty": content_length(b"", b""),
    "CL list of equals": content_length(b"3, 3"),
    "CL list of different": content_length(b"3, 4"),
    "CL 2^64+3": content_length(b"18446744073709551619"),
    "CL 2^63": content_length(b"9223372036854775808"),
    "CL NUL": content_length(b"3\0"),
    "CL vertical tab": content_length(b"\v3"),
    "CL two words": content_length(b"3 3"),
    "CL twice, equal": content_length(b"3\r\nContent-Length: 3"),
    "CL twice, different": content_length(b"3\r\nContent-Length: 0"),
    "CL folded": content_length(b"\r\n 3"),
    "CL with space before colon": POST + b"Content-Length : 3\r\n\r\nabc" + NEXT,
    "CL with tab before colon": POST + b"Content-Length\t: 3\r\n\r\nabc" + NEXT,
    "CL behind a space": POST + b" Content-Length: 35\r\n\r\n" + NEXT,
    "CL.TE": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "TE.CL": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n" + NEXT,
    "TE in HTTP/1.0": b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n"
                      b"\r\n0\r\n\r\n" + NEXT,
    "TE other case": transfer_encoding(b"cHuNkEd"),
    "TE xchunked": transfer_encoding(b"xchunked"),
    "TE identity": transfer_encoding(b"identity", b""),
    "TE empty": transfer_encoding(b"", b""),
    "TE gzip, chunked": transfer_encoding(b"gzip, chunked"),
    "TE chunked, chunked": transfer_encoding(b"chunked, chunked"),
    "TE chunked, identity": transfer_encoding(b"chunked, identity"),
    "TE ,chunked": transfer_encoding(b",chunked"),
    "TE chunked,": transfer_encoding(b"chunked,"),
    "TE chunked;q=1": transfer_encoding(b"chunked;q=1"),
    "TE quoted": transfer_encoding(b'"chunked"'),
    "TE NUL": transfer_encoding(b"chunked\0"),
    "TE vertical tab": transfer_encoding(b"\vchunked"),
    "TE no-break space": transfer_encoding(b"\xa0chunked"),
    "TE folded": transfer_encoding(b"\r\n chunked"),
    "TE twice": transfer_encoding(b"chunked\r\nTransfer-Encoding: chunked"),
    "TE twice, different": transfer_encoding(b"chunked\r\nTransfer-Encoding: x"),
    "TE with space before colon": POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "TE behind a bare LF": POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "TE behind a bare CR": POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT,
    "chunk 0x3": CHUNKED + b"0x3\r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk +3": CHUNKED + b"+3\r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk -3": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk size empty": CHUNKED + b"\r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk size 2^64+3": CHUNKED + b"10000000000000003\r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk size ends in LF": CHUNKED + b"3\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk size, space": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk size, garbage": CHUNKED + b"3x\r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk data too long": CHUNKED + b"2\r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk data ends in LF": CHUNKED + b"3\r\nabc\n0\r\n\r\n" + NEXT,
    "chunk data ends in XX": CHUNKED + b"3\r\nabcXX0\r\n\r\n" + NEXT,
    "chunk extension": CHUNKED + b"3;a=b\r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk extension with LF": CHUNKED + b"3;a\nb\r\nabc\r\n0\r\n\r\n" + NEXT,
    "chunk extension with CR": CHUNKED + b"3;a\rb\r\nabc\r\n0\r\n\r\n" + NEXT,
    "last chunk ends in LF": CHUNKED + b"0\n\r\n" + NEXT,
    "no empty line": CHUNKED + b"0\r\n" + NEXT,
    "trailers": CHUNKED + b"0\r\nA: b\r\n\r\n" + NEXT,
    "trailer that frames": CHUNKED + b"0\r\nContent-Length: 35\r\n\r\n" + NEXT,
    "trailer without colon": CHUNKED + b"0\r\nabc\r\n\r\n" + NEXT,
    "lines end in LF": b"GET / HTTP/1.1\nHost: a\n\n" + NEXT,
    "a line ends in CR": b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n" + NEXT,
    "empty line is LF": GET + b"\n" + NEXT,
    "empty line is CR": GET + b"\r" + NEXT,
    "NUL in a value": GET + b"X: a\0b\r\n\r\n" + NEXT,
    "NUL in a name": GET + b"X\0: a\r\n\r\n" + NEXT,
    "space in a name": GET + b"X Y: a\r\n\r\n" + NEXT,
    "no name": GET + b": a\r\n\r\n" + NEXT,
    "no colon": GET + b"abc\r\n\r\n" + NEXT,
    "folded": GET + b"X: a\r\n b\r\n\r\n" + NEXT,
    "empty lines before": b"\r\n\r\n\r\n" + NEXT,
    "space before the method": b" " + NEXT,
    "two spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "tabs": b"GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "space after the version": b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n" + NEXT,
    "HTTP/0.9": b"GET /smuggled\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n" + NEXT,
    "HTTP/01.1": b"GET / HTTP/01.1\r\nHost: a\r\n\r\n" + NEXT,
    "HTTP/2.0": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/1.1": b"GET / http/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "obs-text in the target": b"GET /\xe4 HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "fragment in the target": b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "absolute target": b"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "userinfo in the target": b"GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "lower-case method": b"get / HTTP/1.1\r\nHost: a\r\n\r\n" + NEXT,
    "Host missing": b"GET / HTTP/1.1\r\n\r\n" + NEXT,
    "Host twice": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + NEXT,
    "Host with path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n" + NEXT,
    "Host with userinfo": b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n" + NEXT,
    "Host list": b"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n" + NEXT,
    "close, then more": GET + b"Connection: close\r\n\r\n" + NEXT,
    "HTTP/1.0, then more": b"GET / HTTP/1.0\r\n\r\n" + NEXT,
    "GET with a body": GET + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT,
    "Expect other": GET + b"Expect: x\r\n\r\n" + NEXT,
}

# Where we take more than nginx does, and why that is right.
ALLOWED = {
    "lower-case method": "methods are tokens, in any case (RFC 9110 9.1); the handler knows which",
}

SERVED = """
    client_header_timeout 1s;
    client_body_timeout 1s;
    keepalive_timeout 1s;
    lingering_timeout 1s;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{behind}; }}  # so that it reads the body first
    }}
    server {{
        listen 127.0.0.1:{behind};
        location / {{ return 200 "$request_method $request_uri\\n"; }}
    }}
"""


def ask(port, data, half_close):
    """All that comes back until the server ends the connection, by itself or by its time limits."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(data)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                answer += piece
    return answer


class Verdict:
    def __init__(self, answer):
        self.statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]
        self.statuses = [status for status in self.statuses if status != 100]
        self.accepted = sum(200 <= status < 300 for status in self.statuses)
        self.smuggled = b"GET /smuggled\n" in answer

    def __str__(self):
        text = " ".join(map(str, self.statuses)) or "closed"
        return text + (" +" if self.smuggled else "")


def ask_all(port, half_close):
    """Every case on a connection of its own, all at once: where only time ends one, none waits long."""
    verdicts = {}

    def ask_one(name, data):
        verdicts[name] = Verdict(ask(port, data, half_close))

    threads = [threading.Thread(target=ask_one, args=case) for case in CASES.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return verdicts


def compare(ours, theirs):
    print(f"{'request':<30}{'juggle':<16}{'nginx':<16}")
    for name in CASES:
        if name not in ours or name not in theirs:
            check(f"{name}: a verdict", False, "no answer in time")
            continue
        laxer = ours[name].accepted > theirs[name].accepted or \
            (ours[name].smuggled and not theirs[name].smuggled)
        why = ALLOWED.get(name, "")
        print(f"{name:<30}{str(ours[name]):<16}{str(theirs[name]):<16}{why}")
        check(f"{name}: no laxer than nginx", not laxer or why, "")


def peers(port):
    url = f"http://127.0.0.1:{port}"
    for tool, checks in (("curl", curl_checks), ("wrk", wrk_check), ("ab", ab_checks)):
        if shutil.which(tool):
            checks(url)
        else:
            skip(tool, "not installed")
    ours = ask_all(port, True)
    if lib_nginx.NGINX:
        with tempfile.TemporaryDirectory(prefix="juggle-peers-") as directory, \
                lib_nginx.nginx(directory, SERVED, behind=lib_nginx.free_port()) as nginx_port:
            compare(ours, ask_all(nginx_port, False))
    else:
        skip("nginx", "not installed")
    code, said = (curl(url + "/still") if shutil.which("curl") else (0, "GET /still\n"))
    check("the server is none the worse", code == 0 and said.startswith("GET /still\n"), said)


def main():
    if not os.access(MIRROR, os.X_OK):
        skip("all", "examples/mirror is not built here")
    else:
        with program(MIRROR, stdout=subprocess.PIPE) as mirror:
            line = mirror.stdout.readline().decode()
            peers(int(line.split()[-1]))
            check("the server lives", mirror.poll() is None)
    return tally.end()


if __name__ == "__main__":
    sys.exit(main())
