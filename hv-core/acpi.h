/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi: the firmware tables of a hardware-reduced machine (ACPI 6.5, 4.1), and of one with the
 * fixed hardware of a PC, which boots by a firmware that places the tables itself.
 *
 * On the hardware-reduced one there is no ACPI hardware: no PM timer, no SCI, no fixed buttons.
 * Sleep and reset are three I/O ports, events come through a generic event device, and the flags
 * say that nothing of a legacy PC is there to be probed, since each probe would cost the guest an
 * exit. Pure.
 */
#ifndef HV_CORE_ACPI_H
#define HV_CORE_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv-core/hv.h"

struct hv_numa;

struct hv_acpi_input {
	const struct hv_acpi_config *config;
	const struct hv_mem_layout *layout;
	const unsigned *apic_ids; /* one per CPU */
	unsigned cpus;
	uint32_t ioapic_base;
	const struct hv_numa *numa; /* NULL, or without nodes: the guest is told of none */
};

/* What has to be done again when the tables are moved: pointers, and the sums of tables. */
struct hv_acpi_mark {
	uint32_t at, size;
};

struct hv_acpi_marks {
	struct hv_acpi_mark pointer[16], table[16];
	size_t pointers, tables;
};

/* Tables as if at address 0, and the RSDP beside them; fills `out` but for the script. -ENOMEM. */
int hv_acpi_build_movable(const struct hv_acpi_input *input, struct hv_acpi_blob *out,
			  struct hv_acpi_marks *marks);

/* The MADT entry of one CPU (ACPI 6.5, 5.2.12.2 and 5.2.12.12), at most HV_ACPI_CPU_ENTRY bytes;
 * returns its length. `here`: enabled; else it may come (online capable). */
#define HV_ACPI_CPU_ENTRY 16
size_t hv_acpi_cpu_entry(uint8_t *to, unsigned cpu, unsigned apic_id, bool here);

/* Tables for guest address `base` (64-byte aligned, below 4 GiB), the RSDP first; allocated.
 * -ENOMEM. */
int hv_acpi_build(const struct hv_acpi_input *input, uint64_t base, uint8_t **out, size_t *size);

#endif
