/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mdevctl: the files in which mdevctl(8) and libvirt keep mediated devices:
 * /etc/mdevctl.d/PARENT/UUID, JSON {"mdev_type": "mbochs-small", "start": "auto", "attrs": []}.
 * They are the users' one source of truth, so what sluice makes is written there and what is there
 * is read.
 */
#ifndef GPU_MDEVCTL_H
#define GPU_MDEVCTL_H

#include "gpu/context.h"

#define MDEV_UUID 37

/* Calls `each` for every definition below a parent. */
int mdevctl_list(const struct gpu *gpu, const char *parent,
		 int (*each)(const char *uuid, const char *type, void *opaque), void *opaque);
/* The type of one; -ENOENT. */
int mdevctl_type(const struct gpu *gpu, const char *parent, const char *uuid, char type[GPU_NAME]);
/* Writes one, whole or not at all; other keys of a file that is there stay. */
int mdevctl_put(const struct gpu *gpu, const char *parent, const char *uuid, const char *type);
int mdevctl_remove(const struct gpu *gpu, const char *parent, const char *uuid);

#endif
