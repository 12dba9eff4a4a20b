/* SPDX-License-Identifier: BSD-3-Clause */
/* ioapic: see ioapic.h. */
#include "hv-core/ioapic.h"

#include <errno.h>
#include <string.h>

/* Memory-mapped registers */
#define REG_SELECT 0x00 /* IOREGSEL */
#define REG_WINDOW 0x10 /* IOWIN: the register selected */
#define REG_EOI	   0x40 /* EOIR: ends the vector written */

/* Registers behind the window */
#define INDEX_ID	  0x00
#define INDEX_VERSION	  0x01
#define INDEX_ARBITRATION 0x02
#define INDEX_ENTRIES	  0x10
#define VERSION		  0x20u /* the first with an EOI register */

/* Redirection entry (82093AA, 3.2.4) */
#define ENTRY_VECTOR	 UINT64_C(0xff)
#define ENTRY_MODE_SHIFT 8 /* 3 bits: delivery mode */
#define ENTRY_LOGICAL	 (UINT64_C(1) << 11)
#define ENTRY_PENDING	 (UINT64_C(1) << 12) /* delivery status, read-only */
#define ENTRY_REMOTE_IRR (UINT64_C(1) << 14) /* read-only */
#define ENTRY_LEVEL	 (UINT64_C(1) << 15)
#define ENTRY_MASKED	 (UINT64_C(1) << 16)
#define ENTRY_DEST_SHIFT 56
#define ENTRY_WRITABLE                                              \
	((UINT64_C(0xff) << ENTRY_DEST_SHIFT | UINT64_C(0x1ffff)) & \
	 ~(ENTRY_PENDING | ENTRY_REMOTE_IRR))

enum {
	MODE_FIXED = 0,
	MODE_LOWEST = 1,
	MODE_SMI = 2,
	MODE_NMI = 4,
	MODE_INIT = 5,
	MODE_EXTINT = 7
};

/* Message (SDM vol. 3, 11.11.1 and 11.11.2) */
#define MSI_ADDR	    UINT64_C(0xfee00000)
#define MSI_ADDR_DEST_SHIFT 12
#define MSI_ADDR_HINT	    (1u << 3)
#define MSI_ADDR_LOGICAL    (1u << 2)
#define MSI_DATA_ASSERT	    (1u << 14)
#define MSI_DATA_LEVEL	    (1u << 15)

static unsigned mode_of(uint64_t entry)
{
	return entry >> ENTRY_MODE_SHIFT & 7;
}

/* Only these two know a level: the others are edges whatever the entry says (82093AA, 3.2.4). */
static bool is_level(uint64_t entry)
{
	return (entry & ENTRY_LEVEL) && mode_of(entry) <= MODE_LOWEST;
}

static bool has_vector(uint64_t entry)
{
	return (entry & ENTRY_VECTOR) >= 16; /* SDM vol. 3, 11.5.2: lower ones are illegal */
}

static struct hv_msi message(uint64_t entry)
{
	struct hv_msi msi = {
		.addr = MSI_ADDR | (entry >> ENTRY_DEST_SHIFT) << MSI_ADDR_DEST_SHIFT,
		.data = (uint32_t)((entry & ENTRY_VECTOR) | mode_of(entry) << 8),
	};

	if (entry & ENTRY_LOGICAL)
		msi.addr |= MSI_ADDR_LOGICAL;
	if (mode_of(entry) == MODE_LOWEST)
		msi.addr |= MSI_ADDR_HINT;
	if (is_level(entry))
		msi.data |= MSI_DATA_LEVEL | MSI_DATA_ASSERT;
	return msi;
}

/* ExtINT would fetch its vector from a PIC, and there is none. */
static bool can_deliver(uint64_t entry)
{
	unsigned mode = mode_of(entry);

	if (entry & ENTRY_MASKED)
		return false;
	if (mode <= MODE_LOWEST)
		return has_vector(entry);
	return mode == MODE_SMI || mode == MODE_NMI || mode == MODE_INIT;
}

static bool deliver(struct hv_ioapic *apic, uint64_t entry)
{
	struct hv_msi msi = message(entry);

	return apic->signal(apic->opaque, &msi) == 0;
}

/* Sends a level interrupt that is due: asserted, and not yet in some CPU's hands. */
static void service(struct hv_ioapic *apic, struct hv_ioapic_pin *pin)
{
	if (!pin->level || !is_level(pin->entry) || (pin->entry & ENTRY_REMOTE_IRR) ||
	    !can_deliver(pin->entry))
		return;
	if (deliver(apic, pin->entry))
		pin->entry |= ENTRY_REMOTE_IRR;
}

void hv_ioapic_init(struct hv_ioapic *apic)
{
	apic->id = 0;
	apic->select = 0;
	for (unsigned i = 0; i < HV_IOAPIC_PINS; i++)
		apic->pin[i] = (struct hv_ioapic_pin){.entry = ENTRY_MASKED};
}

void hv_ioapic_set(struct hv_ioapic *apic, unsigned index, bool level)
{
	struct hv_ioapic_pin *pin = &apic->pin[index];
	bool rose = level && !pin->level;

	pin->level = level;
	if (is_level(pin->entry))
		service(apic, pin);
	else if (rose && can_deliver(pin->entry))
		deliver(apic, pin->entry); /* an edge at a masked pin is lost, as in the chip */
}

void hv_ioapic_eoi(struct hv_ioapic *apic, uint8_t vector)
{
	for (unsigned i = 0; i < HV_IOAPIC_PINS; i++) {
		struct hv_ioapic_pin *pin = &apic->pin[i];

		if (!(pin->entry & ENTRY_REMOTE_IRR) || (pin->entry & ENTRY_VECTOR) != vector)
			continue;
		pin->entry &= ~ENTRY_REMOTE_IRR;
		if (pin->on_eoi)
			pin->on_eoi(pin->on_eoi_opaque); /* may lower the line */
		service(apic, pin);
	}
}

bool hv_ioapic_level_msi(const struct hv_ioapic *apic, unsigned index, struct hv_msi *out)
{
	uint64_t entry = apic->pin[index].entry;

	/* Masked or not: a CPU may be serving the interrupt that the guest has just masked. */
	if (!is_level(entry) || !has_vector(entry))
		return false;
	*out = message(entry);
	return true;
}

/* ---- standing still ---- */

void hv_ioapic_save(const struct hv_ioapic *apic, struct state *s)
{
	state_put(s, "id", apic->id);
	state_put(s, "select", apic->select);
	for (unsigned i = 0; i < HV_IOAPIC_PINS; i++) {
		struct state *pin = state_item(s, "pin", i);

		state_put(pin, "entry", apic->pin[i].entry);
		state_put(pin, "level", apic->pin[i].level);
	}
}

void hv_ioapic_load(struct hv_ioapic *apic, struct state *s)
{
	apic->id = (uint8_t)state_take(s, "id", 0xf);
	apic->select = (uint8_t)state_take(s, "select", 0xff);
	for (unsigned i = 0; i < HV_IOAPIC_PINS; i++) {
		struct state *pin = state_open_item(s, "pin", i);

		apic->pin[i].entry =
			state_take(pin, "entry", UINT64_MAX) & (ENTRY_WRITABLE | ENTRY_REMOTE_IRR);
		apic->pin[i].level = state_take(pin, "level", 1);
	}
	apic->routes_changed(apic->opaque);
}

/* ---- registers ---- */

static void write_entry(struct hv_ioapic *apic, unsigned index, bool high, uint32_t value)
{
	struct hv_ioapic_pin *pin = &apic->pin[index];
	struct hv_msi before = {0}, after = {0};
	bool had = hv_ioapic_level_msi(apic, index, &before);
	unsigned shift = high ? 32 : 0;
	uint64_t keep = ~((uint64_t)UINT32_MAX << shift & ENTRY_WRITABLE);

	pin->entry = (pin->entry & keep) | ((uint64_t)value << shift & ENTRY_WRITABLE);
	/* An entry made edge-triggered forgets; guests use that to get out of a stuck one. */
	if (!is_level(pin->entry))
		pin->entry &= ~ENTRY_REMOTE_IRR;
	bool has = hv_ioapic_level_msi(apic, index, &after);
	if (had != has || before.addr != after.addr || before.data != after.data)
		apic->routes_changed(apic->opaque);
	service(apic, pin);
}

static uint32_t read_register(const struct hv_ioapic *apic)
{
	unsigned index = apic->select;

	if (index == INDEX_ID || index == INDEX_ARBITRATION)
		return (uint32_t)apic->id << 24;
	if (index == INDEX_VERSION)
		return (HV_IOAPIC_PINS - 1u) << 16 | VERSION;
	if (index < INDEX_ENTRIES || index >= INDEX_ENTRIES + 2 * HV_IOAPIC_PINS)
		return 0;
	uint64_t entry = apic->pin[(index - INDEX_ENTRIES) / 2].entry;
	return (uint32_t)(entry >> (index & 1 ? 32 : 0));
}

static void write_register(struct hv_ioapic *apic, uint32_t value)
{
	unsigned index = apic->select;

	if (index == INDEX_ID)
		apic->id = value >> 24 & 0xf;
	else if (index >= INDEX_ENTRIES && index < INDEX_ENTRIES + 2 * HV_IOAPIC_PINS)
		write_entry(apic, (index - INDEX_ENTRIES) / 2, index & 1, value);
}

/* Registers are 32 bits wide and 16 bytes apart; what a guest does beside them reads as zero. */
static void ioapic_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	const struct hv_ioapic *apic = opaque;
	uint32_t value = 0;

	if (offset == REG_SELECT)
		value = apic->select;
	else if (offset == REG_WINDOW)
		value = read_register(apic);
	memset(data, 0, len);
	memcpy(data, &value, len < sizeof(value) ? len : sizeof(value));
}

static void ioapic_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct hv_ioapic *apic = opaque;
	uint32_t value = 0;

	memcpy(&value, data, len < sizeof(value) ? len : sizeof(value));
	if (offset == REG_SELECT)
		apic->select = (uint8_t)value;
	else if (offset == REG_WINDOW && len >= 4)
		write_register(apic, value);
	else if (offset == REG_EOI)
		hv_ioapic_eoi(apic, (uint8_t)value);
}

const struct hv_region_ops hv_ioapic_ops = {.read = ioapic_read, .write = ioapic_write};
