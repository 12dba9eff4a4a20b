/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any sequence of accesses to an emulated 82574: registers, MSI-X table, configuration space, its
 * rings in RAM, frames from the wire; quiesced, saved and loaded in between.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "tests/vdev/guest_e1000e.h"

/* One access each: what, where, how much, value. */
struct step {
	uint8_t kind, len;
	uint16_t offset;
	uint32_t value;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a driver writes most, so that short inputs get far. */
static const uint16_t often[] = {
	E1000E_CTRL,
	E1000E_CTRL_EXT,
	E1000E_MDIC,
	E1000E_EERD,
	E1000E_EEWR,
	E1000E_VET,
	E1000E_ICR,
	E1000E_ITR,
	E1000E_ICS,
	E1000E_IMS,
	E1000E_IMC,
	E1000E_EIAC,
	E1000E_IAM,
	E1000E_IVAR,
	E1000E_EITR,
	E1000E_RCTL,
	E1000E_TCTL,
	E1000E_PSRCTL,
	E1000E_RDBAL,
	E1000E_RDBAH,
	E1000E_RDLEN,
	E1000E_RDH,
	E1000E_RDT,
	E1000E_RFCTL,
	E1000E_TDBAL,
	E1000E_TDBAH,
	E1000E_TDLEN,
	E1000E_TDH,
	E1000E_TDT,
	E1000E_RXCSUM,
	E1000E_TDT + E1000E_TX_QUEUE,
	E1000E_TDLEN + E1000E_TX_QUEUE,
};

static void stand_still(struct guest_e1000e *g, bool load)
{
	struct vdev_function *fn = vdev_e1000e_function(g->nic);
	struct state *s = state_new();

	hv_device_lock(g->vm);
	fn->ops->quiesce(fn);
	fn->ops->save(fn, s);
	if (load && fn->ops->load(fn, s) < 0)
		abort();
	fn->ops->resume(fn);
	hv_device_unlock(g->vm);
	state_free(s);
}

static void from_wire(struct guest_e1000e *g, const struct step *step)
{
	uint8_t raw[3000] = {0};

	memset(raw + 12, step->len, 6);
	memcpy(raw + 24, &step->value, 4);
	raw[26] = raw[26] & 1 ? 0x45 : raw[26];
	send(g->wire, raw, 12 + 14 + step->offset % 2900u, MSG_DONTWAIT);
}

static void set_link(struct guest_e1000e *g, bool up)
{
	hv_device_lock(g->vm);
	vdev_e1000e_set_link(g->nic, up);
	hv_device_unlock(g->vm);
}

static void take_step(struct guest_e1000e *g, const struct step *step)
{
	unsigned len = 1u << (step->len & 3);
	uint64_t value = step->value | (uint64_t)step->value << 32;
	uint8_t drained[3000];

	switch (step->kind & 15) {
	case 0:
	case 1:
	case 2:
	case 3:
		guest_nic_set(g, often[step->offset % ARRAY_SIZE(often)], step->value);
		break;
	case 4:
		fake_hv_write(g->vm, HV_MMIO, g->regs + step->offset % 0x6000, value, len);
		break;
	case 5:
		fake_hv_read(g->vm, HV_MMIO, g->regs + step->offset % 0x6000, len);
		break;
	case 6:
		fake_hv_write(g->vm, HV_MMIO, g->table + step->offset % 0x4000, value, len);
		break;
	case 7:
		guest_nic_config_set(g, step->offset % 256 & ~3u, 4, step->value);
		break;
	case 8:
		guest_nic_up(g, step->value, step->len & 1 ? E1000E_RFCTL_EXTENDED : 0);
		break;
	case 9:
		from_wire(g, step);
		break;
	case 10:
		stand_still(g, step->value & 1);
		break;
	case 11:
		set_link(g, step->value & 1);
		break;
	case 12:
		while (recv(g->wire, drained, sizeof(drained), MSG_DONTWAIT) > 0)
			;
		break;
	default:
		memcpy(hv_mem_ptr(g->vm, FAKE_RAM_GPA + step->offset % 0x3000, 4), &step->value, 4);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_e1000e g;

	if (size < sizeof(struct step) || size > 1024)
		return 0;
	guest_nic_init(&g);
	for (; size >= sizeof(struct step); size -= sizeof(struct step)) {
		struct step step;

		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		take_step(&g, &step);
	}
	guest_nic_finish(&g);
	return 0;
}
