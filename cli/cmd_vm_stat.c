/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm stat: what a running VM costs.
 *
 * The VMM tells what only it knows (exits, regions, routes); the kernel tells the rest: interrupts
 * of passed-through devices go from the host's interrupt straight into the guest, so only
 * /proc/interrupts counts them, and only /proc/PID/smaps can tell the VMM's own memory from the
 * guest's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/exit_trace.h"
#include "cli/proc.h"
#include "cli/vm_costs.h"
#include "cli/vm_dir.h"
#include "cli/vm_stat_net.h"

#define RAM_BLOCKS_MAX 64
#define TRACEFS	       "/sys/kernel/tracing"
#define POSTING_CAP    (UINT64_C(1) << 59) /* VT-d 11.4.2, PI */

/* ---- gathering ---- */

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static FILE *open_proc(json_int_t pid, const char *file)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%lld/%s", (long long)pid, file);
	return fopen(path, "re");
}

static void set_kib(json_t *memory, const char *key, uint64_t bytes)
{
	json_object_set_new(memory, key, integer(bytes / KIB));
}

/* "memory": {"text", "ram_kib", "present_kib", "private_kib", "pinned_kib", "locked_kib"} */
static void add_memory(json_t *stat)
{
	json_int_t pid = json_integer_value(json_object_get(stat, "pid"));
	const json_t *blocks = json_object_get(stat, "ram");
	struct proc_area ram[RAM_BLOCKS_MAX];
	struct proc_memory pss;
	uint64_t bytes, guest = 0;
	size_t count = MIN(json_array_size(blocks), (size_t)RAM_BLOCKS_MAX);
	json_t *memory = json_pack("{s:O}", "text", json_object_get(stat, "memory"));
	FILE *in = open_proc(pid, "smaps");

	for (size_t i = 0; i < count; i++) {
		const json_t *block = json_array_get(blocks, i);
		ram[i].start = (uint64_t)json_integer_value(json_object_get(block, "hva"));
		ram[i].size = (uint64_t)json_integer_value(json_object_get(block, "size"));
		guest += ram[i].size;
	}
	set_kib(memory, "ram_kib", guest);
	if (in) {
		proc_smaps(in, ram, count, &pss);
		fclose(in);
		set_kib(memory, "private_kib", pss.pss);
		set_kib(memory, "present_kib", pss.ram_pss);
	}
	in = open_proc(pid, "status");
	if (in && !proc_status(in, "VmPin", &bytes))
		set_kib(memory, "pinned_kib", bytes);
	if (in)
		rewind(in);
	if (in && !proc_status(in, "VmLck", &bytes))
		set_kib(memory, "locked_kib", bytes);
	if (in)
		fclose(in);
	json_object_set_new(stat, "memory", memory);
}

/* The names that vfio-pci gives its interrupts (drivers/vfio/pci/vfio_pci_intrs.c). */
static int read_interrupt(const char *mode, unsigned vector, const char *bdf, uint64_t *count,
			  char chip[64])
{
	FILE *in = fopen("/proc/interrupts", "re");
	char action[64];

	if (!in)
		return -errno;
	if (!strcmp(mode, "intx"))
		snprintf(action, sizeof(action), "vfio-intx(%.16s)", bdf);
	else
		snprintf(action, sizeof(action), "vfio-%s[%u](%.16s)",
			 strcmp(mode, "msi") ? "msix" : "msi", vector, bdf);
	int err = proc_interrupt(in, action, count, chip, 64);
	fclose(in);
	return err;
}

/* Whether KVM lets the IOMMU post: APICv is on, and a VT-d unit can (AMD does not tell). */
static bool can_post(struct cli *cli)
{
	const struct sysfs *fs = cli_sysfs(cli);
	char text[32];
	uint64_t cap;

	return fs &&
	       !sysfs_read(fs, text, sizeof(text), "module/kvm_intel/parameters/enable_apicv") &&
	       text[0] == 'Y' &&
	       !sysfs_read(fs, text, sizeof(text), "class/iommu/dmar0/intel-iommu/cap") &&
	       sscanf(text, "%" SCNx64, &cap) == 1 && cap & POSTING_CAP;
}

static void add_path(json_t *to, const char *mode, const char *chip, bool posting, uint64_t taken)
{
	const char *path = vm_costs_irq_path(mode, chip, posting, taken);

	if (path)
		json_object_set_new(to, "path", json_string(path));
}

static void add_interrupts(json_t *device, bool posting)
{
	const char *mode = json_string_value(json_object_get(device, "mode"));
	const char *bdf = json_string_value(json_object_get(device, "bdf"));
	json_t *vectors = json_object_get(device, "vectors");
	uint64_t count = 0, total = 0;
	char chip[64] = "";

	for (size_t i = 0; mode && bdf && i < json_array_size(vectors); i++) {
		json_t *vector = json_array_get(vectors, i);
		json_int_t n = json_integer_value(json_object_get(vector, "vector"));
		if (read_interrupt(mode, (unsigned)n, bdf, &count, chip))
			continue;
		json_object_set_new(vector, "interrupts", integer(count));
		json_object_set_new(vector, "chip", json_string(chip));
		add_path(vector, mode, chip, posting, count);
		total += count;
	}
	if (mode && bdf && !strcmp(mode, "intx") && !read_interrupt(mode, 0, bdf, &count, chip))
		total = count;
	/* A level that the host has seen and we have not went to KVM's own I/O APIC. */
	bool direct = mode && !strcmp(mode, "intx") && total &&
		      !json_integer_value(json_object_get(device, "intx"));
	add_path(device, direct ? "line" : mode, chip, posting && !direct, total);
	json_object_set_new(device, "interrupts", integer(total));
}

/* ---- showing ---- */

static const struct cli_column exit_columns[] = {
	{"EXIT", "exit", CLI_SHOW_PLAIN},
	{"COUNT", "count", CLI_SHOW_PLAIN},
	{"TIME us", "us", CLI_SHOW_PLAIN},
	{"PER CPU", "cpus", CLI_SHOW_PLAIN},
	{0},
};

static const struct cli_column region_columns[] = {
	{"REGION", "name", CLI_SHOW_PLAIN},
	{"SPACE", "space", CLI_SHOW_PLAIN},
	{"BASE", "base", CLI_SHOW_HEX},
	{"READS", "reads", CLI_SHOW_PLAIN},
	{"WRITES", "writes", CLI_SHOW_PLAIN},
	{"TIME us", "us", CLI_SHOW_PLAIN},
	{0},
};

static const struct cli_column reason_columns[] = {
	{"REASON", "reason", CLI_SHOW_PLAIN}, {"CODE", "code", CLI_SHOW_PLAIN},
	{"COUNT", "count", CLI_SHOW_PLAIN},   {"KVM'S NUMBER", "number", CLI_SHOW_PLAIN},
	{"WHICH", "note", CLI_SHOW_PLAIN},    {0},
};

static const struct cli_column traced_columns[] = {
	{"REASON", "reason", CLI_SHOW_PLAIN},
	{"CODE", "code", CLI_SHOW_PLAIN},
	{"COUNT", "count", CLI_SHOW_PLAIN},
	{0},
};

static const struct cli_column number_columns[] = {
	{"NUMBER", "name", CLI_SHOW_PLAIN},
	{"VALUE", "value", CLI_SHOW_PLAIN},
	{0},
};

static const struct cli_column vector_columns[] = {
	{"VECTOR", "vector", CLI_SHOW_PLAIN},
	{"INTERRUPTS", "interrupts", CLI_SHOW_PLAIN},
	{"HOST CHIP", "chip", CLI_SHOW_PLAIN},
	{"PATH", "path", CLI_SHOW_PLAIN},
	{"ROUTE", "route", CLI_SHOW_PLAIN},
	{"MASKED", "masked", CLI_SHOW_PLAIN},
	{0},
};

static const struct cli_column bar_columns[] = {
	{"BAR", "bar", CLI_SHOW_PLAIN},
	{"GUEST ADDRESS", "gpa", CLI_SHOW_HEX},
	{"SIZE", "size", CLI_SHOW_SIZE},
	{"DIRECT", "mapped", CLI_SHOW_PLAIN},
	{0},
};

static const struct cli_column disk_columns[] = {
	{"DISK", "name", CLI_SHOW_PLAIN},
	{"STATE", "state", CLI_SHOW_PLAIN},
	{"SIZE", "size", CLI_SHOW_SIZE},
	{"READS", "reads", CLI_SHOW_PLAIN},
	{"READ", "read_bytes", CLI_SHOW_SIZE},
	{"WRITES", "writes", CLI_SHOW_PLAIN},
	{"WRITTEN", "write_bytes", CLI_SHOW_SIZE},
	{"FLUSHES", "flushes", CLI_SHOW_PLAIN},
	{"ERRORS", "errors", CLI_SHOW_PLAIN},
	{"WAITING", "held", CLI_SHOW_PLAIN},
	{"KICKS", "kicks", CLI_SHOW_PLAIN},
	{"INTERRUPTS", "interrupts", CLI_SHOW_PLAIN},
	{0},
};

/* null, which shows as "-", where no time was counted */
static json_t *exit_us(const json_t *stat, const char *reason)
{
	json_int_t ns =
		json_integer_value(json_object_get(json_object_get(stat, "exits_ns"), reason));

	return ns ? json_integer(ns / 1000) : json_null();
}

static void show_exits(const json_t *stat)
{
	json_t *rows = json_array(), *count, *exits = json_object_get(stat, "exits");
	const json_t *cpus = json_object_get(stat, "cpus");
	const char *reason;

	json_object_foreach (exits, reason, count) {
		json_t *each = json_array();
		for (size_t i = 0; i < json_array_size(cpus); i++)
			json_array_append(
				each,
				json_object_get(json_object_get(json_array_get(cpus, i), "exits"),
						reason));
		if (json_integer_value(count) > 0)
			json_array_append_new(rows, json_pack("{s:s,s:O,s:O,s:o}", "exit", reason,
							      "count", count, "cpus", each, "us",
							      exit_us(stat, reason)));
		json_decref(each);
	}
	json_array_append_new(rows, json_pack("{s:s,s:O}", "exit", "total", "count",
					      json_object_get(stat, "total")));
	puts("exits to sluice-vmm, by reason");
	cli_print_table(stdout, exit_columns, rows);
	json_decref(rows);
}

static void show_regions(const json_t *stat)
{
	const json_t *regions = json_object_get(stat, "regions");
	json_t *used = json_array();

	for (size_t i = 0; i < json_array_size(regions); i++) {
		json_t *region = json_array_get(regions, i);
		if (json_integer_value(json_object_get(region, "reads")) ||
		    json_integer_value(json_object_get(region, "writes"))) {
			json_int_t ns = json_integer_value(json_object_get(region, "ns"));
			json_object_set_new(region, "us",
					    ns ? json_integer(ns / 1000) : json_null());
			json_array_append(used, region);
		}
	}
	puts("\nexits by device region");
	cli_print_table(stdout, region_columns, used);
	json_decref(used);
}

static json_int_t of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void show_costs(const json_t *costs)
{
	const json_t *reasons = json_object_get(costs, "reasons");
	const json_t *traced = json_object_get(costs, "traced");
	const json_t *pages = json_object_get(costs, "pages");
	const json_t *polling = json_object_get(costs, "polling");
	char size[3][PARSE_SIZE_TEXT];

	if (json_array_size(reasons)) {
		puts("\nexits by the processor's reasons, as far as KVM counts them");
		cli_print_table(stdout, reason_columns, reasons);
	}
	if (traced) {
		printf("\nall exits by the processor's reasons, in %lld s\n", of(costs, "seconds"));
		cli_print_table(stdout, traced_columns, traced);
	}
	if (pages)
		printf("\npages that the engine maps: %s by 4K, %s by 2M, %s by 1G\n",
		       format_size((uint64_t)of(pages, "4k"), size[0]),
		       format_size((uint64_t)of(pages, "2m"), size[1]),
		       format_size((uint64_t)of(pages, "1g"), size[2]));
	if (polling)
		printf("halt polling: %lld of %lld polls saved a sleep (%lld us), the others took %lld "
		       "us; asleep %lld us\n",
		       of(polling, "good"), of(polling, "polls"), of(polling, "good_ns") / 1000,
		       of(polling, "vain_ns") / 1000, of(polling, "waited_ns") / 1000);
}

/* Without zeros. */
static void show_engine(const json_t *stat)
{
	json_t *rows = json_array(), *numbers = vm_costs_numbers(stat), *value;
	const char *name;

	json_object_foreach (numbers, name, value)
		if (json_integer_value(value))
			json_array_append_new(rows,
					      json_pack("{s:s,s:O}", "name", name, "value", value));
	printf("\nengine: %s\n", json_string_value(json_object_get(stat, "engine_name")));
	cli_print_table(stdout, number_columns, rows);
	json_decref(numbers);
	json_decref(rows);
}

static void show_devices(const json_t *stat)
{
	const json_t *devices = json_object_get(stat, "devices");

	for (size_t i = 0; i < json_array_size(devices); i++) {
		const json_t *device = json_array_get(devices, i);
		printf("\n%s: guest %s, interrupts %s (%lld), config reads %lld, writes %lld, "
		       "table writes %lld\n",
		       json_string_value(json_object_get(device, "name")),
		       json_string_value(json_object_get(device, "guest")),
		       json_string_value(json_object_get(device, "mode")),
		       json_integer_value(json_object_get(device, "interrupts")),
		       json_integer_value(json_object_get(device, "config_reads")),
		       json_integer_value(json_object_get(device, "config_writes")),
		       json_integer_value(json_object_get(device, "table_writes")));
		if (json_array_size(json_object_get(device, "vectors")))
			cli_print_table(stdout, vector_columns, json_object_get(device, "vectors"));
		cli_print_table(stdout, bar_columns, json_object_get(device, "bars"));
	}
}

static void show_disks(const json_t *stat)
{
	const json_t *disks = json_object_get(stat, "disks");

	if (!json_array_size(disks))
		return;
	putchar('\n');
	cli_print_table(stdout, disk_columns, disks);
}

static uint64_t kib_of(const json_t *memory, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(memory, key)) * KIB;
}

static void show_memory(const json_t *stat)
{
	const json_t *memory = json_object_get(stat, "memory");
	char present[PARSE_SIZE_TEXT], locked[PARSE_SIZE_TEXT], private[PARSE_SIZE_TEXT];

	format_size(kib_of(memory, "present_kib"), present);
	format_size(kib_of(memory, "pinned_kib") + kib_of(memory, "locked_kib"), locked);
	format_size(kib_of(memory, "private_kib"), private);
	printf("\nguest RAM: %s; %s present, %s locked\n",
	       json_string_value(json_object_get(memory, "text")), present, locked);
	printf("private memory of sluice-vmm (PSS without guest RAM): %s\n", private);
}

/* ---- looking closer ---- */

/* "traced": all exits of the VM's CPUs in some seconds, with the processor's reasons. */
static int add_traced(const json_t *stat, unsigned seconds, json_t *costs)
{
	const json_t *cpus = json_object_get(stat, "cpus");
	struct exit_trace_row *rows = calloc(EXIT_TRACE_ROWS, sizeof(*rows));
	int threads[HV_MAX_CPUS];
	size_t count = MIN(json_array_size(cpus), ARRAY_SIZE(threads));
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		threads[i] = (int)of(json_array_get(cpus, i), "thread");
	int found = rows ? exit_trace(TRACEFS, threads, count, seconds, rows) : -ENOMEM;
	for (int i = 0; i < found; i++) {
		char name[HV_EXIT_NAME_MAX];
		json_array_append_new(
			array,
			json_pack("{s:s,s:I,s:I}", "reason",
				  hv_exit_code_name(rows[i].kind, rows[i].reason, name), "code",
				  (json_int_t)rows[i].reason, "count", (json_int_t)rows[i].count));
	}
	free(rows);
	json_object_set_new(costs, "traced", array);
	json_object_set_new(costs, "seconds", json_integer((json_int_t)seconds));
	return found < 0 ? found : 0;
}

static void add_costs(json_t *stat, json_t *costs)
{
	json_t *numbers = vm_costs_numbers(stat), *part;
	struct hv_caps_raw cpu;

	hv_caps_read_cpuid(&cpu);
	json_object_set_new(costs, "reasons", vm_costs_reasons(numbers, cpu.kind));
	part = vm_costs_pages(numbers);
	if (part)
		json_object_set_new(costs, "pages", part);
	part = vm_costs_polling(numbers);
	if (part)
		json_object_set_new(costs, "polling", part);
	json_object_set_new(stat, "costs", costs);
	json_decref(numbers);
}

int cmd_vm_stat(struct cli *cli, const struct cli_args *args)
{
	unsigned seconds = (unsigned)cli_number(args, "--exits", 0);
	const char *timing = cli_text(args, "--timing", NULL);

	if (timing && vm_tell(cli, args->operand, "timing",
			      json_pack("{s:b}", "on", !strcmp(timing, "on")), NULL, 0, NULL))
		return CLI_FAILED;
	json_t *stat = vm_call(cli, args->operand, "stat");
	if (!stat)
		return CLI_FAILED;
	bool posting = can_post(cli);
	json_t *costs = json_object();
	int err = seconds ? add_traced(stat, seconds, costs) : 0;
	if (seconds) { /* as it is by now */
		json_decref(stat);
		stat = vm_call(cli, args->operand, "stat");
	}
	if (!stat) {
		json_decref(costs);
		return CLI_FAILED;
	}
	add_costs(stat, costs);
	add_memory(stat);
	for (size_t i = 0; i < json_array_size(json_object_get(stat, "devices")); i++)
		add_interrupts(json_array_get(json_object_get(stat, "devices"), i), posting);
	vm_stat_add_taps(cli_sysfs(cli), stat);
	if (cli->json) {
		cli_print_json(stdout, stat);
	} else {
		show_exits(stat);
		show_regions(stat);
		show_engine(stat);
		show_costs(json_object_get(stat, "costs"));
		show_devices(stat);
		show_disks(stat);
		vm_stat_show_nets(stat);
		vm_stat_show_balloon(stat);
		show_memory(stat);
	}
	json_decref(stat);
	return err ? CLI_FAILED : CLI_OK;
}
