/* SPDX-License-Identifier: BSD-3-Clause */
/* host_look: see host_look.h; the looking. */
#include "cli/host_look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/proc.h"
#include "cli/vm_dir.h"
#include "cli/vm_sample.h"
#include "cli/vm_threads.h"

struct look {
	struct cli *cli;
	const struct sysfs *fs;
	json_t *all;
	unsigned wait_ms;
};

static json_t *list_of(const struct look *l, const char *name)
{
	return json_object_get(l->all, name);
}

static void set(json_t *to, const char *key, uint64_t value)
{
	json_object_set_new(to, key, json_integer((json_int_t)value));
}

static FILE *open_file(const struct look *l, const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s/%s", strcmp(l->cli->root, "/") ? l->cli->root : "", path);
	return fopen(full, "re");
}

/* ---- the machine ---- */

/* The first line of /proc/stat: user nice system idle iowait irq softirq steal, in ticks. */
static void look_at_cpus(const struct look *l, json_t *host)
{
	unsigned long long t[8] = {0}, all = 0;
	double hz = (double)sysconf(_SC_CLK_TCK);
	FILE *in = open_file(l, "proc/stat");

	if (in && fscanf(in, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &t[0], &t[1], &t[2],
			 &t[3], &t[4], &t[5], &t[6], &t[7]) >= 4) {
		for (size_t i = 0; i < ARRAY_SIZE(t); i++)
			all += t[i];
		json_object_set_new(host, "cpu_seconds", json_real((double)all / hz));
		json_object_set_new(host, "idle_seconds", json_real((double)(t[3] + t[4]) / hz));
	}
	if (in)
		fclose(in);
	set(host, "cpus", (uint64_t)sysconf(_SC_NPROCESSORS_ONLN));
}

static void look_at_memory(const struct look *l, json_t *host)
{
	static const char *const names[][2] = {{"MemTotal", "memory_total"},
					       {"MemAvailable", "memory_available"}};
	uint64_t bytes;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		FILE *in = open_file(l, "proc/meminfo");

		if (in && !proc_meminfo(in, names[i][0], &bytes))
			set(host, names[i][1], bytes);
		if (in)
			fclose(in);
	}
}

static int look_at_hugepages(const char *name, void *opaque)
{
	const struct look *l = opaque;
	uint64_t total, unused;

	if (sysfs_read_u64(l->fs, &total, "kernel/mm/hugepages/%s/nr_hugepages", name) ||
	    sysfs_read_u64(l->fs, &unused, "kernel/mm/hugepages/%s/free_hugepages", name))
		return 0;
	json_array_append_new(list_of(l, "hugepages"),
			      json_pack("{s:s,s:I,s:I}", "size", name + strcspn(name, "0123456789"),
					"total", (json_int_t)total, "free", (json_int_t)unused));
	return 0;
}

/* A unit tells of faults by an interrupt that has its own name; nothing else counts them (VT-d
 * 4.0, section 7.3; drivers/iommu/intel/dmar.c). */
static int look_at_iommu(const char *name, void *opaque)
{
	const struct look *l = opaque;
	char chip[64];
	uint64_t faults = 0;
	FILE *in = open_file(l, "proc/interrupts");
	json_t *unit = json_pack("{s:s}", "name", name);

	if (in && !proc_interrupt(in, name, &faults, chip, sizeof(chip)))
		set(unit, "faults", faults);
	if (in)
		fclose(in);
	json_array_append_new(list_of(l, "iommus"), unit);
	return 0;
}

static void look_at_machine(const struct look *l)
{
	json_t *host = list_of(l, "host");
	struct utsname kernel;

	uname(&kernel);
	json_object_set_new(host, "version", json_string(SLUICE_VERSION));
	json_object_set_new(host, "kernel", json_string(kernel.release));
	look_at_cpus(l, host);
	look_at_memory(l, host);
	sysfs_list(l->fs, look_at_hugepages, (void *)(uintptr_t)l, "kernel/mm/hugepages");
	sysfs_list(l->fs, look_at_iommu, (void *)(uintptr_t)l, "class/iommu");
}

/* ---- PFs and VFs ---- */

static void look_at_vfs(const struct look *l, const struct sriov_pf *pf, const char *pf_name)
{
	static const char *const states[] = {"free", "held", "orphaned", "foreign"};
	struct sriov_vf *vfs = NULL;
	size_t count = 0;
	char name[SRIOV_NAME + 16];

	if (sriov_vf_list(cli_sriov(l->cli), pf, &vfs, &count))
		count = 0;
	for (size_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s/%u", pf_name, vfs[i].index);
		json_array_append_new(list_of(l, "vfs"),
				      json_pack("{s:s,s:s,s:s,s:s,s:i}", "name", name, "pf",
						pf_name, "state", states[vfs[i].state], "owner",
						vfs[i].owner, "held",
						vfs[i].state != SRIOV_VF_FREE));
	}
	free(vfs);
}

static void look_at_pf(const struct look *l, const struct sriov_pf *pf)
{
	static const char *const counters[] = {
		"rx_packets", "rx_bytes", "rx_dropped", "rx_errors",
		"tx_packets", "tx_bytes", "tx_dropped", "tx_errors",
	};
	char address[BDF_TEXT];
	uint64_t value;

	bdf_format(pf->bdf, address);
	const char *name = pf->ifname[0] ? pf->ifname : address;
	json_t *row = json_pack("{s:s,s:s,s:s,s:i,s:i,s:i}", "name", name, "address", address,
				"driver", pf->driver, "link_up", (int)pf->link_up, "vfs",
				(int)pf->num_vfs, "total_vfs", (int)pf->total_vfs);
	for (size_t i = 0; pf->ifname[0] && i < ARRAY_SIZE(counters); i++)
		if (!sysfs_read_u64(l->fs, &value, "class/net/%s/statistics/%s", pf->ifname,
				    counters[i]))
			set(row, counters[i], value);
	json_array_append_new(list_of(l, "pfs"), row);
	look_at_vfs(l, pf, name);
}

static int look_at_pfs(const struct look *l)
{
	struct sriov *sriov = cli_sriov(l->cli);
	struct sriov_pf *pfs = NULL;
	size_t count = 0;
	int err = sriov ? sriov_pf_list(sriov, &pfs, &count) : -EIO;

	for (size_t i = 0; !err && i < count; i++)
		look_at_pf(l, &pfs[i]);
	free(pfs);
	return err;
}

/* ---- VMs ---- */

static json_t *ask(const struct look *l, const char *vm, const char *method)
{
	char path[CLI_PATH], error[RPC_ERROR_TEXT];
	json_t *answer = NULL;

	if (vm_path(l->cli, vm, VM_CTL, path) ||
	    rpc_call(path, method, NULL, l->wait_ms, &answer, error))
		return NULL;
	vm_threads_translate("/proc", answer);
	return answer;
}

/* CPU time of all its threads, the guest's included, and what of it is in memory. */
static void look_at_process(json_t *vm, int pid)
{
	uint64_t ticks, bytes;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	FILE *in = pid > 0 ? fopen(path, "re") : NULL;
	if (in && !vm_sample_ticks(in, &ticks))
		json_object_set_new(vm, "cpu_seconds",
				    json_real((double)ticks / (double)sysconf(_SC_CLK_TCK)));
	if (in)
		fclose(in);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	in = pid > 0 ? fopen(path, "re") : NULL;
	if (in && !proc_status(in, "VmRSS", &bytes))
		set(vm, "resident", bytes);
	if (in)
		fclose(in);
}

static void look_at_exits(const struct look *l, const char *name, const json_t *stat)
{
	const char *reason;
	json_t *count;

	json_object_foreach (json_object_get(stat, "exits"), reason, count)
		json_array_append_new(
			list_of(l, "exits"),
			json_pack("{s:s,s:s,s:O}", "vm", name, "reason", reason, "count", count));
}

static void look_at_disks(const struct look *l, const char *name, const json_t *stat)
{
	static const char *const keys[] = {"reads",   "read_bytes", "writes",	  "write_bytes",
					   "flushes", "errors",	    "connections"};
	json_t *disk;
	size_t i;

	json_array_foreach (json_object_get(stat, "disks"), i, disk) {
		json_t *row =
			json_pack("{s:s,s:O}", "vm", name, "disk", json_object_get(disk, "name"));

		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			json_object_set(row, keys[k], json_object_get(disk, keys[k]));
		json_array_append_new(list_of(l, "disks"), row);
	}
}

static void look_at_nets(const struct look *l, const char *name, const json_t *stat)
{
	static const char *const directions[] = {"received", "sent"}, *const keys[] = {"packets",
										       "bytes",
										       "drops"};
	char key[32];
	json_t *net;
	size_t i;

	json_array_foreach (json_object_get(stat, "nets"), i, net) {
		json_t *row =
			json_pack("{s:s,s:O,s:i}", "vm", name, "net", json_object_get(net, "tap"),
				  "up", json_is_true(json_object_get(net, "up")));

		for (size_t k = 0; k < ARRAY_SIZE(directions) * ARRAY_SIZE(keys); k++) {
			const char *direction = directions[k / ARRAY_SIZE(keys)];
			const char *what = keys[k % ARRAY_SIZE(keys)];

			snprintf(key, sizeof(key), "%s_%s", direction, what);
			json_object_set(row, key,
					json_object_get(json_object_get(net, direction), what));
		}
		json_array_append_new(list_of(l, "nets"), row);
	}
}

static void look_at_vm(const struct look *l, const char *name)
{
	static const char *const keys[] = {"resets", "cpus", "since", "events_missed"};
	json_t *status = ask(l, name, "status"), *stat = status ? ask(l, name, "stat") : NULL;
	const char *state = json_string_value(json_object_get(status, "state"));
	json_t *vm = json_pack("{s:s,s:s,s:i}", "name", name, "state", state ? state : "down", "up",
			       status != NULL);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		json_object_set(vm, keys[i], json_object_get(status, keys[i]));
	json_object_set(vm, "ram", json_object_get(status, "ram_now"));
	json_object_set(vm, "ours", json_object_get(stat, "total"));
	json_object_set(vm, "all", json_object_get(json_object_get(stat, "engine"), "exits"));
	look_at_process(vm, (int)json_integer_value(json_object_get(status, "pid")));
	look_at_exits(l, name, stat);
	look_at_disks(l, name, stat);
	look_at_nets(l, name, stat);
	json_array_append_new(list_of(l, "vms"), vm);
	json_decref(stat);
	json_decref(status);
}

static void look_at_vms(const struct look *l)
{
	json_t *names = vm_names(l->cli);

	for (size_t i = 0; i < json_array_size(names); i++)
		look_at_vm(l, json_string_value(json_array_get(names, i)));
	json_decref(names);
}

json_t *host_look(struct cli *cli, unsigned wait_ms)
{
	struct look l = {.cli = cli, .fs = cli_sysfs(cli), .wait_ms = wait_ms};

	if (!l.fs)
		return NULL;
	l.all = json_pack("{s:{},s:[],s:[],s:[],s:[],s:[],s:[],s:[],s:[]}", "host", "hugepages",
			  "iommus", "pfs", "vfs", "vms", "exits", "disks", "nets");
	if (!l.all)
		return NULL;
	look_at_machine(&l);
	look_at_pfs(&l); /* logged where it fails; the rest is worth having */
	look_at_vms(&l);
	return l.all;
}
