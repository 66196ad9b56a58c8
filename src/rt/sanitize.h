// SPDX-License-Identifier: MIT
/* sanitize.h – tells AddressSanitizer, ThreadSanitizer and Valgrind about every switch of stacks.
 *
 * Holds      struct sanitize_fiber: what the tools want remembered per stack; empty in release.
 * Invariant  every switch is bracketed by sanitize_leave and sanitize_arrive, on the right stacks.
 * Called by  coro.c and stack.c only.
 * Why        the tools follow the stack pointer; a jump to another stack looks like corruption.
 * Quirks     TSan's call must be inlined into the switching function, or its shadow stack underflows.
 */
#ifndef RT_SANITIZE_H
#define RT_SANITIZE_H

#include <stddef.h>

#if defined(JUGGLE_SANITIZE_ADDRESS)

#include <pthread.h>
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

/* Instrumented frames are several times as large. */
#define SANITIZE_STACK_FACTOR 4

struct sanitize_fiber {
    void *fake_stack;
    const void *bottom;
    size_t size;
};

static inline void sanitize_create(struct sanitize_fiber *fiber, const void *bottom, size_t size) {
    fiber->fake_stack = NULL;
    fiber->bottom = bottom;
    fiber->size = size;
    __asan_unpoison_memory_region(bottom, size);
}

/* The stack of the running thread. */
static inline void sanitize_adopt(struct sanitize_fiber *fiber) {
    pthread_attr_t attr;
    void *bottom = NULL;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstack(&attr, &bottom, &fiber->size);
        pthread_attr_destroy(&attr);
    }
    fiber->bottom = bottom;
}

static inline void sanitize_destroy(struct sanitize_fiber *fiber) {
    (void)fiber;
}

static inline void sanitize_leave(struct sanitize_fiber *from, struct sanitize_fiber *to,
                                  int ends) {
    __sanitizer_start_switch_fiber(ends ? NULL : &from->fake_stack, to->bottom, to->size);
}

static inline void sanitize_arrive(struct sanitize_fiber *self) {
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
}

static inline void sanitize_forked(void) {}

#elif defined(JUGGLE_SANITIZE_THREAD)

#include <sanitizer/tsan_interface.h>

void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreWritesBegin(const char *file, int line);
void AnnotateIgnoreSyncBegin(const char *file, int line);

struct sanitize_fiber {
    void *fiber;
};

static inline void sanitize_create(struct sanitize_fiber *fiber, const void *bottom, size_t size) {
    (void)bottom;
    (void)size;
    fiber->fiber = __tsan_create_fiber(0);
}

static inline void sanitize_adopt(struct sanitize_fiber *fiber) {
    fiber->fiber = __tsan_get_current_fiber();
}

/* A fiber cannot destroy itself: one that ends is left for whoever runs next. */
extern __thread void *sanitize_ended __attribute__((tls_model("initial-exec")));

static inline void sanitize_destroy(struct sanitize_fiber *fiber) {
    if (fiber->fiber == __tsan_get_current_fiber()) {
        sanitize_ended = fiber->fiber;
    } else {
        __tsan_destroy_fiber(fiber->fiber);
    }
}

static inline __attribute__((always_inline)) void
sanitize_leave(struct sanitize_fiber *from, struct sanitize_fiber *to, int ends) {
    (void)from;
    (void)ends;
    __tsan_switch_to_fiber(to->fiber, 0);
}

static inline void sanitize_arrive(struct sanitize_fiber *self) {
    (void)self;
    if (sanitize_ended != NULL) {
        __tsan_destroy_fiber(sanitize_ended);
        sanitize_ended = NULL;
    }
}

/* In the forked child of a process with several threads TSan looks away, as it cannot know what the
 * others were at. It takes fibers for threads, and tells only the one that forked. */
static inline void sanitize_forked(void) {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    AnnotateIgnoreSyncBegin(__FILE__, __LINE__);
}

#else

struct sanitize_fiber {
    char none[0];
};

static inline void sanitize_create(struct sanitize_fiber *fiber, const void *bottom, size_t size) {
    (void)fiber;
    (void)bottom;
    (void)size;
}

static inline void sanitize_adopt(struct sanitize_fiber *fiber) {
    (void)fiber;
}

static inline void sanitize_destroy(struct sanitize_fiber *fiber) {
    (void)fiber;
}

static inline void sanitize_leave(struct sanitize_fiber *from, struct sanitize_fiber *to,
                                  int ends) {
    (void)from;
    (void)to;
    (void)ends;
}

static inline void sanitize_arrive(struct sanitize_fiber *self) {
    (void)self;
}

static inline void sanitize_forked(void) {}

#endif

#if !defined(SANITIZE_STACK_FACTOR)
#define SANITIZE_STACK_FACTOR 1
#endif

#if defined(JUGGLE_HAVE_VALGRIND)

#include <valgrind/valgrind.h>

static inline unsigned sanitize_stack_register(void *bottom, void *top) {
    return (unsigned)VALGRIND_STACK_REGISTER(bottom, top);
}

static inline void sanitize_stack_forget(unsigned id) {
    VALGRIND_STACK_DEREGISTER(id);
}

static inline int sanitize_on_valgrind(void) {
    return (int)RUNNING_ON_VALGRIND;
}

#else

static inline unsigned sanitize_stack_register(void *bottom, void *top) {
    (void)bottom;
    (void)top;
    return 0;
}

static inline void sanitize_stack_forget(unsigned id) {
    (void)id;
}

static inline int sanitize_on_valgrind(void) {
    return 0;
}

#endif

#endif
