/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ioapic: the I/O APIC, an interrupt controller with 24 inputs. Private to hv-core.
 *
 * Each input ("pin") has a redirection entry that turns it into a message to local APICs, which
 * have the very form of an MSI. The local APICs are in the engine; so a message is signalled
 * through it, and level-triggered entries are told to it as routes, so that it reports the end
 * of their interrupts (split irqchip).
 *
 * Register layout: Intel 82093AA datasheet, section 3; the EOI register (version 0x20): Intel ICH9
 * datasheet, 13.5. Everything here is called with the device lock held.
 */
#ifndef HV_CORE_IOAPIC_H
#define HV_CORE_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "hv-core/hv.h"

#define HV_IOAPIC_BASE UINT64_C(0xfec00000)
#define HV_IOAPIC_SIZE 0x1000

struct hv_ioapic_pin {
	uint64_t entry; /* redirection entry, as the guest reads it */
	bool level;	/* the input is asserted */
	void (*on_eoi)(void *opaque);
	void *on_eoi_opaque;
};

struct hv_ioapic {
	/* The way out. signal: -EAGAIN when no CPU took it. routes_changed: what
	 * hv_ioapic_level_msi answers may have changed. */
	int (*signal)(void *opaque, const struct hv_msi *msi);
	void (*routes_changed)(void *opaque);
	void *opaque;

	uint8_t id;
	uint8_t select;	   /* IOREGSEL */
	unsigned next_pin; /* of hv_irq_alloc_pin */
	struct hv_ioapic_pin pin[HV_IOAPIC_PINS];
};

extern const struct hv_region_ops hv_ioapic_ops; /* opaque: struct hv_ioapic */

/* As after reset: every pin masked. */
void hv_ioapic_init(struct hv_ioapic *apic);
void hv_ioapic_set(struct hv_ioapic *apic, unsigned pin, bool level);
void hv_ioapic_eoi(struct hv_ioapic *apic, uint8_t vector);
/* The message of a pin whose end of interrupt must be reported; false when it has none. */
bool hv_ioapic_level_msi(const struct hv_ioapic *apic, unsigned pin, struct hv_msi *out);

void hv_ioapic_save(const struct hv_ioapic *apic, struct state *s);
/* Sends nothing: what was on its way is in the local APICs' state. */
void hv_ioapic_load(struct hv_ioapic *apic, struct state *s);

#endif
