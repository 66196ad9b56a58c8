// SPDX-License-Identifier: MIT
/* hist.c – see hist.h.
 *
 * Holds      the mapping between values and steps, both ways.
 * Invariant  slot_of is monotonic, and slot_middle lies in the step it is asked for.
 * Called by  workers and reports.
 * Why        the shape of HdrHistogram, without its configurable unit and range.
 * Quirks     below 2 * HIST_STEPS every value has a step of its own and is exact.
 */
#include "hist.h"

static unsigned slot_of(uint64_t value) {
    if (value < HIST_STEPS) {
        return (unsigned)value;
    }
    unsigned doubling = 63 - (unsigned)__builtin_clzll(value) - HIST_STEP_BITS;
    return doubling * HIST_STEPS + (unsigned)(value >> doubling);
}

static uint64_t slot_middle(unsigned slot) {
    if (slot < 2 * HIST_STEPS) {
        return slot;
    }
    unsigned doubling = slot / HIST_STEPS - 1;
    uint64_t lowest = (uint64_t)(slot - doubling * HIST_STEPS) << doubling;
    return lowest + (UINT64_C(1) << doubling) / 2;
}

static void raise_to(_Atomic uint64_t *mark, uint64_t value) {
    uint64_t seen = atomic_load_explicit(mark, memory_order_relaxed);
    while (seen < value && !atomic_compare_exchange_weak_explicit(
                               mark, &seen, value, memory_order_relaxed, memory_order_relaxed)) {}
}

void hist_record(struct hist *hist, uint64_t value_ns) {
    raise_to(&hist->max, value_ns);
    raise_to(&hist->below_max, UINT64_MAX - value_ns);
    _Atomic uint64_t *counter = &hist->overflow;
    if (value_ns >> HIST_RANGE_BITS == 0) {
        counter = &hist->counts[slot_of(value_ns)];
    }
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void hist_merge(struct hist *into, const struct hist *from) {
    raise_to(&into->max, from->max);
    raise_to(&into->below_max, from->below_max);
    atomic_fetch_add_explicit(&into->overflow, from->overflow, memory_order_relaxed);
    for (unsigned slot = 0; slot < HIST_SLOTS; slot++) {
        uint64_t count = atomic_load_explicit(&from->counts[slot], memory_order_relaxed);
        if (count != 0) {
            atomic_fetch_add_explicit(&into->counts[slot], count, memory_order_relaxed);
        }
    }
}

uint64_t hist_count(const struct hist *hist) {
    uint64_t sum = hist->overflow;
    for (unsigned slot = 0; slot < HIST_SLOTS; slot++) {
        sum += atomic_load_explicit(&hist->counts[slot], memory_order_relaxed);
    }
    return sum;
}

uint64_t hist_min(const struct hist *hist) {
    return hist->below_max == 0 ? 0 : UINT64_MAX - hist->below_max;
}

uint64_t hist_max(const struct hist *hist) {
    return hist->max;
}

uint64_t hist_mean(const struct hist *hist) {
    unsigned __int128 sum = (unsigned __int128)hist->overflow * hist->max;
    uint64_t count = hist->overflow;
    for (unsigned slot = 0; slot < HIST_SLOTS; slot++) {
        uint64_t samples = atomic_load_explicit(&hist->counts[slot], memory_order_relaxed);
        sum += (unsigned __int128)samples * slot_middle(slot);
        count += samples;
    }
    return count == 0 ? 0 : (uint64_t)(sum / count);
}

static uint64_t within(uint64_t value, uint64_t low, uint64_t high) {
    return value < low ? low : value > high ? high : value;
}

uint64_t hist_quantile(const struct hist *hist, uint64_t share, uint64_t whole) {
    unsigned __int128 scaled = (unsigned __int128)hist_count(hist) * share;
    uint64_t rank = (uint64_t)((scaled + whole - 1) / whole);
    uint64_t passed = 0;
    for (unsigned slot = 0; rank > 0 && slot < HIST_SLOTS; slot++) {
        passed += atomic_load_explicit(&hist->counts[slot], memory_order_relaxed);
        if (passed >= rank) {
            return within(slot_middle(slot), hist_min(hist), hist_max(hist));
        }
    }
    return hist_max(hist);
}
