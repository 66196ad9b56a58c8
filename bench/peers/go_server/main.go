// SPDX-License-Identifier: MIT

// go_server is net/http's server answering every request with the body given: `go_server BODY`.
//
// Holds      nothing.
// Invariant  prints {"port": N} once it listens.
// Called by  run.py with GOMAXPROCS=1, which ends it with SIGTERM.
// Why        the server most people would write in Go; the opponent of http_server beside nginx.
// Quirks     net/http adds Date by itself; everything else is what nginx sends too.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go_server BODY")
		os.Exit(2)
	}
	body := []byte(os.Args[1])
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("{\"port\": %d}\n", listener.Addr().(*net.TCPAddr).Port)
	answer := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	}
	if err := http.Serve(listener, http.HandlerFunc(answer)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
