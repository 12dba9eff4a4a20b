/* SPDX-License-Identifier: BSD-3-Clause */
/* The real rtnetlink of this machine, on the loopback, which has no VFs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sriov/netlink.h"

static void test_loopback(void **state)
{
	struct sriov_attrs attrs[2], vlan = {.set = SRIOV_VLAN, .vlan = 5};
	char words[NETLINK_WORDS];
	uint8_t permanent[6];
	(void)state;
	memset(attrs, 0xff, sizeof(attrs));
	assert_int_equal(netlink_vf_read("lo", attrs, 2, permanent), 0);
	assert_int_equal(attrs[0].set, 0); /* nothing is known of VFs that are not there */
	assert_int_equal(attrs[1].set, 0);
	/* EPERM for a user; the driver has no such operation for root */
	int err = netlink_vf_write("lo", 0, SRIOV_VLAN, &vlan, words);
	assert_true(err == -EPERM || err == -EOPNOTSUPP);
}

static void test_absent(void **state)
{
	struct sriov_attrs attrs;
	char words[NETLINK_WORDS];
	uint8_t permanent[6];
	(void)state;
	assert_int_equal(netlink_vf_read("no-such-if", &attrs, 1, permanent), -ENODEV);
	assert_int_equal(netlink_vf_write("no-such-if", 0, SRIOV_VLAN, &attrs, words), -ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_absent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
