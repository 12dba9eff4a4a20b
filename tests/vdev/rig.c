/* SPDX-License-Identifier: BSD-3-Clause */
/* rig: see rig.h. */
#include "tests/vdev/rig.h"

#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "base/bdf.h"

static void serial_out(void *opaque, const uint8_t *bytes, size_t len)
{
	struct rig *rig = opaque;

	if (rig->out_len + len > sizeof(rig->out))
		rig->out_len = 0;
	memcpy(rig->out + rig->out_len, bytes, len);
	rig->out_len += len;
	rig->calls++;
}

static void serial_room(void *opaque)
{
	struct rig *rig = opaque;

	rig->rooms++;
}

static void ejected(void *opaque, unsigned slot)
{
	struct rig *rig = opaque;

	if (rig->vm->locked)
		abort();
	rig->ejected = slot;
}

struct rig *rig_create(const struct fake_vfio_config *vfio)
{
	return rig_create_slots(vfio, 0);
}

static struct rig *create(const struct fake_vfio_config *vfio, unsigned free_ports, unsigned cpus);

struct rig *rig_create_slots(const struct fake_vfio_config *vfio, unsigned free_ports)
{
	return create(vfio, free_ports, 0);
}

struct rig *rig_create_cpus(unsigned cpus)
{
	return create(NULL, 0, cpus);
}

static struct rig *create(const struct fake_vfio_config *vfio, unsigned free_ports, unsigned cpus)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	if (!rig || loop_create(&rig->loop) < 0)
		abort();
	rig->vm = fake_hv_create();
	rig->domain.log = &rig->vm->log;
	static const uint8_t generation[16] = {0x1d, 2, 3};
	struct vdev_machine_config config = {.vm = rig->vm,
					     .generation = generation,
					     .loop = rig->loop,
					     .domain = &rig->domain,
					     .serial_out = serial_out,
					     .serial_room = serial_room,
					     .opaque = rig,
					     .ejected = ejected,
					     .ejected_opaque = rig,
					     .cpus = cpus,
					     .free_ports = free_ports};
	if (vdev_machine_create(&config, &rig->machine) < 0)
		abort();
	if (vfio) {
		rig->vfio = fake_vfio_create(&rig->vm->log, vfio);
		struct vdev_vfio_config device = {.name = "vf test/0",
						  .host = {0, 1, 0x10, 0},
						  .device_fd = rig->vfio->given};
		if (vdev_vfio_add(rig->machine, &device, &rig->dev) < 0)
			abort();
	}
	if (vdev_machine_finish(rig->machine) < 0)
		abort();
	return rig;
}

void rig_destroy(struct rig *rig)
{
	vdev_machine_destroy(rig->machine);
	if (rig->vfio)
		fake_vfio_destroy(rig->vfio);
	loop_destroy(rig->loop);
	fake_hv_destroy(rig->vm);
	free(rig);
}

static void stop(void *opaque, uint32_t events)
{
	(void)events;
	loop_stop(opaque, 0);
}

void rig_spin(struct rig *rig)
{
	struct loop_source *timer;

	if (loop_timer(rig->loop, 5, stop, rig->loop, &timer) < 0 || loop_run(rig->loop) < 0)
		abort();
}

static uint64_t ecam(unsigned bus, unsigned dev, unsigned offset)
{
	return 0xe0000000 + ((uint64_t)bus << 20 | dev << 15 | offset);
}

uint32_t rig_config(struct rig *rig, unsigned bus, unsigned dev, unsigned offset, unsigned len)
{
	return (uint32_t)fake_hv_read(rig->vm, HV_MMIO, ecam(bus, dev, offset), len);
}

void rig_config_set(struct rig *rig, unsigned bus, unsigned dev, unsigned offset, unsigned len,
		    uint32_t value)
{
	fake_hv_write(rig->vm, HV_MMIO, ecam(bus, dev, offset), value, len);
}

uint32_t rig_read(struct rig *rig, unsigned offset, unsigned len)
{
	return rig_config(rig, 1, 0, offset, len);
}

void rig_write(struct rig *rig, unsigned offset, unsigned len, uint32_t value)
{
	rig_config_set(rig, 1, 0, offset, len, value);
}

uint64_t rig_bar(struct rig *rig, unsigned index)
{
	unsigned at = PCI_BASE_ADDRESS_0 + 4 * index;

	return (uint64_t)rig_read(rig, at + 4, 4) << 32 | (rig_read(rig, at, 4) & ~15u);
}

void rig_bar_set(struct rig *rig, unsigned index, uint64_t address)
{
	unsigned at = PCI_BASE_ADDRESS_0 + 4 * index;

	rig_write(rig, at, 4, (uint32_t)address);
	rig_write(rig, at + 4, 4, (uint32_t)(address >> 32));
}

void rig_decode(struct rig *rig, bool on)
{
	rig_write(rig, PCI_COMMAND, 2, on ? PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER : 0);
}
