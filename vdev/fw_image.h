/* SPDX-License-Identifier: BSD-3-Clause */
/* fw_image: files that hold firmware, read and told apart; see fw_image.c. */
#ifndef VDEV_FW_IMAGE_H
#define VDEV_FW_IMAGE_H

#include <stddef.h>
#include <stdint.h>

enum vdev_fw_kind { VDEV_FW_UEFI, VDEV_FW_BIOS };

struct vdev_fw_image {
	enum vdev_fw_kind kind;
	uint8_t *data; /* page-aligned memory; vdev_fw_image_free */
	size_t size;
};

/* -EINVAL with what is wrong with it. Nothing of the file is believed. */
int vdev_fw_image_read(int fd, const char *name, struct vdev_fw_image *out);
void vdev_fw_image_free(struct vdev_fw_image *image);

/* Whether the file is a whole store of UEFI variables; *size is the chip's. */
int vdev_fw_vars_check(int fd, const char *name, uint64_t *size);

/* The pure half of both. NULL: whole; else what is wrong. */
const char *vdev_fw_code_wrong(const uint8_t *data, size_t size, enum vdev_fw_kind *kind);
const char *vdev_fw_vars_wrong(const uint8_t *head, size_t head_size, uint64_t file_size);

#endif
