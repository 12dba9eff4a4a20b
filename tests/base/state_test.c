/* SPDX-License-Identifier: BSD-3-Clause */
/* state: what is put is taken; a saved state is not trusted. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/state.h"

static struct state *parse(const char *text)
{
	struct state *s = NULL;

	assert_int_equal(state_parse("state", text, strlen(text), &s), 0);
	return s;
}

static void test_round_trip(void **arg)
{
	static const uint8_t bytes[] = {0x00, 0x7f, 0xff};
	uint8_t back[sizeof(bytes)];
	struct state *w = state_new();

	(void)arg;
	struct state *cpu = state_item(w, "cpu", 1);
	state_put(cpu, "tsc", UINT64_MAX);
	state_put_bytes(cpu, "xsave", bytes, sizeof(bytes));
	state_put_text(cpu, "model", "any");
	assert_int_equal(state_error(w), 0);
	char *text = state_text(w);
	state_free(w);

	struct state *r = parse(text);
	free(text);
	cpu = state_open_item(r, "cpu", 1);
	assert_true(state_take(cpu, "tsc", UINT64_MAX) == UINT64_MAX);
	assert_int_equal(state_bytes(cpu, "xsave"), sizeof(bytes));
	state_take_bytes(cpu, "xsave", back, sizeof(back));
	assert_memory_equal(back, bytes, sizeof(bytes));
	assert_string_equal(state_take_text(cpu, "model"), "any");
	assert_true(state_has(cpu, "tsc"));
	assert_false(state_has(cpu, "apic"));
	assert_int_equal(state_error(r), 0);
	state_free(r);
}

/* The first error stays, wherever in the tree it was, and what is taken is 0. */
static void test_bounds(void **arg)
{
	struct state *r = parse("{\"uart\":{\"ier\":\"256\",\"lcr\":\"3\"}}");
	struct state *uart = state_open(r, "uart");

	(void)arg;
	assert_int_equal(state_take(uart, "lcr", 255), 3);
	assert_int_equal(state_error(r), 0);
	assert_int_equal(state_take(uart, "ier", 255), 0);
	assert_int_equal(state_error(r), -ERANGE);
	assert_int_equal(state_take(uart, "lcr", 255), 0);
	assert_null(state_open(r, "pci"));
	assert_int_equal(state_error(r), -ERANGE);
	state_free(r);
}

static void test_bad_values(void **arg)
{
	static const struct {
		const char *text;
		int err;
	} cases[] = {
		{"{}", -ENOENT},
		{"{\"b\":3}", -EINVAL},
		{"{\"b\":\"0\"}", -ERANGE},
		{"{\"b\":\"zz\"}", -EINVAL},
		{"{\"b\":\"0A\"}", -EINVAL},
		{"{\"b\":\"0102\"}", -ERANGE},
		{"{\"b\":{}}", -EINVAL},
	};

	(void)arg;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct state *r = parse(cases[i].text);
		uint8_t byte = 1;

		state_take_bytes(r, "b", &byte, 1);
		assert_int_equal(byte, 0);
		assert_int_equal(state_error(r), cases[i].err);
		state_free(r);
	}
}

static void test_not_a_state(void **arg)
{
	static const char *const bad[] = {"", "[]", "{", "{\"a\":1,\"a\":2}", "null"};
	struct state *r = NULL;

	(void)arg;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(state_parse("state", bad[i], strlen(bad[i]), &r), -EINVAL);
	/* A part that was not there passes its error on, and crashes nobody. */
	assert_int_equal(state_take(NULL, "x", 1), 0);
	assert_null(state_open(NULL, "x"));
	assert_int_equal(state_error(NULL), -ENOMEM);
}

static void test_refuse(void **arg)
{
	struct state *r = parse("{\"uart\":{}}");

	(void)arg;
	state_refuse(state_open(r, "uart"), -EPROTO, "impossible");
	assert_int_equal(state_error(r), -EPROTO);
	state_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bad_values), cmocka_unit_test(test_not_a_state),
		cmocka_unit_test(test_refuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
