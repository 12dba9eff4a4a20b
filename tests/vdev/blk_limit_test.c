/* SPDX-License-Identifier: BSD-3-Clause */
/* blk_limit: over any second no more than the rate, and never less for long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vdev/blk_limit.h"

#define SECOND 1000000000u

/* As many requests of `bytes` as are let through until `end`, by one who waits as told. */
static unsigned requests_until(struct vdev_blk_limit *limit, uint64_t *now, uint64_t end,
			       uint64_t bytes)
{
	unsigned count = 0;

	while (*now < end) {
		uint64_t wait = vdev_blk_limit_wait(limit, *now);

		if (wait) {
			*now += wait;
			continue;
		}
		vdev_blk_limit_charge(limit, bytes);
		count++;
		*now += 1000;
	}
	return count;
}

static void test_requests(void **state)
{
	struct vdev_blk_limit limit;
	uint64_t now = 5 * (uint64_t)SECOND;

	(void)state;
	vdev_blk_limit_init(&limit, 500, 0, now);
	assert_in_range(requests_until(&limit, &now, 15 * (uint64_t)SECOND, 4096), 4995, 5052);
}

static void test_bytes(void **state)
{
	struct vdev_blk_limit limit;
	uint64_t now = 0;

	(void)state;
	vdev_blk_limit_init(&limit, 0, 1 << 20, now);
	assert_in_range(requests_until(&limit, &now, 10 * (uint64_t)SECOND, 4096), 2550, 2590);
	/* one that is larger than a second's worth passes, and is paid for */
	vdev_blk_limit_init(&limit, 0, 1 << 20, now);
	vdev_blk_limit_wait(&limit, now);
	vdev_blk_limit_charge(&limit, 4 << 20);
	assert_in_range(vdev_blk_limit_wait(&limit, now), 3 * (uint64_t)SECOND,
			4 * (uint64_t)SECOND + 1);
}

/* An idle hour is worth no more than a tenth of a second. */
static void test_idle(void **state)
{
	struct vdev_blk_limit limit;
	uint64_t now = 0;

	(void)state;
	vdev_blk_limit_init(&limit, 1000, 0, now);
	now = 3600 * (uint64_t)SECOND;
	assert_in_range(requests_until(&limit, &now, now + SECOND, 512), 1000, 1102);
}

static void test_none(void **state)
{
	struct vdev_blk_limit limit;

	(void)state;
	vdev_blk_limit_init(&limit, 0, 0, 0);
	for (unsigned i = 0; i < 100; i++) {
		vdev_blk_limit_charge(&limit, UINT32_MAX);
		assert_int_equal(vdev_blk_limit_wait(&limit, i), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
