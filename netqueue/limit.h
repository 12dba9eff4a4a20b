/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limit: so many units (frames, bytes) per second, with a burst, for workers that share it.
 *
 * A token bucket told by one number, the moment at which what was let through will have been paid
 * for (the generic cell rate algorithm, ITU-T I.371 annex A). One word is one compare-and-swap: no
 * lock. Times are in 1/256 ns, so that a byte at 10 GB/s still costs a whole number.
 */
#ifndef NETQUEUE_LIMIT_H
#define NETQUEUE_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum limit_of { LIMIT_RATE, LIMIT_BROADCAST, LIMIT_MULTICAST, LIMIT_UNKNOWN, LIMIT_SHAPE, LIMITS };

struct limit_clock {
	_Atomic uint64_t paid;
};

struct limit {
	uint64_t cost;	/* of a unit; 0: no limit */
	uint64_t burst; /* how far ahead `paid` may be */
};

#define LIMIT_SECOND (UINT64_C(1000000000) * 256)

/* `per_second` 0: no limit. */
static inline struct limit limit_make(uint64_t per_second, uint64_t burst)
{
	if (!per_second)
		return (struct limit){0};
	uint64_t cost = LIMIT_SECOND / per_second;

	cost += !cost;
	return (struct limit){.cost = cost, .burst = burst * cost};
}

static inline bool limit_pass(const struct limit *limit, struct limit_clock *clock, uint64_t now_ns,
			      uint64_t units)
{
	uint64_t now = now_ns * 256, price = units * limit->cost, next;
	uint64_t paid = atomic_load_explicit(&clock->paid, memory_order_relaxed);

	do {
		next = (paid > now ? paid : now) + price;
		if (next - now > limit->burst)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(
		&clock->paid, &paid, next, memory_order_relaxed, memory_order_relaxed));
	return true;
}

#endif
