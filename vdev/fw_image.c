/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fw_image: whether a file can be firmware, or a store of its variables.
 *
 * UEFI firmware is a chain of firmware volumes (UEFI PI 1.7, vol. 3, 3.2.1) which ends where the
 * file does; a variable store is one volume whose content starts with the header of EDK II's
 * (MdeModule, VariableFormat.h). A legacy BIOS has no structure but its last 16 bytes, where the
 * CPU starts, and a size that is a power of two. A file cut short or written over fails one of
 * these.
 */
#include "vdev/fw_image.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

#define CODE_MIN (64 * KIB)
#define CODE_MAX (16 * MIB)
#define BIOS_MAX (256 * KIB)
#define VARS_MAX (4 * MIB)
#define PAGE	 (4 * KIB)

struct volume {
	uint8_t zero[16], guid[16];
	uint64_t length;
	char signature[4];
	uint32_t attributes;
	uint16_t header_length, checksum, ext_header;
	uint8_t reserved, revision;
} __attribute__((packed));

_Static_assert(sizeof(struct volume) == 56, "PI 1.7, vol. 3, EFI_FIRMWARE_VOLUME_HEADER");

struct store {
	uint8_t guid[16];
	uint32_t size;
	uint8_t format, state;
	uint16_t reserved0;
	uint32_t reserved1;
} __attribute__((packed));

_Static_assert(sizeof(struct store) == 28, "VariableFormat.h, VARIABLE_STORE_HEADER");

#define STORE_FORMATTED 0x5a
#define STORE_HEALTHY	0xfe
#define HEADER_MAX	512u

/* gEfiAuthenticatedVariableGuid, gEfiVariableGuid */
static const uint8_t store_guids[2][16] = {
	{0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77,
	 0x92},
	{0x16, 0x36, 0xcf, 0xdd, 0x75, 0x32, 0x64, 0x41, 0x98, 0xb6, 0xfe, 0x85, 0x70, 0x7f, 0xfe,
	 0x7d},
};

/* A whole volume header at `data`: its 16-bit words add up to zero. */
static const char *volume_wrong(const uint8_t *data, size_t size, struct volume *v)
{
	uint16_t sum = 0, word;

	if (size < sizeof(*v))
		return "it ends inside a firmware volume's header";
	memcpy(v, data, sizeof(*v));
	if (memcmp(v->signature, "_FVH", 4) != 0)
		return "no firmware volume where one should start";
	if (v->header_length < sizeof(*v) || v->header_length > MIN(size, HEADER_MAX) ||
	    v->header_length % 2 || v->length < v->header_length)
		return "a firmware volume's header has impossible lengths";
	for (unsigned i = 0; i < v->header_length; i += 2) {
		memcpy(&word, data + i, 2);
		sum = (uint16_t)(sum + word);
	}
	return sum ? "a firmware volume's header is corrupt (checksum)" : NULL;
}

static const char *volumes_wrong(const uint8_t *data, size_t size)
{
	struct volume v;

	for (size_t at = 0; at < size; at += (size_t)v.length) {
		const char *why = volume_wrong(data + at, size - at, &v);

		if (why)
			return why;
		if (v.length > size - at)
			return "it is truncated: its last firmware volume is not all there";
	}
	return NULL;
}

/* Nothing else can start at the reset vector than a jump, with or without something before it. */
static bool starts(const uint8_t *data, size_t size)
{
	const uint8_t *at = data + size - 16;

	for (unsigned i = 0; i < 4; i++)
		if (at[i] == 0xea || at[i] == 0xe9 || at[i] == 0xeb)
			return true;
	return false;
}

const char *vdev_fw_code_wrong(const uint8_t *data, size_t size, enum vdev_fw_kind *kind)
{
	if (size < CODE_MIN || size > CODE_MAX || size % PAGE)
		return "its size is not that of firmware, or it is truncated";
	*kind = memcmp(data + offsetof(struct volume, signature), "_FVH", 4) == 0 ? VDEV_FW_UEFI
										  : VDEV_FW_BIOS;
	if (*kind == VDEV_FW_UEFI) {
		const char *why = volumes_wrong(data, size);

		if (why)
			return why;
	} else if ((size & (size - 1)) || size > BIOS_MAX) {
		return "neither UEFI firmware volumes nor a whole BIOS of 64, 128 or 256 KiB";
	}
	return starts(data, size) ? NULL : "there is no jump at its reset vector";
}

const char *vdev_fw_vars_wrong(const uint8_t *head, size_t head_size, uint64_t file_size)
{
	struct volume v;
	struct store store;
	const char *why = volume_wrong(head, head_size, &v);
	bool known = false;

	if (why)
		return why;
	if (file_size != v.length)
		return file_size < v.length ? "it is truncated" : "it is longer than its volume";
	if (file_size % PAGE || file_size > VARS_MAX)
		return "it has no size that a flash chip could have";
	if (v.header_length + sizeof(store) > head_size)
		return "it ends inside its header";
	memcpy(&store, head + v.header_length, sizeof(store));
	for (size_t i = 0; i < ARRAY_SIZE(store_guids); i++)
		known |= memcmp(store.guid, store_guids[i], 16) == 0;
	if (!known || store.size > file_size - v.header_length || store.size < sizeof(store))
		return "it holds no store of UEFI variables";
	if (store.format != STORE_FORMATTED || store.state != STORE_HEALTHY)
		return "its store of variables is corrupt";
	return NULL;
}

static int file_size(int fd, const char *name, uint64_t max, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return log_fail(-errno, name, "not read: %s", strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size <= 0 || (uint64_t)st.st_size > max)
		return log_fail(-EINVAL, name, "refused: not a regular file of 1 byte to %llu MiB",
				(unsigned long long)(max / MIB));
	*size = (uint64_t)st.st_size;
	return 0;
}

int vdev_fw_image_read(int fd, const char *name, struct vdev_fw_image *out)
{
	uint64_t size = 0;
	int err = file_size(fd, name, CODE_MAX, &size);

	*out = (struct vdev_fw_image){0};
	if (err < 0)
		return err;
	void *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return log_fail(-ENOMEM, name, "no memory for firmware");
	*out = (struct vdev_fw_image){.data = data, .size = size};
	err = io_pread_full(fd, out->data, size, 0);
	if (err < 0) {
		log_fail(err, name, "not read: %s", strerror(-err));
	} else {
		const char *why = vdev_fw_code_wrong(out->data, size, &out->kind);

		if (why)
			err = log_fail(-EINVAL, name, "refused as firmware: %s", why);
	}
	if (err < 0)
		vdev_fw_image_free(out);
	return err;
}

void vdev_fw_image_free(struct vdev_fw_image *image)
{
	if (image->data)
		munmap(image->data, image->size);
	image->data = NULL;
}

int vdev_fw_vars_check(int fd, const char *name, uint64_t *size)
{
	uint8_t head[HEADER_MAX] = {0};
	int err = file_size(fd, name, VARS_MAX, size);

	if (!err)
		err = io_pread_full(fd, head, MIN(*size, sizeof(head)), 0);
	if (err < 0)
		return err;
	const char *why = vdev_fw_vars_wrong(head, MIN(*size, sizeof(head)), *size);
	if (!why)
		return 0;
	return log_fail(
		-EINVAL, name,
		"refused as store of UEFI variables: %s; remove it to start with a fresh one", why);
}
