/* SPDX-License-Identifier: BSD-3-Clause */
/* The planner: from wishes and a machine, both made up, to steps; and its pace with 1,000 VFs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/util.h"
#include "sriov/plan.h"

#define VFS 3

struct row {
	const char *what;
	struct sriov_wish wishes[6];
	struct sriov_wish only[2]; /* the changes asked for; none: all */
	unsigned now;		   /* VFs that are there, driver igbvf */
	const char *driver;	   /* of all of them, when another */
	bool no_autoprobe, no_link;
	enum sriov_vf_state state; /* of VF 1 */
	unsigned claimed;	   /* of VF 1 */
	enum sriov_phase phase;
	const char *steps; /* "name vf before>after effect" a line; '!' blocked, '~' waits */
};

#define COUNT(n)                 \
	{                        \
		-1, "count", (n) \
	}
#define PROBE(p)                 \
	{                        \
		-1, "probe", (p) \
	}

static const struct row rows[] = {
	{.what = "nothing wished", .now = 2, .steps = ""},
	{.what = "all as it is", .wishes = {COUNT("2"), PROBE("on")}, .now = 2, .steps = ""},
	{.what = "VFs come, with drivers",
	 .wishes = {COUNT("2"), PROBE("on")},
	 .steps = "count -1 0>2 0\n"},
	{.what = "VFs come, without drivers",
	 .wishes = {COUNT("2"), PROBE("off")},
	 .steps = "autoprobe -1 1>0 0\ncount -1 0>2 0\n"},
	{.what = "nobody said anything of drivers: the switch is as before",
	 .wishes = {COUNT("2")},
	 .steps = "autoprobe -1 1>0 0\ncount -1 0>2 0\nautoprobe -1 0>1 0\n"},
	{.what = "autoprobe is off, and VFs shall have their drivers",
	 .wishes = {COUNT("2"), PROBE("on")},
	 .no_autoprobe = true,
	 .steps = "autoprobe -1 0>1 0\ncount -1 0>2 0\n"},
	{.what = "VFs go", .wishes = {COUNT("0")}, .now = 2, .steps = "count -1 2>0 2\n"},
	{.what = "VFs without drivers go: the switch is on again",
	 .wishes = {COUNT("0")},
	 .now = 2,
	 .no_autoprobe = true,
	 .steps = "count -1 2>0 2\nautoprobe -1 0>1 0\n"},
	{.what = "the switch alone: a driver that comes later would take the VFs",
	 .wishes = {COUNT("2"), PROBE("off")},
	 .now = 2,
	 .steps = "autoprobe -1 1>0 0\n"},
	{.what = "the switch is nobody's who asks for something else",
	 .wishes = {COUNT("2"), PROBE("off"), {0, "vlan", "100"}},
	 .only = {{0, "vlan", "100"}},
	 .now = 2,
	 .steps = "vlan 0 0>100 0\n"},
	{.what = "another number goes through none",
	 .wishes = {COUNT("3"), PROBE("on")},
	 .now = 2,
	 .steps = "count -1 2>0 2\ncount -1 0>3 0\n"},
	{.what = "not while one is held",
	 .wishes = {COUNT("3"), PROBE("on")},
	 .now = 2,
	 .state = SRIOV_VF_HELD,
	 .steps = "count -1 2>0 2!\ncount -1 0>3 0\n"},
	{.what = "not while one is left over",
	 .wishes = {COUNT("0")},
	 .now = 2,
	 .state = SRIOV_VF_ORPHANED,
	 .steps = "count -1 2>0 2!\n"},
	{.what = "not while one is foreign",
	 .wishes = {COUNT("0")},
	 .now = 2,
	 .state = SRIOV_VF_FOREIGN,
	 .steps = "count -1 2>0 2!\n"},
	{.what = "more than it can have",
	 .wishes = {COUNT("9"), PROBE("on")},
	 .steps = "count -1 0>9 0!\n"},
	{.what = "new VFs: settings in their order, then the driver; any driver with autoprobe on",
	 .wishes = {COUNT("2"),
		    PROBE("on"),
		    {1, "trust", "on"},
		    {1, "mac", "02:00:00:00:00:01"},
		    {1, "driver", "vfio-pci"}},
	 .steps = "autoprobe -1 1>0 0\ncount -1 0>2 0\n"
		  "mac 1 >02:00:00:00:00:01 0\ntrust 1 >on 0\ndriver 1 none>vfio-pci 0\n"
		  "autoprobe -1 0>1 0\ndriver 0 none>default 0\n"},
	{.what = "what must be set before a driver binds, first",
	 .wishes = {COUNT("1"), PROBE("on"), {0, "mac", "02:00:00:00:00:01"}, {0, "msix", "8"}},
	 .steps = "autoprobe -1 1>0 0\ncount -1 0>1 0\nmsix 0 >8 0\n"
		  "mac 0 >02:00:00:00:00:01 0\nautoprobe -1 0>1 0\ndriver 0 none>default 0\n"},
	{.what = "one setting of a VF that is there",
	 .wishes = {COUNT("2"), {0, "vlan", "100"}, {1, "trust", "on"}},
	 .only = {{0, "vlan", "100"}},
	 .now = 2,
	 .steps = "vlan 0 0>100 0\n"},
	{.what = "a setting of a held VF is felt",
	 .wishes = {{1, "vlan", "100"}},
	 .now = 2,
	 .state = SRIOV_VF_HELD,
	 .steps = "vlan 1 0>100 1\n"},
	{.what = "what its holder brought stays until he goes",
	 .wishes = {{1, "vlan", "100"}, {1, "driver", "igbvf"}},
	 .now = 2,
	 .driver = "vfio-pci",
	 .state = SRIOV_VF_HELD,
	 .claimed = SRIOV_VLAN,
	 .steps = ""},
	{.what = "a foreign VF is not touched",
	 .wishes = {{1, "vlan", "100"}, {1, "driver", "igbvf"}},
	 .now = 2,
	 .driver = "vfio-pci",
	 .state = SRIOV_VF_FOREIGN,
	 .steps = "vlan 1 0>100 1!\ndriver 1 vfio-pci>igbvf 1!\n"},
	{.what = "another driver takes the host's interface away",
	 .wishes = {{0, "driver", "vfio-pci"}, {1, "driver", "none"}},
	 .now = 2,
	 .steps = "driver 0 igbvf>vfio-pci 1\ndriver 1 igbvf>none 1\n"},
	{.what = "set before a driver binds: it goes for that",
	 .wishes = {{0, "msix", "8"}},
	 .only = {{0, "msix", "8"}},
	 .now = 1,
	 .steps = "driver 0 igbvf>none 1\nmsix 0 >8 0\ndriver 0 none>igbvf 0\n"},
	{.what = "a rate waits for the link",
	 .wishes = {{0, "rate", "1000"}},
	 .now = 1,
	 .no_link = true,
	 .steps = "rate 0 0>1000 0~\n"},
	{.what = "a rate is not for the early phase",
	 .wishes = {COUNT("1"), PROBE("on"), {0, "rate", "1000"}, {0, "trust", "on"}},
	 .phase = SRIOV_PHASE_EARLY,
	 .steps = "count -1 0>1 0\ntrust 0 >on 0\n"},
	{.what = "a rate in the late phase",
	 .wishes = {COUNT("1"), PROBE("on"), {0, "rate", "1000"}},
	 .now = 1,
	 .phase = SRIOV_PHASE_LATE,
	 .steps = "rate 0 0>1000 0\n"},
};

static size_t wishes_in(const struct sriov_wish *list, size_t room)
{
	size_t n = 0;

	while (n < room && list[n].name[0])
		n++;
	return n;
}

static void make_have(const struct row *row, struct plan_have *have, struct sriov_vf *vfs,
		      unsigned *claimed)
{
	*have = (struct plan_have){.autoprobe = !row->no_autoprobe,
				   .vfs = vfs,
				   .claimed = claimed,
				   .vf_count = row->now};
	have->pf = (struct sriov_pf){.total_vfs = 7, .num_vfs = row->now, .link_up = !row->no_link};
	strcpy(have->pf.ifname, "ens1f0");
	for (unsigned i = 0; i < row->now; i++) {
		vfs[i] = (struct sriov_vf){
			.index = i,
			.state = i == 1 ? row->state : SRIOV_VF_FREE,
			.attrs.set = SRIOV_MAC | SRIOV_VLAN | SRIOV_TRUST | SRIOV_RATE,
		};
		strcpy(vfs[i].pf, "ens1f0");
		strcpy(vfs[i].driver, row->driver ? row->driver : "igbvf");
		claimed[i] = i == 1 ? row->claimed : 0;
	}
}

static void print(const struct sriov_plan *plan, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < plan->count; i++) {
		const struct sriov_step *s = &plan->steps[i];
		used += (size_t)snprintf(out + used, size - used, "%s %d %s>%s %d%s%s\n", s->name,
					 s->vf, s->before, s->after, s->effect,
					 s->blocker[0] ? "!" : "", s->waits ? "~" : "");
		assert_true(used < size);
	}
}

static void test_rows(void **state)
{
	struct sriov_vf vfs[VFS];
	unsigned claimed[VFS];
	struct plan_want want;
	struct plan_have have;
	struct sriov_plan plan;
	char text[2048];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		size_t only = wishes_in(row->only, 2);
		const struct plan_scope scope = {only ? row->only : NULL, only, row->phase};
		plan = (struct sriov_plan){0};
		assert_int_equal(
			plan_want_parse("pf", row->wishes, wishes_in(row->wishes, 6), &want), 0);
		make_have(row, &have, vfs, claimed);
		assert_int_equal(plan_make(&want, &have, &scope, &plan), 0);
		print(&plan, text, sizeof(text));
		if (strcmp(text, row->steps))
			print_error("%s:\n", row->what);
		assert_string_equal(text, row->steps);
		sriov_plan_free(&plan);
		plan_want_free(&want);
	}
}

static void test_blockers(void **state)
{
	struct sriov_vf vf = {.pf = "ens1f0", .index = 2, .owner = "web", .pid = 812};
	char text[SRIOV_BLOCKER];

	(void)state;
	plan_blocker(&vf, text);
	assert_string_equal(text, "");
	vf.state = SRIOV_VF_HELD;
	plan_blocker(&vf, text);
	assert_string_equal(text, "vf ens1f0/2 is held by vm web (pid 812); stop it first");
	vf.state = SRIOV_VF_FOREIGN;
	plan_blocker(&vf, text);
	assert_non_null(strstr(text, "process 812"));
	vf.pid = 0;
	strcpy(vf.driver, "vfio-pci");
	plan_blocker(&vf, text);
	assert_non_null(strstr(text, "bound to vfio-pci"));
}

static void test_nonsense(void **state)
{
	const struct sriov_wish bad[] = {{-1, "count", "many"},
					 {-1, "colour", "red"},
					 {0, "mac", "zz"},
					 {0, "colour", "red"}};
	struct plan_want want;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(plan_want_parse("pf", &bad[i], 1, &want), -EINVAL);
		plan_want_free(&want);
	}
}

/* 1,000 VFs, four wishes each: the time is shown; what is asserted is that work grows with their
 * number and not with its square. */
static double seconds(unsigned count)
{
	struct sriov_wish *wishes = calloc(count * 4 + 2, sizeof(*wishes));
	const struct plan_scope scope = {0};
	struct sriov_plan plan = {0};
	struct plan_want want;
	struct plan_have have = {.autoprobe = true, .pf.total_vfs = count, .pf.link_up = true};
	struct timespec a, b;
	size_t n = 0;

	wishes[n] = (struct sriov_wish){-1, "count", ""};
	snprintf(wishes[n++].value, sizeof(wishes->value), "%u", count);
	for (unsigned i = 0; i < count; i++) {
		wishes[n++] = (struct sriov_wish){(int)i, "driver", "vfio-pci"};
		wishes[n++] = (struct sriov_wish){(int)i, "mac", "02:00:00:00:00:01"};
		wishes[n++] = (struct sriov_wish){(int)i, "trust", "on"};
		wishes[n++] = (struct sriov_wish){(int)i, "vlan", "100,qos=3"};
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
	assert_int_equal(plan_want_parse("pf", wishes, n, &want), 0);
	assert_int_equal(plan_make(&want, &have, &scope, &plan), 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
	assert_int_equal(plan.count, count * 4 + 3);
	sriov_plan_free(&plan);
	plan_want_free(&want);
	free(wishes);
	return (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9;
}

static void test_pace(void **state)
{
	double thousand = seconds(1000), eight = seconds(8000);

	(void)state;
	print_message("#: plan of 1,000 VFs: %.2f ms of CPU; of 8,000: %.2f ms\n", thousand * 1e3,
		      eight * 1e3);
	assert_true(eight < 8 * 5 * (thousand + 0.005)); /* a square would be 64 times */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_blockers),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_pace),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
