/* SPDX-License-Identifier: BSD-3-Clause */
/* bootorder: which devices firmware tries, in which order; see bootorder.c. Private to vdev. */
#ifndef VDEV_BOOTORDER_H
#define VDEV_BOOTORDER_H

#include "vdev/pci.h"

/* Allocated text, whose end is marked by a NUL that counts to its length; NULL without memory. */
char *vdev_bootorder(const struct vdev_host *host);

#endif
