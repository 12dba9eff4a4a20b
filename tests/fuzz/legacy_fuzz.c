/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any accesses to the PIC pair, the PIT and the I/O APIC, and any changes of their inputs: within
 * bounds, the wire says what the PIC wants, and the PIT never asks for a time without end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/ioapic.h"
#include "hv-core/pic.h"
#include "hv-core/pit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct board {
	struct hv_pic pic;
	struct hv_pit pit;
	struct hv_ioapic apic;
	bool wire;
	uint64_t now, wake;
};

static void on_wire(void *opaque, bool level)
{
	((struct board *)opaque)->wire = level;
}

static uint64_t now(void *opaque)
{
	return ((struct board *)opaque)->now;
}

static void wake(void *opaque, uint64_t at)
{
	((struct board *)opaque)->wake = at;
}

static void interrupt(void *opaque)
{
	struct board *b = opaque;

	hv_pic_set(&b->pic, 0, true);
	hv_pic_set(&b->pic, 0, false);
}

static int signal_msi(void *opaque, const struct hv_msi *msi)
{
	(void)opaque;
	return msi->addr >> 32 ? -1 : 0;
}

static void routes_changed(void *opaque)
{
	(void)opaque;
}

static void access(const struct hv_region_ops *ops, void *opaque, unsigned size, const uint8_t *in)
{
	unsigned len = 1u << (in[1] >> 6), offset = in[1] & 0x3f;
	uint8_t bytes[8];

	memset(bytes, in[2], sizeof(bytes));
	bytes[0] = in[3];
	if (offset + len > size) {
		offset %= size;
		len = 1;
	}
	if (in[0] & 0x80)
		ops->write(opaque, offset, bytes, len);
	else
		ops->read(opaque, offset, bytes, len);
}

static void step(struct board *b, const uint8_t in[4])
{
	switch (in[0] & 7) {
	case 0:
		access(&hv_pic_first_ops, &b->pic, 2, in);
		return;
	case 1:
		access(&hv_pic_second_ops, &b->pic, 2, in);
		return;
	case 2:
		access(&hv_pic_elcr_ops, &b->pic, 2, in);
		return;
	case 3:
		access(&hv_pit_ops, &b->pit, 4, in);
		return;
	case 4:
		access(&hv_pit_gate_ops, &b->pit, 1, in);
		return;
	case 5:
		access(&hv_ioapic_ops, &b->apic, 0x44, in);
		return;
	case 6:
		hv_pic_set(&b->pic, in[1] & 31, in[2] & 1);
		hv_ioapic_set(&b->apic, in[1] % HV_IOAPIC_PINS, in[2] & 1);
		return;
	default:
		b->now += (uint64_t)in[1] << (in[2] & 31);
		if (b->wire)
			hv_pic_ack(&b->pic);
		hv_ioapic_eoi(&b->apic, in[3]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct board b = {
		.pic = {.wire = on_wire, .opaque = &b},
		.pit = {.now = now, .wake = wake, .interrupt = interrupt, .opaque = &b},
		.apic = {.signal = signal_msi, .routes_changed = routes_changed, .opaque = &b},
		.now = 1,
	};

	hv_pic_init(&b.pic);
	hv_pit_init(&b.pit);
	hv_ioapic_init(&b.apic);
	for (size_t i = 0; i + 4 <= size; i += 4) {
		step(&b, data + i);
		if (b.wake && b.wake <= b.now)
			hv_pit_tick(&b.pit);
		if (b.wire != b.pic.output || (b.wake && b.wake > b.now + UINT64_C(60000000)))
			abort();
	}
	return 0;
}
