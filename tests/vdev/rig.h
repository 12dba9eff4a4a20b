/* SPDX-License-Identifier: BSD-3-Clause */
/* rig: a machine with one passed-through device on fakes, and a guest's view of it. */
#ifndef TESTS_VDEV_RIG_H
#define TESTS_VDEV_RIG_H

#include "base/loop.h"
#include "tests/fakes/fake_hv.h"
#include "tests/fakes/fake_vfio.h"
#include "vdev/vdev.h"

struct rig {
	struct hv_vm *vm;
	struct loop *loop;
	struct iommu_domain domain;
	struct vdev_machine *machine;
	struct fake_vfio *vfio;
	struct vdev_vfio *dev;
	uint8_t out[4096]; /* what the guest sent through its serial port */
	size_t out_len;
	unsigned calls, rooms;
	unsigned ejected; /* the slot of the last one, 0: none */
};

/* A machine without devices (vfio NULL) or with one; complete. */
struct rig *rig_create(const struct fake_vfio_config *vfio);
/* The same with empty slots. */
/* Without devices; this many of the FAKE_CPUS are there at first, the others may come. */
struct rig *rig_create_cpus(unsigned cpus);
struct rig *rig_create_slots(const struct fake_vfio_config *vfio, unsigned free_ports);
void rig_destroy(struct rig *rig);
/* Runs the event loop until nothing is left to do. */
void rig_spin(struct rig *rig);

uint32_t rig_config(struct rig *rig, unsigned bus, unsigned dev, unsigned offset, unsigned len);
void rig_config_set(struct rig *rig, unsigned bus, unsigned dev, unsigned offset, unsigned len,
		    uint32_t value);
/* The device behind the first root port, bus 1. */
uint32_t rig_read(struct rig *rig, unsigned offset, unsigned len);
void rig_write(struct rig *rig, unsigned offset, unsigned len, uint32_t value);
uint64_t rig_bar(struct rig *rig, unsigned index); /* 64-bit */
void rig_bar_set(struct rig *rig, unsigned index, uint64_t address);
void rig_decode(struct rig *rig, bool on);

#endif
