/* SPDX-License-Identifier: BSD-3-Clause */
/* bench_report_test: what is made of values, what is taken for a report, and the page. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/bench_cost.h"
#include "cli/bench_report.h"

static const char text[] =
	"{\"schema\":1,\"kind\":\"nic\",\"started\":\"2026-01-01T00:00:00Z\",\"complete\":true,"
	"\"rounds\":3,\"environment\":{\"emulated\":true,\"cpu\":\"<QEMU> & others\"},\"checks\":[],"
	"\"paths\":["
	"{\"name\":\"emulated\",\"label\":\"one\",\"available\":true,\"why_not\":null,\"works\":["
	"{\"name\":\"up\",\"unit\":\"Mbit/s\",\"better\":\"more\",\"values\":[10,30,20],\"invalid\":1}],"
	"\"latency\":{\"p50\":100,\"p99\":200,\"p999\":300,\"max\":400,\"cdf\":[[0.5,100],[0.99,200]]},"
	"\"cost\":{\"packets\":100,\"exits\":5,\"exits_to_vmm\":3,\"interrupts\":1,"
	"\"by_reason\":{\"mmio-write\":2,\"mmio-read\":1},\"cpu_us\":{\"x/cpu0\":70}}},"
	"{\"name\":\"tap\",\"label\":\"two\",\"available\":true,\"why_not\":null,\"works\":[],"
	"\"cost\":{\"packets\":100,\"exits\":2,\"exits_to_vmm\":0,\"interrupts\":1,"
	"\"by_reason\":{},\"cpu_us\":{}}},"
	"{\"name\":\"vf\",\"label\":\"three\",\"available\":false,\"why_not\":\"no PF\",\"works\":[]}"
	"]}";

static json_t *report(void)
{
	json_t *json = json_loads(text, 0, NULL);

	assert_non_null(json);
	return json;
}

static bool ok(const json_t *json, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach (json_object_get(json, "checks"), i, item)
		if (!strcmp(json_string_value(json_object_get(item, "name")), name))
			return json_is_true(json_object_get(item, "ok"));
	fail_msg("no check '%s'", name);
	return false;
}

static void test_finish(void **state)
{
	json_t *json = report();
	const char *what;

	(void)state;
	bench_report_finish(json);
	const json_t *first = json_array_get(json_object_get(json, "paths"), 0);
	const json_t *work = json_array_get(json_object_get(first, "works"), 0);
	assert_int_equal(json_number_value(json_object_get(work, "median")), 20);
	assert_int_equal(json_number_value(json_object_get(work, "spread")), 5);
	const char *why = json_string_value(json_object_get(first, "why"));
	assert_non_null(
		strstr(why, "3.00 exits per packet reach the VMM, most of them mmio-write"));
	assert_non_null(strstr(why, "x/cpu0 works longest"));
	assert_true(ok(json, "emulated: percentiles grow"));
	assert_true(ok(json, "emulated: exits by reason sum up"));
	assert_true(ok(json, "tap makes fewer exits than emulated"));
	assert_int_equal(bench_report_check(json, &what), 0);
	json_decref(json);
}

/* The checks can fail. */
static void test_not_so(void **state)
{
	json_t *json = report();
	json_t *first = json_array_get(json_object_get(json, "paths"), 0);

	(void)state;
	json_object_set_new(json_object_get(first, "cost"), "exits", json_real(1));
	json_object_set_new(json_object_get(first, "cost"), "exits_to_vmm", json_real(4));
	json_object_set_new(json_object_get(first, "latency"), "max", json_integer(150));
	bench_report_finish(json);
	assert_false(ok(json, "emulated: percentiles grow"));
	assert_false(ok(json, "emulated: exits by reason sum up"));
	assert_false(ok(json, "tap makes fewer exits than emulated"));
	json_decref(json);
}

static void test_bad(void **state)
{
	static const char *const keys[] = {"schema",	  "kind",  "started", "complete",
					   "environment", "paths", "checks"};
	const char *what;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *json = report();

		json_object_del(json, keys[i]);
		assert_int_equal(bench_report_check(json, &what), -EINVAL);
		json_decref(json);
	}
	json_t *json = report();
	json_object_set_new(json, "schema", json_integer(BENCH_SCHEMA + 1));
	assert_int_equal(bench_report_check(json, &what), -EINVAL);
	json_decref(json);
	json = report();
	json_object_del(json_array_get(json_object_get(json, "paths"), 1), "works");
	assert_int_equal(bench_report_check(json, &what), -EINVAL);
	json_decref(json);
}

/* How often `word` stands in `page`. */
static unsigned occurs(const char *page, const char *word)
{
	unsigned n = 0;

	for (const char *at = page; (at = strstr(at, word)); at++)
		n++;
	return n;
}

static void test_page(void **state)
{
	static const char *const tags[] = {"svg", "figure", "table", "h2", "dl", "ul", "div"};
	json_t *json = report();
	char *page = NULL, open[16], close[16];
	size_t len;
	FILE *out = open_memstream(&page, &len);

	(void)state;
	bench_report_finish(json);
	bench_report_html(out, json);
	fclose(out);
	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		snprintf(open, sizeof(open), "<%s", tags[i]);
		snprintf(close, sizeof(close), "</%s>", tags[i]);
		assert_int_equal(occurs(page, open), occurs(page, close));
		assert_true(occurs(page, open) > 0);
	}
	assert_int_equal(occurs(page, "<script"), 0);
	assert_int_equal(occurs(page, "http"), 0); /* nothing comes from elsewhere */
	assert_non_null(strstr(page, "&lt;QEMU&gt; &amp; others"));
	assert_non_null(strstr(page, "Skipped: no PF"));
	assert_non_null(strstr(page, "emulated one"));
	assert_null(strstr(page, "nan"));
	free(page);
	json_decref(json);
}

/* Counters before and after become costs per packet. */
static void test_cost(void **state)
{
	json_t *before =
		json_loads("{\"total\":100,\"exits\":{\"mmio-write\":100,\"io-read\":5},"
			   "\"cpus\":[{\"engine\":{\"exits\":1000,\"irq_injections\":10}}],"
			   "\"threads\":{\"x/cpu0\":1000}}",
			   0, NULL);
	json_t *after =
		json_loads("{\"total\":300,\"exits\":{\"mmio-write\":300,\"io-read\":5},"
			   "\"cpus\":[{\"engine\":{\"exits\":1500,\"irq_injections\":110}}],"
			   "\"threads\":{\"x/cpu0\":6000}}",
			   0, NULL);
	json_t *cost = bench_cost_of(before, after, 100);

	(void)state;
	assert_int_equal(json_number_value(json_object_get(cost, "exits")), 5);
	assert_int_equal(json_number_value(json_object_get(cost, "exits_to_vmm")), 2);
	assert_int_equal(json_number_value(json_object_get(cost, "interrupts")), 1);
	assert_int_equal(json_object_size(json_object_get(cost, "by_reason")), 1);
	assert_int_equal(
		json_number_value(json_object_get(json_object_get(cost, "cpu_us"), "x/cpu0")), 50);
	json_decref(cost);
	assert_null(bench_cost_of(before, NULL, 100));
	assert_null(bench_cost_of(before, after, 0));
	json_decref(before);
	json_decref(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finish), cmocka_unit_test(test_not_so),
		cmocka_unit_test(test_bad),    cmocka_unit_test(test_page),
		cmocka_unit_test(test_cost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
