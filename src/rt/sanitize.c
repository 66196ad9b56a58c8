// SPDX-License-Identifier: MIT
/* sanitize.c – the one word ThreadSanitizer's annotations have to remember.
 *
 * Holds      per thread, the fiber that ended last and is not destroyed yet.
 * Invariant  NULL but between a coroutine's end and the next one's first step.
 * Called by  sanitize.h. Unused in other builds.
 * Why        see sanitize.h.
 */
#include "rt/sanitize.h"

extern __thread void *sanitize_ended __attribute__((tls_model("initial-exec")));
__thread void *sanitize_ended;
