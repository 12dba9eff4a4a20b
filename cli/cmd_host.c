/* SPDX-License-Identifier: BSD-3-Clause */
/* host show: what this machine offers to virtual machines. Reads only. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/proc.h"

static void add_cpu(json_t *host)
{
	struct proc_cpu cpu = {0};
	FILE *in = fopen("/proc/cpuinfo", "re");

	if (in) {
		proc_cpuinfo(in, &cpu);
		fclose(in);
	}
	json_object_set_new(host, "cpu", json_string(cpu.model));
	json_object_set_new(host, "cpus", json_integer(cpu.count));
	json_object_set_new(host, "virtualization",
			    cpu.vmx   ? json_string(cpu.ept ? "VT-x with EPT" : "VT-x")
			    : cpu.svm ? json_string(cpu.npt ? "AMD-V with nested paging" : "AMD-V")
				      : json_string("none"));
}

static void add_kvm(json_t *host)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	json_object_set_new(host, "kvm", json_string(fd >= 0 ? "usable" : strerror(errno)));
	if (fd >= 0)
		close(fd);
}

static int count_entry(const char *name, void *opaque)
{
	(void)name;
	++*(unsigned *)opaque;
	return 0;
}

static unsigned count_entries(const struct sysfs *fs, const char *path)
{
	unsigned count = 0;

	return sysfs_list(fs, count_entry, &count, "%s", path) ? 0 : count;
}

static void add_iommu(const struct sysfs *fs, json_t *host)
{
	FILE *in = fopen("/proc/interrupts", "re");
	bool remapped = in && proc_interrupts_remapped(in);

	if (in)
		fclose(in);
	unsigned units = count_entries(fs, "class/iommu");
	json_object_set_new(host, "iommu", json_string(units ? "on" : "off"));
	json_object_set_new(host, "iommus", json_integer(units));
	json_object_set_new(host, "iommu_groups",
			    json_integer(count_entries(fs, "kernel/iommu_groups")));
	json_object_set_new(host, "interrupt_remapping", json_boolean(remapped));
}

static void add_memory(json_t *host)
{
	static const char *const names[][2] = {{"MemTotal", "memory"},
					       {"MemAvailable", "memory_available"}};

	for (size_t i = 0; i < 2; i++) {
		FILE *in = fopen("/proc/meminfo", "re");
		uint64_t bytes;
		if (in && !proc_meminfo(in, names[i][0], &bytes))
			json_object_set_new(host, names[i][1], json_integer((json_int_t)bytes));
		if (in)
			fclose(in);
	}
}

struct huge_pages {
	const struct sysfs *fs;
	json_t *list;
};

static int add_huge_pages(const char *name, void *opaque)
{
	struct huge_pages *huge = opaque;
	uint64_t total, free_pages, kib = strtoull(name + strcspn(name, "0123456789"), NULL, 10);
	char text[64], size[16];

	if (sysfs_read_u64(huge->fs, &total, "kernel/mm/hugepages/%s/nr_hugepages", name) ||
	    sysfs_read_u64(huge->fs, &free_pages, "kernel/mm/hugepages/%s/free_hugepages", name))
		return 0;
	if (kib >= 1 << 20)
		snprintf(size, sizeof(size), "%lluG", (unsigned long long)(kib >> 20));
	else
		snprintf(size, sizeof(size), "%lluM", (unsigned long long)(kib >> 10));
	snprintf(text, sizeof(text), "%s: %llu of %llu free", size, (unsigned long long)free_pages,
		 (unsigned long long)total);
	json_array_append_new(huge->list, json_string(text));
	return 0;
}

static void add_vfio(const struct sysfs *fs, json_t *host)
{
	static const char *const modules[] = {"vfio", "vfio_pci", "vfio_iommu_type1"};
	json_t *loaded = json_array();

	for (size_t i = 0; i < 3; i++)
		if (sysfs_exists(fs, "module/%s", modules[i]))
			json_array_append_new(loaded, json_string(modules[i]));
	json_object_set_new(host, "vfio_modules", loaded);
}

/* "[none] integrity confidentiality": what stands in brackets. */
static void add_lockdown(const struct sysfs *fs, json_t *host)
{
	char text[64], *open, *close;

	if (sysfs_read(fs, text, sizeof(text), "kernel/security/lockdown"))
		return;
	open = strchr(text, '[');
	close = open ? strchr(open, ']') : NULL;
	if (close)
		json_object_set_new(host, "lockdown",
				    json_stringn(open + 1, (size_t)(close - open - 1)));
}

static void add_nodes(const struct sysfs *fs, json_t *host)
{
	unsigned nodes = 0;

	while (sysfs_exists(fs, "devices/system/node/node%u", nodes))
		nodes++;
	if (nodes)
		json_object_set_new(host, "numa_nodes", json_integer(nodes));
}

static void add_pfs(json_t *host, const struct sriov_pf *pfs, size_t count)
{
	json_int_t vfs = 0, total = 0;

	for (size_t i = 0; i < count; i++) {
		vfs += pfs[i].num_vfs;
		total += pfs[i].total_vfs;
	}
	json_object_set_new(host, "pfs", json_integer((json_int_t)count));
	json_object_set_new(host, "vfs", json_integer(vfs));
	json_object_set_new(host, "total_vfs", json_integer(total));
}

static const struct cli_column columns[] = {
	{"CPU", "cpu", CLI_SHOW_PLAIN},
	{"CPUs", "cpus", CLI_SHOW_PLAIN},
	{"virtualization", "virtualization", CLI_SHOW_PLAIN},
	{"/dev/kvm", "kvm", CLI_SHOW_PLAIN},
	{"IOMMU", "iommu", CLI_SHOW_PLAIN},
	{"IOMMU units", "iommus", CLI_SHOW_PLAIN},
	{"IOMMU groups", "iommu_groups", CLI_SHOW_PLAIN},
	{"interrupt remapping", "interrupt_remapping", CLI_SHOW_PLAIN},
	{"memory", "memory", CLI_SHOW_SIZE},
	{"memory available", "memory_available", CLI_SHOW_SIZE},
	{"huge pages", "huge_pages", CLI_SHOW_PLAIN},
	{"VFIO modules", "vfio_modules", CLI_SHOW_PLAIN},
	{"NUMA nodes", "numa_nodes", CLI_SHOW_PLAIN},
	{"lockdown", "lockdown", CLI_SHOW_PLAIN},
	{"PFs", "pfs", CLI_SHOW_PLAIN},
	{"VFs", "vfs", CLI_SHOW_PLAIN},
	{"VFs possible", "total_vfs", CLI_SHOW_PLAIN},
	{0},
};

int cmd_host_show(struct cli *cli, const struct cli_args *args)
{
	const struct sysfs *fs = cli_sysfs(cli);
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_pf *pfs = NULL;
	size_t pf_count;

	(void)args;
	if (!fs || !sriov || sriov_pf_list(sriov, &pfs, &pf_count))
		return CLI_FAILED;
	json_t *host = json_object();
	struct huge_pages huge = {.fs = fs, .list = json_array()};
	add_cpu(host);
	add_kvm(host);
	add_iommu(fs, host);
	add_memory(host);
	sysfs_list(fs, add_huge_pages, &huge, "kernel/mm/hugepages");
	json_object_set_new(host, "huge_pages", huge.list);
	add_vfio(fs, host);
	add_nodes(fs, host);
	add_lockdown(fs, host);
	add_pfs(host, pfs, pf_count);
	free(pfs);
	if (cli->json)
		cli_print_json(stdout, host);
	else
		cli_print_fields(stdout, columns, host);
	json_decref(host);
	return CLI_OK;
}
