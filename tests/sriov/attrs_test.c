/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings of a VF: one a message, read back, all or nothing. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sriov/host.h"

static const struct sriov_attrs wanted = {
	.set = SRIOV_MAC | SRIOV_VLAN | SRIOV_SPOOF | SRIOV_TRUST | SRIOV_RATE | SRIOV_LINK_STATE |
	       SRIOV_RSS_QUERY,
	.link_state = SRIOV_LINK_DISABLE,
	.rss_query = true,
	.vlan_proto = 0x88a8,
	.mac = {2, 0, 0, 0, 0, 1},
	.vlan = 100,
	.qos = 3,
	.spoof_check = false,
	.trust = true,
	.max_rate = 1000,
};

static void assert_same(const struct sriov_attrs *a, const struct sriov_attrs *b)
{
	assert_memory_equal(a->mac, b->mac, 6);
	assert_int_equal(a->vlan, b->vlan);
	assert_int_equal(a->qos, b->qos);
	assert_int_equal(a->spoof_check, b->spoof_check);
	assert_int_equal(a->trust, b->trust);
	assert_int_equal(a->min_rate, b->min_rate);
	assert_int_equal(a->max_rate, b->max_rate);
	assert_int_equal(a->vlan_proto, b->vlan_proto);
	assert_int_equal(a->link_state, b->link_state);
	assert_int_equal(a->rss_query, b->rss_query);
}

static void test_set(void **state)
{
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();
	struct sriov_attrs other;

	host_make_vfs(host, 2);
	other = k->vf[0];
	struct sriov_vf vf = host_vf(host, 1);
	assert_int_equal(sriov_vf_set(host->ctx, &vf, &wanted), 0);
	assert_same(&k->vf[1], &wanted);
	assert_same(&k->vf[0], &other);
	assert_int_equal(k->attr_writes, 7);
	assert_int_equal(sriov_vf_set(host->ctx, &vf, &wanted), 0);
	assert_int_equal(k->attr_writes, 7); /* nothing differs, nothing is written */
	struct sriov_attrs one = {.set = SRIOV_VLAN, .vlan = 0};
	assert_int_equal(sriov_vf_set(host->ctx, &vf, &one), 0);
	assert_int_equal(k->vf[1].vlan, 0);
	assert_int_equal(k->vf[1].max_rate, 1000);
	vf = host_vf(host, 1);
	assert_same(&vf.attrs, &k->vf[1]);
}

/* Whichever attribute fails, all are as before. */
static void test_rollback(void **state)
{
	static const int errors[] = {EOPNOTSUPP, EINVAL,	  EPERM, EBUSY,
				     EIO,	 EPROTONOSUPPORT, EINVAL};
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();

	host_make_vfs(host, 2);
	struct sriov_vf vf = host_vf(host, 1);
	struct sriov_attrs before = k->vf[1];
	for (unsigned i = 0; i < 7; i++) {
		k->fails = 1u << i;
		k->attr_error = -errors[i];
		k->words = i & 1 ? "the card says no" : "";
		assert_int_equal(sriov_vf_set(host->ctx, &vf, &wanted), -errors[i]);
		assert_same(&k->vf[1], &before);
	}
	k->fails = 0;
	for (unsigned i = 0; i < 7; i++) { /* taken, and not done: the reading back tells */
		k->ignores = 1u << i;
		assert_int_equal(sriov_vf_set(host->ctx, &vf, &wanted), -EIO);
		k->ignores = 0;
		assert_same(&k->vf[1], &before);
	}
}

static void test_bad_values(void **state)
{
	struct host *host = *state;
	static const struct sriov_attrs bad[] = {
		{.set = SRIOV_MAC, .mac = {1, 0, 0, 0, 0, 1}},
		{.set = SRIOV_MAC},
		{.set = SRIOV_VLAN, .vlan = 4095},
		{.set = SRIOV_VLAN, .vlan = 1, .qos = 8},
		{.set = SRIOV_RATE, .min_rate = 2, .max_rate = 1},
	};

	host_make_vfs(host, 1);
	struct sriov_vf vf = host_vf(host, 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(sriov_vf_set(host->ctx, &vf, &bad[i]), -EINVAL);
	assert_int_equal(fake_kernel()->attr_writes, 0);
	fake_unlink(&host->sysfs.fs, "bus/pci/devices/" FAKE_PF "/net/" FAKE_IF "/address");
	fake_unlink(&host->sysfs.fs, "bus/pci/devices/" FAKE_PF "/net/" FAKE_IF "/carrier");
	assert_int_equal(unlinkat(host->sysfs.fs.root, "bus/pci/devices/" FAKE_PF "/net/" FAKE_IF,
				  AT_REMOVEDIR),
			 0);
	assert_int_equal(sriov_vf_set(host->ctx, &vf, &wanted), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_set, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_rollback, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_bad_values, host_setup, host_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
