/* SPDX-License-Identifier: BSD-3-Clause */
/* tune: see tune.h; what should be otherwise. The doing is in tune_do.c. */
#include "cli/tune.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpuset.h"
#include "base/util.h"
#include "cli/tune_file.h"

#define GRUB	 "/etc/default/grub.d/90-sluice.cfg"
#define SYSCTL	 "/etc/sysctl.d/90-sluice.conf"
#define TMPFILES "/etc/tmpfiles.d/90-sluice.conf"
#define HEAD	 "# Made by `sluice host tune`; `sluice host tune --undo` takes it away.\n"
#define LIST	 1024

struct planner {
	struct cli *cli;
	const struct sysfs *fs;
	struct tune_wish wish;
	json_t *plan;
	char isolate[LIST]; /* "2-5"; "" for none */
	/* lines of the files below /etc, as they come */
	char *args, *sysctl, *tmpfiles;
};

static void add_step(struct planner *p, const char *path, const char *now, const char *want,
		     const char *why, const char *when)
{
	json_array_append_new(p->plan, json_pack("{s:s,s:s?,s:s,s:s,s:s}", "path", path, "now", now,
						 "want", want, "why", why, "when", when));
}

static void append(char **text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void append(char **text, const char *fmt, ...)
{
	char *more = NULL, *both = NULL;
	va_list args;

	va_start(args, fmt);
	int len = vasprintf(&more, fmt, args);
	va_end(args);
	if (len >= 0 && asprintf(&both, "%s%s", *text ? *text : "", more) >= 0) {
		free(*text);
		*text = both;
	}
	free(more);
}

/* "always [advise] never": the word in brackets is what holds. */
static void strip_choice(char *text)
{
	char *open = strchr(text, '['), *end = open ? strchr(open, ']') : NULL;

	if (!end)
		return;
	*end = '\0';
	memmove(text, open + 1, (size_t)(end - open));
}

/* A switch of the kernel's; where it is not there, nothing is wanted of it. */
static void want_switch(struct planner *p, const char *path, const char *want, const char *why)
{
	char *now = tune_read(p->cli, path);

	if (!now)
		return;
	now[strcspn(now, "\n")] = '\0';
	strip_choice(now);
	append(&p->tmpfiles, "w %s - - - - %s\n", path, want);
	if (strcmp(now, want) != 0)
		add_step(p, path, now, want, why, "now");
	free(now);
}

static void want_file(struct planner *p, const char *path, const char *lines, const char *why,
		      const char *when)
{
	char *now, *want = NULL;

	if (!lines)
		return;
	now = tune_read(p->cli, path);
	append(&want, HEAD "%s", lines);
	if (want && (!now || strcmp(now, want) != 0))
		add_step(p, path, now, want, why, when);
	free(want);
	free(now);
}

/* ---- what is wanted ---- */

/* Whether the kernel was booted with it, or a file of ours has it for the next boot. */
static void want_argument(struct planner *p, const char *cmdline, const char *argument)
{
	size_t len = strlen(argument);
	char *own = tune_read(p->cli, GRUB);
	bool ours = own && strstr(own, argument);

	free(own);
	for (const char *at = cmdline; !ours && (at = strstr(at, argument)); at += len)
		if ((at == cmdline || at[-1] == ' ') && strchr(" \n", at[len]))
			return;
	append(&p->args, " %s", argument);
}

static bool is_intel(struct planner *p)
{
	char *cpu = tune_read(p->cli, "/proc/cpuinfo");
	bool intel = cpu && strstr(cpu, "GenuineIntel");

	free(cpu);
	return intel;
}

static void plan_arguments(struct planner *p)
{
	char *cmdline = tune_read(p->cli, "/proc/cmdline"), argument[LIST + 16], *lines = NULL;
	static const char *const isolating[] = {"isolcpus", "nohz_full", "rcu_nocbs"};

	if (cmdline && is_intel(p)) /* AMD's is on by itself */
		want_argument(p, cmdline, "intel_iommu=on");
	if (cmdline)
		want_argument(p, cmdline, "iommu=pt");
	for (size_t i = 0; cmdline && p->isolate[0] && i < ARRAY_SIZE(isolating); i++) {
		snprintf(argument, sizeof(argument), "%s=%s", isolating[i], p->isolate);
		want_argument(p, cmdline, argument);
	}
	if (p->args)
		append(&lines, "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX%s\"\n", p->args);
	want_file(
		p, GRUB, lines,
		"without an IOMMU no device can be handed to a VM; iommu=pt leaves devices of the "
		"host untranslated, and so as fast as without; isolated cores run nothing but what is "
		"pinned there",
		"after update-grub, at the next boot");
	free(lines);
	free(cmdline);
}

static void plan_hugepages(struct planner *p)
{
	static const char path[] = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages";
	char *now = tune_read(p->cli, path), want[24];

	snprintf(want, sizeof(want), "%llu", (unsigned long long)p->wish.hugepages);
	if (p->wish.hugepages && now) {
		now[strcspn(now, "\n")] = '\0';
		if (strtoull(now, NULL, 10) < p->wish.hugepages)
			add_step(
				p, path, now, want,
				"the switch and VMs with pages=2m take them; later there may be no "
				"memory in one piece any more",
				"now");
		append(&p->sysctl, "vm.nr_hugepages = %s\n", want);
	}
	free(now);
}

static void plan_memory(struct planner *p)
{
	want_switch(
		p, "/sys/kernel/mm/transparent_hugepage/shmem_enabled", "advise",
		"memory of VMs that other processes map (vhost-user) gets pages of 4K otherwise, "
		"512 times as many to fault in and to look up");
	if (!sysfs_exists(p->fs, "devices/system/node/node1"))
		return;
	char *now = tune_read(p->cli, "/proc/sys/kernel/numa_balancing");
	if (now)
		now[strcspn(now, "\n")] = '\0';
	if (now && strcmp(now, "0") != 0)
		add_step(
			p, "/proc/sys/kernel/numa_balancing", now, "0",
			"it takes pages away from VMs to see who touches them, which costs an exit for "
			"each; VMs are placed by --numa instead",
			"now");
	if (now)
		append(&p->sysctl, "kernel.numa_balancing = 0\n");
	free(now);
}

static int plan_governor(const char *policy, void *opaque)
{
	struct planner *p = opaque;
	char path[128];

	if (strncmp(policy, "policy", 6) != 0)
		return 0;
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpufreq/%.32s/scaling_governor",
		 policy);
	want_switch(
		p, path, "performance",
		"a processor that has slept slowly wakes slowly: it shows in the latency of what a "
		"VM answers");
	return 0;
}

/* An interrupt that cannot be moved (of a timer, or one per processor) refuses, and is skipped. */
static int plan_irq(const char *irq, void *opaque)
{
	struct planner *p = opaque;
	char path[96], want[LIST];
	cpu_set_t now, stay;

	if (irq[strspn(irq, "0123456789")])
		return 0;
	snprintf(path, sizeof(path), "/proc/irq/%.12s/smp_affinity_list", irq);
	char *text = tune_read(p->cli, path);
	if (text && !cpuset_parse(text, ',', &now) && cpuset_overlaps(&now, &p->wish.isolate)) {
		stay = now;
		cpuset_remove(&stay, &p->wish.isolate);
		text[strcspn(text, "\n")] = '\0';
		if (CPU_COUNT(&stay))
			add_step(
				p, path, text, cpuset_format(&stay, want, sizeof(want)),
				"each interrupt of the host's on a core of a VM's is an exit, and a "
				"delay",
				"now");
	}
	free(text);
	return 0;
}

static void plan_irqs(struct planner *p)
{
	struct sysfs proc = {.root = -1};
	char path[CLI_PATH];

	if (!p->isolate[0] || !tune_path(p->cli, "/proc/irq", path) || sysfs_open(&proc, path))
		return;
	sysfs_list(&proc, plan_irq, p, ".");
	sysfs_close(&proc);
}

/* What was wished before and not now stays: it stands in the files that we wrote. */
static void recall(struct planner *p)
{
	char *grub = tune_read(p->cli, GRUB), *sysctl = tune_read(p->cli, SYSCTL);
	char *cpus = grub ? strstr(grub, "isolcpus=") : NULL;
	const char *pages = sysctl ? strstr(sysctl, "vm.nr_hugepages = ") : NULL;

	if (cpus && !CPU_COUNT(&p->wish.isolate)) {
		cpus += strlen("isolcpus=");
		cpus[strcspn(cpus, " \"\n")] = '\0';
		if (cpuset_parse(cpus, ',', &p->wish.isolate))
			CPU_ZERO(&p->wish.isolate);
	}
	if (pages && !p->wish.hugepages)
		p->wish.hugepages = strtoull(pages + strlen("vm.nr_hugepages = "), NULL, 10);
	if (CPU_COUNT(&p->wish.isolate))
		cpuset_format(&p->wish.isolate, p->isolate, sizeof(p->isolate));
	free(grub);
	free(sysctl);
}

json_t *tune_plan(struct cli *cli, const struct tune_wish *wish)
{
	struct planner p = {.cli = cli, .fs = cli_sysfs(cli), .wish = *wish, .plan = json_array()};

	if (!p.fs || !p.plan) {
		json_decref(p.plan);
		return NULL;
	}
	recall(&p);
	plan_hugepages(&p);
	plan_memory(&p);
	sysfs_list(p.fs, plan_governor, &p, "devices/system/cpu/cpufreq");
	plan_irqs(&p);
	plan_arguments(&p);
	want_file(&p, SYSCTL, p.sysctl, "so that it stays after a reboot", "at the next boot");
	want_file(&p, TMPFILES, p.tmpfiles, "so that it stays after a reboot", "at the next boot");
	free(p.args);
	free(p.sysctl);
	free(p.tmpfiles);
	return p.plan;
}
