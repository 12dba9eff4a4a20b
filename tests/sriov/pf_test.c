/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding PFs and VFs, making VFs and removing them. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/sriov/host.h"

static void test_pf(void **state)
{
	struct host *host = *state;
	struct sriov_pf *list, pf;
	size_t count;

	fake_device(&host->sysfs.fs, "0000:00:1f.2", 3, "ahci"); /* no PF */
	assert_int_equal(sriov_pf_list(host->ctx, &list, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(list[0].ifname, FAKE_IF);
	assert_string_equal(list[0].driver, "igb");
	assert_true(list[0].device[0]); /* in words, or in numbers where there is no table */
	assert_int_equal(list[0].total_vfs, 7);
	assert_int_equal(list[0].num_vfs, 0);
	assert_int_equal(list[0].numa_node, -1);
	assert_int_equal(list[0].iommu_group, 10);
	assert_true(list[0].link_up);
	assert_int_equal(list[0].mac[5], 0x56);
	free(list);
	assert_int_equal(sriov_pf_find(host->ctx, FAKE_PF, &pf), 0);
	assert_int_equal(sriov_pf_find(host->ctx, "01:00.0", &pf), 0);
	assert_int_equal(sriov_pf_find(host->ctx, "ens9", &pf), -ENODEV);
	assert_int_equal(sriov_pf_find(host->ctx, "0000:00:1f.2", &pf), -ENODEV);
}

static void test_vf_names(void **state)
{
	struct host *host = *state;
	struct sriov_vf vf;

	assert_int_equal(sriov_vf_find(host->ctx, FAKE_IF "/0", &vf), -ERANGE);
	host_make_vfs(host, 3);
	assert_int_equal(sriov_vf_find(host->ctx, FAKE_IF "/2", &vf), 0);
	assert_int_equal(vf.index, 2);
	assert_string_equal(vf.driver, "igbvf");
	assert_int_equal(vf.iommu_group, 22);
	assert_int_equal(vf.state, SRIOV_VF_FREE);
	assert_int_equal(sriov_vf_find(host->ctx, FAKE_PF "/1", &vf), 0);
	assert_string_equal(vf.pf, FAKE_IF);
	assert_int_equal(sriov_vf_find(host->ctx, "0000:01:10.1", &vf), 0);
	assert_int_equal(vf.index, 1);
	assert_int_equal(sriov_vf_find(host->ctx, FAKE_IF "/3", &vf), -ERANGE);
	assert_int_equal(sriov_vf_find(host->ctx, FAKE_IF "/99999", &vf), -ERANGE);
	assert_int_equal(sriov_vf_find(host->ctx, FAKE_IF "/x", &vf), -EINVAL);
	assert_int_equal(sriov_vf_find(host->ctx, "ens9/0", &vf), -ENODEV);
	assert_int_equal(sriov_vf_find(host->ctx, FAKE_PF, &vf), -ENODEV);
	assert_int_equal(sriov_vf_find(host->ctx, "nonsense", &vf), -ENODEV);
}

static void test_create(void **state)
{
	struct host *host = *state;

	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 8, true), -ERANGE);
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 2, true), 0);
	assert_string_equal(host_driver(host, 0), "igbvf");
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 2, true), 0);  /* the same */
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 7, false), 0); /* through 0 */
	assert_int_equal(host_num_vfs(host), 7);
	assert_string_equal(host_driver(host, 6), "");
	assert_int_equal(host_autoprobe(host), 0); /* else a driver that is loaded takes them */
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), 0);
	assert_int_equal(host_autoprobe(host), 1);
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), 0);
	assert_int_equal(host_num_vfs(host), 0);
}

static void test_create_fails(void **state)
{
	static const int errors[] = {ENOENT, ENOMEM, EPERM, EBUSY, EIO};
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();

	for (size_t i = 0; i < 5; i++) {
		k->numvfs_error = -errors[i];
		assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 2, false), -errors[i]);
		assert_int_equal(host_autoprobe(host), 1);
	}
	k->numvfs_error = 0;
	k->vfs_at_most = 3; /* a driver that makes fewer and calls it success */
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 4, true), -EIO);
	assert_int_equal(host_num_vfs(host), 0);
	host_make_vfs(host, 2);
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 4, true), -EIO);
	assert_int_equal(host_num_vfs(host), 2); /* as before */
	fake_unlink(&host->sysfs.fs, "bus/pci/devices/" FAKE_PF "/driver");
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 3, true), -ENOENT);
}

static void test_held(void **state)
{
	struct host *host = *state;
	struct sriov_vf vf;

	host_make_vfs(host, 2);
	vf = host_vf(host, 1);
	assert_int_equal(sriov_bind(host->ctx, vf.bdf, "vfio-pci", NULL), 0);
	assert_int_equal(host_vf(host, 1).state, SRIOV_VF_FOREIGN);
	assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 3, true), -EBUSY);
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), -EBUSY);
	assert_int_equal(host_num_vfs(host), 2);
	fake_kernel()->holder_group = vf.iommu_group;
	assert_int_equal(host_vf(host, 1).pid, 1);
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), -EBUSY);
	fake_kernel()->holder_group = -1;
	assert_int_equal(sriov_rebind(host->ctx, vf.bdf, "igbvf"), 0);
	assert_int_equal(sriov_vfs_destroy(host->ctx, &host->pf), 0);
}

/* kill -9 at every step of a creation without probing: what was cut off is put right
 * by the next command.
 */
static void test_killed(void **state)
{
	struct host *host = *state;
	struct fake_kernel *k = fake_kernel();
	bool done = false;
	int at = 0;

	while (!done) {
		pid_t pid = fork();
		if (pid == 0) {
			k->victim = getpid();
			k->kill_at = ++at;
			struct sriov_config config = {host->sysfs.dir, host->state_dir,
						      host->run_dir, host->sysfs.dir};
			struct sriov *ctx;
			int err = sriov_open(&config, &ctx);
			err = err ? err : sriov_vfs_create(ctx, &host->pf, 2, false);
			_exit(err ? 1 : 0);
		}
		at++;
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		k->kill_at = 0;
		done = WIFEXITED(status);
		assert_true(done ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
		host_reopen(host);
		assert_int_equal(sriov_vfs_create(host->ctx, &host->pf, 0, true), 0);
		assert_int_equal(host_autoprobe(host), 1);
	}
	assert_true(at > 10); /* it did die in many places */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pf, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_vf_names, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_create, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_create_fails, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_held, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_killed, host_setup, host_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
