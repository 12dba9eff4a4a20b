/* SPDX-License-Identifier: BSD-3-Clause */
/* vector: the way of one MSI or MSI-X message into the guest; see vector.c. */
#ifndef VDEV_VECTOR_H
#define VDEV_VECTOR_H

#include <stdbool.h>

#include "hv-core/hv.h"

struct vdev_vector {
	int eventfd;   /* -1: never used */
	int route;     /* -1: none */
	bool aimed;    /* the route has a message, which is msi */
	bool attached; /* the eventfd reaches the guest */
	bool host;     /* the device's side signals the eventfd */
	struct hv_msi msi;
};

#define VDEV_VECTOR_NONE ((struct vdev_vector){.eventfd = -1, .route = -1})

/* A message to a CPU, and no write into memory, which the engine would refuse together with every
 * other route. SDM vol. 3, 11.11.1; the upper half may carry destination bits 31:8 of an x2APIC
 * (bits 63:40). */
bool vdev_vector_reaches_cpu(const struct hv_msi *msi);
/* Eventfd and route number; again does nothing. */
int vdev_vector_open(struct hv_vm *vm, struct vdev_vector *v);
/* Tells the route its message, detached meanwhile; true when a commit is needed before attaching.
 */
bool vdev_vector_aim(struct hv_vm *vm, struct vdev_vector *v, const struct hv_msi *msi);
int vdev_vector_attach(struct hv_vm *vm, struct vdev_vector *v);
/* Masks: what comes in meanwhile stays in the eventfd and is delivered by the next attach. */
void vdev_vector_detach(struct hv_vm *vm, struct vdev_vector *v);
/* Gives up everything; the caller commits. */
void vdev_vector_close(struct hv_vm *vm, struct vdev_vector *v);

#endif
