// SPDX-License-Identifier: MIT

// go_http measures net/http's client: one goroutine per request in flight.
//
// Holds      the plan: how many requests, started, answered (see plan.h, whose rules it repeats).
// Invariant  an answer counts only if its status is 200 and its body has the expected length.
// Called by  run.py with GOMAXPROCS=1: `go_http steady PORT IN_FLIGHT BODY_BYTES WARM_UP REQUESTS`,
// `go_http burst PORT IN_FLIGHT BODY_BYTES`.
// Why        the client most people would write: http.Client, a Transport that keeps every
// connection, bodies read to the end.
// Quirks     compression is switched off, so the bytes are those of the others; net/http adds
// User-Agent.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type reading struct{ wall, cpu time.Duration }

var epoch = time.Now()

func now() reading {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		die(1, err.Error())
	}
	return reading{time.Since(epoch), time.Duration(used.Utime.Nano() + used.Stime.Nano())}
}

func die(code int, why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(code)
}

func argument(index int) int64 {
	if index < len(os.Args) {
		if value, err := strconv.ParseInt(os.Args[index], 10, 64); err == nil && value > 0 {
			return value
		}
	}
	die(2, "usage: go_http steady PORT IN_FLIGHT BODY_BYTES WARM_UP REQUESTS\n"+
		"       go_http burst PORT IN_FLIGHT BODY_BYTES")
	return 0
}

type plan struct {
	url               string
	bodyBytes         int64
	warmUp, requests  int64
	started, answered int64
	start, end        reading
	client            http.Client
}

// work makes requests until all have been claimed.
func (p *plan) work() {
	for atomic.AddInt64(&p.started, 1) <= p.warmUp+p.requests {
		response, err := p.client.Get(p.url)
		if err != nil {
			die(1, err.Error())
		}
		got, err := io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 200 || got != p.bodyBytes {
			die(1, fmt.Sprintf("status %d with %d bytes: %v", response.StatusCode, got, err))
		}
		answered := atomic.AddInt64(&p.answered, 1)
		if answered == p.warmUp {
			p.start = now()
		}
		if answered == p.warmUp+p.requests {
			p.end = now()
		}
	}
}

func main() {
	if len(os.Args) < 2 || (os.Args[1] != "steady" && os.Args[1] != "burst") {
		argument(len(os.Args))
	}
	inFlight := argument(3)
	p := &plan{
		url:       fmt.Sprintf("http://127.0.0.1:%d/api/onlinePlayers?output=json", argument(2)),
		bodyBytes: argument(4),
		requests:  inFlight,
	}
	steady := os.Args[1] == "steady"
	if steady {
		p.warmUp, p.requests = argument(5), argument(6)
	}
	p.client.Transport = &http.Transport{MaxIdleConnsPerHost: int(inFlight), DisableCompression: true}
	p.start = now()
	var all sync.WaitGroup
	all.Add(int(inFlight))
	for i := int64(0); i < inFlight; i++ {
		go func() {
			p.work()
			all.Done()
		}()
	}
	all.Wait()
	if !steady {
		p.end = now()
	}
	value := (p.end.wall - p.start.wall).Seconds()
	if steady {
		value = float64((p.end.cpu - p.start.cpu).Microseconds()) / float64(p.requests)
	}
	line, err := json.Marshal(map[string]float64{
		"value": value, "count": float64(p.requests),
		"cpu_s": (p.end.cpu - p.start.cpu).Seconds(), "wall_s": (p.end.wall - p.start.wall).Seconds(),
	})
	if err != nil {
		die(1, err.Error())
	}
	fmt.Println(string(line))
}
