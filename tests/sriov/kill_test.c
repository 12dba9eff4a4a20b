/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kill -9 before and after every single step that a command takes on the machine or in state.db,
 * for whole lives of VFs: made, set up, given to a VM, taken back, resized, removed, brought back
 * after a boot. After each kill one `apply` must do: then everything that is wished holds, nobody
 * who is dead owns anything, and no switch of the kernel is left in the middle.
 */
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

#include "base/util.h"
#include "tests/fakes/fake_card.h"
#include "tests/sriov/host.h"

/* The plain build kills at every step. A process under the sanitizer takes ten times as long to
 * fork, and it is asked about memory, not about steps. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE 7
#else
#define STRIDE 1
#endif

static const struct sriov_attrs wanted = {
	.set = SRIOV_MAC | SRIOV_VLAN | SRIOV_SPOOF | SRIOV_TRUST,
	.mac = {2, 0, 0, 0, 0, 1},
	.vlan = 100,
	.trust = true,
};
static const struct sriov_attrs of_vm = {
	.set = SRIOV_MAC | SRIOV_VLAN,
	.mac = {2, 0, 0, 0, 0, 7},
	.vlan = 7,
};

/* ---- the deeds, each as a command does it ---- */

static int set_driver(struct host *host, unsigned index, const char *driver)
{
	const struct sriov_attrs none = {0};
	struct sriov_wish *changes;
	struct sriov_vf vf;
	char name[32];
	size_t count;

	snprintf(name, sizeof(name), FAKE_IF "/%u", index);
	int err = sriov_vf_find(host->ctx, name, &vf);
	if (!err)
		err = sriov_attr_changes(host->ctx, &vf, &none, driver, &changes, &count);
	if (err)
		return err;
	err = sriov_change(host->ctx, &host->pf, changes, count, "vf set");
	free(changes);
	return err;
}

/* A card with a switch, in the mode it has after a boot. */
static void reset_card(void)
{
	fake_card()->present = true;
	fake_card()->mode = SRIOV_ESWITCH_LEGACY;
}

static int eswitch(struct host *host)
{
	static const struct sriov_wish wish = {-1, "eswitch", "switchdev"};

	return sriov_change(host->ctx, &host->pf, &wish, 1, "pf set");
}

static int create(struct host *host)
{
	return sriov_vfs_create(host->ctx, &host->pf, 2, false);
}

static int resize(struct host *host)
{
	return sriov_vfs_create(host->ctx, &host->pf, 4, true);
}

static int shrink(struct host *host)
{
	return sriov_vfs_create(host->ctx, &host->pf, 1, true);
}

static int destroy(struct host *host)
{
	return sriov_vfs_destroy(host->ctx, &host->pf);
}

static int set(struct host *host)
{
	struct sriov_vf vf;
	int err = sriov_vf_find(host->ctx, FAKE_IF "/1", &vf);

	return err ? err : sriov_vf_set(host->ctx, &vf, &wanted);
}

static int bind(struct host *host)
{
	return set_driver(host, 0, "vfio-pci");
}

static int attach(struct host *host)
{
	struct sriov_vf vf;
	int err = sriov_owner_lock(host->ctx, "web") < 0 ? -EEXIST : 0;

	if (!err)
		err = sriov_vf_find(host->ctx, FAKE_IF "/1", &vf);
	return err ? err : sriov_claim_vf(host->ctx, &vf, &of_vm, "web");
}

static int detach(struct host *host)
{
	struct sriov_vf vf;
	int err = sriov_vf_find(host->ctx, FAKE_IF "/1", &vf);

	return err ? err : sriov_release(host->ctx, vf.bdf, "web");
}

static int apply(struct host *host)
{
	return host_apply(host, &host->pf);
}

struct deed {
	const char *name;
	int (*run)(struct host *host);
	bool after_boot; /* the machine has forgotten its VFs before */
};

/* One life; a deed may count on those before it. */
static const struct deed life[] = {
	{"create", create, false},   {"set", set, false},	{"bind", bind, false},
	{"eswitch", eswitch, false}, {"attach", attach, false}, {"detach", detach, false},
	{"resize", resize, false},   {"boot", apply, true},	{"shrink", shrink, false},
	{"destroy", destroy, false},
};

/* ---- killing ---- */

/* The deeds up to `index`, in a process that dies at step `at` of the last one. Its exit status is
 * 0 when it came to the end. */
static _Noreturn void child(struct host *host, size_t index, int at)
{
	struct fake_kernel *k = fake_kernel();

	k->victim = getpid();
	host_reopen(host);
	for (size_t i = 0; i <= index; i++) {
		if (life[i].after_boot) {
			fake_reboot(&host->sysfs.fs, FAKE_PF);
			reset_card();
		}
		k->kill_at = i == index ? at : 0;
		if (life[i].run(host))
			_exit(1);
		k->kill_at = 0;
	}
	_exit(0);
}

/* The writer of a slow step may outlive its parent for a moment, and holds locks. */
static void await_death(struct host *host)
{
	for (int i = 0; i < 500 && sriov_owner_alive(host->ctx, "web"); i++)
		usleep(2000);
	assert_false(sriov_owner_alive(host->ctx, "web"));
}

static void assert_clean(struct host *host, const char *deed, int at)
{
	int wrong = host_assert(host);

	if (wrong)
		print_error("%s, killed at %d: %s\n", deed, at, host->told);
	assert_int_equal(wrong, 0);
	assert_int_equal(host_claims(host), 0);
	/* Off only where VFs without drivers are wished, which host_assert() has looked at. */
	assert_true(host_autoprobe(host) || host_num_vfs(host) == 2);
	for (unsigned i = 0; i < host_num_vfs(host); i++) {
		bool vfio = !strcmp(host_driver(host, i), "vfio-pci");
		assert_true(vfio || host_no_override(host, i));
		assert_int_equal(host_vf(host, i).state, SRIOV_VF_FREE);
	}
}

static int run_child(struct host *host, size_t index, int at)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child(host, index, at);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fake_kernel()->kill_at = 0;
	host_reopen(host);
	await_death(host);
	return status;
}

/* As a machine that nobody ever touched. */
static void start_over(struct host *host)
{
	struct fake_sysfs *sysfs = &host->sysfs;

	sriov_close(host->ctx);
	host->ctx = NULL;
	fake_reboot(&sysfs->fs, FAKE_PF);
	reset_card();
	fake_remove(&sysfs->fs, "var");
	host_reopen(host);
}

/* Kills the deed at each of its steps, from the first to beyond the last. */
static unsigned kill_everywhere(struct host *host, size_t index, int (*repair)(struct host *host))
{
	unsigned points = 0;

	for (int at = 1;; at += STRIDE) {
		int status = run_child(host, index, at);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			assert_int_equal(repair(host), 0); /* its VM died with it */
			assert_clean(host, life[index].name, at);
			start_over(host);
			return points;
		}
		assert_int_equal(WTERMSIG(status), SIGKILL);
		points++;
		assert_int_equal(repair(host), 0);
		assert_clean(host, life[index].name, at);
		start_over(host);
	}
}

static void test_every_step(void **state)
{
	struct host *host = *state;
	unsigned all = 0;

	reset_card();

	for (size_t i = 0; i < ARRAY_SIZE(life); i++) {
		unsigned points = kill_everywhere(host, i, apply);
		print_message("#: %-8s %4u kill points, each put right by one apply\n",
			      life[i].name, points);
		assert_true(points > 10 / STRIDE);
		all += points;
	}
	print_message("#: kill points covered: %u\n", all);
}

/* The repair itself is killed at each of its steps; the next one does. */
static int repair_killed(struct host *host)
{
	for (int at = 1;; at += STRIDE) {
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			fake_kernel()->victim = getpid();
			host_reopen(host);
			fake_kernel()->kill_at = at;
			_exit(host_apply(host, &host->pf) ? 1 : 0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		fake_kernel()->kill_at = 0;
		host_reopen(host);
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		fake_kernel()->repairs_killed++;
	}
}

/* A kill in the middle of a resize, and then of every repair. */
static void test_killed_in_repair(void **state)
{
	struct host *host = *state;
	size_t index = 6; /* resize */

	assert_string_equal(life[index].name, "resize");
	for (int at = 5; at < 200; at += 41) {
		int status = run_child(host, index, at);
		assert_int_equal(repair_killed(host), 0);
		assert_clean(host, "repair", at);
		start_over(host);
		if (WIFEXITED(status))
			break;
	}
	print_message("#: kills of repairs: %u\n", fake_kernel()->repairs_killed);
	assert_true(fake_kernel()->repairs_killed > 20);
}

/* A failure that is undone, killed at each step of the undoing. */
static int resize_failing(struct host *host)
{
	struct fake_kernel *k = fake_kernel();

	k->fails = SRIOV_TRUST;
	k->fails_above = 2;
	k->attr_error = -EOPNOTSUPP;
	int err = resize(host);
	k->fails = 0;
	return err;
}

static void test_killed_in_undo(void **state)
{
	struct host *host = *state;
	bool done = false;
	unsigned points = 0;

	for (int at = 1; !done; at += STRIDE) {
		assert_int_equal(create(host), 0);
		assert_int_equal(set(host), 0);
		int status;
		pid_t pid = fork();
		if (pid == 0) {
			fake_kernel()->victim = getpid();
			host_reopen(host);
			fake_kernel()->kill_at = at;
			_exit(resize_failing(host) == -EOPNOTSUPP ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		fake_kernel()->kill_at = 0;
		done = WIFEXITED(status);
		assert_true(!done || WEXITSTATUS(status) == 0);
		points += !done;
		host_reopen(host);
		assert_int_equal(host_apply(host, &host->pf), 0); /* it fails still, or not begun */
		fake_kernel()->fails = 0;
		assert_int_equal(host_apply(host, &host->pf), 0);
		assert_clean(host, "undo", at);
		assert_int_equal(fake_kernel()->vf[1].vlan, 100);
		start_over(host);
	}
	print_message("#: kill points while undoing: %u\n", points);
	assert_true(points > 30 / STRIDE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_step, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_killed_in_repair, host_setup, host_teardown),
		cmocka_unit_test_setup_teardown(test_killed_in_undo, host_setup, host_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
