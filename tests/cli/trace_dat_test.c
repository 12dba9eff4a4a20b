/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * trace_dat_test: what is written is a trace.dat, byte for byte where its manual says so, and,
 * where trace-cmd is installed, in the eyes of trace-cmd.
 */
#include "cli/trace_dat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

/* Two CPUs by turns; the last event of CPU 1 comes a second after the one before: more than the 27
 * bits that an event's own word has for it. */
static const char events[] = "[[5000000000, 1500, 1, 1, 1017], [5000001000, 10, 0, 2, 4273995776], "
			     "[5000002000, 20, 0, 5, 0], [6000000000, 30, 1, 0, 1016], "
			     "[1, 1, 7, 0, 0], [-5, 1, 0, 0, 0], \"x\"]";
static const char regions[] =
	"[{\"name\": \"serial\", \"space\": \"io\", \"base\": 1016, \"size\": 8}]";
static const char cpus[] = "[{\"cpu\": 0, \"thread\": 4711}, {\"cpu\": 1, \"thread\": 4712}]";

static void write_trace(FILE *out, unsigned times)
{
	json_t *e = json_loads(events, 0, NULL), *r = json_loads(regions, 0, NULL);
	json_t *c = json_loads(cpus, 0, NULL);
	struct trace_dat trace = {.out = out, .regions = r};

	assert_int_equal(trace_dat_begin(&trace, "web", c), 0);
	while (times--)
		trace_dat_add(&trace, e);
	assert_int_equal(trace_dat_end(&trace), 0);
	json_decref(e);
	json_decref(r);
	json_decref(c);
}

static uint64_t get(const char *at, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, at, len);
	return value;
}

static void test_bytes(void **state)
{
	static const char head[] = "\x17\x08\x44tracing6\0\0\x8\0\x10\0\0header_page\0";
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	write_trace(out, 1);
	fclose(out);
	assert_memory_equal(text, head, sizeof(head) - 1);
	assert_int_equal(size % 4096, 0);
	const char *table = memmem(text, size, "flyrecord", 10);
	assert_non_null(table);
	table += 10;
	for (size_t cpu = 0; cpu < 2; cpu++, table += 16) {
		uint64_t at = get(table, 8);

		assert_int_equal(get(table + 8, 8), 4096);
		assert_int_equal(at % 4096, 0);
		assert_in_range(at, 4096, size - 4096);
		assert_int_equal(get(text + at, 8), cpu ? 5000000000 : 5000001000);
		/* two events, the second of CPU 1 behind two words of time */
		assert_int_equal(get(text + at + 8, 8), cpu ? 84 + 8 + 84 : 84 + 84);
	}
	free(text);
}

/* ---- what trace-cmd makes of it ---- */

static char *report(const char *options, const char *path)
{
	char command[160], *text = calloc(1, 1 << 20);

	snprintf(command, sizeof(command), "trace-cmd report %s -i %s 2>&1", options, path);
	FILE *in = popen(command, "r"); /* NOLINT: our own temporary file */

	assert_non_null(in);
	assert_true(fread(text, 1, (1 << 20) - 1, in) > 0);
	assert_int_equal(pclose(in), 0);
	return text;
}

static size_t lines_with(const char *text, const char *what)
{
	size_t count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

static void test_trace_cmd(void **state)
{
	char path[] = "/tmp/trace-dat-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	FILE *out = fdopen(fd, "w");
	write_trace(out, 1);
	fclose(out);
	if (system("command -v trace-cmd >/dev/null 2>&1") != 0) {
		unlink(path);
		print_message("skipped: trace-cmd is not installed\n");
		skip();
	}
	char *text = report("-t", path);
	static const char *const wanted[] = {
		"cpus=2",
		"web/cpu1-4712",
		"5.000000000: exit:",
		"io-write serial addr=0x3f9 ns=1500",
		"web/cpu0-4711",
		"5.000001000: exit:",
		"mmio-read  addr=0xfec00000 ns=10",
		"halt  addr=0x0 ns=20",
		"6.000000000: exit:",
		"io-read serial addr=0x3f8 ns=30",
	};
	const char *at = text;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const char *found = strstr(at, wanted[i]);

		if (!found)
			fail_msg("trace-cmd does not say '%s' but:\n%s", wanted[i], text);
		else
			at = found; /* in the order of time, over both CPUs */
	}
	assert_int_equal(lines_with(text, "exit:"), 4);
	free(text);
	unlink(path);
}

/* Many pages: none is lost at their borders. */
static void test_long(void **state)
{
	char path[] = "/tmp/trace-dat-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	FILE *out = fdopen(fd, "w");
	write_trace(out, 500);
	fclose(out);
	if (system("command -v trace-cmd >/dev/null 2>&1") != 0) {
		unlink(path);
		print_message("skipped: trace-cmd is not installed\n");
		skip();
	}
	char *text = report("", path);
	assert_int_equal(lines_with(text, ": exit:"), 2000);
	assert_int_equal(lines_with(text, "io-write serial"), 500);
	free(text);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_trace_cmd),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
