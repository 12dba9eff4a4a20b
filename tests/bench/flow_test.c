/* SPDX-License-Identifier: BSD-3-Clause */
/* flow_test: both ends of every flow, over the loopback interface; and an end that is not there. */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/bench.h"

/* One of the loopback's many addresses that nothing else listens at. */
static struct in_addr here(void)
{
	return (struct in_addr){.s_addr = htonl(0x7f0b1e57)};
}

static json_t *flow(const char *command)
{
	char text[BENCH_RESULT];

	assert_int_equal(bench_flow_run(here(), command, text), 0);
	json_t *result = json_loads(text, 0, NULL);
	if (!result)
		fail_msg("%s", text);
	assert_true(json_number_value(json_object_get(result, "value")) > 0);
	return result;
}

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static void test_streams(void **state)
{
	(void)state;
	json_decref(flow("up ms=50"));
	json_decref(flow("down ms=50"));
	json_decref(flow("conn ms=50"));
}

static void test_datagrams(void **state)
{
	json_t *result = flow("udp ms=200 size=64 rate=1000");

	(void)state;
	/* No more than the rate asks for, however slow the machine is. */
	assert_true(number(result, "sent") <= 1000);
	assert_true(number(result, "received") <= number(result, "sent"));
	assert_true(number(result, "loss") >= 0 && number(result, "loss") <= 1);
	json_decref(result);
	json_decref(flow("udp ms=50 size=0 rate=500"));
	json_decref(flow("udp ms=20 size=1518"));
}

static void test_latency(void **state)
{
	static const char *const shares[] = {"min", "p50", "p99", "p999", "max"};
	json_t *result = flow("rr ms=100 flight=32"), *point;
	double before = 0;
	size_t i;

	(void)state;
	for (i = 0; i < 5; i++) {
		double ns = number(json_object_get(result, "ns"), shares[i]);

		assert_true(ns > 0 &&
			    ns >= before * 0.98); /* the least is exact, the others are not */
		before = ns;
	}
	before = 0;
	json_array_foreach (json_object_get(result, "cdf"), i, point) {
		assert_true(json_number_value(json_array_get(point, 1)) >= before);
		before = json_number_value(json_array_get(point, 1));
	}
	json_decref(result);
	result = flow("rr ms=200 flight=1 rate=100");
	assert_true(number(result, "count") <= 21);
	json_decref(result);
}

static void test_bad(void **state)
{
	struct in_addr nobody = {.s_addr = htonl(0x7f0b1e58)};
	char text[BENCH_RESULT];

	(void)state;
	assert_int_equal(bench_flow_run(here(), "dance ms=10", text), -EINVAL);
	assert_int_equal(bench_flow_run(here(), "", text), -EINVAL);
	assert_int_equal(bench_flow_run(nobody, "up ms=10", text), -ECONNREFUSED);
	assert_int_equal(bench_flow_run(nobody, "udp ms=10", text), -ECONNREFUSED);
}

static int set_up(void **state)
{
	struct bench_peer *peer = NULL;
	int err = bench_peer_start(here(), &peer);

	*state = peer;
	return err;
}

static int tear_down(void **state)
{
	bench_peer_stop(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_latency),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
