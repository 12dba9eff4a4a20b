/* SPDX-License-Identifier: BSD-3-Clause */
/* Drivers: bound, verified, and the old one back whenever the new one does not take. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sriov/context.h"
#include "tests/sriov/host.h"

static const struct bdf vf0 = {0, 1, 0x10, 0};

static void test_there_and_back(void **state)
{
	struct host *host = *state;
	char previous[SRIOV_DRIVER];

	host_make_vfs(host, 1);
	assert_int_equal(sriov_bind(host->ctx, vf0, "vfio-pci", previous), 0);
	assert_string_equal(previous, "igbvf");
	assert_string_equal(host_driver(host, 0), "vfio-pci");
	assert_int_equal(sriov_bind(host->ctx, vf0, "vfio-pci", previous), 0);
	assert_string_equal(previous, "vfio-pci");
	assert_int_equal(sriov_rebind(host->ctx, vf0, "igbvf"), 0);
	assert_string_equal(host_driver(host, 0), "igbvf");
	assert_true(host_no_override(host, 0));
	assert_int_equal(sriov_rebind(host->ctx, vf0, "igbvf"), 0);
	assert_int_equal(sriov_rebind(host->ctx, vf0, ""), 0);
	assert_string_equal(host_driver(host, 0), "");
	assert_true(host_no_override(host, 0));
	assert_int_equal(sriov_bind(host->ctx, vf0, "igbvf", previous), 0);
	assert_string_equal(previous, "");
}

/* Autoprobe off, no driver: the override alone makes the bind work. */
static void test_unprobed(void **state)
{
	struct host *host = *state;

	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 1, false), 0);
	assert_int_equal(sriov_bind(host->ctx, vf0, "vfio-pci", NULL), 0);
	assert_int_equal(sriov_rebind(host->ctx, vf0, ""), 0);
	assert_string_equal(host_driver(host, 0), "");
}

static void test_refused(void **state)
{
	struct host *host = *state;

	host_make_vfs(host, 1);
	strcpy(fake_kernel()->refuses, "vfio-pci");
	assert_int_equal(sriov_bind(host->ctx, vf0, "vfio-pci", NULL), -EIO);
	assert_string_equal(host_driver(host, 0), "igbvf");
	assert_true(host_no_override(host, 0));
	assert_int_equal(sriov_rebind(host->ctx, vf0, ""), 0);
	assert_int_equal(sriov_bind(host->ctx, vf0, "vfio-pci", NULL), -EIO);
	assert_string_equal(host_driver(host, 0), ""); /* it had none */
	assert_true(host_no_override(host, 0));
}

static void test_override_kept(void **state)
{
	struct host *host = *state;
	char text[64];

	host_make_vfs(host, 1);
	fake_put(&host->sysfs.fs, "igbvf\n", "bus/pci/devices/0000:01:10.0/driver_override");
	strcpy(fake_kernel()->refuses, "vfio-pci");
	assert_int_equal(sriov_bind(host->ctx, vf0, "vfio-pci", NULL), -EIO);
	assert_int_equal(sysfs_read(&host->sysfs.fs, text, sizeof(text),
				    "bus/pci/devices/0000:01:10.0/driver_override"),
			 0);
	assert_string_equal(text, "igbvf"); /* somebody else's choice */
}

static void test_nonsense(void **state)
{
	struct host *host = *state;

	host_make_vfs(host, 1);
	assert_int_equal(sriov_bind(host->ctx, vf0, "no-such-driver", NULL), -ENOENT);
	assert_int_equal(sriov_bind(host->ctx, vf0, "../x", NULL), -EINVAL);
	assert_int_equal(sriov_bind(host->ctx, vf0, "", NULL), -EINVAL);
	assert_int_equal(sriov_bind(host->ctx, (struct bdf){9, 9, 9, 1}, "vfio-pci", NULL),
			 -ENODEV);
	assert_int_equal(sriov_rebind(host->ctx, (struct bdf){9, 9, 9, 1}, ""), -ENODEV);
	assert_string_equal(host_driver(host, 0), "igbvf");
	assert_true(host_no_override(host, 0));
}

/* The kernel never answers: we do, and the context stays usable once it does. */
static void test_blocked(void **state)
{
	struct host *host = *state;

	host_make_vfs(host, 1);
	host->ctx->slow_ms = 100;
	fake_kernel()->blocks = true;
	assert_int_equal(sriov_bind(host->ctx, vf0, "vfio-pci", NULL), -ETIMEDOUT);
	fake_kernel()->blocks = false;
	assert_int_equal(sriov_bind(host->ctx, vf0, "vfio-pci", NULL), 0);
	assert_int_equal(sriov_rebind(host->ctx, vf0, "igbvf"), 0);
	assert_string_equal(host_driver(host, 0), "igbvf");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_there_and_back, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_unprobed, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_refused, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_override_kept, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_blocked, host_setup, host_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
