/* SPDX-License-Identifier: BSD-3-Clause */
/* smbios: the tables by which an operating system names its machine; see smbios.c. Pure. */
#ifndef VDEV_SMBIOS_H
#define VDEV_SMBIOS_H

#include <stddef.h>
#include <stdint.h>

#define VDEV_SMBIOS_ANCHOR 31u
#define VDEV_SMBIOS_MAX	   4096u

struct vdev_smbios {
	uint8_t anchor[VDEV_SMBIOS_ANCHOR];
	uint8_t tables[VDEV_SMBIOS_MAX];
	size_t size;
};

/* name: of the VM. ram_low and ram_high: bytes below and above 4 GiB. */
void vdev_smbios_build(const char *name, unsigned cpus, uint64_t ram_low, uint64_t ram_high,
		       struct vdev_smbios *out);

#endif
