// SPDX-License-Identifier: MIT
/* boost_fiber_core.cpp – Boost.Fiber 1.74: a yield, and a fiber created and joined.
 *
 * Holds      one pool of stacks per pass.
 * Invariant  every fiber created is joined inside the pass that created it.
 * Called by  run.py, `boost_fiber_core yield|spawn_join WIDTH`.
 * Why        the usual stackful choice in C++.
 * Quirks     the default scheduler (round robin) and a pooled stack allocator, its fastest
 *            documented configuration; the default allocator takes each stack from malloc. Stacks
 *            are unguarded.
 */
#include "common/measure.h"

#include <boost/fiber/all.hpp>
#include <boost/fiber/pooled_fixedsize_stack.hpp>
#include <memory>
#include <vector>

namespace fibers = boost::fibers;

/* Creates `width` fibers running fn and joins them in order. */
template <typename Function>
static void create_and_join(fibers::pooled_fixedsize_stack &stacks, std::vector<fibers::fiber> &all,
                            Function fn) {
    for (fibers::fiber &fiber : all) {
        fiber = fibers::fiber(std::allocator_arg, stacks, fn);
    }
    for (fibers::fiber &fiber : all) {
        fiber.join();
    }
}

static void pass_yield(uint64_t width, uint64_t count) {
    fibers::pooled_fixedsize_stack stacks;
    std::vector<fibers::fiber> all(width);
    create_and_join(stacks, all, [each = count / width] {
        for (uint64_t left = each; left > 0; left--) {
            boost::this_fiber::yield();
        }
    });
}

static void pass_spawn_join(uint64_t width, uint64_t count) {
    fibers::pooled_fixedsize_stack stacks;
    std::vector<fibers::fiber> all(width);
    for (uint64_t done = 0; done < count; done += width) {
        create_and_join(stacks, all, [] {});
    }
}

int main(int argc, char **argv) {
    static const struct measure_bench benches[] = {
        {"yield", pass_yield},
        {"spawn_join", pass_spawn_join},
        {nullptr, nullptr},
    };
    return measure_main(argc, argv, benches);
}
