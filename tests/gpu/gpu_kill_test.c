/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kill -9 before and after every step on the machine or in state.db, for whole lives of slices:
 * made, changed, given to a VM, taken back, destroyed, made again after a boot. After each kill one
 * `apply` must do: then all that is wished holds, nobody who is dead owns anything, and nothing is
 * there that nobody wished.
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
#include "tests/gpu/rig.h"

/* As in tests/sriov/kill_test.c. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE 7
#else
#define STRIDE 1
#endif

struct machine {
	const char *gpu, *slice, *create, *set;
	int stride; /* mediated devices at every step; the others, whose way is the same, at some */
};
static const struct machine mdev = {RIG_MDEV, RIG_MDEV "/0", "profile=mbochs-small",
				    "profile=mbochs-medium", STRIDE};
static const struct machine xe = {RIG_GPU, RIG_GPU "/0", "memory=1G,quantum=20", "memory=2G",
				  5 * STRIDE};
static const struct machine nvidia = {RIG_GPU, RIG_GPU "/0", "profile=1428", "profile=1430",
				      5 * STRIDE};

static int find(struct rig *rig, const struct machine *m, struct gpu_slice *out)
{
	return gpu_slice_find(rig->gpu, m->slice, out);
}

static int create(struct rig *rig, const struct machine *m)
{
	return rig_create(rig, m->gpu, m->create, NULL);
}

static int set(struct rig *rig, const struct machine *m)
{
	struct gpu_request request;
	struct gpu_slice s;
	int err = find(rig, m, &s);

	gpu_request_parse("test", m->set, &request);
	return err ? err : gpu_slice_set(rig->gpu, &s, &request);
}

static int attach(struct rig *rig, const struct machine *m)
{
	struct gpu_slice s;
	int err = sriov_owner_lock(rig->sriov, "web") < 0 ? -EEXIST : find(rig, m, &s);

	return err ? err : gpu_claim(rig->gpu, &s, "web");
}

static int detach(struct rig *rig, const struct machine *m)
{
	struct gpu_slice s;
	int err = find(rig, m, &s);

	return err ? err : sriov_release(rig->sriov, s.bdf, "web");
}

static int destroy(struct rig *rig, const struct machine *m)
{
	struct gpu_slice s;
	int err = find(rig, m, &s);

	return err ? err : gpu_slice_destroy(rig->gpu, &s);
}

static const struct deed {
	const char *name;
	int (*run)(struct rig *rig, const struct machine *m);
} life[] = {
	{"create", create}, {"set", set},	  {"attach", attach},
	{"detach", detach}, {"destroy", destroy},
};

static _Noreturn void child(struct rig *rig, const struct machine *m, size_t index, int at)
{
	struct fake_kernel *k = fake_kernel();

	k->victim = getpid();
	rig_reopen(rig);
	for (size_t i = 0; i <= index; i++) {
		k->kill_at = i == index ? at : 0;
		if (life[i].run(rig, m))
			_exit(1);
		k->kill_at = 0;
	}
	_exit(0);
}

static int run_child(struct rig *rig, const struct machine *m, size_t index, int at)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child(rig, m, index, at);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fake_kernel()->kill_at = 0;
	rig_reopen(rig);
	/* The writer of a slow step may outlive its parent for a moment, and holds locks. */
	for (int i = 0; i < 500 && sriov_owner_alive(rig->sriov, "web"); i++)
		usleep(2000);
	return status;
}

static void assert_clean(struct rig *rig, const struct machine *m, const char *deed, int at)
{
	struct gpu_slice *list = NULL;
	struct sriov_claim *claims = NULL;
	size_t count, held;
	int wrong = rig_assert(rig);

	if (wrong)
		print_error("%s of %s, killed at %d: %s\n", deed, m->slice, at, rig->told);
	assert_int_equal(wrong, 0);
	assert_int_equal(sriov_claims(rig->sriov, &claims, &held), 0);
	assert_int_equal(held, 0);
	free(claims);
	assert_int_equal(gpu_slice_list(rig->gpu, NULL, &list, &count), 0);
	assert_true(count <= 1);
	if (count)
		assert_int_equal(list[0].state, GPU_FREE);
	free(list);
}

static void start_over(struct rig *rig, const struct machine *m)
{
	struct gpu_slice s;

	if (rig_slices(rig) && !find(rig, m, &s))
		assert_int_equal(gpu_slice_destroy(rig->gpu, &s), 0);
	assert_int_equal(rig_slices(rig), 0);
}

static unsigned kill_everywhere(struct rig *rig, const struct machine *m, size_t index)
{
	unsigned points = 0;

	for (int at = 1;; at += m->stride) {
		int status = run_child(rig, m, index, at);
		assert_true(rig_apply(rig) >= 0);
		assert_clean(rig, m, life[index].name, at);
		start_over(rig, m);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return points;
		}
		assert_int_equal(WTERMSIG(status), SIGKILL);
		points++;
	}
}

static void kill_life(struct rig *rig, const struct machine *m)
{
	unsigned all = 0;

	for (size_t i = 0; i < ARRAY_SIZE(life); i++) {
		unsigned points = kill_everywhere(rig, m, i);
		print_message("#: %s %-8s %4u kill points, each put right by one apply\n", m->gpu,
			      life[i].name, points);
		assert_true(points > (unsigned)(6 / m->stride));
		all += points;
	}
	print_message("#: %s: kill points covered: %u\n", m->gpu, all);
}

static void test_mdev(void **state)
{
	rig_mbochs(*state);
	kill_life(*state, &mdev);
	assert_int_equal(rig_kernel()->mbochs, 256 << 20);
}

static void test_xe(void **state)
{
	rig_xe(*state, 2, false, false);
	kill_life(*state, &xe);
}

static void test_nvidia(void **state)
{
	rig_nvidia(*state, 2);
	kill_life(*state, &nvidia);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	const struct CMUnitTest tests[] = {T(test_mdev), T(test_xe), T(test_nvidia)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
