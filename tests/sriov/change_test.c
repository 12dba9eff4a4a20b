/* SPDX-License-Identifier: BSD-3-Clause */
/* Wishes that outlive a reboot, plans that go stale, all or nothing, and what assert says. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "sriov/context.h"
#include "sriov/journal.h"
#include "tests/sriov/host.h"

static const struct sriov_attrs wanted = {
	.set = SRIOV_MAC | SRIOV_VLAN | SRIOV_TRUST,
	.mac = {2, 0, 0, 0, 0, 1},
	.vlan = 100,
	.qos = 3,
	.trust = true,
};

static void set(struct host *host, unsigned index, const struct sriov_attrs *attrs)
{
	struct sriov_vf vf = host_vf(host, index);

	assert_int_equal(sriov_vf_set(host->ctx, &vf, attrs), 0);
}

static void set_driver(struct host *host, unsigned index, const char *driver, int result)
{
	struct sriov_vf vf = host_vf(host, index);
	const struct sriov_attrs none = {0};
	struct sriov_wish *changes;
	size_t count;

	assert_int_equal(sriov_attr_changes(host->ctx, &vf, &none, driver, &changes, &count), 0);
	assert_int_equal(sriov_change(host->ctx, &host->pf, changes, count, "vf set"), result);
	free(changes);
}

static void test_reboot(void **state)
{
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();

	host_make_vfs(host, 4);
	set(host, 2, &wanted);
	set_driver(host, 1, "vfio-pci", 0);
	set_driver(host, 3, "none", 0);
	assert_int_equal(host_assert(host), 0);

	fake_reboot(&host->sysfs.fs, FAKE_PF);
	host_reopen(host);
	assert_int_equal(host_assert(host), 1); /* "count is 0, wanted: 4" and no more */
	assert_int_equal(host_apply(host, &host->pf), 0);
	assert_int_equal(host_assert(host), 0);
	assert_memory_equal(k->vf[2].mac, wanted.mac, 6);
	assert_int_equal(k->vf[2].vlan, 100);
	assert_true(k->vf[2].trust);
	assert_false(k->vf[1].trust);
	assert_string_equal(host_driver(host, 0), "igbvf");
	assert_string_equal(host_driver(host, 1), "vfio-pci");
	assert_string_equal(host_driver(host, 2), "igbvf");
	assert_string_equal(host_driver(host, 3), "");
	assert_int_equal(host_vf(host, 1).state, SRIOV_VF_FREE); /* vfio-pci by our own wish */
	assert_int_equal(host_autoprobe(host), 1);	  /* VFs 0 and 2 may have any driver */
	assert_int_equal(host_apply(host, &host->pf), 0); /* again: nothing */
}

/* What somebody changes by hand is seen, and put right; what nobody wished is not. */
static void test_drift(void **state)
{
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();

	host_make_vfs(host, 2);
	set(host, 1, &wanted);
	k->vf[1].vlan = 7;
	k->vf[0].vlan = 8;
	k->vf[1].spoof_check = false;
	assert_int_equal(host_assert(host), 1);
	assert_string_equal(host->told, "vf ens1f0/1: vlan is 7,qos=3, wanted: 100,qos=3");
	assert_int_equal(host_apply(host, &host->pf), 0);
	assert_int_equal(k->vf[1].vlan, 100);
	assert_int_equal(k->vf[0].vlan, 8);
	assert_false(k->vf[1].spoof_check);
	assert_int_equal(host_assert(host), 0);
}

/* Fewer VFs: those that are gone are not wished for any longer. */
static void test_shrink(void **state)
{
	struct host *host = *state;
	struct sriov_wish *wishes;
	size_t count;

	host_make_vfs(host, 4);
	set(host, 1, &wanted);
	set(host, 3, &wanted);
	host_make_vfs(host, 2);
	assert_int_equal(fake_kernel()->vf[1].vlan, 100); /* it has come back with its own */
	assert_int_equal(sriov_wishes(host->ctx, &host->pf, &wishes, &count), 0);
	assert_int_equal(count, 2 + 3);
	free(wishes);
	host_make_vfs(host, 4);
	assert_int_equal(fake_kernel()->vf[3].vlan, 0);
	assert_int_equal(host_assert(host), 0);
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), 0);
	assert_int_equal(host_assert(host), 0);
}

static void test_stale(void **state)
{
	struct host *host = *state;
	struct sriov_plan plan;

	host_make_vfs(host, 2);
	set(host, 0, &wanted);
	fake_kernel()->vf[0].vlan = 7;
	assert_int_equal(sriov_plan(host->ctx, &host->pf, NULL, 0, SRIOV_PHASE_ALL, &plan), 0);
	assert_int_equal(plan.count, 1);
	set(host, 1, &wanted); /* another command, meanwhile */
	assert_int_equal(sriov_apply(host->ctx, &plan, SRIOV_PHASE_ALL), -ESTALE);
	assert_int_equal(fake_kernel()->vf[0].vlan, 7);
	sriov_plan_free(&plan);
	assert_int_equal(sriov_plan(host->ctx, &host->pf, NULL, 0, SRIOV_PHASE_ALL, &plan), 0);
	fake_kernel()->vf[0].vlan = 8; /* the machine itself */
	assert_int_equal(sriov_apply(host->ctx, &plan, SRIOV_PHASE_ALL), -ESTALE);
	sriov_plan_free(&plan);
	assert_int_equal(host_apply(host, &host->pf), 0);
	assert_int_equal(fake_kernel()->vf[0].vlan, 100);
}

/* The step that fails, wherever it is: VFs, their settings and drivers, and wishes are as before.
 */
static void test_all_or_nothing(void **state)
{
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};

	host_make_vfs(host, 2);
	set(host, 1, &wanted);
	memcpy(k->vf[0].mac, mac, 6); /* by hand: nobody wished it, and yet it must come back */
	k->numvfs_error = -ENOMEM;
	k->numvfs_error_above = 2;
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 5, true), -ENOMEM);
	k->numvfs_error = 0;
	assert_int_equal(host_num_vfs(host), 2);
	assert_memory_equal(k->vf[0].mac, mac, 6);
	assert_int_equal(k->vf[1].vlan, 100);
	assert_string_equal(host_driver(host, 0), "igbvf");
	assert_int_equal(host_assert(host), 0);

	/* a VF's setting fails after the VFs were made anew */
	k->fails = SRIOV_TRUST;
	k->attr_error = -EOPNOTSUPP;
	k->fails_above = 2;
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 5, true), -EOPNOTSUPP);
	k->fails = 0;
	assert_int_equal(host_num_vfs(host), 2);
	assert_int_equal(host_assert(host), 0);
	assert_memory_equal(k->vf[0].mac, mac, 6);

	/* a driver that does not take it: the one it had is back */
	strcpy(k->refuses, "vfio-pci");
	set_driver(host, 0, "vfio-pci", -EIO);
	assert_string_equal(host_driver(host, 0), "igbvf");
	assert_true(host_no_override(host, 0));
	assert_int_equal(host_assert(host), 0);
}

/* While a VM has the VF, its own settings hold; what was wished meanwhile holds after it. */
static void test_held(void **state)
{
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();
	const struct sriov_attrs vm = {.set = SRIOV_VLAN, .vlan = 5};
	const struct sriov_attrs other = {.set = SRIOV_VLAN, .vlan = 6};

	host_make_vfs(host, 2);
	set(host, 1, &wanted);
	int lock = sriov_owner_lock(host->ctx, "web");
	struct sriov_vf vf = host_vf(host, 1);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &vm, "web"), 0);
	assert_int_equal(k->vf[1].vlan, 5);
	assert_int_equal(host_assert(host), 0);
	assert_int_equal(host_apply(host, &host->pf), 0);
	assert_int_equal(k->vf[1].vlan, 5);
	set(host, 1, &other); /* by name: at once */
	assert_int_equal(k->vf[1].vlan, 6);
	set_driver(host, 1, "none", 0); /* after the VM */
	assert_string_equal(host_driver(host, 1), "vfio-pci");
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 3, true), -EBUSY);
	unsigned resets = k->resets;
	k->vf[1].vlan = 5;
	assert_int_equal(sriov_release(host->ctx, vf.bdf, "web"), 0);
	assert_int_equal(k->resets, resets + 1); /* nothing of the VM's is left in it */
	assert_int_equal(k->vf[1].vlan, 6);
	assert_string_equal(host_driver(host, 1), "");
	assert_int_equal(host_assert(host), 0);
	close(lock);
}

/* A VM that died: assert says so, one apply takes it back. */
static void test_orphan(void **state)
{
	struct host *host = *state;

	host_make_vfs(host, 2);
	int lock = sriov_owner_lock(host->ctx, "web");
	struct sriov_vf vf = host_vf(host, 1);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), 0);
	close(lock);
	assert_int_equal(host_assert(host), 1);
	assert_non_null(strstr(host->told, "left over from vm web"));
	assert_int_equal(host_apply(host, &host->pf), 0);
	assert_int_equal(host_assert(host), 0);
	assert_int_equal(host_vf(host, 1).state, SRIOV_VF_FREE);
}

/* A PF that is wished for and not there. */
static void test_missing(void **state)
{
	struct host *host = *state;

	host_make_vfs(host, 1);
	fake_remove(&host->sysfs.fs, "bus/pci/devices/" FAKE_PF);
	assert_int_equal(host_assert(host), 1);
	assert_non_null(strstr(host->told, "not in this machine"));
}

static double spent(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)(now.tv_sec - from->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - from->tv_nsec) / 1e6;
}

/* A card of 1,000 VFs: the time is shown; what is asserted leaves room for any machine. */
static void test_many(void **state)
{
	struct host *host = *state;
	struct timespec start;
	struct sriov_plan plan;
	struct sriov_vf *vfs;
	size_t count;

	fake_put(&host->sysfs.fs, "1000\n", "bus/pci/devices/" FAKE_PF "/sriov_totalvfs");
	host_make_vfs(host, 1000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	assert_int_equal(sriov_vf_list(host->ctx, &host->pf, &vfs, &count), 0);
	double list = spent(&start);
	assert_int_equal(count, 1000);
	free(vfs);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
	assert_int_equal(sriov_plan(host->ctx, &host->pf, NULL, 0, SRIOV_PHASE_ALL, &plan), 0);
	double planned = spent(&start);
	sriov_plan_free(&plan);
	print_message("#: 1,000 VFs: list %.1f ms, plan %.1f ms of CPU\n", list, planned);
	assert_true(list < 500 && planned < 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reboot, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_drift, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_shrink, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_stale, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_all_or_nothing, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_held, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_orphan, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_missing, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_many, host_setup, host_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
