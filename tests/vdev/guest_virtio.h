/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest_virtio: a guest's driver for one virtio device on PCI, on fakes.
 *
 * It finds the device's parts by its capabilities, as any driver does (virtio 1.2, 4.1.4), and
 * brings it up by the book (3.1.1). The device sits alone behind the first root port.
 */
#ifndef TESTS_VDEV_GUEST_VIRTIO_H
#define TESTS_VDEV_GUEST_VIRTIO_H

#include "base/loop.h"
#include "tests/fakes/fake_hv.h"
#include "tests/vdev/guest_ring.h"
#include "vdev/pci.h"

#define GUEST_QUEUES 5
#define GUEST_DATA   (FAKE_RAM_GPA + 0x100000u) /* RAM that no ring uses, from here on */

struct guest_virtio {
	struct hv_vm *vm;
	struct loop *loop;
	struct vdev_host *host;
	uint64_t common, isr, device, notify, table; /* guest addresses, 0: none */
	uint32_t notify_stride;
	unsigned cap_msix, cap_cfg; /* offsets in configuration space */
	struct guest_ring ring[GUEST_QUEUES];
	uint64_t features;
};

/* fn is made on the guest's vm and loop, before attach. */
void guest_virtio_init(struct guest_virtio *g);
void guest_virtio_attach(struct guest_virtio *g, struct vdev_function *fn);
void guest_virtio_finish(struct guest_virtio *g);

uint32_t guest_config(struct guest_virtio *g, unsigned offset, unsigned len);
void guest_config_set(struct guest_virtio *g, unsigned offset, unsigned len, uint32_t value);
uint32_t guest_common(struct guest_virtio *g, unsigned offset, unsigned len);
void guest_common_set(struct guest_virtio *g, unsigned offset, unsigned len, uint32_t value);
uint64_t guest_offered(struct guest_virtio *g);

/* Reset, acknowledge, features (of those offered), FEATURES_OK; returns the status. */
uint8_t guest_negotiate(struct guest_virtio *g, uint64_t features);
/* Ring `index` of `size` slots, its vector index + 1 when MSI-X is on; enabled. */
void guest_queue(struct guest_virtio *g, unsigned index, uint16_t size);
void guest_msix_on(struct guest_virtio *g);
void guest_driver_ok(struct guest_virtio *g);
/* All of the above with `queues` queues of 16 slots. */
void guest_bring_up(struct guest_virtio *g, uint64_t features, unsigned queues);
void guest_kick(struct guest_virtio *g, unsigned index);
/* Waits (up to two seconds) for the device to give back a chain; its id. -1: it did not. */
int guest_wait(struct guest_virtio *g, unsigned index, uint32_t *written);
/* Interrupts of a vector since the last time; the test stands in for the engine. */
uint64_t guest_interrupts(struct guest_virtio *g, unsigned vector);
/* Lets the main loop work for some milliseconds. */
void guest_spin(struct guest_virtio *g);

#endif
