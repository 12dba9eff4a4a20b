/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any sequence of accesses to the PCIe fabric: configuration space of every function (host bridge,
 * root ports and their slots, a passed-through device and what it hides), BARs wherever they are
 * put, the trapped MSI-X table, while the device interrupts and is taken out. The fakes below abort
 * where an irqfd would meet no route, or where memory of nobody's were mapped.
 */
#include <linux/pci_regs.h>
#include <stdint.h>
#include <string.h>

#include "tests/vdev/rig.h"

#define BUSES	8
#define STEPS	64
#define VECTORS 8

/* One access each: what, where, how much, value. */
struct step {
	uint8_t kind, bus, dev, len;
	uint16_t offset, pad;
	uint32_t value;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Where the guest has put the BAR that holds the MSI-X table; anywhere. Aligned, as what a
 * processor would do in two accesses is for the engine to take apart. */
static uint64_t table_at(struct rig *rig, uint16_t offset, unsigned len)
{
	uint64_t at = (rig_bar(rig, 3) & ~UINT64_C(0xf)) + offset % FAKE_BAR_SIZE;

	return at & ~(uint64_t)(len - 1);
}

static void raise_vector(struct rig *rig, unsigned index, unsigned vector)
{
	if (rig->dev && vector < rig->vfio->enabled[index] &&
	    rig->vfio->eventfd[index][vector] >= 0)
		fake_vfio_raise(rig->vfio, index, vector);
}

static void take_step(struct rig *rig, const struct step *s)
{
	unsigned len = 1u << s->len % 3, bus = s->bus % BUSES, dev = s->dev % 32;
	unsigned offset = s->offset % 4096 & ~(len - 1);

	switch (s->kind % 12) {
	case 0:
	case 1:
		rig_config_set(rig, bus, dev, offset, len, s->value);
		break;
	case 2:
		rig_config(rig, bus, dev, offset, len);
		break;
	case 3: /* the same at the device and its port, which are what there is most to */
	case 4:
		rig_config_set(rig, s->bus & 1, s->bus & 1 ? 0 : 1, offset % 256, len, s->value);
		break;
	case 5:
		rig_decode(rig, s->value & 1);
		break;
	case 6:
	case 7:
		fake_hv_write(rig->vm, HV_MMIO, table_at(rig, s->offset, len), s->value, len);
		break;
	case 8:
		fake_hv_read(rig->vm, HV_MMIO, table_at(rig, s->offset, len), len);
		break;
	case 9:
		rig_write(rig, FAKE_MSIX + PCI_MSIX_FLAGS, 2, s->value & 0xc000);
		break;
	case 10:
		raise_vector(rig, s->bus % 3, s->dev % VECTORS);
		if (s->value & 1)
			rig_spin(rig);
		break;
	default:
		vdev_slot_eject(rig->machine, 1 + s->dev % 3, 1000);
	}
	fake_log_clear(&rig->vm->log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fake_vfio_config vf = {.vectors = VECTORS,
					    .noresize = size && data[0] & 0x40,
					    .intx = size && data[0] & 0x80};

	if (size < sizeof(struct step) || size > STEPS * sizeof(struct step))
		return 0;
	struct rig *rig = rig_create_slots(&vf, 2);

	for (; size >= sizeof(struct step); size -= sizeof(struct step)) {
		struct step step;

		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		take_step(rig, &step);
		if (rig->ejected)
			rig->dev = NULL;
	}
	rig_destroy(rig);
	return 0;
}
