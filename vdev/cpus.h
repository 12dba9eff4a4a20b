/* SPDX-License-Identifier: BSD-3-Clause */
/* cpus: which processors the guest is told to have, and how it hears of changes; see cpus.c. */
#ifndef VDEV_CPUS_H
#define VDEV_CPUS_H

#include "base/state.h"
#include "hv-core/hv.h"
#include "vdev/power.h"

#define VDEV_CPUS_PORT 0x620

struct vdev_cpus;

/* CPUs 0..present-1 of the VM's are there at first. */
int vdev_cpus_create(struct hv_vm *vm, struct vdev_power *power, unsigned present,
		     struct vdev_cpus **out);
void vdev_cpus_destroy(struct vdev_cpus *cpus);

/* Device lock held. */
int vdev_cpus_want(struct vdev_cpus *cpus, unsigned count);
unsigned vdev_cpus_present(const struct vdev_cpus *cpus);
unsigned vdev_cpus_unheard(const struct vdev_cpus *cpus);
void vdev_cpus_forget(struct vdev_cpus *cpus);
void vdev_cpus_save(const struct vdev_cpus *cpus, struct state *s);
void vdev_cpus_load(struct vdev_cpus *cpus, struct state *s);

#endif
