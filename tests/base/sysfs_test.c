/* SPDX-License-Identifier: BSD-3-Clause */
/* The rooted tree: lines, numbers, links, sorted lists, and the errno of what is missing. */
#include <errno.h>
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

#include "base/sysfs.h"

static char dir[] = "/tmp/sysfs_test.XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int setup(void **state)
{
	char path[256];
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/d", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put("d/n10", "10\n");
	put("d/n9", "0x9\n");
	put("d/text", "two words\nsecond line\n");
	snprintf(path, sizeof(path), "%s/d/driver", dir);
	assert_int_equal(symlink("../../bus/pci/drivers/igb", path), 0);
	return 0;
}

static int teardown(void **state)
{
	char command[300];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static int collect(const char *name, void *opaque)
{
	strcat(opaque, name);
	strcat(opaque, " ");
	return !strcmp(name, "text") ? 5 : 0;
}

static void test_read(void **state)
{
	struct sysfs fs;
	char text[32];
	uint64_t v = 0;
	(void)state;
	assert_int_equal(sysfs_open(&fs, dir), 0);
	assert_int_equal(sysfs_read(&fs, text, sizeof(text), "d/%s", "text"), 0);
	assert_string_equal(text, "two words");
	assert_int_equal(sysfs_read(&fs, text, 4, "d/text"), -E2BIG);
	assert_int_equal(sysfs_read_u64(&fs, &v, "d/n%d", 9), 0);
	assert_int_equal(v, 9);
	assert_int_equal(sysfs_read_u64(&fs, &v, "d/text"), -EINVAL);
	assert_int_equal(sysfs_read_u64(&fs, &v, "d/none"), -ENOENT);
	assert_int_equal(sysfs_link_name(&fs, text, sizeof(text), "d/driver"), 0);
	assert_string_equal(text, "igb");
	assert_true(sysfs_exists(&fs, "d/driver")); /* although its target is missing */
	assert_false(sysfs_exists(&fs, "d/none"));
	assert_int_equal(sysfs_write(&fs, "77", "d/n10"), 0);
	assert_int_equal(sysfs_read_u64(&fs, &v, "d/n10"), 0);
	assert_int_equal(v, 77);
	assert_int_equal(sysfs_write(&fs, "1", "d/none/x"), -ENOENT);
	sysfs_close(&fs);
}

static void test_list(void **state)
{
	struct sysfs fs;
	char names[64] = "";
	(void)state;
	assert_int_equal(sysfs_open(&fs, dir), 0);
	assert_int_equal(sysfs_list(&fs, collect, names, "%s", "d"), 5);
	assert_string_equal(names, "driver n9 n10 text ");
	assert_int_equal(sysfs_list(&fs, collect, names, "none"), -ENOENT);
	sysfs_close(&fs);
	assert_int_equal(sysfs_open(&fs, "/nonexistent/tree"), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_list),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
