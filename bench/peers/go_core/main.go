// SPDX-License-Identifier: MIT

// go_core measures the Go runtime: a yield, a goroutine created and joined, a message, a lock, and
// crowds that sleep or are cancelled.
//
// Holds      nothing between passes.
// Invariant  every goroutine started is waited for inside the pass that started it.
// Called by  run.py with GOMAXPROCS=1: `go_core yield|spawn_join|chan|chan_buffered|lock WIDTH`,
//
//	`go_core sleepers N MS`, `go_core cancel N`.
//
// Why        the runtime most people compare a coroutine library with.
// Quirks     runtime.Gosched puts the caller on the global queue, as Go means it; a WaitGroup is
// the cheapest join. The warm-up and the choice of count repeat those of measure.c.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	warmUp   = 20 * time.Millisecond
	measured = 300 * time.Millisecond

	messagesBuffered = 64
)

func cpuNow() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		die(1, err.Error())
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func die(code int, why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(code)
}

func passYield(width, count int) {
	var all sync.WaitGroup
	all.Add(width)
	for i := 0; i < width; i++ {
		go func() {
			for left := count / width; left > 0; left-- {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
}

func passSpawnJoin(width, count int) {
	var all sync.WaitGroup
	for done := 0; done < count; done += width {
		all.Add(width)
		for i := 0; i < width; i++ {
			go all.Done()
		}
		all.Wait()
	}
}

func passSleepers(width, sleepMs int) {
	var all sync.WaitGroup
	all.Add(width)
	for i := 0; i < width; i++ {
		go func() {
			time.Sleep(time.Duration(sleepMs) * time.Millisecond)
			all.Done()
		}()
	}
	all.Wait()
}

func messages(buffered, count int) {
	numbers := make(chan uint64, buffered)
	go func() {
		for number := 1; number <= count; number++ {
			numbers <- uint64(number)
		}
	}()
	var sum uint64
	for left := count; left > 0; left-- {
		sum += <-numbers
	}
	if sum != uint64(count)*uint64(count+1)/2 {
		die(1, "a message was lost or came twice")
	}
}

func passChan(width, count int) {
	messages(0, count)
}

func passChanBuffered(width, count int) {
	messages(messagesBuffered, count)
}

func passLock(width, count int) {
	var lock sync.Mutex
	for left := count; left > 0; left-- {
		lock.Lock()
		lock.Unlock() //nolint:staticcheck // an empty section is what is measured
	}
}

// CPU ns per goroutine from the cancel of `width` that wait until the last of them has ended.
func runCancel(width int) {
	var all sync.WaitGroup
	all.Add(width)
	cancelled := make(chan struct{})
	for i := 0; i < width; i++ {
		go func() {
			<-cancelled
			all.Done()
		}()
	}
	runtime.Gosched()
	wall, start := time.Now(), cpuNow()
	close(cancelled)
	all.Wait()
	cpu := cpuNow() - start
	print(float64(cpu.Nanoseconds())/float64(width), width, cpu, time.Since(wall))
}

func print(value float64, count int, cpu, wall time.Duration) {
	line, err := json.Marshal(map[string]float64{
		"value": value, "count": float64(count), "cpu_s": cpu.Seconds(), "wall_s": wall.Seconds(),
	})
	if err != nil {
		die(1, err.Error())
	}
	fmt.Println(string(line))
}

func runRate(pass func(width, count int), width int) {
	count := width
	for {
		start := cpuNow()
		pass(width, count)
		if cpu := cpuNow() - start; cpu >= warmUp {
			count = int(float64(count)*float64(measured)/float64(cpu)) / width * width
			break
		}
		count *= 2
	}
	wall, start := time.Now(), cpuNow()
	pass(width, count)
	cpu := cpuNow() - start
	print(float64(cpu.Nanoseconds())/float64(count), count, cpu, time.Since(wall))
}

func argument(index int) int {
	if index < len(os.Args) {
		if value, err := strconv.Atoi(os.Args[index]); err == nil && value > 0 {
			return value
		}
	}
	die(2, "usage: go_core yield|spawn_join|chan|chan_buffered|lock WIDTH | sleepers COUNT MS | cancel COUNT")
	return 0
}

func main() {
	if len(os.Args) < 2 {
		argument(1)
	}
	switch os.Args[1] {
	case "yield":
		runRate(passYield, argument(2))
	case "spawn_join":
		runRate(passSpawnJoin, argument(2))
	case "chan":
		runRate(passChan, argument(2))
	case "chan_buffered":
		runRate(passChanBuffered, argument(2))
	case "lock":
		runRate(passLock, argument(2))
	case "cancel":
		runCancel(argument(2))
	case "sleepers":
		wall, start := time.Now(), cpuNow()
		passSleepers(argument(2), argument(3))
		elapsed := time.Since(wall)
		print(elapsed.Seconds(), argument(2), cpuNow()-start, elapsed)
	default:
		argument(len(os.Args))
	}
}
