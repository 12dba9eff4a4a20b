/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has a group open, from a made-up /proc. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sriov/holder.h"
#include "tests/fakes/fake_sysfs.h"

static void test_scan(void **state)
{
	struct fake_sysfs proc;
	struct holders holders;
	(void)state;
	fake_sysfs_make(&proc);
	fake_put(&proc.fs, "sluice-vmm\n", "812/comm");
	fake_link(&proc.fs, "/dev/vfio/vfio", "812/fd/3"); /* a container is no group */
	fake_link(&proc.fs, "/dev/vfio/12", "812/fd/4");
	fake_link(&proc.fs, "socket:[12]", "812/fd/6");
	fake_link(&proc.fs, "/dev/vfio/1", "900/fd/0"); /* no comm: it just ended */
	fake_link(&proc.fs, "/dev/vfio/7", "self/fd/0");
	assert_int_equal(holders_scan(proc.dir, &holders), 0);
	assert_true(holders.complete);
	assert_int_equal(holders.count, 2);
	const struct holder *h = holders_find(&holders, 12, 0);
	assert_non_null(h);
	assert_int_equal(h->pid, 812);
	assert_string_equal(h->comm, "sluice-vmm");
	assert_null(holders_find(&holders, 12, 812));
	assert_non_null(holders_find(&holders, 1, 812));
	assert_null(holders_find(&holders, 7, 0));
	assert_null(holders_find(&holders, -1, 0));
	holders_free(&holders);
	fake_sysfs_remove(&proc);
}

static void test_blind(void **state)
{
	struct fake_sysfs proc;
	struct holders holders;
	(void)state;
	fake_sysfs_make(&proc);
	fake_put(&proc.fs, "", "812/fd"); /* not to be looked into */
	assert_int_equal(holders_scan(proc.dir, &holders), 0);
	assert_false(holders.complete);
	holders_free(&holders);
	fake_remove(&proc.fs, "812");
	fake_link(&proc.fs, "/dev/vfio/devices/vfio4000000", "900/fd/5"); /* whose group? */
	assert_int_equal(holders_scan(proc.dir, &holders), 0);
	assert_false(holders.complete);
	holders_free(&holders);
	assert_int_equal(holders_scan("/nonexistent", &holders), -ENOENT);
	holders_free(&holders);
	fake_sysfs_remove(&proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_blind),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
