/* SPDX-License-Identifier: BSD-3-Clause */
/* disk_spec: what can be typed, and what is refused with its name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cli/disk_spec.h"

static void test_good(void **state)
{
	char why[DISK_SPEC_WHY];
	struct disk_spec spec;

	(void)state;
	assert_int_equal(disk_spec_parse("/srv/a b=c.img", &spec, why), 0);
	assert_string_equal(spec.path, "/srv/a b=c.img");
	assert_false(spec.read_only || spec.direct || spec.share || spec.queues || spec.iops ||
		     spec.bps || spec.serial[0]);
	assert_int_equal(disk_spec_parse("x,ro,direct,share,serial=A-1,queues=4,iops=500,bps=10M",
					 &spec, why),
			 0);
	assert_string_equal(spec.path, "x");
	assert_true(spec.read_only && spec.direct && spec.share);
	assert_string_equal(spec.serial, "A-1");
	assert_int_equal(spec.queues, 4);
	assert_int_equal(spec.iops, 500);
	assert_int_equal(spec.bps, 10 * MIB);
	assert_int_equal(disk_spec_parse("x,serial=01234567890123456789", &spec, why), 0);
	assert_int_equal(disk_spec_parse("x,format=qcow2,ro,iops=9,bps=1M", &spec, why), 0);
	assert_string_equal(spec.format, "qcow2");
	assert_int_equal(disk_spec_parse("x,format=raw,serial=A", &spec, why), 0);
	assert_string_equal(spec.format, "");
	assert_int_equal(disk_spec_parse("vhost-user=/run/x,queues=2", &spec, why), 0);
	assert_true(spec.vhost_user);
	assert_string_equal(spec.path, "/run/x");
	assert_int_equal(spec.queues, 2);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "'': not of the form"},
		{",ro", "',ro': not of the form"},
		{"x,", "unknown setting ''"},
		{"x,rw", "unknown setting 'rw'"},
		{"x,ro=1", "unknown setting 'ro'"},
		{"x,serial=", "serial ''"},
		{"x,serial=012345678901234567890", "serial '012345678901234567890'"},
		{"x,serial=a b", "serial 'a b'"},
		{"x,queues=0", "queues '0'"},
		{"x,queues=65", "queues '65'"},
		{"x,iops=0", "iops '0'"},
		{"x,iops=-1", "iops '-1'"},
		{"x,bps=1", "bps '1'"},
		{"x,bps=many", "bps 'many'"},
		{"x,format=", "format ''"},
		{"x,format=nbd", "format 'nbd'"},
		{"x,format=qcow2,serial=A", "serial: only for raw"},
		{"vhost-user=", "'': not of the form"},
		{"vhost-user=x,ro", "vhost-user: only queues="},
		{"vhost-user=x,iops=5", "vhost-user: only queues="},
		{"vhost-user=x,serial=A", "serial: only for raw"},
		{"x,serial=0123456789012345678901234567890123456789012345678901234567890123456789",
		 "'serial=012345678901234567890123456789012"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		char why[DISK_SPEC_WHY] = "";
		struct disk_spec spec;

		assert_int_equal(disk_spec_parse(bad[i].text, &spec, why), -EINVAL);
		if (strncmp(why, bad[i].why, strlen(bad[i].why)) != 0)
			fail_msg("%s: %s", bad[i].text, why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
