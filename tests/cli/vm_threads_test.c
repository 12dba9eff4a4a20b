/* SPDX-License-Identifier: BSD-3-Clause */
/* What a VMM says of its process and threads, against a /proc that is made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/vm_threads.h"
#include "tests/fakes/fake_sysfs.h"

static void put(struct fake_sysfs *fs, const char *tid, const char *numbers)
{
	char text[128];

	snprintf(text, sizeof(text), "Name:\tweb/cpu0\nNSpid:\t%s\nSeccomp:\t2\n", numbers);
	fake_put(&fs->fs, text, "812/task/%s/status", tid);
}

static int thread_of(const json_t *answer, size_t cpu)
{
	return (int)json_integer_value(
		json_object_get(json_array_get(json_object_get(answer, "cpus"), cpu), "thread"));
}

static json_t *make_answer(void)
{
	return json_pack("{s:i,s:[{s:i},{s:i},{s:i}]}", "pid", 812, "cpus", "thread", 7, "thread",
			 9, "thread", 815);
}

static void test_sandboxed(void **state)
{
	struct fake_sysfs fs;
	json_t *answer = make_answer();

	(void)state;
	fake_sysfs_make(&fs);
	put(&fs, "812", "812\t1");
	put(&fs, "815", "815\t9");
	put(&fs, "819", "819\t7");
	fake_link(&fs.fs, "/usr/libexec/sluice/sluice-vmm", "812/exe");
	vm_threads_translate(fs.dir, answer);
	assert_int_equal(json_integer_value(json_object_get(answer, "pid")), 812);
	assert_int_equal(thread_of(answer, 0), 819);
	assert_int_equal(thread_of(answer, 1), 815);
	assert_int_equal(thread_of(answer, 2), 0); /* it has no thread of that number */
	json_decref(answer);
	fake_sysfs_remove(&fs);
}

static void test_plain(void **state)
{
	struct fake_sysfs fs;
	json_t *answer = make_answer();

	(void)state;
	fake_sysfs_make(&fs);
	put(&fs, "812", "812");
	fake_link(&fs.fs, "/opt/sluice-vmm (deleted)", "812/exe");
	vm_threads_translate(fs.dir, answer);
	assert_int_equal(thread_of(answer, 0), 7);
	assert_int_equal(thread_of(answer, 2), 815);
	json_decref(answer);
	fake_sysfs_remove(&fs);
}

/* It names somebody else's process, whose threads we might move. */
static void test_liar(void **state)
{
	struct fake_sysfs fs;
	json_t *answer = make_answer();

	(void)state;
	fake_sysfs_make(&fs);
	put(&fs, "812", "812");
	fake_link(&fs.fs, "/usr/lib/systemd/systemd", "812/exe");
	vm_threads_translate(fs.dir, answer);
	assert_int_equal(json_integer_value(json_object_get(answer, "pid")), 0);
	json_decref(answer);
	fake_sysfs_remove(&fs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sandboxed),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_liar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
