// SPDX-License-Identifier: MIT
/* stack.c – cutting guarded stacks out of large reserved mappings.
 *
 * Holds      the kind of guard this kernel offers, found out once; the mprotect budget in use; where the
 *            latest regions lay that closed loops gave back.
 * Invariant  a region is [guard|stack][guard|stack]…; stacks below `guarded` have their guard, and only
 *            those are cut: cut <= guarded.
 * Called by  see stack.h.
 * Why        a free stack's list node lies in its topmost bytes, the page that was touched anyway;
 *            only those whose pages went back to the kernel are listed outside.
 * Quirks     MADV_GUARD_INSTALL is 102, Linux 6.13+, missing in Debian 12's headers; valgrind does
 *            not know it. MADV_NOHUGEPAGE: with huge pages each parked task would cost 2 MiB.
 */
#include "rt/stack.h"

#include "base/check.h"
#include "base/mem.h"
#include "rt/sanitize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    MADV_GUARD_INSTALL_ = 102,
    PIDFD_SELF_ = -10000, // Linux 6.14, missing in Debian 12's headers as well
    GUARDS_AHEAD = 64,    // guards installed with one call
    FIRST_CUT = 16,       // stacks in a class's first region; each next has twice as many
    LARGEST_CUT = 65536,  // stacks in a region at most
    MAPPINGS_LEFT = 4096, // of vm.max_map_count, for everybody else
    GONE_MOST = 32,       // regions remembered after their loop was closed
};

// The largest region, so that one loop's reserve stays far from the 47-bit address space.
static const size_t LARGEST_REGION = (size_t)16 << 30;

struct stack_region {
    struct stack_region *older;
    char *start;
    size_t stride; // guard + stack
    size_t count;
    size_t cut;             // stacks cut so far
    size_t guarded;         // stacks whose guard is installed
    unsigned *valgrind_ids; // of the stacks cut; NULL without valgrind
};

static atomic_int guard_kind;
static atomic_long mprotect_left;

static struct {
    atomic_uintptr_t start;
    atomic_uintptr_t end;
} gone[GONE_MOST];
static atomic_uint gone_count;

static long read_max_map_count(void) {
    char text[32] = {0};
    int fd = open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 65530;
    }
    ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    return got > 0 ? strtol(text, NULL, 10) : 65530;
}

void stack_force_guard(enum stack_guard_kind kind) {
    // Each mprotect guard splits its mapping in two.
    atomic_store(&mprotect_left, (read_max_map_count() - MAPPINGS_LEFT) / 2);
    atomic_store(&guard_kind, (int)kind);
}

/* Believes it only when the kernel itself cannot write there: qemu-user says yes to any advice. */
static bool light_works(char *guard) {
    return !sanitize_on_valgrind() && madvise(guard, STACK_GUARD, MADV_GUARD_INSTALL_) == 0 &&
           getrandom(guard, 1, GRND_NONBLOCK) < 0 && errno == EFAULT;
}

static enum stack_guard_kind probe_guard(char *guard) {
    bool light = light_works(guard);
    stack_force_guard(light ? STACK_GUARD_LIGHT : STACK_GUARD_MPROTECT);
    return light ? STACK_GUARD_LIGHT : STACK_GUARD_MPROTECT;
}

static char *guard_of(const struct stack_region *region, size_t index) {
    return region->start + region->stride * index;
}

/* Installs guards ahead of need, many with one call: for a million stacks a third of the time. Returns
 * how many it did; 0 where the kernel does not take such calls (before 6.14). */
static size_t install_light_ahead(const struct stack_region *region) {
    struct iovec guards[GUARDS_AHEAD];
    size_t left = region->count - region->guarded;
    size_t count = left < GUARDS_AHEAD ? left : GUARDS_AHEAD;
    for (size_t i = 0; i < count; i++) {
        guards[i] = (struct iovec){guard_of(region, region->guarded + i), STACK_GUARD};
    }
    ssize_t done = process_madvise(PIDFD_SELF_, guards, count, MADV_GUARD_INSTALL_, 0);
    return done > 0 ? (size_t)done / STACK_GUARD : 0;
}

static int install_light(struct stack_region *region) {
    size_t done = install_light_ahead(region);
    if (done == 0) {
        char *guard = guard_of(region, region->guarded);
        if (madvise(guard, STACK_GUARD, MADV_GUARD_INSTALL_) != 0) {
            return -errno;
        }
        done = 1;
    }
    region->guarded += done;
    return 0;
}

static int install_mprotect(struct stack_region *region) {
    char *guard = guard_of(region, region->guarded);
    if (atomic_fetch_sub(&mprotect_left, 1) <= 0) {
        atomic_fetch_add(&mprotect_left, 1);
        return -EAGAIN;
    }
    if (mprotect(guard, STACK_GUARD, PROT_NONE) != 0) {
        int rc = errno == ENOMEM ? -EAGAIN : -errno; // ENOMEM here is the mapping limit
        atomic_fetch_add(&mprotect_left, 1);
        return rc;
    }
    region->guarded++;
    return 0;
}

/* Installs the guard of the next stack to cut, and maybe of some behind it. */
static int install_guards(struct stack_region *region) {
    int kind = atomic_load_explicit(&guard_kind, memory_order_relaxed);
    if (unlikely(kind == STACK_GUARD_UNKNOWN)) {
        kind = (int)probe_guard(guard_of(region, region->guarded));
    }
    return kind == STACK_GUARD_LIGHT ? install_light(region) : install_mprotect(region);
}

size_t stack_round(size_t wished_bytes) {
    size_t size = STACK_MIN;
    while (size < wished_bytes && size <= STACK_MAX) {
        size <<= 1;
    }
    return size <= STACK_MAX ? size : 0;
}

void stack_pool_init(struct stack_pool *pool) {
    *pool = (struct stack_pool){0};
}

/* For a message: a reader in between sees one region's start with another's end, at worst. */
static void note_gone(const char *start, size_t size_bytes) {
    unsigned place = atomic_fetch_add(&gone_count, 1) % GONE_MOST;
    atomic_store(&gone[place].start, (uintptr_t)start);
    atomic_store(&gone[place].end, (uintptr_t)start + size_bytes);
}

/* What lies there from now on is nobody's of before. */
static void forget_gone(const char *start, size_t size_bytes) {
    uintptr_t end = (uintptr_t)start + size_bytes;
    for (unsigned i = 0; i < GONE_MOST; i++) {
        if (atomic_load(&gone[i].start) < end && (uintptr_t)start < atomic_load(&gone[i].end)) {
            atomic_store(&gone[i].end, 0);
        }
    }
}

bool stack_was_here(const void *address) {
    for (unsigned i = 0; i < GONE_MOST; i++) {
        if ((uintptr_t)address >= atomic_load(&gone[i].start) &&
            (uintptr_t)address < atomic_load(&gone[i].end)) {
            return true;
        }
    }
    return false;
}

static void forget_ids(struct stack_region *region) {
    for (size_t i = 0; region->valgrind_ids != NULL && i < region->cut; i++) {
        sanitize_stack_forget(region->valgrind_ids[i]);
    }
    mem_free(region->valgrind_ids);
}

void stack_pool_fini(struct stack_pool *pool) {
    for (size_t class = 0; class < STACK_CLASSES; class ++) {
        struct stack_region *region = pool->regions[class];
        while (region != NULL) {
            struct stack_region *older = region->older;
            forget_ids(region);
            if (atomic_load(&guard_kind) == STACK_GUARD_MPROTECT) {
                atomic_fetch_add(&mprotect_left, (long)region->guarded);
            }
            note_gone(region->start, region->stride * region->count);
            munmap(region->start, region->stride * region->count);
            mem_free(region);
            region = older;
        }
        mem_free(pool->cold[class].bases);
    }
    stack_pool_init(pool);
}

/* Reserves a region for at least one more stack; tries smaller ones when memory is short. */
static int add_region(struct stack_pool *pool, size_t class, size_t size_bytes) {
    struct stack_region *newest = pool->regions[class];
    size_t stride = size_bytes + STACK_GUARD;
    size_t count = newest == NULL ? FIRST_CUT : newest->count * 2;
    if (count > LARGEST_CUT) {
        count = LARGEST_CUT;
    }
    while (count * stride > LARGEST_REGION) { // a single one of the largest class is below
        count /= 2;
    }
    struct stack_region *region = mem_alloc(sizeof(*region));
    if (region == NULL) {
        return -ENOMEM;
    }
    char *start = MAP_FAILED;
    for (; count >= 1; count /= 2) {
        start = mmap(NULL, stride * count, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start != MAP_FAILED) {
            break;
        }
    }
    if (start == MAP_FAILED) {
        mem_free(region);
        return -ENOMEM;
    }
    must(((uintptr_t)start + stride * count) >> STACK_ADDRESS_BITS == 0);
    forget_gone(start, stride * count);
    madvise(start, stride * count, MADV_NOHUGEPAGE);
    *region = (struct stack_region){
        .older = newest, .start = start, .stride = stride, .count = count};
    if (sanitize_on_valgrind()) {
        region->valgrind_ids = mem_alloc(count * sizeof(*region->valgrind_ids));
    }
    pool->regions[class] = region;
    pool->region_count++;
    return 0;
}

static int cut_stack(struct stack_pool *pool, size_t size_bytes, struct stack *out_stack) {
    size_t class = stack_class(size_bytes);
    if (pool->regions[class] == NULL || pool->regions[class]->cut == pool->regions[class]->count) {
        int rc = add_region(pool, class, size_bytes);
        if (rc < 0) {
            return rc;
        }
    }
    struct stack_region *region = pool->regions[class];
    int rc = region->cut < region->guarded ? 0 : install_guards(region);
    if (rc < 0) {
        return rc;
    }
    char *base = guard_of(region, region->cut) + STACK_GUARD;
    unsigned id = sanitize_stack_register(base, base + size_bytes);
    if (region->valgrind_ids != NULL) {
        region->valgrind_ids[region->cut] = id;
    }
    region->cut++;
    pool->mapped_count++;
    *out_stack = (struct stack){base, size_bytes};
    return 0;
}

int stack_refill(struct stack_pool *pool, size_t size_bytes) {
    size_t class = stack_class(size_bytes);
    struct stack_cold *cold = &pool->cold[class];
    struct stack stack;
    if (mem_refuse() != 0) {
        return -ENOMEM;
    }
    if (pool->surplus[class] != NULL) {
        stack = stack_pop(&pool->surplus[class], size_bytes);
        pool->surplus_count--;
    } else if (cold->count > 0) {
        stack = (struct stack){cold->bases[--cold->count], size_bytes};
    } else {
        int rc = cut_stack(pool, size_bytes, &stack);
        if (rc < 0) {
            return rc;
        }
    }
    stack_push(&pool->hot[class], stack);
    pool->hot_count++;
    return 0;
}

void stack_give_surplus(struct stack_pool *pool, struct stack stack) {
    stack_push(&pool->surplus[stack_class(stack.size)], stack);
    pool->surplus_count++;
}

/* Gives the pages of one surplus stack back. Returns false without memory to note it down. */
static bool cool(struct stack_pool *pool, size_t class) {
    struct stack_cold *cold = &pool->cold[class];
    if (cold->count == cold->cap) {
        size_t cap = cold->cap == 0 ? STACK_HOT_MOST : cold->cap * 2;
        char **bases = mem_resize(cold->bases, cap * sizeof(*bases));
        if (bases == NULL) {
            return false;
        }
        cold->bases = bases;
        cold->cap = cap;
    }
    struct stack stack = stack_pop(&pool->surplus[class], STACK_MIN << class);
    pool->surplus_count--;
    madvise(stack.base, stack.size, MADV_DONTNEED);
    cold->bases[cold->count++] = stack.base;
    return true;
}

bool stack_trim(struct stack_pool *pool, unsigned most) {
    for (size_t class = 0; class < STACK_CLASSES && pool->surplus_count > 0; class ++) {
        for (; pool->surplus[class] != NULL && most > 0; most--) {
            if (!cool(pool, class)) {
                return false;
            }
        }
    }
    return pool->surplus_count > 0;
}

bool stack_pool_holds(const struct stack_pool *pool, const void *address) {
    const char *at = address;
    for (size_t class = 0; class < STACK_CLASSES; class ++) {
        const struct stack_region *region = pool->regions[class];
        for (; region != NULL; region = region->older) {
            if (at >= region->start && at < region->start + region->stride * region->count) {
                return true;
            }
        }
    }
    return false;
}

bool stack_guards(struct stack stack, const void *address) {
    const char *at = address;
    return stack.base != NULL && at >= stack.base - STACK_GUARD && at < stack.base;
}
