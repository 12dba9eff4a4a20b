/* SPDX-License-Identifier: BSD-3-Clause */
/* host tune on a made-up machine: what is wanted, that it is done once, and that it can be undone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cpuset.h"
#include "cli/tune.h"
#include "tests/fakes/fake_sysfs.h"

#define GRUB	 "etc/default/grub.d/90-sluice.cfg"
#define TMPFILES "etc/tmpfiles.d/90-sluice.conf"
#define SYSCTL	 "etc/sysctl.d/90-sluice.conf"
#define GOVERNOR "devices/system/cpu/cpufreq/policy0/scaling_governor"
#define SHMEM	 "kernel/mm/transparent_hugepage/shmem_enabled"
#define HUGE	 "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define BALANCE	 "proc/sys/kernel/numa_balancing"
#define IRQ	 "proc/irq/24/smp_affinity_list"

struct machine {
	struct fake_sysfs sysfs;
	char state_dir[64];
	struct cli cli;
	struct tune_wish wish;
};

static int setup(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	const struct sysfs *fs = &m->sysfs.fs;

	fake_sysfs_make(&m->sysfs);
	snprintf(m->state_dir, sizeof(m->state_dir), "%s/state", m->sysfs.dir);
	m->cli = (struct cli){.state_dir = m->state_dir,
			      .run_dir = m->state_dir,
			      .sysfs = m->sysfs.dir,
			      .root = m->sysfs.dir,
			      .fs.root = -1};
	fake_put(fs, "vendor_id\t: GenuineIntel\n", "proc/cpuinfo");
	fake_put(fs, "ro quiet iommu=pt\n", "proc/cmdline");
	fake_put(fs, "powersave\n", GOVERNOR);
	fake_put(fs, "always within_size advise [never] deny force\n", SHMEM);
	fake_put(fs, "3\n", HUGE);
	fake_put(fs, "", "devices/system/node/node1/cpulist");
	fake_put(fs, "1\n", BALANCE);
	fake_put(fs, "0-3\n", IRQ);
	fake_put(fs, "2-3\n", "proc/irq/25/smp_affinity_list"); /* nowhere else to go */
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	sysfs_close(&m->cli.fs);
	fake_sysfs_remove(&m->sysfs);
	free(m);
	return 0;
}

static char *text_of(const struct machine *m, const char *path)
{
	static char text[2048];

	text[0] = '\0';
	return sysfs_read_text(&m->sysfs.fs, text, sizeof(text), "%s", path) ? NULL : text;
}

static void assert_text(const struct machine *m, const char *path, const char *want)
{
	assert_non_null(text_of(m, path));
	assert_string_equal(text_of(m, path), want);
}

static const char *wanted(const json_t *plan, const char *path)
{
	json_t *step;
	size_t i;

	json_array_foreach (plan, i, step) {
		assert_non_null(json_string_value(json_object_get(step, "why")));
		if (strstr(json_string_value(json_object_get(step, "path")), path))
			return json_string_value(json_object_get(step, "want"));
	}
	return NULL;
}

static int apply(struct machine *m)
{
	json_t *plan = tune_plan(&m->cli, &m->wish);

	assert_non_null(plan);
	int done = tune_apply(&m->cli, plan);
	json_decref(plan);
	return done;
}

static void test_plan(void **state)
{
	struct machine *m = *state;

	m->wish.hugepages = 512;
	assert_int_equal(cpuset_parse("2-3", ',', &m->wish.isolate), 0);
	json_t *plan = tune_plan(&m->cli, &m->wish);
	assert_string_equal(wanted(plan, GOVERNOR), "performance");
	assert_string_equal(wanted(plan, SHMEM), "advise");
	assert_string_equal(wanted(plan, HUGE), "512");
	assert_string_equal(wanted(plan, BALANCE), "0");
	assert_string_equal(wanted(plan, IRQ), "0-1");
	assert_null(wanted(plan, "irq/25/"));
	assert_non_null(strstr(wanted(plan, GRUB),
			       "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX intel_iommu=on "
			       "isolcpus=2-3 nohz_full=2-3 rcu_nocbs=2-3\"\n"));
	assert_non_null(strstr(wanted(plan, SYSCTL), "vm.nr_hugepages = 512\n"));
	assert_non_null(strstr(wanted(plan, SYSCTL), "kernel.numa_balancing = 0\n"));
	assert_non_null(
		strstr(wanted(plan, TMPFILES), "w /sys/" GOVERNOR " - - - - performance\n"));
	json_decref(plan);
	/* Nothing has been done by that. */
	assert_text(m, GOVERNOR, "powersave\n");
	assert_null(text_of(m, GRUB));
}

static void test_apply_twice(void **state)
{
	struct machine *m = *state;

	m->wish.hugepages = 512;
	assert_int_equal(cpuset_parse("2-3", ',', &m->wish.isolate), 0);
	assert_int_equal(apply(m), 8);
	assert_text(m, GOVERNOR, "performance");
	assert_text(m, HUGE, "512");
	assert_text(m, IRQ, "0-1");
	assert_non_null(strstr(text_of(m, GRUB), "isolcpus=2-3"));
	/* The second time there is nothing to do, also when not all is wished again. */
	assert_int_equal(apply(m), 0);
	m->wish = (struct tune_wish){0};
	assert_int_equal(apply(m), 0);
	assert_non_null(strstr(text_of(m, GRUB), "isolcpus=2-3"));
	/* Booted with it, the file is still what brings it back. */
	fake_put(&m->sysfs.fs,
		 "ro iommu=pt intel_iommu=on isolcpus=2-3 nohz_full=2-3 rcu_nocbs=2-3\n",
		 "proc/cmdline");
	assert_int_equal(apply(m), 0);
}

static void test_undo(void **state)
{
	struct machine *m = *state;

	m->wish.hugepages = 512;
	assert_int_equal(apply(m), 7);
	m->wish.hugepages = 1024; /* and more, later */
	assert_int_equal(apply(m), 2);
	assert_int_equal(tune_undo(&m->cli), 7);
	assert_text(m, GOVERNOR, "powersave");
	assert_text(m, SHMEM, "never");
	assert_text(m, HUGE, "3");
	assert_text(m, BALANCE, "1");
	assert_null(text_of(m, GRUB));
	assert_null(text_of(m, SYSCTL));
	assert_null(text_of(m, TMPFILES));
	assert_null(text_of(m, "state/tune.json"));
	assert_int_equal(tune_undo(&m->cli), 0);
}

/* What somebody else has set since is not ours to take back. */
static void test_changed_since(void **state)
{
	struct machine *m = *state;

	assert_int_equal(apply(m), 6);
	fake_put(&m->sysfs.fs, "schedutil\n", GOVERNOR);
	assert_int_equal(tune_undo(&m->cli), 5);
	assert_text(m, GOVERNOR, "schedutil\n");
}

/* Killed between the note and the change: the note is there, and there is nothing to put back. */
static void test_killed(void **state)
{
	struct machine *m = *state;

	fake_put(&m->sysfs.fs,
		 "[{\"path\": \"/sys/" GOVERNOR
		 "\", \"before\": \"powersave\", \"after\": \"performance\"},"
		 " {\"path\": \"/" GRUB "\", \"before\": null, \"after\": \"x\"}]",
		 "state/tune.json");
	assert_int_equal(tune_undo(&m->cli), 0);
	assert_text(m, GOVERNOR, "powersave\n");
	assert_null(text_of(m, "state/tune.json"));
}

static void test_bad_notes(void **state)
{
	struct machine *m = *state;

	fake_put(&m->sysfs.fs, "{oops", "state/tune.json");
	assert_true(apply(m) < 0);
	assert_text(m, GOVERNOR, "powersave\n");
	assert_true(tune_undo(&m->cli) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_apply_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_undo, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_since, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_notes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
