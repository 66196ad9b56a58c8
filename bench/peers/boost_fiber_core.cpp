// SPDX-License-Identifier: MIT
/* boost_fiber_core.cpp – Boost.Fiber 1.74: a yield, a fiber created and joined, a message, a lock.
 *
 * Holds      one pool of stacks per pass.
 * Invariant  every fiber created is joined inside the pass that created it.
 * Called by  run.py, `boost_fiber_core yield|spawn_join|chan|chan_buffered|lock WIDTH`.
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

/* Sends the numbers from 1 to `count` through the channel, and adds them up. */
template <typename Channel> static void send_and_add(Channel &channel, uint64_t count) {
    fibers::fiber sender([&channel, count] {
        for (uint64_t number = 1; number <= count; number++) {
            channel.push(number);
        }
    });
    uint64_t sum = 0;
    for (uint64_t left = count; left > 0; left--) {
        sum += channel.value_pop();
    }
    sender.join();
    if (sum != count * (count + 1) / 2) {
        measure_die("a message was lost or came twice", 0);
    }
}

static void pass_chan(uint64_t, uint64_t count) {
    fibers::unbuffered_channel<uint64_t> channel;
    send_and_add(channel, count);
}

static void pass_chan_buffered(uint64_t, uint64_t count) {
    fibers::buffered_channel<uint64_t> channel(64);
    send_and_add(channel, count);
}

static void pass_lock(uint64_t, uint64_t count) {
    fibers::mutex lock;
    for (uint64_t left = count; left > 0; left--) {
        lock.lock();
        lock.unlock();
    }
}

int main(int argc, char **argv) {
    static const struct measure_bench benches[] = {
        {"yield", pass_yield},
        {"spawn_join", pass_spawn_join},
        {"chan", pass_chan},
        {"chan_buffered", pass_chan_buffered},
        {"lock", pass_lock},
        {nullptr, nullptr},
    };
    return measure_main(argc, argv, benches);
}
