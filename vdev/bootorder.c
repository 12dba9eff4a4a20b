/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bootorder: the file of that name in fw_cfg, a line for each device in the order in which firmware
 * shall try them: first the disks, then the NICs, each kind as the user has named them (that is,
 * by root port). Without it firmware's own taste decides, and OVMF's changes with what it
 * remembers.
 *
 * A line is an Open Firmware device path (IEEE 1275): the root bus, the root port as
 * pci-bridge@DEVICE, and what is behind it as NAME@DEVICE. SeaBIOS takes any NAME; OVMF takes those
 * that QEMU's devices have (QemuBootOrderLib).
 */
#include "vdev/bootorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_SIZE 96u
#define VENDOR_VIRTIO 0x1af4u
#define BASE_STORAGE  0x01u
#define BASE_NETWORK  0x02u
#define CLASS_SCSI    0x0100u
#define ROOT_PATH     "/pci@i0cf8/pci-bridge@%x/"

static unsigned base_class(const struct vdev_function *fn)
{
	return vdev_config_get(&fn->config, PCI_CLASS_DEVICE, 2) >> 8;
}

static void name_device(const struct vdev_function *fn, unsigned slot, char *line, size_t size)
{
	uint32_t id = vdev_config_get(&fn->config, PCI_VENDOR_ID, 4);
	bool virtio = (id & 0xffff) == VENDOR_VIRTIO;

	if (base_class(fn) == BASE_NETWORK)
		snprintf(line, size, ROOT_PATH "ethernet@0/ethernet-phy@0\n", slot);
	else if (virtio && vdev_config_get(&fn->config, PCI_CLASS_DEVICE, 2) == CLASS_SCSI)
		snprintf(line, size, ROOT_PATH "scsi@0/disk@0,0\n", slot);
	else
		snprintf(line, size, ROOT_PATH "pci%x,%x@0\n", slot, id & 0xffff, id >> 16);
}

char *vdev_bootorder(const struct vdev_host *host)
{
	static const unsigned kinds[] = {BASE_STORAGE, BASE_NETWORK};
	size_t size = (size_t)host->bridges * LINE_MAX_SIZE + 1, used = 0;
	char *text = calloc(1, size);

	for (size_t i = 0; text && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		for (unsigned slot = 1; slot <= host->bridges; slot++) {
			const struct vdev_function *fn = host->bridge[slot]->child;

			if (!fn || base_class(fn) != kinds[i])
				continue;
			name_device(fn, slot, text + used, size - used);
			used += strlen(text + used);
		}
	}
	return text;
}
