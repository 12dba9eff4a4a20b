/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pm: the fixed ACPI hardware of a PC (ACPI 6.5, 4.8.3), for machines that boot by firmware, and
 * the ports that reset such a machine.
 *
 *     0x600  status    bit 8: the power button was pressed, bit 10: the clock's alarm came;
 *                      cleared by writing 1
 *     0x602  enable    which status bits raise the SCI, a level interrupt
 *     0x604  control   bit 0 SCI_EN, always on; SLP_TYP 12:10 with SLP_EN bit 13 turns off
 *     0x608  timer     32 bits at 3.579545 MHz
 *     0x60c  bit 2: there are events        0x60d  whether that raises the SCI too
 *     0x610  events    32 bits, for the code in our DSDT; reading clears
 *     0x092  bit 0 resets                 0x064  0xfe resets: all that is left of an i8042
 *     0xcf9  bit 2 resets (the register itself is decoded by pci_ports.c)
 *
 * The overflow of the timer sets no status bit: with 32 bits it would be every twenty minutes, and
 * who needs the high bits of the time has better clocks.
 */
#include "vdev/pm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

#define TIMER_HZ UINT64_C(3579545)
#define NS_PER_S UINT64_C(1000000000)

#define STATUS	      0u
#define ENABLE	      2u
#define CONTROL	      4u
#define TIMER	      8u
#define GPE_STATUS    12u
#define GPE_ENABLE    13u
#define BLOCK	      14u
#define GPE_BIT	      (1u << HV_ACPI_GPE)
#define STATUS_GLOBAL (1u << 5)
#define STATUS_BUTTON (1u << 8)
#define STATUS_RTC    (1u << 10)
#define ENABLE_BITS   (STATUS_BUTTON | STATUS_RTC | STATUS_GLOBAL)
#define CONTROL_BITS  0x1c06u /* SLP_TYP, GBL_RLS, BM_RLD */
#define CONTROL_SCI   1u
#define SLEEP_TYPE(v) ((v) >> 10 & 7)
#define SLEEP_ENABLE  (1u << 13)

#define KEYBOARD_PULSE_RESET 0xfe
#define FAST_RESET	     0x01
#define RESET_CPU	     0x04

struct vdev_pm {
	struct hv_vm *vm;
	struct hv_region *block, *events, *fast, *command;
	uint16_t status, enable, control;
	uint8_t gpe_enable;
	uint32_t pending;
	uint64_t start; /* of the timer, in the guest's time */
};

static void update(struct vdev_pm *p)
{
	bool event = p->pending && (p->gpe_enable & GPE_BIT);

	hv_irq_set(p->vm, VDEV_PM_SCI, event || (p->status & p->enable) != 0);
}

static uint32_t timer(const struct vdev_pm *p)
{
	uint64_t ns = hv_clock_now(p->vm) - p->start;

	return (uint32_t)(ns / NS_PER_S * TIMER_HZ + ns % NS_PER_S * TIMER_HZ / NS_PER_S);
}

/* The block as its bytes lie there. */
static void block_bytes(const struct vdev_pm *p, uint8_t bytes[BLOCK])
{
	uint32_t ticks = timer(p);

	memset(bytes, 0, BLOCK);
	memcpy(bytes + STATUS, &p->status, 2);
	memcpy(bytes + ENABLE, &p->enable, 2);
	memcpy(bytes + CONTROL, &p->control, 2);
	memcpy(bytes + TIMER, &ticks, 4);
	bytes[GPE_STATUS] = p->pending ? GPE_BIT : 0; /* as long as there are any: a level */
	bytes[GPE_ENABLE] = p->gpe_enable;
}

static void block_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	uint8_t bytes[BLOCK + 8] = {0};

	block_bytes(opaque, bytes);
	memcpy(data, bytes + offset, len);
}

/* OVMF and SeaBIOS turn off with type 0, whatever \_S5 says; nothing else is offered. */
static void write_control(struct vdev_pm *p, uint16_t value)
{
	unsigned type = SLEEP_TYPE(value);

	p->control = (uint16_t)((value & CONTROL_BITS) | CONTROL_SCI);
	if ((value & SLEEP_ENABLE) && (type == 0 || type == 5))
		hv_vm_end(p->vm, HV_END_POWEROFF);
}

static void block_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_pm *p = opaque;
	uint8_t bytes[BLOCK + 8], clear[BLOCK + 8] = {0};
	uint16_t value;

	block_bytes(p, bytes);
	memset(bytes + STATUS, 0, 2); /* only what is written as 1 is cleared */
	memcpy(bytes + offset, data, len);
	memset(clear + offset, 1, len);
	memcpy(&value, bytes + STATUS, 2);
	p->status = (uint16_t)(p->status & ~value);
	memcpy(&value, bytes + ENABLE, 2);
	p->enable = value & ENABLE_BITS;
	p->gpe_enable = bytes[GPE_ENABLE];
	memcpy(&value, bytes + CONTROL, 2);
	if (clear[CONTROL] || clear[CONTROL + 1])
		write_control(p, value);
	update(p);
}

static const struct hv_region_ops block_ops = {.read = block_read, .write = block_write};

static void events_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct vdev_pm *p = opaque;

	memset(data, 0, len);
	if (offset)
		return;
	memcpy(data, &p->pending, MIN(len, 4u));
	p->pending = 0;
	update(p);
}

static void events_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	(void)opaque, (void)offset, (void)data, (void)len;
}

static const struct hv_region_ops events_ops = {.read = events_read, .write = events_write};

/* A20 is always open. */
static void fast_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	(void)opaque;
	(void)offset;
	memset(data, 0xff, len);
	((uint8_t *)data)[0] = 0x02;
}

static void fast_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_pm *p = opaque;

	(void)offset;
	(void)len;
	if (((const uint8_t *)data)[0] & FAST_RESET)
		hv_vm_end(p->vm, HV_END_RESET);
}

static const struct hv_region_ops fast_ops = {.read = fast_read, .write = fast_write};

/* All ones: there is no keyboard controller. */
static void keyboard_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	(void)opaque;
	(void)offset;
	memset(data, 0xff, len);
}

static void command_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_pm *p = opaque;

	(void)offset;
	(void)len;
	if (((const uint8_t *)data)[0] == KEYBOARD_PULSE_RESET)
		hv_vm_end(p->vm, HV_END_RESET);
}

static const struct hv_region_ops command_ops = {.read = keyboard_read, .write = command_write};

void vdev_pm_reset_write(struct hv_vm *vm, uint8_t value)
{
	if (value & RESET_CPU)
		hv_vm_end(vm, HV_END_RESET);
}

int vdev_pm_create(struct hv_vm *vm, struct vdev_pm **out)
{
	struct vdev_pm *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for its power registers");
	*p = (struct vdev_pm){.vm = vm, .control = CONTROL_SCI, .start = hv_clock_now(vm)};
	err = hv_bus_add(vm, HV_PIO, "acpi-pm", VDEV_PM_PORT, BLOCK, &block_ops, p, &p->block);
	if (!err)
		err = hv_bus_add(vm, HV_PIO, "acpi-events", VDEV_PM_EVENT_PORT, 4, &events_ops, p,
				 &p->events);
	if (!err)
		err = hv_bus_add(vm, HV_PIO, "fast-reset", 0x92, 1, &fast_ops, p, &p->fast);
	if (!err)
		err = hv_bus_add(vm, HV_PIO, "i8042", 0x64, 1, &command_ops, p, &p->command);
	if (err < 0) {
		vdev_pm_destroy(p);
		return err;
	}
	*out = p;
	return 0;
}

void vdev_pm_destroy(struct vdev_pm *p)
{
	if (!p)
		return;
	struct hv_region *regions[] = {p->block, p->events, p->fast, p->command};

	for (size_t i = 0; i < ARRAY_SIZE(regions); i++)
		if (regions[i])
			hv_bus_remove(p->vm, regions[i]);
	free(p);
}

void vdev_pm_press(struct vdev_pm *p)
{
	p->status |= STATUS_BUTTON;
	update(p);
}

void vdev_pm_raise(struct vdev_pm *p, uint32_t events)
{
	p->pending |= events;
	update(p);
}

void vdev_pm_alarm(void *pm)
{
	struct vdev_pm *p = pm;

	p->status |= STATUS_RTC;
	update(p);
}

/* ---- standing still ---- */

void vdev_pm_save(const struct vdev_pm *p, struct state *s)
{
	state_put(s, "status", p->status);
	state_put(s, "enable", p->enable);
	state_put(s, "control", p->control);
	state_put(s, "gpe_enable", p->gpe_enable);
	state_put(s, "pending", p->pending);
	state_put(s, "start", p->start);
}

/* The SCI's line is with the interrupt controllers, as it was. */
void vdev_pm_load(struct vdev_pm *p, struct state *s)
{
	p->status = (uint16_t)state_take(s, "status", UINT16_MAX) & ENABLE_BITS;
	p->enable = (uint16_t)state_take(s, "enable", UINT16_MAX) & ENABLE_BITS;
	p->control =
		(uint16_t)((state_take(s, "control", UINT16_MAX) & CONTROL_BITS) | CONTROL_SCI);
	p->gpe_enable = (uint8_t)state_take(s, "gpe_enable", UINT8_MAX);
	p->pending = (uint32_t)state_take(s, "pending", UINT32_MAX);
	p->start = state_take(s, "start", INT64_MAX);
}
