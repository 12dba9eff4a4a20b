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
#include "cli/patience.h"
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
	json_t *before; /* the rows of an earlier look, in the same order; or NULL */
};

/* What the host's own handlers of posted interrupts have taken, on all CPUs and for all VMs:
 * notifications that found no virtual CPU running, and those that woke one which slept. */
struct host_counts {
	bool told; /* this kernel and processor count them */
	uint64_t notified, woken;
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

static struct host_counts read_counts(void)
{
	struct host_counts c = {0};
	FILE *in = fopen("/proc/interrupts", "re");

	if (!in)
		return c;
	c.told = proc_interrupt_named(in, "PIN", &c.notified) == 0;
	rewind(in);
	if (proc_interrupt_named(in, "PIW", &c.woken))
		c.told = false;
	fclose(in);
	return c;
}

/* How often the host's handler ran between the earlier look and this one; 0 without one. */
static json_int_t taken_meanwhile(const struct gathering *g, const json_t *row)
{
	const json_t *before = json_array_get(g->before, json_array_size(g->rows));

	if (!before || strcmp(text(before, "device"), text(row, "device")) != 0 ||
	    !json_equal(json_object_get(before, "vector"), json_object_get(row, "vector")))
		return 0;
	return json_integer_value(json_object_get(row, "count")) -
	       json_integer_value(json_object_get(before, "count"));
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
	const char *basis = facts.entry_posted != IOMMU_UNKNOWN ? "table" : "capabilities";
	const json_int_t taken = taken_meanwhile(g, row);

	/* What the host's handler has taken was not posted, whatever could have been. */
	if (facts.entry_posted == IOMMU_UNKNOWN && taken > 0) {
		facts.entry_posted = IOMMU_NO;
		basis = "count";
	}
	if (g->before)
		json_object_set_new(row, "taken", json_integer(taken));
	json_object_set_new(row, "basis", json_string(basis));
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
	{"BY", "basis", CLI_SHOW_PLAIN},
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

static void finish(struct gathering *g)
{
	json_decref(g->rows);
	json_decref(g->before);
	if (g->live)
		audit_finish(&g->audit);
}

static int end(const struct cli *cli, struct gathering *g)
{
	if (cli->json)
		cli_print_json(stdout, g->rows);
	else
		cli_print_table(stdout, columns, g->rows);
	finish(g);
	return CLI_OK;
}

/* One look at one VM. */
static int look(const struct cli *cli, const char *name, struct gathering *g)
{
	json_t *stat = vm_call(cli, name, "stat");

	if (!stat)
		return -EIO;
	add_vm(g, name, stat);
	json_decref(stat);
	return 0;
}

/* And another one later, to see what has come in between. */
static int look_again(const struct cli *cli, const char *name, unsigned seconds,
		      struct gathering *g)
{
	struct patience patience;

	g->before = g->rows;
	g->rows = json_array();
	patience_begin(&patience);
	patience_wait(&patience, (int64_t)seconds * 1000);
	patience_end(&patience);
	return look(cli, name, g);
}

static void say_counts(const struct cli *cli, const struct host_counts *a,
		       const struct host_counts *b)
{
	if (cli->json)
		return; /* rows alone, as ever */
	if (b->told)
		printf("host: %" PRIu64 " posted-interrupt notifications meanwhile, %" PRIu64
		       " of virtual CPUs that slept (all VMs)\n",
		       b->notified - a->notified, b->woken - a->woken);
	else
		puts("host: counts no posted interrupts (no rows PIN and PIW in "
		     "/proc/interrupts)");
}

int cmd_vm_irqs(struct cli *cli, const struct cli_args *args)
{
	const unsigned seconds = (unsigned)cli_number(args, "--seconds", 0);
	struct host_counts before, after;
	struct gathering g;

	if (begin(cli, &g))
		return CLI_FAILED;
	int err = look(cli, args->operand, &g);
	before = read_counts();
	if (!err && seconds)
		err = look_again(cli, args->operand, seconds, &g);
	after = read_counts();
	if (err) {
		finish(&g);
		return CLI_FAILED;
	}
	end(cli, &g);
	if (seconds)
		say_counts(cli, &before, &after);
	return CLI_OK;
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
