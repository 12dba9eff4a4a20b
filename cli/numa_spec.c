/* SPDX-License-Identifier: BSD-3-Clause */
/* numa_spec: see numa_spec.h. */
#include "cli/numa_spec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cpuset.h"
#include "base/parse.h"
#include "base/util.h"

#define NODE_LAST 1023
#define RAM_MAX	  (16 * 1024 * GIB)

static int set_cpus(struct numa_spec *spec, const char *value, char *why)
{
	cpu_set_t set;

	spec->node.cpus = 0;
	if (cpuset_parse(value, ':', &set) == 0)
		for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
			if (!CPU_ISSET(cpu, &set))
				continue;
			if (cpu >= HV_MAX_CPUS)
				goto bad;
			spec->node.cpus |= UINT64_C(1) << cpu;
		}
	spec->has_cpus = true;
	if (spec->node.cpus)
		return 0;
bad:
	snprintf(why, NUMA_SPEC_WHY, "cpus '%.40s': not virtual CPUs such as 0-3 or 0:2-3", value);
	return -EINVAL;
}

static int set_memory(struct numa_spec *spec, const char *value, char *why)
{
	spec->has_memory = true;
	if (parse_size(value, 2 * MIB, RAM_MAX, &spec->node.ram) == 0)
		return 0;
	snprintf(why, NUMA_SPEC_WHY, "memory '%.40s': not a size such as 256M", value);
	return -EINVAL;
}

static int set_host(struct numa_spec *spec, const char *value, char *why)
{
	uint32_t host;

	spec->node.host = -1;
	if (!strcmp(value, "any"))
		return 0;
	if (parse_u32(value, 0, NODE_LAST, &host)) {
		snprintf(why, NUMA_SPEC_WHY, "'%.40s': neither a node of the host's nor 'any'",
			 value);
		return -EINVAL;
	}
	spec->node.host = (int)host;
	return 0;
}

static int set(struct numa_spec *spec, char *word, char *why)
{
	if (!strncmp(word, "cpus=", 5))
		return set_cpus(spec, word + 5, why);
	if (!strncmp(word, "memory=", 7))
		return set_memory(spec, word + 7, why);
	snprintf(why, NUMA_SPEC_WHY, "'%.40s': only cpus= and memory= may follow the node", word);
	return -EINVAL;
}

int numa_spec_parse(const char *text, struct numa_spec *spec, char why[NUMA_SPEC_WHY])
{
	char copy[256], *rest = copy;

	*spec = (struct numa_spec){0};
	if (strlen(text) >= sizeof(copy)) {
		snprintf(why, NUMA_SPEC_WHY, "'%.40s…': too long", text);
		return -EINVAL;
	}
	snprintf(copy, sizeof(copy), "%s", text);
	int err = set_host(spec, strsep(&rest, ","), why);

	while (!err && rest)
		err = set(spec, strsep(&rest, ","), why);
	return err;
}

/* ---- what was left out ---- */

/* How many nodes have said it: all or none, else -EINVAL. */
static int said(const struct numa_spec *specs, size_t count, bool cpus, char *why)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		n += cpus ? specs[i].has_cpus : specs[i].has_memory;
	if (n == 0 || n == count)
		return n ? 1 : 0;
	snprintf(why, NUMA_SPEC_WHY, "%s= is given for some nodes only: give it for all, or none",
		 cpus ? "cpus" : "memory");
	return -EINVAL;
}

static void deal_cpus(struct numa_spec *specs, size_t count, unsigned cpus)
{
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		specs[cpu * count / cpus].node.cpus |= UINT64_C(1) << cpu;
}

static int check_cpus(const struct numa_spec *specs, size_t count, unsigned cpus, char *why)
{
	uint64_t all = cpus >= 64 ? UINT64_MAX : (UINT64_C(1) << cpus) - 1, seen = 0;

	for (size_t i = 0; i < count; i++) {
		if (specs[i].node.cpus & seen) {
			snprintf(why, NUMA_SPEC_WHY, "virtual CPU %d is in two nodes",
				 __builtin_ctzll(specs[i].node.cpus & seen));
			return -EINVAL;
		}
		seen |= specs[i].node.cpus;
	}
	if (seen == all)
		return 0;
	snprintf(why, NUMA_SPEC_WHY, "virtual CPU %d is %s", __builtin_ctzll(seen ^ all),
		 (all & ~seen) >> __builtin_ctzll(seen ^ all) & 1 ? "in no node" : "past the last");
	return -EINVAL;
}

static int deal_memory(struct numa_spec *specs, size_t count, uint64_t ram, uint64_t page,
		       char *why)
{
	uint64_t share = ALIGN_DOWN(ram / count, MAX(page, 2 * MIB));

	if (!share) {
		snprintf(why, NUMA_SPEC_WHY, "too little memory for %zu nodes", count);
		return -EINVAL;
	}
	for (size_t i = 0; i < count; i++)
		specs[i].node.ram = i + 1 < count ? share : ram - share * (count - 1);
	return 0;
}

static int check_memory(const struct numa_spec *specs, size_t count, uint64_t ram, uint64_t page,
			char *why)
{
	char nodes[PARSE_SIZE_TEXT], all[PARSE_SIZE_TEXT];
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t unit = i + 1 < count ? MAX(page, 2 * MIB) : page;

		if (!IS_ALIGNED(specs[i].node.ram, unit)) {
			snprintf(why, NUMA_SPEC_WHY, "memory of node %zu: no multiple of %s", i,
				 format_size(unit, all));
			return -EINVAL;
		}
		sum += specs[i].node.ram;
	}
	if (sum == ram)
		return 0;
	snprintf(why, NUMA_SPEC_WHY, "the nodes have %s of memory, the VM %s",
		 format_size(sum, nodes), format_size(ram, all));
	return -EINVAL;
}

int numa_spec_complete(struct numa_spec *specs, size_t count, unsigned cpus, uint64_t ram,
		       uint64_t page, char why[NUMA_SPEC_WHY])
{
	int by_hand = said(specs, count, true, why);

	if (by_hand == 0)
		deal_cpus(specs, count, cpus);
	if (by_hand > 0)
		by_hand = check_cpus(specs, count, cpus, why);
	if (by_hand < 0)
		return by_hand;
	by_hand = said(specs, count, false, why);
	if (by_hand < 0)
		return by_hand;
	return by_hand ? check_memory(specs, count, ram, page, why)
		       : deal_memory(specs, count, ram, page, why);
}
