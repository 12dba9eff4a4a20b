/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fw_cfg: the firmware configuration device (QEMU, docs/specs/fw_cfg.rst).
 *
 *     0x510  selector, 16 bits: which item, read from its start
 *     0x511  data: the next byte of it
 *     0x514  DMA: high half of the address of a request, big-endian
 *     0x518  its low half; writing it carries the request out
 *
 * A request lies in guest memory: control, length, address, all big-endian. What lies beyond an
 * item's end reads as zero. Nothing can be written here. Everything in a request is the guest's
 * word: both addresses must be RAM from first to last byte.
 */
#include "vdev/fw_cfg.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"

#define KEY_MASK  0x3fff
#define PORTS	  12u
#define DATA	  1u
#define DMA_HIGH  4u
#define DMA_LOW	  8u
#define SIGNATURE UINT64_C(0x51454d5520434647) /* "QEMU CFG" */
#define FEATURES  3u			       /* files, DMA */

#define DMA_ERROR  1u
#define DMA_READ   2u
#define DMA_SKIP   4u
#define DMA_SELECT 8u
#define DMA_WRITE  16u

struct request {
	uint32_t control, length;
	uint64_t address;
} __attribute__((packed));

_Static_assert(sizeof(struct request) == 16, "fw_cfg.rst, FWCfgDmaAccess");

struct file {
	uint32_t size;
	uint16_t select, reserved;
	char name[56];
} __attribute__((packed));

struct directory {
	uint32_t count;
	struct file file[FW_CFG_FILES];
} __attribute__((packed));

_Static_assert(sizeof(struct file) == 64, "fw_cfg.rst, FWCfgFile");

struct item {
	const uint8_t *data;
	uint8_t *owned;
	size_t size;
};

struct vdev_fw_cfg {
	struct hv_vm *vm;
	struct hv_region *region;
	struct item item[FW_CFG_KEYS];
	struct directory directory;
	uint32_t files;
	uint16_t key;
	size_t at;
	uint32_t dma_high;
	const char *prefix;
	void (*fn)(void *opaque);
	void *opaque;
};

/* ---- items ---- */

void vdev_fw_cfg_item_at(struct vdev_fw_cfg *fw, uint16_t key, const void *data, size_t size)
{
	struct item *item = &fw->item[key];

	free(item->owned);
	*item = (struct item){.data = data, .size = size};
}

int vdev_fw_cfg_item(struct vdev_fw_cfg *fw, uint16_t key, const void *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		return log_fail(-ENOMEM, hv_vm_name(fw->vm), "no memory for what firmware reads");
	memcpy(copy, data, size);
	vdev_fw_cfg_item_at(fw, key, copy, size);
	fw->item[key].owned = copy;
	return 0;
}

int vdev_fw_cfg_number(struct vdev_fw_cfg *fw, uint16_t key, uint32_t value)
{
	uint32_t le = htole32(value);

	return vdev_fw_cfg_item(fw, key, &le, sizeof(le));
}

static struct file *find_file(struct vdev_fw_cfg *fw, const char *name)
{
	for (uint32_t i = 0; i < fw->files; i++)
		if (strcmp(fw->directory.file[i].name, name) == 0)
			return &fw->directory.file[i];
	return NULL;
}

int vdev_fw_cfg_file(struct vdev_fw_cfg *fw, const char *name, const void *data, size_t size)
{
	struct file *file = find_file(fw, name);

	if (!file) {
		if (fw->files == FW_CFG_FILES)
			return log_fail(-ENOSPC, hv_vm_name(fw->vm),
					"no room for firmware's file %s", name);
		file = &fw->directory.file[fw->files];
		strncpy(file->name, name, sizeof(file->name) - 1);
		file->select = htobe16((uint16_t)(FW_CFG_FIRST_FILE + fw->files));
		fw->files++;
	}
	file->size = htobe32((uint32_t)size);
	fw->directory.count = htobe32(fw->files);
	vdev_fw_cfg_item_at(fw, FW_CFG_DIRECTORY, &fw->directory,
			    sizeof(fw->directory.count) + fw->files * sizeof(struct file));
	return vdev_fw_cfg_item(fw, be16toh(file->select), data, size);
}

void vdev_fw_cfg_on_select(struct vdev_fw_cfg *fw, const char *prefix, void (*fn)(void *opaque),
			   void *opaque)
{
	fw->prefix = prefix;
	fw->fn = fn;
	fw->opaque = opaque;
}

/* ---- reading ---- */

static void select_item(struct vdev_fw_cfg *fw, uint16_t key)
{
	fw->key = key & KEY_MASK; /* bit 14: write channel, bit 15: architecture; neither has any */
	fw->at = 0;
	if (!fw->fn || fw->key < FW_CFG_FIRST_FILE || fw->key >= FW_CFG_FIRST_FILE + fw->files)
		return;
	const struct file *file = &fw->directory.file[fw->key - FW_CFG_FIRST_FILE];
	if (strncmp(file->name, fw->prefix, strlen(fw->prefix)) == 0)
		fw->fn(fw->opaque);
}

static void take(struct vdev_fw_cfg *fw, uint8_t *to, size_t len)
{
	const struct item *item = fw->key < FW_CFG_KEYS ? &fw->item[fw->key] : NULL;
	size_t left = item && item->size > fw->at ? item->size - fw->at : 0;
	size_t n = MIN(left, len);

	if (to && n)
		memcpy(to, item->data + fw->at, n);
	if (to)
		memset(to + n, 0, len - n);
	fw->at += n;
}

static bool carry_out(struct vdev_fw_cfg *fw, uint32_t control, uint32_t len, uint64_t address)
{
	if (control & DMA_SELECT)
		select_item(fw, (uint16_t)(control >> 16));
	if (control & DMA_WRITE)
		return false;
	if (control & DMA_READ) {
		uint8_t *to = len ? hv_mem_ptr(fw->vm, address, len) : NULL;

		if (len && !to)
			return false;
		take(fw, to, len);
	} else if (control & DMA_SKIP) {
		take(fw, NULL, len);
	}
	return true;
}

static void run_request(struct vdev_fw_cfg *fw, uint64_t at)
{
	struct request request;
	uint32_t result;

	if (hv_mem_read(fw->vm, at, &request, sizeof(request)) < 0)
		return; /* there is no place for an answer */
	bool done = carry_out(fw, be32toh(request.control), be32toh(request.length),
			      be64toh(request.address));
	result = htobe32(done ? 0 : DMA_ERROR);
	hv_mem_write(fw->vm, at, &result, sizeof(result));
}

static void port_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct vdev_fw_cfg *fw = opaque;
	const uint64_t signature = htobe64(SIGNATURE);

	memset(data, 0, len);
	if (offset == DATA)
		take(fw, data, 1);
	else if (offset >= DMA_HIGH && offset + len <= PORTS)
		memcpy(data, (const uint8_t *)&signature + (offset - DMA_HIGH), len);
}

static void port_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_fw_cfg *fw = opaque;
	uint32_t value = 0;

	memcpy(&value, data, MIN(len, sizeof(value)));
	if (offset == 0 && len == 2) {
		select_item(fw, (uint16_t)le32toh(value));
	} else if (offset == DMA_HIGH && len == 4) {
		fw->dma_high = be32toh(value);
	} else if (offset == DMA_LOW && len == 4) {
		uint64_t at = (uint64_t)fw->dma_high << 32 | be32toh(value);

		fw->dma_high = 0;
		run_request(fw, at);
	}
}

static const struct hv_region_ops port_ops = {.read = port_read, .write = port_write};

int vdev_fw_cfg_create(struct hv_vm *vm, struct vdev_fw_cfg **out)
{
	struct vdev_fw_cfg *fw = calloc(1, sizeof(*fw));
	int err;

	if (!fw)
		return log_fail(-ENOMEM, hv_vm_name(vm), "no memory for what firmware reads");
	fw->vm = vm;
	vdev_fw_cfg_item_at(fw, FW_CFG_DIRECTORY, &fw->directory, sizeof(fw->directory.count));
	err = vdev_fw_cfg_item(fw, FW_CFG_SIGNATURE, "QEMU", 4);
	if (!err)
		err = vdev_fw_cfg_number(fw, FW_CFG_ID, FEATURES);
	if (!err)
		err = hv_bus_add(vm, HV_PIO, "fw-cfg", VDEV_FW_CFG_PORT, PORTS, &port_ops, fw,
				 &fw->region);
	if (err < 0) {
		vdev_fw_cfg_destroy(fw);
		return err;
	}
	*out = fw;
	return 0;
}

void vdev_fw_cfg_destroy(struct vdev_fw_cfg *fw)
{
	if (!fw)
		return;
	if (fw->region)
		hv_bus_remove(fw->vm, fw->region);
	for (unsigned i = 0; i < FW_CFG_KEYS; i++)
		free(fw->item[i].owned);
	free(fw);
}

/* ---- standing still ---- */

void vdev_fw_cfg_save(const struct vdev_fw_cfg *fw, struct state *s)
{
	state_put(s, "key", fw->key);
	state_put(s, "at", fw->at);
	state_put(s, "dma_high", fw->dma_high);
}

void vdev_fw_cfg_load(struct vdev_fw_cfg *fw, struct state *s)
{
	fw->key = (uint16_t)state_take(s, "key", KEY_MASK);
	fw->at = state_take(s, "at", UINT32_MAX);
	fw->dma_high = (uint32_t)state_take(s, "dma_high", UINT32_MAX);
}
