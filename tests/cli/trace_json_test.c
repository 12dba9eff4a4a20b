/* SPDX-License-Identifier: BSD-3-Clause */
/* trace_json_test: what is written is JSON, with a slice per exit on its CPU's track. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/trace_json.h"

static json_t *write_trace(const char *events, const char *regions)
{
	char *text = NULL;
	size_t len;
	json_t *e = json_loads(events, 0, NULL), *r = json_loads(regions, 0, NULL);
	struct trace_json trace = {.out = open_memstream(&text, &len), .pid = 7, .regions = r};

	trace_json_begin(&trace, "we\"b", 2);
	trace_json_add(&trace, e);
	trace_json_end(&trace);
	fclose(trace.out);
	json_t *json = json_loads(text, 0, NULL);
	free(text);
	json_decref(e);
	json_decref(r);
	assert_non_null(json);
	return json;
}

static const json_t *slice(const json_t *json, size_t i)
{
	return json_array_get(json_object_get(json, "traceEvents"), i);
}

static const char *word(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void test_slices(void **state)
{
	json_t *json = write_trace("[[5000, 1500, 1, 1, 1017], [9000, 10, 0, 2, 4273995776], "
				   "[9500, 10, 0, 5, 0], [1], \"x\"]",
				   "[{\"name\": \"serial\", \"space\": \"io\", \"base\": 1016, "
				   "\"size\": 8}]");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(json, "traceEvents")), 6);
	assert_string_equal(word(json_object_get(slice(json, 0), "args"), "name"), "we\"b");
	assert_string_equal(word(json_object_get(slice(json, 2), "args"), "name"), "cpu1");
	assert_string_equal(word(slice(json, 3), "name"), "io-write serial");
	assert_string_equal(word(slice(json, 3), "ph"), "X");
	assert_string_equal(word(json_object_get(slice(json, 3), "args"), "address"), "0x3f9");
	assert_int_equal(json_integer_value(json_object_get(slice(json, 3), "tid")), 1);
	assert_true(json_number_value(json_object_get(slice(json, 3), "ts")) == 5.0);
	assert_true(json_number_value(json_object_get(slice(json, 3), "dur")) == 1.5);
	assert_string_equal(word(slice(json, 4), "name"), "mmio-read");
	assert_string_equal(word(slice(json, 5), "name"), "halt");
	assert_null(json_object_get(json_object_get(slice(json, 5), "args"), "address"));
	json_decref(json);
}

static void test_empty(void **state)
{
	json_t *json = write_trace("[]", "[]");

	(void)state;
	assert_int_equal(json_array_size(json_object_get(json, "traceEvents")), 3);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
