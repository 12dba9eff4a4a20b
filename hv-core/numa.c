/* SPDX-License-Identifier: BSD-3-Clause */
/* numa: see numa.h. */
#include "hv-core/numa.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpuset.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "hv-core/mem.h"
#include "hv-core/vm.h"

#define NODE_DIR "devices/system/node"
#define CUT	 (2 * MIB) /* so that large pages lie in one node */

/* ACPI 6.5, 5.2.17: a locality's distance to itself is 10, and any other is more. */
#define LOCAL	    10
#define SAME_HOST   11
#define REMOTE	    20
#define UNREACHABLE 255

/* ---- what the host has ---- */

/* The host's nodes, as a set of numbers like those of CPUs. */
static int host_nodes(const struct sysfs *sys, cpu_set_t *out)
{
	char text[256];
	int rc = sysfs_read(sys, text, sizeof(text), NODE_DIR "/online");

	return rc < 0 ? rc : cpuset_parse(text, ',', out);
}

static int check_host(const char *subject, const struct hv_config *config, const struct sysfs *sys)
{
	char text[64];
	cpu_set_t there;
	int rc = host_nodes(sys, &there);

	for (size_t i = 0; i < config->node_count; i++) {
		int host = config->nodes[i].host;

		if (host < 0)
			continue;
		if (rc < 0)
			return log_fail(rc, subject,
					"not created: the host does not tell its NUMA nodes (%s)",
					strerror(-rc));
		if (host >= CPU_SETSIZE || !CPU_ISSET((size_t)host, &there))
			return log_fail(-EINVAL, subject,
					"not created: the host has no NUMA node %d; it has %s",
					host, cpuset_format(&there, text, sizeof(text)));
	}
	return 0;
}

/* The n-th number of node `from`'s distances is that to the n-th node that is online. */
static uint8_t host_distance(const struct sysfs *sys, int from, int to)
{
	char text[1024], *at = text;
	unsigned long value = REMOTE;
	cpu_set_t there;

	if (host_nodes(sys, &there) < 0 ||
	    sysfs_read(sys, text, sizeof(text), NODE_DIR "/node%d/distance", from) < 0)
		return REMOTE;
	for (int node = 0; node <= to; node++)
		if (CPU_ISSET((size_t)node, &there))
			value = strtoul(at, &at, 10);
	return value > LOCAL && value <= UNREACHABLE ? (uint8_t)value : REMOTE;
}

static void fill_distances(const struct sysfs *sys, struct hv_numa *numa)
{
	for (unsigned i = 0; i < numa->count; i++) {
		for (unsigned j = 0; j < numa->count; j++) {
			int a = numa->node[i].host, b = numa->node[j].host;

			numa->distance[i][j] = i == j		? LOCAL
					       : a < 0 || b < 0 ? REMOTE
					       : a == b		? SAME_HOST
								: host_distance(sys, a, b);
		}
	}
}

/* The node's CPUs that this process may use. */
static void fill_run(const char *subject, const struct sysfs *sys, struct hv_numa_node *node)
{
	char text[1024];
	cpu_set_t there, ours;

	CPU_ZERO(&node->run);
	if (node->host < 0 || !node->cpus)
		return;
	if (sysfs_read(sys, text, sizeof(text), NODE_DIR "/node%d/cpulist", node->host) == 0 &&
	    cpuset_parse(text, ',', &there) == 0 && sched_getaffinity(0, sizeof(ours), &ours) == 0)
		CPU_AND(&node->run, &there, &ours);
	if (CPU_COUNT(&node->run) == 0)
		log_warn(subject,
			 "no CPU of the host's node %d may be used: virtual CPUs of that node run "
			 "elsewhere, away from their memory",
			 node->host);
}

/* ---- the plan ---- */

static int check_cpus(const char *subject, const struct hv_config *config)
{
	uint64_t all = config->cpus == 64 ? UINT64_MAX : (UINT64_C(1) << config->cpus) - 1;
	uint64_t seen = 0;

	for (size_t i = 0; i < config->node_count; i++) {
		uint64_t cpus = config->nodes[i].cpus;

		if (cpus & (seen | ~all))
			return log_fail(-EINVAL, subject,
					"not created: a CPU of NUMA node %zu is in another node "
					"too, or is none of its %u CPUs",
					i, config->cpus);
		seen |= cpus;
	}
	if (seen == all)
		return 0;
	return log_fail(-EINVAL, subject, "not created: CPU %d is in no NUMA node",
			__builtin_ctzll(all & ~seen));
}

static int check_ram(const char *subject, const struct hv_config *config)
{
	uint64_t cut = MAX(CUT, hv_mem_page_size(config->pages)), sum = 0;
	char all[PARSE_SIZE_TEXT], nodes[PARSE_SIZE_TEXT];

	for (size_t i = 0; i < config->node_count; i++) {
		uint64_t ram = config->nodes[i].ram;

		if (!ram || ram > config->ram ||
		    (i + 1 < config->node_count && !IS_ALIGNED(ram, cut)))
			return log_fail(-EINVAL, subject,
					"not created: the memory of NUMA node %zu is no multiple "
					"of %s, or more than the VM's",
					i, format_size(cut, all));
		sum += ram;
	}
	if (sum == config->ram)
		return 0;
	return log_fail(-EINVAL, subject,
			"not created: its NUMA nodes have %s of memory, and it has %s",
			format_size(sum, nodes), format_size(config->ram, all));
}

int hv_numa_plan(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		 struct hv_numa *out)
{
	uint64_t offset = 0;
	int rc = 0;

	*out = (struct hv_numa){0};
	if (!config->node_count)
		return 0;
	if (config->node_count > HV_MAX_NODES)
		return log_fail(-EINVAL, subject, "not created: more than %d NUMA nodes",
				HV_MAX_NODES);
	rc = check_cpus(subject, config);
	if (rc == 0)
		rc = check_ram(subject, config);
	if (rc == 0)
		rc = check_host(subject, config, sys);
	for (size_t i = 0; rc == 0 && i < config->node_count; i++) {
		const struct hv_node *from = &config->nodes[i];
		struct hv_numa_node *node = &out->node[out->count++];

		*node = (struct hv_numa_node){offset, from->ram, from->cpus, from->host, {{0}}};
		offset += from->ram;
		fill_run(subject, sys, node);
	}
	fill_distances(sys, out);
	return rc;
}

int hv_numa_of_cpu(const struct hv_numa *numa, unsigned cpu)
{
	for (unsigned i = 0; i < numa->count; i++)
		if (numa->node[i].cpus >> cpu & 1)
			return (int)i;
	return -1;
}

int hv_numa_guest_node(const struct hv_vm *vm, int host)
{
	for (unsigned i = 0; host >= 0 && i < vm->numa.count; i++)
		if (vm->numa.node[i].host == host)
			return (int)i;
	return -1;
}

/* ---- memory ---- */

/* "Node 0 MemFree:   1234 kB", and so on. */
static uint64_t node_line(const char *text, const char *key)
{
	const char *line = strstr(text, key);
	uint64_t kib;

	return line && sscanf(line + strlen(key), ": %" SCNu64 " kB", &kib) == 1 ? kib * KIB : 0;
}

/* What could be had of a node: what is free, and what only caches files. */
static uint64_t node_available(const struct sysfs *sys, int host)
{
	char text[4096];

	if (sysfs_read_text(sys, text, sizeof(text), NODE_DIR "/node%d/meminfo", host) < 0)
		return UINT64_MAX; /* who does not tell does not stop us */
	return node_line(text, "MemFree") + node_line(text, "Active(file)") +
	       node_line(text, "Inactive(file)");
}

static uint64_t wanted_of(const struct hv_config *config, int host)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < config->node_count; i++)
		if (config->nodes[i].host == host)
			sum += config->nodes[i].ram;
	return sum;
}

static int check_small(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		       int host)
{
	char wanted[PARSE_SIZE_TEXT], there[PARSE_SIZE_TEXT];
	uint64_t needed = wanted_of(config, host), available = node_available(sys, host);

	if (needed <= available)
		return 0;
	return log_fail(-ENOMEM, subject,
			"not created: it wants %s of the host's NUMA node %d, which has %s "
			"available; give it less, or another node",
			format_size(needed, wanted), host, format_size(available, there));
}

static int check_huge(const char *subject, const struct hv_config *config, const struct sysfs *sys,
		      int host)
{
	uint64_t page = hv_mem_page_size(config->pages), unused = 0, total = 0;
	uint64_t needed = wanted_of(config, host) / page;
	unsigned long kib = (unsigned long)(page / KIB);
	const char *dir = NODE_DIR "/node%d/hugepages/hugepages-%lukB/free_hugepages";

	if (sysfs_read_u64(sys, &unused, dir, host, kib) == 0 && unused >= needed)
		return 0;
	sysfs_read_u64(sys, &total, NODE_DIR "/node%d/hugepages/hugepages-%lukB/nr_hugepages", host,
		       kib);
	return log_fail(-ENOMEM, subject,
			"not created: it wants %" PRIu64 " huge pages of %lu MiB of the host's "
			"NUMA node %d, and %" PRIu64 " are free there; reserve them with: echo "
			"%" PRIu64 " > /sys/" NODE_DIR
			"/node%d/hugepages/hugepages-%lukB/nr_hugepages",
			needed, kib / 1024, host, unused, total + needed - unused, host, kib);
}

int hv_numa_check(const char *subject, const struct hv_config *config, const struct sysfs *sys)
{
	bool huge = config->pages == HV_PAGES_2M || config->pages == HV_PAGES_1G;
	int rc = check_host(subject, config, sys);

	for (size_t i = 0; rc == 0 && i < config->node_count; i++) {
		int host = config->nodes[i].host;

		if (host < 0)
			continue;
		if (huge)
			rc = check_huge(subject, config, sys, host);
		else if (!hv_mem_file_mapped(config)) /* takes what the guest changes, no more */
			rc = check_small(subject, config, sys, host);
	}
	return rc;
}

int hv_numa_bind(const char *subject, const struct hv_config *config, void *hva)
{
	enum { BITS = 8 * sizeof(unsigned long) };
	uint8_t *at = hva;

	for (size_t i = 0; i < config->node_count; i++) {
		const struct hv_node *node = &config->nodes[i];
		unsigned long mask[CPU_SETSIZE / BITS] = {0};

		if (node->host >= 0 && node->host < CPU_SETSIZE) {
			mask[node->host / BITS] = 1UL << node->host % BITS;
			if (syscall(SYS_mbind, at, node->ram, MPOL_BIND, mask,
				    (unsigned long)CPU_SETSIZE, 0) < 0)
				return log_fail(-errno, subject,
						"not created: its memory is not bound to the "
						"host's NUMA node %d: %m",
						node->host);
		}
		at += node->ram;
	}
	return 0;
}
