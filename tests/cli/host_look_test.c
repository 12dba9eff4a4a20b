/* SPDX-License-Identifier: BSD-3-Clause */
/* Figures of a host: as Prometheus reads them, between two looks, and off a made-up machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "cli/host_look.h"
#include "tests/fakes/fake_sysfs.h"

static json_t *make_look(int cpu, int exits, int packets)
{
	return json_pack("{s:{s:i,s:i,s:I,s:I},s:[{s:s,s:i}],s:[{s:s,s:i,s:i,s:i,s:i}],"
			 "s:[{s:s,s:s,s:s,s:s,s:i}],s:[{s:s,s:s,s:i,s:i,s:i}],"
			 "s:[{s:s,s:s,s:i}],s:[{s:s,s:s,s:i}]}",
			 "host", "cpu_seconds", cpu, "idle_seconds", cpu / 2, "memory_total",
			 (json_int_t)8 << 30, "memory_available", (json_int_t)1 << 30, "iommus",
			 "name", "dmar0", "faults", cpu / 10, "pfs", "name", "ens1f0", "link_up", 1,
			 "vfs", 7, "rx_packets", packets, "rx_dropped", packets / 10, "vfs", "name",
			 "ens1f0/0", "pf", "ens1f0", "state", "held", "owner", "web", "held", 1,
			 "vms", "name", "web", "state", "running", "up", 1, "cpu_seconds", cpu,
			 "ours", exits, "exits", "vm", "web", "reason", "mmio-read", "count", exits,
			 "disks", "vm", "web", "disk", "/srv/a \"b\"\\c\n", "reads", 5);
}

static void assert_line(const char *text, const char *line)
{
	const char *at = strstr(text, line);

	if (!at || (at != text && at[-1] != '\n') || at[strlen(line)] != '\n')
		fail_msg("no line: %s", line);
}

static void test_metrics(void **state)
{
	json_t *look = make_look(100, 4242, 1000);
	char *text = host_metrics(look);

	(void)state;
	assert_non_null(text);
	assert_line(text, "# TYPE sluice_vm_exits_total counter");
	assert_line(text, "sluice_vm_exits_total{vm=\"web\",reason=\"mmio-read\"} 4242");
	assert_line(text, "sluice_host_memory_bytes 8589934592");
	assert_line(text, "sluice_iommu_fault_interrupts_total{unit=\"dmar0\"} 10");
	assert_line(text, "sluice_pf_vfs{pf=\"ens1f0\"} 7");
	assert_line(text,
		    "sluice_vf_held{vf=\"ens1f0/0\",pf=\"ens1f0\",state=\"held\",vm=\"web\"} 1");
	assert_line(text, "sluice_vm_up{vm=\"web\",state=\"running\"} 1");
	assert_line(text,
		    "sluice_vm_disk_reads_total{vm=\"web\",disk=\"/srv/a \\\"b\\\"\\\\c\\n\"} 5");
	/* What is not known has no line: 0 would be a figure. */
	assert_null(strstr(text, "\nsluice_vm_resident_bytes{"));
	free(text);
	json_decref(look);
}

static json_int_t rate(const json_t *rates, const char *list, const char *key)
{
	return json_integer_value(
		json_object_get(json_array_get(json_object_get(rates, list), 0), key));
}

static void test_rates(void **state)
{
	json_t *before = make_look(100, 1000, 1000), *after = make_look(104, 5000, 500);
	json_t *rates = host_rates(before, after, 2);

	(void)state;
	assert_int_equal(rate(rates, "vms", "cpu"), 200);
	assert_int_equal(rate(rates, "vms", "exits"), 2000);
	/* Its counters began anew (its driver was loaded again): since then. */
	assert_int_equal(rate(rates, "pfs", "rx"), 250);
	assert_int_equal(rate(rates, "pfs", "drops"), 25);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(rates, "host"), "cpu")),
			 50);
	json_decref(rates);
	/* One that was not there before. */
	json_t *nothing = json_object();
	rates = host_rates(nothing, after, 2);
	assert_int_equal(rate(rates, "vms", "exits"), 2500);
	json_decref(rates);
	json_decref(nothing);
	json_decref(before);
	json_decref(after);
}

static void test_look(void **state)
{
	struct fake_sysfs sysfs;
	char state_dir[64];

	(void)state;
	fake_sysfs_make(&sysfs);
	snprintf(state_dir, sizeof(state_dir), "%s/state", sysfs.dir);
	struct cli cli = {.state_dir = state_dir,
			  .run_dir = state_dir,
			  .sysfs = sysfs.dir,
			  .root = sysfs.dir,
			  .fs.root = -1};
	fake_put(&sysfs.fs, "cpu  100 0 50 800 50 0 0 0 0 0\n", "proc/stat");
	fake_put(&sysfs.fs, "MemTotal: 2048 kB\nMemAvailable: 1024 kB\n", "proc/meminfo");
	fake_put(&sysfs.fs, "64\n", "kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
	fake_put(&sysfs.fs, "60\n", "kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
	fake_put(&sysfs.fs, "", "class/iommu/dmar0/intel-iommu/version");
	fake_put(&sysfs.fs, " 120: 3 4 DMAR-MSI 0-edge dmar0\n", "proc/interrupts");
	fake_pf(&sysfs.fs, "0000:01:00.0", "ens1f0", 7);
	fake_put(&sysfs.fs, "12\n", "class/net/ens1f0/statistics/rx_dropped");
	json_t *look = host_look(&cli, 100);
	char *text = look ? host_metrics(look) : NULL;
	assert_non_null(text);
	assert_line(text, "sluice_host_memory_available_bytes 1048576");
	assert_line(text, "sluice_host_hugepages{size=\"2048kB\"} 64");
	assert_line(text, "sluice_host_hugepages_free{size=\"2048kB\"} 60");
	assert_line(text, "sluice_iommu_fault_interrupts_total{unit=\"dmar0\"} 7");
	assert_line(text, "sluice_pf_vfs_max{pf=\"ens1f0\"} 7");
	assert_line(text, "sluice_pf_receive_drops_total{pf=\"ens1f0\"} 12");
	free(text);
	json_decref(look);
	cli_sriov_close(&cli);
	sysfs_close(&cli.fs);
	fake_sysfs_remove(&sysfs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metrics),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
