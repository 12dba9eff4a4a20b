/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm irqs, iommu irqs: how each vector of a passed-through device reaches its guest.
 *
 * The VM tells the guest's half (vector, message, mask), /proc/interrupts and /proc/irq the host's
 * half (number, chip, CPU, count), and the remapping table, where it can be read, the middle. Linux
 * makes the entries of one device in the order of its vectors, so the n-th entry with its source id
 * is that of its n-th vector; when there are not as many of the one as of the other, no entry is
 * shown.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/proc.h"
#include "cli/vm_dir.h"
#include "iommu/iommu.h"

#define CAP_POSTED 59u /* VT-d 11.4.2: PI */

struct gathering {
	const struct sysfs *fs;
	struct audit audit;
	bool live; /* audit was opened */
	json_t *rows;
	json_int_t cpus;
	const char *vm;
};

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

/* ---- the host's half ---- */

static void add_affinity(json_t *row, unsigned irq, const char *file, const char *key)
{
	char path[64], line[128];

	snprintf(path, sizeof(path), "/proc/irq/%u/%s", irq, file);
	FILE *in = fopen(path, "re");
	if (!in)
		return;
	if (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		json_object_set_new(row, key, json_string(line));
	}
	fclose(in);
}

/* The names that vfio-pci gives its interrupts (drivers/vfio/pci/vfio_pci_intrs.c). */
static bool add_host(json_t *row, const char *mode, unsigned vector, const char *bdf)
{
	FILE *in = fopen("/proc/interrupts", "re");
	char action[64], chip[64] = "";
	uint64_t count;
	unsigned irq;

	if (!strcmp(mode, "intx"))
		snprintf(action, sizeof(action), "vfio-intx(%.16s)", bdf);
	else
		snprintf(action, sizeof(action), "vfio-%s[%u](%.16s)",
			 strcmp(mode, "msi") ? "msix" : "msi", vector, bdf);
	bool found = in && !proc_interrupt(in, action, &count, chip, sizeof(chip));
	if (found) {
		rewind(in);
		json_object_set_new(row, "count", json_integer((json_int_t)count));
		json_object_set_new(row, "chip", json_string(chip));
		if (!proc_interrupt_number(in, action, &irq)) {
			json_object_set_new(row, "irq", json_integer(irq));
			add_affinity(row, irq, "effective_affinity_list", "cpu");
			add_affinity(row, irq, "smp_affinity_list", "allowed_cpus");
		}
	}
	if (in)
		fclose(in);
	return found && !strncmp(chip, "IR-", 3);
}

static enum iommu_yes module_flag(const struct sysfs *fs, const char *path)
{
	char value[8];

	if (sysfs_read(fs, value, sizeof(value), "module/%s", path))
		return IOMMU_UNKNOWN;
	return value[0] == 'Y' || value[0] == '1' ? IOMMU_YES : IOMMU_NO;
}

static enum iommu_yes unit_posts(const struct sysfs *fs, const char *bdf)
{
	char unit[32], value[32];

	if (sysfs_link_name(fs, unit, sizeof(unit), "bus/pci/devices/%s/iommu", bdf) ||
	    sysfs_read(fs, value, sizeof(value), "class/iommu/%s/intel-iommu/cap", unit))
		return IOMMU_UNKNOWN;
	return strtoull(value, NULL, 16) >> CAP_POSTED & 1 ? IOMMU_YES : IOMMU_NO;
}

/* ---- the middle ---- */

struct entries {
	struct audit_entry list[64];
	size_t count;
};

static size_t entries_of(struct gathering *g, const char *address, struct entries *out)
{
	struct bdf bdf;

	out->count = 0;
	if (!g->live || bdf_parse(address, &bdf))
		return 0;
	const uint16_t rid = (uint16_t)(bdf.bus << 8 | bdf.dev << 3 | bdf.fn);
	const struct audit_device *d = audit_find_device(&g->audit, bdf.domain, rid);
	if (d)
		out->count = audit_entries_of(&g->audit, &g->audit.units[d->unit], rid, out->list,
					      ARRAY_SIZE(out->list));
	return out->count;
}

static enum iommu_yes add_entry(json_t *row, const struct entries *entries, size_t index,
				size_t vectors)
{
	if (entries->count != vectors || index >= entries->count)
		return IOMMU_UNKNOWN;
	const struct audit_entry *e = &entries->list[index];
	json_object_set_new(row, "entry", json_integer(e->index));
	json_object_set_new(row, "host_vector", json_integer(e->vector));
	return e->posted ? IOMMU_YES : IOMMU_NO;
}

/* ---- one device ---- */

static void add_row(struct gathering *g, const json_t *device, const json_t *vector, size_t index,
		    const struct entries *entries)
{
	const char *mode = text(device, "mode"), *bdf = text(device, "bdf");
	const json_int_t n = json_integer_value(json_object_get(vector, "vector"));
	json_t *row = json_pack("{s:s,s:s,s:s,s:I}", "vm", g->vm, "device", bdf, "mode", mode,
				"vector", n);
	const enum iommu_yes avic = module_flag(g->fs, "kvm_amd/parameters/avic");
	struct iommu_posting_facts facts = {
		.remapped = add_host(row, mode, (unsigned)n, bdf),
		.wire = !strcmp(mode, "intx"),
		.masked = json_is_true(json_object_get(vector, "masked")) ||
			  json_integer_value(json_object_get(vector, "route")) < 0,
		.unit_can = unit_posts(g->fs, bdf),
		.amd_cpu = avic != IOMMU_UNKNOWN,
		.virtual_apic = avic != IOMMU_UNKNOWN
					? avic
					: module_flag(g->fs, "kvm_intel/parameters/enable_apicv"),
		/* sluice-vmm never makes KVM's PIT, so nothing reinjects. */
		.pit_reinjection = false,
		.cpus = (unsigned)g->cpus,
		.address = (uint64_t)json_integer_value(json_object_get(vector, "addr")),
		.data = (uint32_t)json_integer_value(json_object_get(vector, "data")),
	};
	facts.entry_posted =
		add_entry(row, entries, index, json_array_size(json_object_get(device, "vectors")));
	const enum iommu_posting posting = iommu_posting_of(&facts);
	json_object_set_new(row, "delivery",
			    json_string(posting == IOMMU_POSTED ? "posted"
					: facts.remapped	? "remapped"
								: "plain"));
	json_object_set_new(row, "masked", json_boolean(facts.masked));
	json_object_set_new(row, "why_not_posted",
			    posting == IOMMU_POSTED ? json_null()
						    : json_string(iommu_posting_words(posting)));
	json_array_append_new(g->rows, row);
}

static void add_device(struct gathering *g, const json_t *device)
{
	const json_t *vectors = json_object_get(device, "vectors");
	struct entries entries;

	entries_of(g, text(device, "bdf"), &entries);
	if (!strcmp(text(device, "mode"), "intx"))
		add_row(g, device, NULL, 0, &entries);
	for (size_t i = 0; i < json_array_size(vectors); i++)
		add_row(g, device, json_array_get(vectors, i), i, &entries);
}

static void add_vm(struct gathering *g, const char *name, const json_t *stat)
{
	const json_t *devices = json_object_get(stat, "devices");

	g->vm = name;
	g->cpus = (json_int_t)json_array_size(json_object_get(stat, "cpus"));
	for (size_t i = 0; i < json_array_size(devices); i++)
		add_device(g, json_array_get(devices, i));
}

/* ---- the commands ---- */

static const struct cli_column columns[] = {
	{"VM", "vm", CLI_SHOW_PLAIN},
	{"DEVICE", "device", CLI_SHOW_PLAIN},
	{"VECTOR", "vector", CLI_SHOW_PLAIN},
	{"HOST IRQ", "irq", CLI_SHOW_PLAIN},
	{"CHIP", "chip", CLI_SHOW_PLAIN},
	{"ENTRY", "entry", CLI_SHOW_PLAIN},
	{"HOST VECTOR", "host_vector", CLI_SHOW_HEX},
	{"CPU", "cpu", CLI_SHOW_PLAIN},
	{"COUNT", "count", CLI_SHOW_PLAIN},
	{"DELIVERY", "delivery", CLI_SHOW_PLAIN},
	{"WHY NOT POSTED", "why_not_posted", CLI_SHOW_PLAIN},
	{0},
};

static int begin(struct cli *cli, struct gathering *g)
{
	*g = (struct gathering){.fs = cli_sysfs(cli)};
	if (!g->fs)
		return -EIO;
	g->rows = json_array();
	g->live = !audit_open_live(g->fs, NULL, &g->audit); /* told; the rest goes without */
	return 0;
}

static int end(const struct cli *cli, struct gathering *g)
{
	if (cli->json)
		cli_print_json(stdout, g->rows);
	else
		cli_print_table(stdout, columns, g->rows);
	json_decref(g->rows);
	if (g->live)
		audit_finish(&g->audit);
	return CLI_OK;
}

int cmd_vm_irqs(struct cli *cli, const struct cli_args *args)
{
	json_t *stat = vm_call(cli, args->operand, "stat");
	struct gathering g;

	if (!stat || begin(cli, &g)) {
		json_decref(stat);
		return CLI_FAILED;
	}
	add_vm(&g, args->operand, stat);
	json_decref(stat);
	return end(cli, &g);
}

int cmd_iommu_irqs(struct cli *cli, const struct cli_args *args)
{
	char error[RPC_ERROR_TEXT];
	struct gathering g;

	(void)args;
	if (begin(cli, &g))
		return CLI_FAILED;
	json_t *names = vm_names(cli);
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		json_t *stat = NULL;
		if (!vm_try(cli, name, "stat", &stat, error))
			add_vm(&g, name, stat);
		json_decref(stat);
	}
	int status = end(cli, &g);
	json_decref(names);
	return status;
}
