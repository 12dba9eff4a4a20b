/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot_firmware: what firmware needs from below: a CPU at the reset vector, and ACPI tables with
 * the instructions for moving them.
 *
 * The firmware decides where tables lie, so they are handed over as files with a script: allocate a
 * file, add a file's address to a pointer, sum up a range. Its format is QEMU's table loader
 * (hw/acpi/bios-linker-loader.c there), which OVMF and SeaBIOS both run. The byte that a sum is put
 * into is left zero, because one of the two counts it in and the other does not.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/acpi.h"
#include "hv-core/vm.h"

#define FILE_RSDP   "etc/acpi/rsdp"
#define FILE_TABLES "etc/acpi/tables"
#define FILE_NAME   56

enum { ALLOCATE = 1, ADD_POINTER = 2, ADD_CHECKSUM = 3 };
enum { ZONE_HIGH = 1, ZONE_FSEG = 2 };

struct allocate {
	char file[FILE_NAME];
	uint32_t align;
	uint8_t zone;
} __attribute__((packed));

struct add_pointer {
	char dest[FILE_NAME], source[FILE_NAME];
	uint32_t offset;
	uint8_t size;
} __attribute__((packed));

struct add_checksum {
	char file[FILE_NAME];
	uint32_t offset, start, length;
} __attribute__((packed));

struct command {
	uint32_t what;
	union {
		struct allocate allocate;
		struct add_pointer pointer;
		struct add_checksum checksum;
		uint8_t pad[124];
	} arg;
} __attribute__((packed));

_Static_assert(sizeof(struct command) == 128, "table loader: an entry has 128 bytes");

/* Room for two files, every mark, and the RSDP's pointer and two sums. */
#define COMMANDS_MAX (2 + 16 + 16 + 3)

struct script {
	struct command command[COMMANDS_MAX];
	size_t count;
};

static void allocate(struct script *s, const char *file, uint32_t align, uint8_t zone)
{
	struct command *c = &s->command[s->count++];

	c->what = ALLOCATE;
	strncpy(c->arg.allocate.file, file, FILE_NAME - 1);
	c->arg.allocate.align = align;
	c->arg.allocate.zone = zone;
}

/* Every pointer leads into the tables. */
static void add_pointer(struct script *s, const char *file, uint32_t offset, uint32_t size)
{
	struct command *c = &s->command[s->count++];

	c->what = ADD_POINTER;
	strncpy(c->arg.pointer.dest, file, FILE_NAME - 1);
	strncpy(c->arg.pointer.source, FILE_TABLES, FILE_NAME - 1);
	c->arg.pointer.offset = offset;
	c->arg.pointer.size = (uint8_t)size;
}

static void add_checksum(struct script *s, const char *file, uint8_t *data, uint32_t offset,
			 uint32_t start, uint32_t length)
{
	struct command *c = &s->command[s->count++];

	data[offset] = 0;
	c->what = ADD_CHECKSUM;
	strncpy(c->arg.checksum.file, file, FILE_NAME - 1);
	c->arg.checksum.offset = offset;
	c->arg.checksum.start = start;
	c->arg.checksum.length = length;
}

/* Offsets: ACPI 6.5, tables 5.3 (RSDP) and 5.4 (checksum of any table). */
static void write_script(struct script *s, const struct hv_acpi_marks *marks,
			 struct hv_acpi_blob *blob)
{
	allocate(s, FILE_RSDP, 16, ZONE_FSEG);
	allocate(s, FILE_TABLES, 64, ZONE_HIGH);
	for (size_t i = 0; i < marks->pointers; i++)
		add_pointer(s, FILE_TABLES, marks->pointer[i].at, marks->pointer[i].size);
	for (size_t i = 0; i < marks->tables; i++)
		add_checksum(s, FILE_TABLES, blob->tables, marks->table[i].at + 9,
			     marks->table[i].at, marks->table[i].size);
	add_pointer(s, FILE_RSDP, 24, 8);
	add_checksum(s, FILE_RSDP, blob->rsdp, 8, 0, 20);
	add_checksum(s, FILE_RSDP, blob->rsdp, 32, 0, 36);
}

int hv_acpi_blob_build(const struct hv_vm *vm, const struct hv_acpi_config *config, uint64_t ecam,
		       struct hv_acpi_blob *out)
{
	unsigned apic_ids[HV_MAX_CPUS];
	struct hv_mem_layout layout;
	struct hv_acpi_marks marks = {0};
	struct hv_acpi_input input = {
		.config = config,
		.layout = &layout,
		.apic_ids = apic_ids,
		.cpus = hv_vm_cpus(vm),
		.ioapic_base = (uint32_t)HV_IOAPIC_BASE,
		.numa = hv_vm_numa(vm),
	};
	struct script *script = calloc(1, sizeof(*script));
	int rc;

	*out = (struct hv_acpi_blob){0};
	if (!script)
		return -ENOMEM;
	hv_mem_layout(vm, &layout);
	layout.ecam = (struct range){ecam, ecam + range_size(layout.ecam) - 1};
	for (unsigned i = 0; i < input.cpus; i++)
		apic_ids[i] = hv_vcpu_apic_id(vm, i);
	rc = hv_acpi_build_movable(&input, out, &marks);
	if (rc < 0) {
		free(script);
		return rc;
	}
	write_script(script, &marks, out);
	out->script = (uint8_t *)script;
	out->script_size = script->count * sizeof(script->command[0]);
	return 0;
}

void hv_acpi_blob_free(struct hv_acpi_blob *blob)
{
	free(blob->rsdp);
	free(blob->tables);
	free(blob->script);
	*blob = (struct hv_acpi_blob){0};
}

int hv_boot_firmware(struct hv_vm *vm)
{
	const struct hv_entry_state entry = {.mode = HV_ENTRY_RESET};

	return hv_vcpu_set_boot_entry(vm, &entry);
}
