/* SPDX-License-Identifier: BSD-3-Clause */
/* numa: what becomes of a plan of nodes on a made-up host, and what SRAT and SLIT say of it. */
#include "hv-core/numa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cpuset.h"
#include "base/util.h"
#include "hv-core/acpi_numa.h"
#include "hv-core/mem.h"
#include "hv-core/vm.h"
#include "tests/fakes/fake_engine.h"
#include "tests/fakes/fake_sysfs.h"

#define NODE "devices/system/node/"

struct host {
	struct fake_sysfs fake;
	struct hv_node nodes[HV_MAX_NODES + 1];
	struct hv_config config;
	struct hv_numa numa;
};

/* Nodes 0 and 2, with this machine's CPU 0 in 0, and none of its in 2. */
static int setup(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	fake_sysfs_make(&h->fake);
	fake_put(&h->fake.fs, "0,2\n", NODE "online");
	fake_put(&h->fake.fs, "0\n", NODE "node0/cpulist");
	fake_put(&h->fake.fs, "900-903\n", NODE "node2/cpulist");
	fake_put(&h->fake.fs, "10 31\n", NODE "node0/distance");
	fake_put(&h->fake.fs, "32 10\n", NODE "node2/distance");
	fake_put(&h->fake.fs, "Node 0 MemFree: 131072 kB\nNode 0 Active(file): 0 kB\n",
		 NODE "node0/meminfo");
	fake_put(&h->fake.fs,
		 "Node 2 MemFree: 1024 kB\nNode 2 Active(file): 30720 kB\n"
		 "Node 2 Inactive(file): 1024 kB\n",
		 NODE "node2/meminfo");
	h->nodes[0] = (struct hv_node){.ram = 64 * MIB, .cpus = 0x3, .host = 0};
	h->nodes[1] = (struct hv_node){.ram = 32 * MIB, .cpus = 0xc, .host = 2};
	h->config = (struct hv_config){
		.name = "test", .cpus = 4, .ram = 96 * MIB, .nodes = h->nodes, .node_count = 2};
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct host *h = *state;

	fake_sysfs_remove(&h->fake);
	free(h);
	return 0;
}

static int plan(struct host *h)
{
	return hv_numa_plan("vm test", &h->config, &h->fake.fs, &h->numa);
}

static void test_plan(void **state)
{
	struct host *h = *state;

	assert_int_equal(plan(h), 0);
	assert_int_equal(h->numa.count, 2);
	assert_int_equal(h->numa.node[0].offset, 0);
	assert_int_equal(h->numa.node[1].offset, 64 * MIB);
	assert_int_equal(hv_numa_of_cpu(&h->numa, 1), 0);
	assert_int_equal(hv_numa_of_cpu(&h->numa, 2), 1);
	assert_int_equal(hv_numa_of_cpu(&h->numa, 9), -1);
	assert_int_equal(CPU_COUNT(&h->numa.node[0].run), 1);
	assert_true(CPU_ISSET(0, &h->numa.node[0].run));
	assert_int_equal(CPU_COUNT(&h->numa.node[1].run), 0); /* none that we may use */
	assert_int_equal(h->numa.distance[0][0], 10);
	assert_int_equal(h->numa.distance[0][1], 31);
	assert_int_equal(h->numa.distance[1][0], 32);
}

static void test_distances_that_nobody_tells(void **state)
{
	struct host *h = *state;

	h->nodes[0].host = -1;
	assert_int_equal(plan(h), 0);
	assert_int_equal(h->numa.distance[0][1], 20);
	h->nodes[0].host = 2; /* two guest nodes on one of the host's */
	assert_int_equal(plan(h), 0);
	assert_int_equal(h->numa.distance[0][1], 11);
	assert_int_equal(h->numa.distance[1][1], 10);
}

static void test_refused(void **state)
{
	struct host *h = *state;

	h->nodes[1].host = 1; /* not online */
	assert_int_equal(plan(h), -EINVAL);
	h->nodes[1].host = 2;
	h->nodes[1].cpus = 0xe; /* CPU 1 twice */
	assert_int_equal(plan(h), -EINVAL);
	h->nodes[1].cpus = 0x4; /* CPU 3 nowhere */
	assert_int_equal(plan(h), -EINVAL);
	h->nodes[1].cpus = 0x1c; /* a fifth */
	assert_int_equal(plan(h), -EINVAL);
	h->nodes[1].cpus = 0xc;
	h->nodes[1].ram = 30 * MIB; /* not all */
	assert_int_equal(plan(h), -EINVAL);
	h->nodes[0].ram = 65 * MIB; /* across a large page */
	h->nodes[1].ram = 31 * MIB;
	assert_int_equal(plan(h), -EINVAL);
	h->nodes[0].ram = 0;
	assert_int_equal(plan(h), -EINVAL);
	h->config.node_count = HV_MAX_NODES + 1;
	assert_int_equal(plan(h), -EINVAL);
	h->config.node_count = 0;
	assert_int_equal(plan(h), 0);
	assert_int_equal(h->numa.count, 0);
}

static void test_enough_on_each(void **state)
{
	struct host *h = *state;

	/* node 2: 1 MiB free and 31 MiB that only cache files */
	assert_int_equal(hv_numa_check("vm test", &h->config, &h->fake.fs), 0);
	h->nodes[1].ram = 34 * MIB;
	assert_int_equal(hv_numa_check("vm test", &h->config, &h->fake.fs), -ENOMEM);
	h->nodes[1].host = -1;
	assert_int_equal(hv_numa_check("vm test", &h->config, &h->fake.fs), 0);
	h->nodes[1].host = 0; /* the sum counts: 64 + 34 of 128, then 64 + 66 */
	assert_int_equal(hv_numa_check("vm test", &h->config, &h->fake.fs), 0);
	h->nodes[1].ram = 66 * MIB;
	assert_int_equal(hv_numa_check("vm test", &h->config, &h->fake.fs), -ENOMEM);
}

static void test_huge_pages_on_each(void **state)
{
	const char *dir = NODE "node%d/hugepages/hugepages-2048kB/";
	struct host *h = *state;
	char path[128];

	h->config.pages = HV_PAGES_2M;
	assert_int_equal(hv_numa_check("vm test", &h->config, &h->fake.fs), -ENOMEM);
	for (int node = 0; node <= 2; node += 2) {
		snprintf(path, sizeof(path), dir, node); /* NOLINT: a literal */
		fake_put(&h->fake.fs, node ? "16\n" : "32\n", "%sfree_hugepages", path);
	}
	assert_int_equal(hv_numa_check("vm test", &h->config, &h->fake.fs), 0);
	snprintf(path, sizeof(path), dir, 2); /* NOLINT: a literal */
	fake_put(&h->fake.fs, "15\n", "%sfree_hugepages", path);
	assert_int_equal(hv_numa_check("vm test", &h->config, &h->fake.fs), -ENOMEM);
}

/* ---- binding, on this machine ---- */

static int policy_at(const void *at, unsigned long *mask)
{
	int mode = -1;

	*mask = 0;
	if (syscall(SYS_get_mempolicy, &mode, mask, 64ul, at, MPOL_F_ADDR) < 0)
		return -1;
	return mode;
}

static void test_bind(void **state)
{
	struct host *h = *state;
	unsigned long mask;
	uint8_t *ram =
		mmap(NULL, 4 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(ram, MAP_FAILED);
	h->nodes[0].ram = h->nodes[1].ram = 2 * MIB;
	h->nodes[0].host = -1;
	h->nodes[1].host = 0; /* which each machine has */
	int rc = hv_numa_bind("vm test", &h->config, ram);
	if (rc == -ENOSYS || rc == -EPERM)
		skip(); /* a kernel without NUMA, or a container that forbids it */
	assert_int_equal(rc, 0);
	assert_int_equal(policy_at(ram, &mask), MPOL_DEFAULT);
	assert_int_equal(policy_at(ram + 2 * MIB, &mask), MPOL_BIND);
	assert_int_equal(mask, 1);
	ram[2 * MIB] = 1; /* and there is memory */
	h->nodes[1].host = 1000;
	assert_int_equal(hv_numa_bind("vm test", &h->config, ram), -EINVAL);
	munmap(ram, 4 * MIB);
}

/* The thread of a CPU runs where its node's CPUs are, and a pin goes before that. */
static void test_threads(void **state)
{
	const int pins[] = {-1, -1};
	struct host *h = *state;
	struct hv_engine engine;
	struct hv_vm *vm;
	cpu_set_t first, set, ours;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	assert_int_equal(sched_getaffinity(0, sizeof(ours), &ours), 0);
	if (CPU_COUNT(&ours) < 2 || !CPU_ISSET(0, &ours))
		skip(); /* every thread would run on CPU 0 anyway */
	fake_engine_init(&engine);
	h->nodes[0] = (struct hv_node){.ram = 16 * MIB, .cpus = 1, .host = -1};
	h->nodes[1] = (struct hv_node){.ram = 16 * MIB, .cpus = 2, .host = -1};
	h->config.engine = &fake_engine_ops;
	h->config.engine_fd = fake_engine_fd(&engine);
	h->config.cpus = 2;
	h->config.pin = pins;
	h->config.ram = 32 * MIB;
	assert_int_equal(hv_vm_create(&h->config, &vm), 0);
	assert_int_equal(hv_boot_firmware(vm), 0);
	vm->vcpus[1].affinity = first; /* as a node of the host's with CPU 0 alone gives it */
	assert_int_equal(hv_vm_start(vm), 0);
	for (unsigned i = 0; i < 2; i++) {
		while (!vm->vcpus[i].tid)
			sched_yield();
		assert_int_equal(sched_getaffinity(vm->vcpus[i].tid, sizeof(set), &set), 0);
		assert_true(CPU_EQUAL(&set, i ? &first : &ours));
	}
	hv_vm_destroy(vm);
	close(h->config.engine_fd);
	fake_engine_finish(&engine);
}

/* ---- the tables ---- */

static uint64_t get(const uint8_t *at, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, at, len);
	return value;
}

static void test_srat(void **state)
{
	struct host *h = *state;
	unsigned ids[] = {0, 1, 2, 300};
	/* 80 MiB low, so that node 1 begins in low RAM and ends in high RAM */
	const struct hv_mem_layout layout = {.low_ram = {0, 80 * MIB - 1},
					     .high_ram = {4 * GIB, 4 * GIB + 16 * MIB - 1}};
	const struct hv_acpi_input input = {
		.layout = &layout, .apic_ids = ids, .cpus = 4, .numa = &h->numa};
	uint8_t table[HV_ACPI_SRAT_MAX], *at = table;
	const struct {
		uint64_t node, base, size;
	} memory[] = {{0, 0, 64 * MIB}, {1, 64 * MIB, 16 * MIB}, {1, 4 * GIB, 16 * MIB}};

	assert_int_equal(plan(h), 0);
	assert_int_equal(hv_acpi_srat(&input, table), 12 + 3 * 16 + 24 + 3 * 40);
	assert_int_equal(get(at, 4), 1);
	at += 12;
	for (unsigned cpu = 0; cpu < 3; cpu++, at += 16) {
		assert_int_equal(get(at, 2), 0x1000);	  /* type 0, 16 bytes */
		assert_int_equal(at[2], cpu < 2 ? 0 : 1); /* its node */
		assert_int_equal(at[3], ids[cpu]);
		assert_int_equal(get(at + 4, 4), 1); /* enabled */
	}
	assert_int_equal(get(at, 2), 0x1802); /* type 2: an APIC ID beyond 8 bits */
	assert_int_equal(get(at + 4, 4), 1);
	assert_int_equal(get(at + 8, 4), 300);
	assert_int_equal(get(at + 12, 4), 1);
	at += 24;
	for (size_t i = 0; i < ARRAY_SIZE(memory); i++, at += 40) {
		assert_int_equal(get(at, 2), 0x2801);
		assert_int_equal(get(at + 2, 4), memory[i].node);
		assert_int_equal(get(at + 8, 8), memory[i].base);
		assert_int_equal(get(at + 16, 8), memory[i].size);
		assert_int_equal(get(at + 28, 4), 1);
	}
}

/* A machine without nodes whose memory may grow: all of it is one, and so is what may come. */
static void test_srat_of_growth(void **state)
{
	struct host *h = *state;
	unsigned ids[] = {0, 1};
	const struct hv_mem_layout layout = {.low_ram = {0, 64 * MIB - 1},
					     .high_ram = {1, 0},
					     .grow = {6 * GIB, 6 * GIB + 512 * MIB - 1}};
	struct hv_mem_layout fixed = layout;
	struct hv_acpi_input input = {.layout = &layout, .apic_ids = ids, .cpus = 2};
	uint8_t table[HV_ACPI_SRAT_MAX], *at = table + 12 + 2 * 16;

	assert_true(hv_acpi_has_srat(&input));
	assert_int_equal(hv_acpi_srat(&input, table), 12 + 2 * 16 + 2 * 40);
	assert_int_equal(get(at + 2, 4), 0);
	assert_int_equal(get(at + 16, 8), 64 * MIB);
	assert_int_equal(get(at + 28, 4), 1); /* enabled */
	at += 40;
	assert_int_equal(get(at, 2), 0x2801);
	assert_int_equal(get(at + 2, 4), 0);
	assert_int_equal(get(at + 8, 8), 6 * GIB);
	assert_int_equal(get(at + 16, 8), 512 * MIB);
	assert_int_equal(get(at + 28, 4), 3); /* enabled, hot-pluggable */

	assert_int_equal(plan(h), 0); /* and of one with nodes, beside them */
	input.numa = &h->numa;
	assert_int_equal(hv_acpi_srat(&input, table), 12 + 2 * 16 + 40 + 40);
	assert_int_equal(get(table + 12 + 2 * 16 + 40 + 28, 4), 3);

	fixed.grow = (struct range){1, 0};
	input = (struct hv_acpi_input){.layout = &fixed, .apic_ids = ids, .cpus = 2};
	assert_false(hv_acpi_has_srat(&input));
}

static void test_slit(void **state)
{
	struct host *h = *state;
	const struct hv_acpi_input input = {.numa = &h->numa};
	const uint8_t want[] = {2, 0, 0, 0, 0, 0, 0, 0, 10, 31, 32, 10};
	uint8_t table[HV_ACPI_SLIT_MAX];

	assert_int_equal(plan(h), 0);
	assert_int_equal(hv_acpi_slit(&input, table), sizeof(want));
	assert_memory_equal(table, want, sizeof(want));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_plan),
		TEST(test_distances_that_nobody_tells),
		TEST(test_refused),
		TEST(test_enough_on_each),
		TEST(test_huge_pages_on_each),
		TEST(test_bind),
		TEST(test_threads),
		TEST(test_srat),
		TEST(test_srat_of_growth),
		TEST(test_slit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
