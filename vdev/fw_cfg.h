/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fw_cfg: how firmware is told about its machine: numbered items and named files that it reads
 * through two I/O ports or has copied into its memory. See fw_cfg.c.
 */
#ifndef VDEV_FW_CFG_H
#define VDEV_FW_CFG_H

#include "hv-core/hv.h"

#define VDEV_FW_CFG_PORT 0x510

/* Numbers of QEMU's that firmware knows. */
enum {
	FW_CFG_SIGNATURE = 0x00,
	FW_CFG_ID = 0x01,
	FW_CFG_RAM_SIZE = 0x03,
	FW_CFG_CPUS = 0x05,
	FW_CFG_KERNEL_SIZE = 0x08,
	FW_CFG_INITRD_SIZE = 0x0b,
	FW_CFG_MAX_CPUS = 0x0f,
	FW_CFG_KERNEL_DATA = 0x11,
	FW_CFG_INITRD_DATA = 0x12,
	FW_CFG_CMDLINE_SIZE = 0x14,
	FW_CFG_CMDLINE_DATA = 0x15,
	FW_CFG_SETUP_SIZE = 0x17,
	FW_CFG_SETUP_DATA = 0x18,
	FW_CFG_DIRECTORY = 0x19,
	FW_CFG_FIRST_FILE = 0x20,
};

#define FW_CFG_FILES 32u
#define FW_CFG_KEYS  (FW_CFG_FIRST_FILE + FW_CFG_FILES)

struct vdev_fw_cfg;

int vdev_fw_cfg_create(struct hv_vm *vm, struct vdev_fw_cfg **out);
void vdev_fw_cfg_destroy(struct vdev_fw_cfg *fw);

/* How far a reader is; the items follow from the VM's options. */
void vdev_fw_cfg_save(const struct vdev_fw_cfg *fw, struct state *s);
void vdev_fw_cfg_load(struct vdev_fw_cfg *fw, struct state *s);

/* Copies. key < FW_CFG_FIRST_FILE. */
int vdev_fw_cfg_item(struct vdev_fw_cfg *fw, uint16_t key, const void *data, size_t size);
/* Does not copy: `data` outlives fw. */
void vdev_fw_cfg_item_at(struct vdev_fw_cfg *fw, uint16_t key, const void *data, size_t size);
int vdev_fw_cfg_number(struct vdev_fw_cfg *fw, uint16_t key, uint32_t value); /* little-endian */
/* Copies; a file of that name is replaced. -ENOSPC. */
int vdev_fw_cfg_file(struct vdev_fw_cfg *fw, const char *name, const void *data, size_t size);
/* Called before a file whose name starts with `prefix` is read from its start: the last moment
 * to replace it. */
void vdev_fw_cfg_on_select(struct vdev_fw_cfg *fw, const char *prefix, void (*fn)(void *opaque),
			   void *opaque);

#endif
