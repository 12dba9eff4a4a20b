/* SPDX-License-Identifier: BSD-3-Clause */
/* guest_virtio: see guest_virtio.h. */
#include "tests/vdev/guest_virtio.h"

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

#define ECAM 0xe0100000u /* bus 1, device 0 */

void guest_virtio_init(struct guest_virtio *g)
{
	*g = (struct guest_virtio){.vm = fake_hv_create()};
	fake_hv_add_ram(g->vm);
	if (loop_create(&g->loop) < 0 || vdev_host_create(g->vm, &g->host) < 0)
		abort();
}

uint32_t guest_config(struct guest_virtio *g, unsigned offset, unsigned len)
{
	return (uint32_t)fake_hv_read(g->vm, HV_MMIO, ECAM + offset, len);
}

void guest_config_set(struct guest_virtio *g, unsigned offset, unsigned len, uint32_t value)
{
	fake_hv_write(g->vm, HV_MMIO, ECAM + offset, value, len);
}

static void note_part(struct guest_virtio *g, unsigned cap)
{
	uint64_t bar = (uint64_t)guest_config(g, PCI_BASE_ADDRESS_1, 4) << 32 |
		       (guest_config(g, PCI_BASE_ADDRESS_0, 4) & ~15u);
	uint64_t at = bar + guest_config(g, cap + VIRTIO_PCI_CAP_OFFSET, 4);

	switch (guest_config(g, cap + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		g->common = at;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		g->notify = at;
		g->notify_stride = guest_config(g, cap + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		g->isr = at;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		g->device = at;
		break;
	case VIRTIO_PCI_CAP_PCI_CFG:
		g->cap_cfg = cap;
		break;
	default:
		abort();
	}
}

static void probe(struct guest_virtio *g)
{
	uint64_t bar = (uint64_t)guest_config(g, PCI_BASE_ADDRESS_1, 4) << 32 |
		       (guest_config(g, PCI_BASE_ADDRESS_0, 4) & ~15u);

	for (unsigned cap = guest_config(g, PCI_CAPABILITY_LIST, 1); cap;
	     cap = guest_config(g, cap + 1, 1)) {
		if (guest_config(g, cap, 1) == PCI_CAP_ID_VNDR)
			note_part(g, cap);
		if (guest_config(g, cap, 1) == PCI_CAP_ID_MSIX) {
			g->cap_msix = cap;
			g->table = bar + (guest_config(g, cap + PCI_MSIX_TABLE, 4) & ~7u);
		}
	}
}

void guest_virtio_attach(struct guest_virtio *g, struct vdev_function *fn)
{
	hv_device_lock(g->vm);
	if (vdev_host_add(g->host, fn) < 0 || vdev_host_assign(g->host) < 0)
		abort();
	hv_device_unlock(g->vm);
	guest_config_set(g, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	probe(g);
}

void guest_virtio_finish(struct guest_virtio *g)
{
	hv_device_lock(g->vm);
	vdev_host_destroy(g->host);
	hv_device_unlock(g->vm);
	loop_destroy(g->loop);
	fake_hv_destroy(g->vm);
}

uint32_t guest_common(struct guest_virtio *g, unsigned offset, unsigned len)
{
	return (uint32_t)fake_hv_read(g->vm, HV_MMIO, g->common + offset, len);
}

void guest_common_set(struct guest_virtio *g, unsigned offset, unsigned len, uint32_t value)
{
	fake_hv_write(g->vm, HV_MMIO, g->common + offset, value, len);
}

uint64_t guest_offered(struct guest_virtio *g)
{
	guest_common_set(g, VIRTIO_PCI_COMMON_DFSELECT, 4, 1);
	uint64_t high = guest_common(g, VIRTIO_PCI_COMMON_DF, 4);

	guest_common_set(g, VIRTIO_PCI_COMMON_DFSELECT, 4, 0);
	return high << 32 | guest_common(g, VIRTIO_PCI_COMMON_DF, 4);
}

static uint8_t add_status(struct guest_virtio *g, uint8_t bits)
{
	uint32_t now = guest_common(g, VIRTIO_PCI_COMMON_STATUS, 1);

	guest_common_set(g, VIRTIO_PCI_COMMON_STATUS, 1, now | bits);
	return (uint8_t)guest_common(g, VIRTIO_PCI_COMMON_STATUS, 1);
}

uint8_t guest_negotiate(struct guest_virtio *g, uint64_t features)
{
	guest_common_set(g, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	if (guest_common(g, VIRTIO_PCI_COMMON_STATUS, 1))
		abort();
	add_status(g, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	add_status(g, VIRTIO_CONFIG_S_DRIVER);
	guest_common_set(g, VIRTIO_PCI_COMMON_GFSELECT, 4, 0);
	guest_common_set(g, VIRTIO_PCI_COMMON_GF, 4, (uint32_t)features);
	guest_common_set(g, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
	guest_common_set(g, VIRTIO_PCI_COMMON_GF, 4, (uint32_t)(features >> 32));
	g->features = features;
	return add_status(g, VIRTIO_CONFIG_S_FEATURES_OK);
}

static void set_address(struct guest_virtio *g, unsigned offset, uint64_t gpa)
{
	guest_common_set(g, offset, 4, (uint32_t)gpa);
	guest_common_set(g, offset + 4, 4, (uint32_t)(gpa >> 32));
}

void guest_queue(struct guest_virtio *g, unsigned index, uint16_t size)
{
	struct guest_ring *ring = &g->ring[index];

	guest_ring_init(ring, g->vm, g->features >> VIRTIO_F_RING_PACKED & 1,
			g->features >> VIRTIO_RING_F_EVENT_IDX & 1, size,
			FAKE_RAM_GPA + index * GUEST_RING_BYTES);
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_SELECT, 2, index);
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_MSIX, 2, index + 1);
	set_address(g, VIRTIO_PCI_COMMON_Q_DESCLO, ring->desc);
	set_address(g, VIRTIO_PCI_COMMON_Q_AVAILLO, ring->driver);
	set_address(g, VIRTIO_PCI_COMMON_Q_USEDLO, ring->device);
	guest_common_set(g, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
}

/* Every vector its own message; the config vector is 0. */
void guest_msix_on(struct guest_virtio *g)
{
	unsigned count = (guest_config(g, g->cap_msix + PCI_MSIX_FLAGS, 2) & 0x7ff) + 1;

	guest_config_set(g, g->cap_msix + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE);
	for (unsigned v = 0; v < count; v++) {
		fake_hv_write(g->vm, HV_MMIO, g->table + 16 * v, 0xfee00000, 4);
		fake_hv_write(g->vm, HV_MMIO, g->table + 16 * v + 4, 0, 4);
		fake_hv_write(g->vm, HV_MMIO, g->table + 16 * v + 8, 0x40 + v, 4);
		fake_hv_write(g->vm, HV_MMIO, g->table + 16 * v + 12, 0, 4);
	}
	guest_common_set(g, VIRTIO_PCI_COMMON_MSIX, 2, 0);
}

void guest_driver_ok(struct guest_virtio *g)
{
	add_status(g, VIRTIO_CONFIG_S_DRIVER_OK);
}

void guest_bring_up(struct guest_virtio *g, uint64_t features, unsigned queues)
{
	guest_msix_on(g);
	if (!(guest_negotiate(g, features) & VIRTIO_CONFIG_S_FEATURES_OK))
		abort();
	guest_common_set(g, VIRTIO_PCI_COMMON_MSIX, 2, 0);
	for (unsigned i = 0; i < queues; i++)
		guest_queue(g, i, 16);
	guest_driver_ok(g);
}

void guest_kick(struct guest_virtio *g, unsigned index)
{
	fake_hv_write(g->vm, HV_MMIO, g->notify + (uint64_t)index * g->notify_stride, index, 2);
}

int guest_wait(struct guest_virtio *g, unsigned index, uint32_t *written)
{
	for (unsigned i = 0; i < 20000; i++) {
		int id = guest_ring_get(&g->ring[index], written);

		if (id >= 0)
			return id;
		usleep(100);
	}
	return -1;
}

uint64_t guest_interrupts(struct guest_virtio *g, unsigned vector)
{
	uint64_t count = 0;

	for (unsigned i = HV_IOAPIC_PINS; i < FAKE_ROUTES; i++) {
		if (!g->vm->route[i].used || g->vm->route[i].msi.data != 0x40 + vector ||
		    g->vm->route[i].eventfd < 0)
			continue;
		if (read(g->vm->route[i].eventfd, &count, sizeof(count)) != sizeof(count))
			count = 0;
		return count;
	}
	return 0;
}

static void stop(void *opaque, uint32_t events)
{
	(void)events;
	loop_stop(opaque, 0);
}

void guest_spin(struct guest_virtio *g)
{
	struct loop_source *timer;

	if (loop_timer(g->loop, 5, stop, g->loop, &timer) < 0 || loop_run(g->loop) < 0)
		abort();
}
