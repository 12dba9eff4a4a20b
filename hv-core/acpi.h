/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * acpi: the firmware tables of a hardware-reduced machine (ACPI 6.5, 4.1).
 *
 * There is no ACPI hardware: no PM timer, no SCI, no fixed buttons. Sleep and reset are three I/O
 * ports, events come through a generic event device, and the flags say that nothing of a legacy
 * PC is there to be probed, since each probe would cost the guest an exit. Pure.
 */
#ifndef HV_CORE_ACPI_H
#define HV_CORE_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hv-core/hv.h"

struct hv_acpi_input {
	const struct hv_acpi_config *config;
	const struct hv_mem_layout *layout;
	const unsigned *apic_ids; /* one per CPU */
	unsigned cpus;
	uint32_t ioapic_base;
};

/* The MADT entry of one CPU (ACPI 6.5, 5.2.12.2 and 5.2.12.12), at most HV_ACPI_CPU_ENTRY bytes;
 * returns its length. `here`: enabled; else it may come (online capable). */
#define HV_ACPI_CPU_ENTRY 16
size_t hv_acpi_cpu_entry(uint8_t *to, unsigned cpu, unsigned apic_id, bool here);

/* Tables for guest address `base` (64-byte aligned, below 4 GiB), the RSDP first; allocated.
 * -ENOMEM. */
int hv_acpi_build(const struct hv_acpi_input *input, uint64_t base, uint8_t **out, size_t *size);

#endif
