/* SPDX-License-Identifier: BSD-3-Clause */
/* The real rtnetlink of this machine, on the loopback, which has no VFs; its devlink; and no NVMe.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sriov/devlink.h"
#include "sriov/netlink.h"
#include "sriov/nvme.h"

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

/* The real devlink of this machine has no such card, and perhaps none at all. */
static void test_devlink(void **state)
{
	const struct devlink_handle none = {"pci", "ffff:ff:1f.7"};
	const struct sriov_attrs attrs = {.tx_max = 1};
	char words[NETLINK_WORDS];
	struct devlink_handle card;
	enum sriov_eswitch mode;

	(void)state;
	assert_int_equal(devlink_find("ffff:ff:1f.7", "", &card), -ENODEV);
	assert_int_equal(devlink_find("ffff:ff:1f.7", "no-such-if", &card), -ENODEV);
	/* EPERM for a user, before anything is looked up */
	int err = devlink_eswitch_read(&none, &mode);
	assert_true(err == -ENODEV || err == -EPERM);
	err = devlink_port_write(&none, 1, SRIOV_TX_MAX, &attrs, words);
	assert_true(err == -ENODEV || err == -EPERM);
	err = devlink_port_write(&none, 1, SRIOV_ROCE, &attrs, words);
	assert_true(err == -ENODEV || err == -EPERM);
	err = devlink_eswitch_write(&none, SRIOV_ESWITCH_LEGACY, words);
	assert_true(err == -ENODEV || err == -EPERM);
}

/* What is no NVMe controller. */
static void test_nvme(void **state)
{
	char words[NETLINK_WORDS];
	struct nvme_virt virt;

	(void)state;
	assert_int_equal(nvme_virt_read("/dev/no-such-nvme", &virt), -ENOENT);
	assert_int_equal(nvme_virt_read("/dev/null", &virt), -ENOTTY);
	assert_int_equal(nvme_virt_online("/dev/null", 1, true, words), -ENOTTY);
	assert_int_equal(nvme_virt_assign("/dev/null", 1, NVME_QUEUES, 2, words), -ENOTTY);
	assert_int_equal(nvme_virt_keep("/dev/null", NVME_QUEUES, 2, words), -ENOTTY);
	assert_string_equal(words, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_devlink),
		cmocka_unit_test(test_nvme),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
