# SPDX-License-Identifier: MIT
"""memory.py: what a process costs in memory while it is at its largest.

Holds      one peak per watched process.
Invariant  a peak never falls; what is not ours is not counted twice (PSS shares it out).
Called by  suites.py, through process.run's watch.
Why        ru_maxrss is inherited by a spawned child and knows nothing of page tables and kernel
           stacks; a runtime with a million stacks pays for all three.
Quirks     two meters, because exactness costs time: reading PSS walks the page tables with the
           process's map locked, so it is used only in runs whose wall time is thrown away, and not
           on gigabytes. The kernel's socket buffers are in neither.
"""

import mmap

KERNEL_STACK_BYTES = 16384  # per thread; x86-64 and arm64


def available_bytes():
    """What the kernel thinks can be used without swapping."""
    return fields("/proc/meminfo", ("MemAvailable",)).get("MemAvailable", 0) * 1024


def back(size_bytes):
    """Touches that much memory and lets it go.

    A virtual machine's memory is backed by its host when it is first touched, and some hosts take
    freed memory back within seconds: a page then costs 7 us instead of 1.5. Whoever runs next finds
    the pages already backed, so that the runtime is measured and not the host."""
    mmap.mmap(-1, size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
              | mmap.MAP_POPULATE).close()


def fields(path, wanted):
    """Reads `Name:  number kB` lines; a process that has ended reads as nothing."""
    values = {}
    try:
        with open(path, encoding="ascii", errors="replace") as lines:
            for line in lines:
                name, _, rest = line.partition(":")
                if name in wanted:
                    values[name] = int(rest.split()[0])
    except (OSError, ValueError, IndexError):
        pass
    return values


class Peak:
    """Peak of resident memory, page tables and kernel stacks of one process, in bytes.

    `exact=False` takes the kernel's own high-water mark of resident pages, which cannot miss a peak
    between two looks; `exact=True` takes PSS at each look."""

    def __init__(self, exact):
        self.exact = exact
        self.bytes = 0
        self.looks = 0

    def look(self, pid):
        status = fields(f"/proc/{pid}/status", ("VmHWM", "VmPTE", "Threads"))
        if len(status) < 3:
            return
        resident_kb = status["VmHWM"]
        if self.exact:
            rollup = fields(f"/proc/{pid}/smaps_rollup", ("Pss",))
            if "Pss" not in rollup:
                return
            resident_kb = rollup["Pss"]
        total = (resident_kb + status["VmPTE"]) * 1024 + status["Threads"] * KERNEL_STACK_BYTES
        self.bytes = max(self.bytes, total)
        self.looks += 1
