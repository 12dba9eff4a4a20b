/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dsdt: processors, the PCIe host bridge with its windows and interrupt wiring, and the few
 * platform devices.
 */
#include "hv-core/dsdt.h"

#include <stdio.h>

#include "base/util.h"
#include "hv-core/aml.h"
#include "hv-core/numa.h"

#define SLEEP_TYPE_S5 5

/* What we let an OS control itself (PCI Firmware 3.3, table 4-6): PME, AER, the PCIe capability
 * structure; and native hot plug where ACPI does not do that. */
#define OSC_GRANTED	     0x1c
#define OSC_NATIVE_HOTPLUG   0x01
/* First dword of _OSC's answer (ACPI 6.5, 6.2.11). */
#define OSC_UNKNOWN_UUID     0x4
#define OSC_UNKNOWN_REVISION 0x8
#define OSC_MASKED	     0x10

static void hid(struct aml *a, const char id[8])
{
	aml_name(a, "_HID");
	aml_eisa_id(a, id);
}

static void hid_string(struct aml *a, const char *id)
{
	aml_name(a, "_HID");
	aml_string(a, id);
}

static void name_int(struct aml *a, const char *name, uint64_t value)
{
	aml_name(a, name);
	aml_int(a, value);
}

/* The node that the device belongs to (ACPI 6.5, 6.2.14); a negative one is not told. */
static void put_proximity(struct aml *a, int node)
{
	if (node >= 0)
		name_int(a, "_PXM", (uint64_t)node);
}

static int cpu_node(const struct hv_acpi_input *input, unsigned cpu)
{
	return input->numa ? hv_numa_of_cpu(input->numa, cpu) : -1;
}

/* ---- processors ---- */

/* The register sets of vdev/cpus.c, one bit per processor, named by a letter and its number. Bits
 * are written alone: what is not written counts as 0, which changes nothing. */
static void put_cpu_registers(struct aml *a, uint16_t port, unsigned cpus)
{
	static const char sets[] = "PIRX"; /* present, insert, remove, eject */
	char name[8];

	for (unsigned set = 0; sets[set]; set++) {
		snprintf(name, sizeof(name), "CRG%c", sets[set]);
		aml_io_region(a, name, (uint16_t)(port + 8 * set), 8);
		size_t field = aml_field(a, name, 0x41); /* byte access, no lock, write as zeros */
		for (unsigned i = 0; i < cpus; i++) {
			snprintf(name, sizeof(name), "%c%03X", sets[set], i & 0xfff);
			aml_field_unit(a, name, 1);
		}
		aml_close(a, field);
	}
}

static void put_store_one(struct aml *a, const char *name)
{
	aml_op(a, AML_STORE);
	aml_op(a, AML_ONE);
	aml_path(a, name);
}

static const char *cpu_bit(char name[8], char set, unsigned cpu)
{
	snprintf(name, 8, "%c%03X", set, cpu & 0xfff);
	return name;
}

/* What a processor that may come and go has beside its name (ACPI 6.5, 6.3.7, 6.3.3, 6.2.10). */
static void put_cpu_methods(struct aml *a, unsigned cpu, unsigned apic_id)
{
	uint8_t entry[HV_ACPI_CPU_ENTRY];
	char name[8];
	size_t part = aml_method(a, "_STA", 0, true), branch = aml_if(a);

	aml_path(a, cpu_bit(name, 'P', cpu));
	aml_op(a, AML_RETURN);
	aml_int(a, 0xf); /* present, enabled, shown, working */
	aml_close(a, branch);
	aml_op(a, AML_RETURN);
	aml_op(a, AML_ZERO);
	aml_close(a, part);
	aml_name(a, "_MAT");
	aml_buffer(a, entry, hv_acpi_cpu_entry(entry, cpu, apic_id, true));
	if (!cpu)
		return;
	part = aml_method(a, "_EJ0", 1, true);
	put_store_one(a, cpu_bit(name, 'X', cpu));
	aml_close(a, part);
}

/* If the bit stands, clears it and tells the processor's device. */
static void put_cpu_event(struct aml *a, char set, unsigned cpu, uint8_t event)
{
	size_t branch = aml_if(a);
	char bit[8], name[8];

	aml_path(a, cpu_bit(bit, set, cpu));
	put_store_one(a, bit);
	aml_op(a, AML_NOTIFY);
	aml_path(a, cpu_bit(name, 'C', cpu));
	aml_int(a, event);
	aml_close(a, branch);
}

/* CPUS: looks at every processor, for the event device. */
static void put_cpu_scan(struct aml *a, unsigned cpus)
{
	size_t method = aml_method(a, "CPUS", 0, true);

	for (unsigned i = 1; i < cpus; i++) {
		put_cpu_event(a, 'I', i, 1); /* device check (5.6.6) */
		put_cpu_event(a, 'R', i, 3); /* eject request */
	}
	aml_close(a, method);
}

static void put_processors(struct aml *a, const struct hv_acpi_input *input)
{
	uint16_t port = input->config->cpu_port;

	if (port)
		put_cpu_registers(a, port, input->cpus);
	for (unsigned i = 0; i < input->cpus; i++) {
		char name[8];
		size_t device = aml_device(a, cpu_bit(name, 'C', i));

		hid_string(a, "ACPI0007");
		name_int(a, "_UID", i);
		put_proximity(a, cpu_node(input, i));
		if (port)
			put_cpu_methods(a, i, input->apic_ids[i]);
		aml_close(a, device);
	}
	if (port)
		put_cpu_scan(a, input->cpus);
}

/* ---- PCIe ---- */

/* The windows are what is left of the PCI hole beside ECAM. */
static void put_windows(struct aml *a, const struct hv_mem_layout *l)
{
	const struct range below = {l->pci32.start, l->ecam.start - 1};
	const struct range above = {l->ecam.last + 1, l->pci32.last};

	if (!range_overlaps(l->pci32, l->ecam)) {
		aml_res_window32(a, (uint32_t)l->pci32.start, (uint32_t)l->pci32.last);
	} else {
		if (l->pci32.start < l->ecam.start)
			aml_res_window32(a, (uint32_t)below.start, (uint32_t)below.last);
		if (l->pci32.last > l->ecam.last)
			aml_res_window32(a, (uint32_t)above.start, (uint32_t)above.last);
	}
	if (l->pci64.start < l->pci64.last)
		aml_res_window64(a, l->pci64.start, l->pci64.last);
}

static void put_bridge_resources(struct aml *a, const struct hv_acpi_input *input)
{
	size_t crs;

	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_bus(a, 0, input->config->last_bus);
	put_windows(a, input->layout);
	aml_close_resources(a, crs);
}

static void put_route(struct aml *a, const struct hv_acpi_intx *intx, unsigned dev, unsigned pin)
{
	size_t entry = aml_package(a, 4);

	aml_int(a, (uint64_t)dev << 16 | 0xffff); /* any function */
	aml_int(a, pin);
	aml_int(a, 0); /* no link device: the next is an I/O APIC input */
	aml_int(a, intx->gsi[pin]);
	aml_close(a, entry);
}

/* _PRT of the bus behind root port `bridge`, or of the root bus (bridge < 0). */
static void put_routes(struct aml *a, const struct hv_acpi_config *config, int bridge)
{
	size_t count = 0, prt;

	for (size_t i = 0; i < config->intx_count; i++)
		count += (config->intx[i].bridge < 0 ? -1 : config->intx[i].bridge) == bridge;
	aml_name(a, "_PRT");
	prt = aml_package(a, (uint8_t)MIN(count * 4, UINT64_C(252)));
	for (size_t i = 0, left = 63; i < config->intx_count && left > 0; i++) {
		const struct hv_acpi_intx *intx = &config->intx[i];

		if ((intx->bridge < 0 ? -1 : intx->bridge) != bridge)
			continue;
		for (unsigned pin = 0; pin < 4; pin++)
			put_route(a, intx, intx->dev, pin);
		left--;
	}
	aml_close(a, prt);
}

/* ---- PCI hot plug ---- */

static bool has_slot(const struct hv_acpi_config *config, int slot)
{
	return config->slot_port && (config->slots >> slot & 1);
}

/* The registers of vdev/acpi_slots.c. */
static void put_slot_registers(struct aml *a, const struct hv_acpi_config *config)
{
	size_t field;

	if (!config->slot_port)
		return;
	aml_io_region(a, "SREG", config->slot_port, 12);
	field = aml_field(a, "SREG", 0x03); /* dword access, no lock, preserve */
	aml_field_unit(a, "SINS", 32);
	aml_field_unit(a, "SREM", 32);
	aml_field_unit(a, "SEJ", 32);
	aml_close(a, field);
}

/* The function that may come to a root port; ejecting it is what tells us that it may go (ACPI 6.5,
 * 6.3.3). Whether it is there a guest finds out from its configuration space. */
static void put_slot(struct aml *a, int slot)
{
	size_t device = aml_device(a, "FN"), method;

	name_int(a, "_ADR", 0);
	name_int(a, "_SUN", (uint64_t)slot);
	method = aml_method(a, "_EJ0", 1, true);
	aml_op(a, AML_STORE);
	aml_int(a, UINT64_C(1) << slot);
	aml_path(a, "\\_SB.SEJ");
	aml_close(a, method);
	aml_close(a, device);
}

/* If the bit stands in `set`, tells the function's device. */
static void put_slot_event(struct aml *a, uint8_t set, int slot, uint8_t event)
{
	size_t branch = aml_if(a);
	char name[24];

	aml_op(a, AML_AND);
	aml_op(a, set);
	aml_int(a, UINT64_C(1) << slot);
	aml_op(a, AML_ZERO);
	aml_op(a, AML_NOTIFY);
	snprintf(name, sizeof(name), "\\_SB.PCI0.S%02X.FN", (unsigned)slot & 0xff);
	aml_path(a, name);
	aml_int(a, event);
	aml_close(a, branch);
}

static void take_set(struct aml *a, const char *name, uint8_t local)
{
	aml_op(a, AML_STORE);
	aml_path(a, name);
	aml_op(a, local);
	aml_op(a, AML_STORE);
	aml_op(a, local);
	aml_path(a, name);
}

/* SLTS: looks at every slot. What a set says is read once: each reading is an exit. */
static void put_slot_scan(struct aml *a, const struct hv_acpi_config *config)
{
	size_t method;

	if (!config->slot_port)
		return;
	method = aml_method(a, "SLTS", 0, true);
	take_set(a, "SINS", AML_LOCAL0);
	take_set(a, "SREM", AML_LOCAL1);
	for (int slot = 0; slot < 32; slot++) {
		if (!has_slot(config, slot))
			continue;
		put_slot_event(a, AML_LOCAL0, slot, 1); /* device check (5.6.6) */
		put_slot_event(a, AML_LOCAL1, slot, 3); /* eject request */
	}
	aml_close(a, method);
}

/* A root port is named in the namespace for the wiring behind it, and for what may come there. */
static void put_root_ports(struct aml *a, const struct hv_acpi_config *config)
{
	for (int slot = 0; slot < 32; slot++) {
		bool used = false;
		int node = -1;
		char name[8];
		size_t device;

		for (size_t i = 0; i < config->intx_count; i++) {
			if (config->intx[i].bridge != slot)
				continue;
			used = true;
			node = config->intx[i].placed ? config->intx[i].node : -1;
		}
		if (!used)
			continue;
		snprintf(name, sizeof(name), "S%02X", slot);
		device = aml_device(a, name);
		name_int(a, "_ADR", (uint64_t)slot << 16);
		put_proximity(a, node);
		put_routes(a, config, slot);
		if (has_slot(config, slot))
			put_slot(a, slot);
		aml_close(a, device);
	}
}

static void create_dword(struct aml *a, uint8_t offset, const char *name)
{
	aml_op(a, AML_CREATE_DWORD);
	aml_op(a, AML_ARG3);
	aml_int(a, offset);
	aml_path(a, name);
}

/* CDW1 |= bits */
static void osc_answer(struct aml *a, uint64_t bits)
{
	aml_op(a, AML_OR);
	aml_path(a, "CDW1");
	aml_int(a, bits);
	aml_path(a, "CDW1");
}

/* _OSC (UUID, revision, count, buffer): hands the OS what we grant of what it asked for. */
static void put_osc(struct aml *a, const struct hv_acpi_config *config)
{
	const uint64_t granted = OSC_GRANTED | (config->slot_port ? 0 : OSC_NATIVE_HOTPLUG);
	size_t method = aml_method(a, "_OSC", 4, true), branch, inner;

	create_dword(a, 0, "CDW1");
	branch = aml_if(a);
	aml_op(a, AML_LEQUAL);
	aml_op(a, AML_ARG0);
	aml_uuid(a, "33DB4D5B-1FF7-401C-9657-7441C03DD766");
	create_dword(a, 8, "CDW3");
	aml_op(a, AML_AND);
	aml_path(a, "CDW3");
	aml_int(a, granted);
	aml_op(a, AML_LOCAL0);
	inner = aml_if(a);
	aml_op(a, AML_LNOT);
	aml_op(a, AML_LEQUAL);
	aml_op(a, AML_ARG1);
	aml_int(a, 1);
	osc_answer(a, OSC_UNKNOWN_REVISION);
	aml_close(a, inner);
	inner = aml_if(a);
	aml_op(a, AML_LNOT);
	aml_op(a, AML_LEQUAL);
	aml_path(a, "CDW3");
	aml_op(a, AML_LOCAL0);
	osc_answer(a, OSC_MASKED);
	aml_close(a, inner);
	aml_op(a, AML_STORE);
	aml_op(a, AML_LOCAL0);
	aml_path(a, "CDW3");
	aml_close(a, branch);
	branch = aml_else(a);
	osc_answer(a, OSC_UNKNOWN_UUID);
	aml_close(a, branch);
	aml_op(a, AML_RETURN);
	aml_op(a, AML_ARG3);
	aml_close(a, method);
}

/* The host bridge is where all of its placed devices are; Linux asks no other bridge. */
static int bridge_node(const struct hv_acpi_input *input)
{
	const struct hv_acpi_config *config = input->config;
	int node = input->numa && input->numa->count == 1 ? 0 : -1;

	for (size_t i = 0; i < config->intx_count; i++) {
		if (!config->intx[i].placed)
			continue;
		if (node >= 0 && node != config->intx[i].node)
			return -1;
		node = config->intx[i].node;
	}
	return node;
}

static void put_pcie(struct aml *a, const struct hv_acpi_input *input)
{
	size_t device;

	put_slot_registers(a, input->config);
	device = aml_device(a, "PCI0");
	hid(a, "PNP0A08");
	aml_name(a, "_CID");
	aml_eisa_id(a, "PNP0A03");
	name_int(a, "_UID", 0);
	name_int(a, "_SEG", 0);
	name_int(a, "_BBN", 0);
	put_proximity(a, bridge_node(input));
	put_bridge_resources(a, input);
	put_routes(a, input->config, -1);
	put_osc(a, input->config);
	put_root_ports(a, input->config);
	aml_close(a, device);
	put_slot_scan(a, input->config);
}

/* ---- platform ---- */

/* ECAM belongs to the board, not to the host bridge (PCI Firmware 3.3, 4.1.2, note 2). */
static void put_board(struct aml *a, const struct hv_mem_layout *layout)
{
	size_t device = aml_device(a, "MB00"), crs;

	hid(a, "PNP0C02");
	name_int(a, "_UID", 0);
	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_memory32(a, (uint32_t)layout->ecam.start, (uint32_t)range_size(layout->ecam));
	aml_close_resources(a, crs);
	aml_close(a, device);
}

static void put_serial(struct aml *a, const struct hv_acpi_config *config)
{
	size_t device, crs;

	if (!config->serial_port)
		return;
	device = aml_device(a, "COM1");
	hid(a, "PNP0501");
	name_int(a, "_UID", 1);
	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_io(a, config->serial_port, 8);
	aml_res_edge_interrupt(a, config->serial_gsi);
	aml_close_resources(a, crs);
	aml_close(a, device);
}

static void put_panic(struct aml *a, const struct hv_acpi_config *config)
{
	size_t device, crs;

	if (!config->panic_port)
		return;
	device = aml_device(a, "PEVT");
	hid_string(a, "QEMU0001");
	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_io(a, config->panic_port, 1);
	aml_close_resources(a, crs);
	aml_close(a, device);
}

/* "Virtual Machine Generation ID": what a driver goes by is the compatible ID and ADDR. */
static void put_generation(struct aml *a, const struct hv_acpi_config *config)
{
	size_t device, package;

	if (!config->generation)
		return;
	device = aml_device(a, "VGEN");
	hid_string(a, "SLUC0001");
	aml_name(a, "_CID");
	aml_string(a, "VM_Gen_Counter");
	aml_name(a, "_DDN");
	aml_string(a, "VM_Gen_Counter");
	aml_name(a, "ADDR");
	package = aml_package(a, 2);
	aml_int(a, config->generation & UINT32_MAX);
	aml_int(a, config->generation >> 32);
	aml_close(a, package);
	aml_close(a, device);
}

static void put_pc_device(struct aml *a, const char *name, const char id[8], uint16_t port,
			  uint8_t ports, uint8_t irq)
{
	size_t device = aml_device(a, name), crs;

	hid(a, id);
	aml_name(a, "_CRS");
	crs = aml_resources(a);
	aml_res_io(a, port, ports);
	aml_res_isa_irq(a, irq);
	aml_close_resources(a, crs);
	aml_close(a, device);
}

static void put_power_button(struct aml *a)
{
	size_t device = aml_device(a, "PWRB");

	hid(a, "PNP0C0C");
	name_int(a, "_UID", 0);
	aml_close(a, device);
}

/* Calls the method if the event is among those in Local0. */
static void put_call(struct aml *a, uint32_t event, const char *method)
{
	size_t branch = aml_if(a);

	aml_op(a, AML_AND);
	aml_op(a, AML_LOCAL0);
	aml_int(a, event);
	aml_op(a, AML_ZERO);
	aml_path(a, method);
	aml_close(a, branch);
}

/* Tells the device if the event is among those in Local0. */
static void put_notify(struct aml *a, uint32_t event, const char *device, uint8_t value)
{
	size_t branch = aml_if(a);

	aml_op(a, AML_AND);
	aml_op(a, AML_LOCAL0);
	aml_int(a, event);
	aml_op(a, AML_ZERO); /* no target */
	aml_op(a, AML_NOTIFY);
	aml_path(a, device);
	aml_int(a, value);
	aml_close(a, branch);
}

/* EVNT: asks what has happened, and tells who is concerned. */
static void put_events(struct aml *a, const struct hv_acpi_config *config)
{
	size_t part;

	aml_io_region(a, "EREG", config->event_port, 4);
	part = aml_field(a, "EREG", 0x03); /* dword access, no lock, preserve */
	aml_field_unit(a, "EVTS", 32);
	aml_close(a, part);
	part = aml_method(a, "EVNT", 0, true);
	aml_op(a, AML_STORE);
	aml_path(a, "EVTS");
	aml_op(a, AML_LOCAL0);
	if (!config->pm_port)
		put_notify(a, HV_ACPI_EVENT_POWER_BUTTON, "\\_SB.PWRB", 0x80);
	if (config->cpu_port)
		put_call(a, HV_ACPI_EVENT_CPU, "\\_SB.CPUS");
	if (config->generation)
		put_notify(a, HV_ACPI_EVENT_GENERATION, "\\_SB.VGEN", 0x80);
	if (config->slot_port)
		put_call(a, HV_ACPI_EVENT_SLOT, "\\_SB.SLTS");
	aml_close(a, part);
}

/* The generic event device (ACPI 6.5, 5.6.9): its interrupt runs _EVT. */
static void put_event_device(struct aml *a, const struct hv_acpi_config *config)
{
	size_t device = aml_device(a, "GED"), part;

	hid_string(a, "ACPI0013");
	name_int(a, "_UID", 0);
	aml_name(a, "_CRS");
	part = aml_resources(a);
	aml_res_level_interrupt(a, config->event_gsi);
	aml_close_resources(a, part);
	part = aml_method(a, "_EVT", 1, true);
	aml_path(a, "\\_SB.EVNT");
	aml_close(a, part);
	aml_close(a, device);
}

/* With the fixed hardware it is a general-purpose event, level (5.6.4.1). */
static void put_general_event(struct aml *a)
{
	size_t scope = aml_scope(a, "\\_GPE"), method;
	char name[8];

	snprintf(name, sizeof(name), "_L%02X", HV_ACPI_GPE);
	method = aml_method(a, name, 0, true);
	aml_path(a, "\\_SB.EVNT");
	aml_close(a, method);
	aml_close(a, scope);
}

/* \_S5: the sleep type that the sleep control register takes for "off" (7.4.2.6). */
static void put_soft_off(struct aml *a)
{
	size_t package;

	aml_name(a, "\\_S5");
	package = aml_package(a, 4);
	aml_int(a, SLEEP_TYPE_S5);
	for (int i = 0; i < 3; i++)
		aml_int(a, 0);
	aml_close(a, package);
}

int hv_dsdt_build(const struct hv_acpi_input *input, uint8_t **out, size_t *len)
{
	struct aml a = {0};
	size_t scope;

	put_soft_off(&a);
	scope = aml_scope(&a, "\\_SB");
	put_processors(&a, input);
	put_pcie(&a, input);
	put_board(&a, input->layout);
	put_serial(&a, input->config);
	put_panic(&a, input->config);
	put_generation(&a, input->config);
	put_events(&a, input->config);
	if (input->config->pm_port) { /* the button is a fixed one, and there are PC devices */
		put_pc_device(&a, "PIC", "PNP0000", 0x20, 2, 2);
		put_pc_device(&a, "TMR", "PNP0100", 0x40, 4, 0);
		put_pc_device(&a, "RTC", "PNP0B00", 0x70, 2, 8);
	} else {
		put_power_button(&a);
		put_event_device(&a, input->config);
	}
	aml_close(&a, scope);
	if (input->config->pm_port)
		put_general_event(&a);
	return aml_finish(&a, out, len);
}
