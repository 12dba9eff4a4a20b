/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pci_slot: the hot-plug slot behind a root port (PCIe 6.0, 6.7; registers 7.5.3.9 to 7.5.3.11).
 *
 * The guest owns the slot. A function that is put in shows as presence and a link that comes up,
 * and the guest turns the slot's power on. To get one out the host presses the attention button;
 * the guest blinks the power indicator (for five seconds the wish could be taken back by a second
 * press, 6.7.1.5), stops the driver, turns the power off, and at last the indicator: then, and not
 * before, the function may be taken out (6.7.1.1.2). It is never taken by surprise.
 *
 * The link is up whenever a function is there and the guest has not turned its power off; so a
 * function that comes is told by the link, which every guest listens to, and not by the button,
 * after which it would wait. Commands take effect at once, so there is no command completed (bit No
 * Command Completed Support): it would cost the guest an interrupt and a wait for each write.
 *
 * That is for guests that drive the slot themselves: they have enabled its interrupt. Others leave
 * it to the platform, which then turns power and indicators, and hear of everything through ACPI
 * (acpi_slots.c), where nobody waits for seconds.
 */
#include "vdev/pci.h"

#include "vdev/acpi_slots.h"

#define INDICATOR_OFF	PCI_EXP_SLTCTL_PWR_IND_OFF
#define INDICATOR_BLINK PCI_EXP_SLTCTL_PWR_IND_BLINK
#define INDICATOR_ON	PCI_EXP_SLTCTL_PWR_IND_ON

#define EVENTS (PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC)

#define LINK_UP (PCI_EXP_LNKSTA_DLLLA | 16u << 4 | 4u) /* x16, 16 GT/s */

static uint32_t control(const struct vdev_bridge *b)
{
	return vdev_config_get(&b->fn.config, b->express + PCI_EXP_SLTCTL, 2);
}

static uint32_t status(const struct vdev_bridge *b)
{
	return vdev_config_get(&b->fn.config, b->express + PCI_EXP_SLTSTA, 2);
}

static uint32_t indicator(const struct vdev_bridge *b)
{
	return control(b) & PCI_EXP_SLTCTL_PIC;
}

/* The guest's own driver has the slot. */
static bool is_native(const struct vdev_bridge *b)
{
	return !b->host->acpi || (control(b) & PCI_EXP_SLTCTL_HPIE);
}

/* Power and its indicator, where they are the platform's. */
static void turn(struct vdev_bridge *b, bool on)
{
	uint32_t other = control(b) & ~(uint32_t)(PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PIC);

	vdev_config_set(&b->fn.config, b->express + PCI_EXP_SLTCTL, 2,
			other | (on ? INDICATOR_ON : INDICATOR_OFF | PCI_EXP_SLTCTL_PCC));
}

/* ---- telling the guest ---- */

static void send_msi(const struct vdev_bridge *b)
{
	const struct vdev_config *c = &b->fn.config;
	const struct hv_msi msi = {
		.addr = vdev_config_get(c, b->msi + PCI_MSI_ADDRESS_LO, 4) |
			(uint64_t)vdev_config_get(c, b->msi + PCI_MSI_ADDRESS_HI, 4) << 32,
		.data = vdev_config_get(c, b->msi + PCI_MSI_DATA_64, 2),
	};

	/* what it is worth is the guest's own doing, so nobody is told when it leads nowhere */
	if (vdev_config_get(c, b->msi + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE)
		hv_msi_signal(b->host->vm, &msi);
}

/* 6.7.3.4: one message each time that the first enabled event appears. */
static void update_interrupt(struct vdev_bridge *b)
{
	uint32_t enabled = control(b);
	uint32_t events = 0;

	if (enabled & PCI_EXP_SLTCTL_ABPE)
		events |= PCI_EXP_SLTSTA_ABP;
	if (enabled & PCI_EXP_SLTCTL_PDCE)
		events |= PCI_EXP_SLTSTA_PDC;
	if (enabled & PCI_EXP_SLTCTL_DLLSCE)
		events |= PCI_EXP_SLTSTA_DLLSC;
	bool stands = (enabled & PCI_EXP_SLTCTL_HPIE) && (status(b) & events);

	if (stands && !b->notified)
		send_msi(b);
	b->notified = stands;
}

static void set_status(struct vdev_bridge *b, uint32_t set, uint32_t clear)
{
	vdev_config_set(&b->fn.config, b->express + PCI_EXP_SLTSTA, 2, (status(b) & ~clear) | set);
}

/* The link follows presence and power. */
static void update_link(struct vdev_bridge *b)
{
	unsigned at = b->express + PCI_EXP_LNKSTA;
	bool was = vdev_config_get(&b->fn.config, at, 2) & PCI_EXP_LNKSTA_DLLLA;
	bool is = b->child && !(control(b) & PCI_EXP_SLTCTL_PCC);

	vdev_config_set(&b->fn.config, at, 2, is ? LINK_UP : 0);
	if (was != is)
		set_status(b, PCI_EXP_SLTSTA_DLLSC, 0);
}

/* ---- registers ---- */

void vdev_slot_build(struct vdev_bridge *b)
{
	struct vdev_config *c = &b->fn.config;
	unsigned at = b->express;

	vdev_config_set(c, at + PCI_EXP_SLTCAP, 4,
			(uint32_t)b->slot << 19 | PCI_EXP_SLTCAP_NCCS | PCI_EXP_SLTCAP_HPC |
				PCI_EXP_SLTCAP_PIP | PCI_EXP_SLTCAP_PCP | PCI_EXP_SLTCAP_ABP);
	vdev_config_set(c, at + PCI_EXP_SLTCTL, 2,
			b->child ? INDICATOR_ON : INDICATOR_OFF | PCI_EXP_SLTCTL_PCC);
	vdev_config_allow(c, at + PCI_EXP_SLTCTL, 2,
			  PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PFDE | PCI_EXP_SLTCTL_MRLSCE |
				  PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_PIC |
				  PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_DLLSCE);
	vdev_config_set(c, at + PCI_EXP_SLTSTA, 2, b->child ? PCI_EXP_SLTSTA_PDS : 0);
	c->clear[at + PCI_EXP_SLTSTA] = EVENTS & 0xff;
	c->clear[at + PCI_EXP_SLTSTA + 1] = EVENTS >> 8;
	vdev_config_set(c, at + PCI_EXP_LNKSTA, 2, b->child ? LINK_UP : 0);
	b->notified = b->pressed = false;
}

bool vdev_slot_is_open(const struct vdev_bridge *b)
{
	return b->child && (control(b) & PCI_EXP_SLTCTL_PCC) && indicator(b) == INDICATOR_OFF;
}

/* A guest at work on the slot blinks the indicator, and would take a button for an order to stop.
 */
static void press_if_due(struct vdev_bridge *b)
{
	if (!b->wanted || b->pressed || indicator(b) == INDICATOR_BLINK || vdev_slot_is_open(b))
		return;
	b->pressed = true;
	if (is_native(b))
		set_status(b, PCI_EXP_SLTSTA_ABP, 0);
	else
		vdev_acpi_slots_ask(b->host->acpi, b->slot);
}

static void follow(struct vdev_bridge *b)
{
	press_if_due(b);
	update_interrupt(b);
	if (b->wanted && vdev_slot_is_open(b) && b->host->slot_open)
		b->host->slot_open(b->host->slot_opaque);
}

static void unmap(struct vdev_bridge *b)
{
	static const uint64_t nowhere[VDEV_BARS];

	vdev_bars_move(b->child, nowhere);
}

void vdev_slot_written(struct vdev_bridge *b, uint32_t before)
{
	uint32_t now = control(b);

	if (b->child && (~before & now & PCI_EXP_SLTCTL_PCC)) {
		b->child->ops->reset(b->child); /* all that it was is lost with its power */
		unmap(b);
	}
	if ((before ^ now) & PCI_EXP_SLTCTL_PCC)
		update_link(b);
	/* A driver that comes while something is asked for has not heard of it. */
	if (~before & now & PCI_EXP_SLTCTL_HPIE)
		b->pressed = false;
	follow(b);
}

/* What the guest was told before it was saved it has heard; the link follows its power. */
void vdev_slot_loaded(struct vdev_bridge *b)
{
	bool up = b->child && !(control(b) & PCI_EXP_SLTCTL_PCC);

	vdev_config_set(&b->fn.config, b->express + PCI_EXP_LNKSTA, 2, up ? LINK_UP : 0);
	b->notified = (control(b) & PCI_EXP_SLTCTL_HPIE) && (status(b) & EVENTS);
}

/* ---- the host's side ---- */

void vdev_slot_insert(struct vdev_bridge *b, struct vdev_function *child)
{
	child->bridge = b;
	b->child = child;
	b->wanted = b->pressed = false;
	set_status(b, PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC, 0);
	vdev_config_set(&b->fn.config, b->express + PCI_EXP_LNKSTA, 2, LINK_UP);
	if (is_native(b)) {
		update_interrupt(b);
	} else {
		turn(b, true);
		vdev_acpi_slots_insert(b->host->acpi, b->slot);
	}
}

void vdev_slot_ask(struct vdev_bridge *b)
{
	if (!b->wanted)
		b->pressed = false;
	b->wanted = true;
	follow(b);
}

void vdev_slot_keep(struct vdev_bridge *b)
{
	bool blinks = indicator(b) == INDICATOR_BLINK;

	if (b->host->acpi)
		vdev_acpi_slots_forget(b->host->acpi, b->slot);
	/* A guest that has taken notice is told by a second press; one that has not, by nothing. */
	if (b->wanted && b->pressed && is_native(b))
		set_status(b, blinks ? PCI_EXP_SLTSTA_ABP : 0, blinks ? 0 : PCI_EXP_SLTSTA_ABP);
	b->wanted = b->pressed = false;
	update_interrupt(b);
}

/* What nobody has asked for stays, and a guest that looks again finds it. What goes need not be
 * reset here, with the guest's CPU waiting: whoever closes it does that. */
void vdev_slot_let_go(struct vdev_bridge *b)
{
	if (!b->child || !b->wanted || is_native(b))
		return;
	unmap(b);
	turn(b, false);
	update_link(b);
	follow(b);
}

struct vdev_function *vdev_slot_extract(struct vdev_bridge *b)
{
	struct vdev_function *child = b->child;

	b->child = NULL;
	b->wanted = b->pressed = false;
	set_status(b, PCI_EXP_SLTSTA_PDC, PCI_EXP_SLTSTA_PDS);
	update_link(b);
	update_interrupt(b);
	return child;
}
