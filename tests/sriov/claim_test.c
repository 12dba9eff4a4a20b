/* SPDX-License-Identifier: BSD-3-Clause */
/* Handing out and taking back, refusals that change nothing, and kill -9 at every single step. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/fakes/fake_card.h"
#include "tests/sriov/host.h"

static const struct sriov_attrs wanted = {
	.set = SRIOV_MAC | SRIOV_VLAN,
	.mac = {2, 0, 0, 0, 0, 1},
	.vlan = 100,
};

/* As after host_make_vfs(2): nobody owns anything, drivers and settings are the first ones. */
static void assert_untouched(struct host *host)
{
	const struct fake_kernel *k = fake_kernel();
	static const uint8_t zero[6];

	assert_int_equal(host_claims(host), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_string_equal(host_driver(host, i), "igbvf");
		assert_true(host_no_override(host, i));
		assert_memory_equal(k->vf[i].mac, zero, 6);
		assert_int_equal(k->vf[i].vlan, 0);
		assert_true(k->vf[i].spoof_check);
		assert_int_equal(host_vf(host, i).state, SRIOV_VF_FREE);
	}
}

static int setup(void **state)
{
	host_setup(state);
	host_make_vfs(*state, 2);
	return 0;
}

static void test_claim(void **state)
{
	struct host *host = *state;
	struct sriov_vf vf = host_vf(host, 1);
	int lock = sriov_owner_lock(host->ctx, "web");

	assert_true(lock >= 0);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), 0);
	assert_string_equal(host_driver(host, 1), "vfio-pci");
	assert_memory_equal(fake_kernel()->vf[1].mac, wanted.mac, 6);
	vf = host_vf(host, 1);
	assert_int_equal(vf.state, SRIOV_VF_HELD);
	assert_string_equal(vf.owner, "web");
	assert_int_equal(vf.pid, getpid());

	/* nobody else, not even itself again */
	int other = sriov_owner_lock(host->ctx, "db");
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, NULL, "db"), -EBUSY);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, NULL, "web"), -EBUSY);
	assert_int_equal(sriov_release(host->ctx, vf.bdf, NULL), -EBUSY);
	assert_int_equal(sriov_release(host->ctx, vf.bdf, "db"), -EBUSY);
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), -EBUSY);

	assert_int_equal(sriov_release(host->ctx, vf.bdf, "web"), 0);
	assert_int_equal(sriov_release(host->ctx, vf.bdf, "web"), 0); /* again: nothing */
	assert_untouched(host);
	close(lock);
	close(other);
}

/* What a driver reads when it takes the VF is set while none has it, and put back so. */
static void test_unbound(void **state)
{
	const struct sriov_attrs ports = {
		.set = SRIOV_ROCE | SRIOV_VLAN, .roce = false, .vlan = 100};
	struct host *host = *state;
	struct fake_card *card = fake_card();
	int lock = sriov_owner_lock(host->ctx, "web");

	fake_card_reset();
	card->present = true;
	card->mode = SRIOV_ESWITCH_SWITCHDEV;
	card->bound = &host->sysfs.fs;
	struct sriov_vf vf = host_vf(host, 1);
	assert_string_equal(vf.driver, "igbvf");
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &ports, "web"), 0);
	assert_string_equal(host_driver(host, 1), "vfio-pci");
	assert_false(card->port[1].attrs.roce);
	assert_int_equal(sriov_release(host->ctx, vf.bdf, "web"), 0);
	assert_true(card->port[1].attrs.roce);
	assert_untouched(host);
	fake_card_reset();
	close(lock);
}

static void test_release_all(void **state)
{
	struct host *host = *state;
	struct sriov_vf vf0 = host_vf(host, 0), vf1 = host_vf(host, 1);
	int lock = sriov_owner_lock(host->ctx, "web"), other = sriov_owner_lock(host->ctx, "db");

	assert_int_equal(sriov_claim_vf(host->ctx, &vf0, NULL, "web"), 0);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf1, NULL, "db"), 0);
	host_reopen(host); /* the ledger outlives contexts */
	assert_int_equal(host_claims(host), 2);
	assert_int_equal(sriov_release_all(host->ctx, "web"), 0);
	assert_int_equal(host_vf(host, 0).state, SRIOV_VF_FREE);
	assert_int_equal(host_vf(host, 1).state, SRIOV_VF_HELD);
	assert_int_equal(sriov_release_all(host->ctx, "db"), 0);
	assert_int_equal(sriov_release_all(host->ctx, "nobody"), 0);
	assert_untouched(host);
	close(lock);
	close(other);
}

/* No MAC given: made up from the card and the index, the same at every start; one that an
 * administrator set is kept; one that the VF's driver rolled is not. */
static void test_stable_mac(void **state)
{
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();
	struct sriov_vf vf = host_vf(host, 1), vf0 = host_vf(host, 0);
	int lock = sriov_owner_lock(host->ctx, "web");
	uint8_t first[6];

	assert_int_equal(sriov_claim_vf(host->ctx, &vf, NULL, "web"), 0);
	memcpy(first, k->vf[1].mac, 6);
	assert_int_equal(first[0] & 3, 2); /* local, unicast */
	assert_int_equal(sriov_claim_vf(host->ctx, &vf0, NULL, "web"), 0);
	assert_memory_not_equal(k->vf[0].mac, first, 6);
	assert_int_equal(sriov_release_all(host->ctx, "web"), 0);
	assert_untouched(host);

	memset(k->vf[1].mac, 0x42, 6);
	fake_put(&host->sysfs.fs, "1\n",
		 "bus/pci/devices/0000:01:10.1/net/ens1f0v1/addr_assign_type");
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, NULL, "web"), 0);
	assert_memory_equal(k->vf[1].mac, first, 6);
	assert_int_equal(sriov_release_all(host->ctx, "web"), 0);
	assert_untouched(host); /* back to none, so that the driver rolls again */

	memset(k->vf[1].mac, 0x42, 6);
	fake_put(&host->sysfs.fs, "0\n",
		 "bus/pci/devices/0000:01:10.1/net/ens1f0v1/addr_assign_type");
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, NULL, "web"), 0);
	assert_int_equal(k->vf[1].mac[0], 0x42);
	assert_int_equal(sriov_release_all(host->ctx, "web"), 0);
	assert_int_equal(k->vf[1].mac[0], 0x42);
	close(lock);
}

static void test_refusals(void **state)
{
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();
	struct sriov_vf vf = host_vf(host, 1);
	struct sriov_attrs bad = {.set = SRIOV_VLAN, .vlan = 5000};

	/* its VM does not live */
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), -EINVAL);
	int lock = sriov_owner_lock(host->ctx, "web");
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &bad, "web"), -EINVAL);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "a/b"), -EINVAL);

	/* somebody has the group open, or may have */
	k->holder_group = vf.iommu_group;
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), -EBUSY);
	k->holder_group = -1;
	k->blind = true;
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), -EBUSY);
	k->blind = false;

	/* the group is shared with what stays on the host */
	fake_device(&host->sysfs.fs, "0000:02:00.0", vf.iommu_group, "nvme");
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), -EPERM);
	assert_int_equal(k->attr_writes, 0);
	fake_unlink(&host->sysfs.fs, "kernel/iommu_groups/%d/devices/0000:02:00.0", vf.iommu_group);

	/* the card or the driver refuses */
	k->fails = SRIOV_VLAN;
	k->attr_error = -EOPNOTSUPP;
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), -EOPNOTSUPP);
	k->fails = 0;
	strcpy(k->refuses, "vfio-pci");
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), -EIO);
	k->refuses[0] = '\0';
	assert_untouched(host);

	/* no IOMMU */
	fake_unlink(&host->sysfs.fs, "bus/pci/devices/0000:01:10.1/iommu_group");
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), -ENOENT);
	assert_untouched(host);
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), 0);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), -ENODEV);
	close(lock);
}

/* Two functions of one group go to one VM, never to two. */
static void test_shared_group(void **state)
{
	struct host *host = *state;
	const struct bdf a = {0, 3, 0, 0}, b = {0, 3, 0, 1};
	int web = sriov_owner_lock(host->ctx, "web"), db = sriov_owner_lock(host->ctx, "db");

	fake_device(&host->sysfs.fs, "0000:03:00.0", 30, "");
	fake_device(&host->sysfs.fs, "0000:03:00.1", 30, "");
	assert_int_equal(sriov_claim_device(host->ctx, a, "web"), 0);
	assert_int_equal(sriov_claim_device(host->ctx, b, "db"), -EBUSY);
	fake_kernel()->holder_group = 30; /* web's own monitor */
	assert_int_equal(sriov_claim_device(host->ctx, b, "web"), 0);
	fake_kernel()->holder_group = -1;
	assert_int_equal(sriov_release_all(host->ctx, "web"), 0);
	assert_int_equal(sriov_claim_device(host->ctx, b, "db"), 0);
	assert_int_equal(sriov_release_all(host->ctx, "db"), 0);
	assert_untouched(host);
	close(web);
	close(db);
}

static void test_device(void **state)
{
	struct host *host = *state;
	const struct bdf bridge = {0, 0, 0x1c, 0}, nic = {0, 4, 0, 0};
	int lock = sriov_owner_lock(host->ctx, "web");
	char driver[64];

	fake_device(&host->sysfs.fs, "0000:00:1c.0", 31, "pcieport");
	fake_put(&host->sysfs.fs, "0x060400\n", "bus/pci/devices/0000:00:1c.0/class");
	fake_device(&host->sysfs.fs, "0000:04:00.0", 32, "e1000e");
	assert_int_equal(sriov_claim_device(host->ctx, bridge, "web"), -EINVAL);
	assert_int_equal(sriov_claim_device(host->ctx, host->pf.bdf, "web"), -EBUSY); /* has VFs */
	assert_int_equal(sriov_claim_device(host->ctx, host_vf(host, 0).bdf, "web"), -EINVAL);
	assert_int_equal(sriov_claim_device(host->ctx, (struct bdf){7, 7, 7, 7}, "web"), -ENODEV);
	assert_int_equal(sriov_claim_device(host->ctx, nic, "web"), 0);
	assert_int_equal(sysfs_link_name(&host->sysfs.fs, driver, sizeof(driver),
					 "bus/pci/devices/0000:04:00.0/driver"),
			 0);
	assert_string_equal(driver, "vfio-pci");
	assert_int_equal(sriov_release(host->ctx, nic, "web"), 0);
	assert_int_equal(sysfs_link_name(&host->sysfs.fs, driver, sizeof(driver),
					 "bus/pci/devices/0000:04:00.0/driver"),
			 0);
	assert_string_equal(driver, "e1000e");
	close(lock);
}

/* A VF that had no driver gets none back. */
static void test_driverless(void **state)
{
	struct host *host = *state;
	struct sriov_vf vf = host_vf(host, 0);
	int lock = sriov_owner_lock(host->ctx, "web");

	assert_int_equal(sriov_rebind(host->ctx, vf.bdf, ""), 0);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), 0);
	assert_int_equal(sriov_release(host->ctx, vf.bdf, "web"), 0);
	assert_string_equal(host_driver(host, 0), "");
	assert_true(host_no_override(host, 0));
	close(lock);
}

/* The owner dies; the same name lives again; the VF is still the dead one's. */
static void test_orphan(void **state)
{
	struct host *host = *state;
	struct sriov_vf vf = host_vf(host, 0);
	int lock = sriov_owner_lock(host->ctx, "web");

	assert_int_equal(sriov_owner_lock(host->ctx, "web"), -EEXIST);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, &wanted, "web"), 0);
	assert_true(sriov_owner_alive(host->ctx, "web"));
	close(lock);
	assert_false(sriov_owner_alive(host->ctx, "web"));
	assert_int_equal(host_vf(host, 0).state, SRIOV_VF_ORPHANED);
	assert_string_equal(host_vf(host, 0).owner, "web");
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), -EBUSY);

	lock = sriov_owner_lock(host->ctx, "web");
	assert_true(lock >= 0);
	assert_int_equal(host_vf(host, 0).state, SRIOV_VF_ORPHANED);
	assert_int_equal(sriov_claim_vf(host->ctx, &vf, NULL, "web"), 0); /* put back, taken */
	assert_int_equal(host_vf(host, 0).state, SRIOV_VF_HELD);
	assert_int_equal(fake_kernel()->vf[0].vlan, 0);
	close(lock);

	/* its monitor still ends: not before that */
	fake_kernel()->blind = true;
	assert_int_equal(sriov_release(host->ctx, vf.bdf, NULL), -EBUSY);
	fake_kernel()->blind = false;
	assert_int_equal(sriov_release(host->ctx, vf.bdf, NULL), 0);
	assert_untouched(host);
}

/* ---- kill -9 ---- */

enum deed { CLAIM, RELEASE };

static _Noreturn void child(struct host *host, enum deed deed, int at)
{
	struct sriov_config config = {host->sysfs.dir, host->state_dir, host->run_dir,
				      host->sysfs.dir};
	struct fake_kernel *k = fake_kernel();
	struct sriov_vf vf;
	struct sriov *ctx;

	k->victim = getpid();
	k->kill_at = deed == CLAIM ? at : 0;
	if (sriov_open(&config, &ctx) || sriov_owner_lock(ctx, "web") < 0 ||
	    sriov_vf_find(ctx, FAKE_IF "/1", &vf) || sriov_claim_vf(ctx, &vf, &wanted, "web"))
		_exit(1);
	k->kill_at = deed == RELEASE ? at : 0;
	if (deed == RELEASE && sriov_release(ctx, vf.bdf, "web"))
		_exit(2);
	_exit(0);
}

/* The writer child may outlive its parent for a moment. */
static void await_death(struct host *host)
{
	for (int i = 0; i < 200 && sriov_owner_alive(host->ctx, "web"); i++)
		usleep(10000);
	assert_false(sriov_owner_alive(host->ctx, "web"));
}

static void kill_everywhere(struct host *host, enum deed deed)
{
	bool done = false;
	int at = 0;

	while (!done) {
		int status;
		at++;
		pid_t pid = fork();
		if (pid == 0)
			child(host, deed, at);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		fake_kernel()->kill_at = 0;
		done = WIFEXITED(status);
		assert_true(done ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
		host_reopen(host);
		await_death(host);
		struct sriov_vf vf = host_vf(host, 1);
		assert_int_equal(vf.state, host_claims(host) ? SRIOV_VF_ORPHANED : SRIOV_VF_FREE);
		assert_int_equal(sriov_release(host->ctx, vf.bdf, NULL), 0);
		assert_untouched(host);
	}
	assert_true(at > 15); /* it did die in many places */
}

static void test_killed_in_claim(void **state)
{
	kill_everywhere(*state, CLAIM);
}

static void test_killed_in_release(void **state)
{
	kill_everywhere(*state, RELEASE);
}

/* Killed in a claim, and the one who repairs is killed as well, at every step. */
static void test_killed_in_repair(void **state)
{
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();
	bool done = false;

	for (int at = 1; !done; at++) {
		int status;
		pid_t pid = fork();
		if (pid == 0)
			child(host, CLAIM, 0); /* claims, then ends without releasing */
		assert_int_equal(waitpid(pid, &status, 0), pid);
		await_death(host);
		pid = fork();
		if (pid == 0) {
			host_reopen(host);
			struct sriov_vf vf = host_vf(host, 1);
			k->victim = getpid();
			k->kill_at = at;
			_exit(sriov_release(host->ctx, vf.bdf, NULL) ? 1 : 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		k->kill_at = 0;
		done = WIFEXITED(status);
		host_reopen(host);
		assert_int_equal(sriov_release(host->ctx, host_vf(host, 1).bdf, NULL), 0);
		assert_untouched(host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_claim, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_unbound, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_release_all, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_stable_mac, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_shared_group, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_device, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_driverless, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_orphan, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_killed_in_claim, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_killed_in_release, setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_killed_in_repair, setup, host_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
