/* SPDX-License-Identifier: BSD-3-Clause */
/* hdr_test: percentiles come back within the error that the histogram promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/bench.h"

static void test_error(void **state)
{
	(void)state;
	for (uint64_t ns = 1; ns < UINT64_C(60000000000); ns = ns * 5 / 4 + 1) {
		struct bench_hdr *hdr = calloc(1, sizeof(*hdr));

		assert_non_null(hdr);
		bench_hdr_add(hdr, ns);
		bench_hdr_add(hdr, ns * 16); /* so that the maximum does not tell */
		uint64_t back = bench_hdr_at(hdr, 0.5);
		if (back < ns || (double)(back - ns) > 0.016 * (double)ns)
			fail_msg("%llu came back as %llu", (unsigned long long)ns,
				 (unsigned long long)back);
		assert_int_equal(hdr->max, ns * 16);
		free(hdr);
	}
}

static void test_percentiles(void **state)
{
	struct bench_hdr *hdr = calloc(1, sizeof(*hdr));
	uint64_t before = 0;

	(void)state;
	assert_non_null(hdr);
	assert_int_equal(bench_hdr_at(hdr, 0.5), 0);
	for (uint64_t i = 1; i <= 10000; i++)
		bench_hdr_add(hdr, i * 1000);
	for (double share = 0.01; share <= 1; share += 0.01) {
		uint64_t at = bench_hdr_at(hdr, share);

		assert_true(at >= before);
		assert_true((double)at >= share * 9.9e6 && (double)at <= share * 1.02e7 + 2000);
		before = at;
	}
	assert_int_equal(bench_hdr_at(hdr, 1), 10000000);
	bench_hdr_add(hdr, UINT64_MAX); /* beyond all buckets */
	assert_true(bench_hdr_at(hdr, 1) > 10000000);
	free(hdr);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_percentiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
