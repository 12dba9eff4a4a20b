/* SPDX-License-Identifier: BSD-3-Clause */
/* e1000e: an emulated Intel 82574 on a tap; see e1000e.c. */
#ifndef VDEV_E1000E_H
#define VDEV_E1000E_H

#include "vdev/pci.h"
#include "vdev/vdev.h"

struct vdev_e1000e;

/* config->tap[0] is its wire; pairs is 1, there is neither vhost nor a socket. */
int vdev_e1000e_create(struct hv_vm *vm, struct loop *loop, const struct vdev_net_config *config,
		       struct vdev_e1000e **out);
void vdev_e1000e_destroy(struct vdev_e1000e *dev); /* accepts NULL */
struct vdev_function *vdev_e1000e_function(struct vdev_e1000e *dev);
/* NULL when the function is something else, or NULL. */
struct vdev_e1000e *vdev_e1000e_of(struct vdev_function *fn);
void vdev_e1000e_fill_stat(struct vdev_e1000e *dev, struct vdev_net_stat *out);
/* Pulls the cable, or plugs it in. Device lock held. */
void vdev_e1000e_set_link(struct vdev_e1000e *dev, bool up);

#endif
