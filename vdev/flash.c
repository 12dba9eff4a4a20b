/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flash: a parallel flash chip with Intel's command set (CFI, JEDEC JESD68.01; command set 0x0001),
 * as firmware expects it for its variables.
 *
 * As long as the chip is in "read array" mode the guest reads it as memory, without exits, and
 * only its writes (commands) come to us. Any command takes the memory away, so that reads come too,
 * until the guest, back in that mode, has read for a while: firmware writes byte by byte and
 * returns to that mode after each few, and every change of memory makes it fault on all that it
 * has. The chip's programming can only clear bits, erasing sets a block's.
 *
 * A cleared status is 0, without the "ready" bit that a real chip never loses: OVMF tells by just
 * that an emulated flash chip from RAM and ROM (QemuFlashDetected), and keeps its variables in
 * memory, forgotten at the end, when it does not find one.
 *
 * Changes are written to the file at once, so that whatever happens to us, a variable that the
 * firmware has written is there at the next start.
 */
#include "vdev/flash.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"

/* Commands, and modes named by them */
#define CMD_PROGRAM    0x10
#define CMD_PROGRAM_2  0x40
#define CMD_ERASE      0x20
#define CMD_CLEAR      0x50
#define CMD_LOCK_SETUP 0x60
#define CMD_STATUS     0x70
#define CMD_ID	       0x90
#define CMD_CFI	       0x98
#define CMD_CONFIRM    0xd0
#define CMD_BUFFER     0xe8
#define CMD_ARRAY      0xff

#define STATUS_READY	     0x80
#define STATUS_ERASE_ERROR   0x20
#define STATUS_PROGRAM_ERROR 0x10

#define READS_TO_MAP 256u /* so many reads by exits, and the chip becomes memory again */
#define BUFFER_BYTES 64u  /* of the "buffered program" command */
#define MAKER	     0x89
#define DEVICE	     0x18

struct vdev_flash {
	struct hv_vm *vm;
	const char *name;
	uint64_t gpa, size;
	int fd;
	uint8_t *data;
	unsigned slot;
	bool mapped;	/* the guest reads without us */
	unsigned reads; /* in array mode since it is not mapped */
	bool broken;	/* the file could not be written; said once */
	struct hv_region *region;

	uint8_t mode; /* what a read gives: CMD_ARRAY, CMD_STATUS, CMD_ID, CMD_CFI */
	uint8_t step; /* the command whose next write is awaited; 0: none */
	uint8_t status;
	uint32_t expect; /* of a buffered program: bytes to come */
	bool counted;
};

static const uint8_t cfi[] = {
	[0x10] = 'Q',
	[0x11] = 'R',
	[0x12] = 'Y',
	[0x13] = 0x01, /* Intel/Sharp extended command set */
	[0x15] = 0x31, /* its table */
	[0x1b] = 0x45,
	[0x1c] = 0x55, /* Vcc */
	[0x1f] = 0x07,
	[0x20] = 0x07,
	[0x21] = 0x0a, /* typical times */
	[0x23] = 0x04,
	[0x24] = 0x04,
	[0x25] = 0x04, /* and the factors to the longest */
	[0x2a] = 0x06, /* 2^6 bytes of buffer */
	[0x2c] = 0x01, /* one region of equal blocks: count - 1, size / 256 */
	[0x2f] = VDEV_FLASH_BLOCK / 256,
	[0x31] = 'P',
	[0x32] = 'R',
	[0x33] = 'I',
	[0x34] = '1',
	[0x35] = '0',
};

/* ---- reading as memory ---- */

static void set_mode(struct vdev_flash *f, uint8_t mode)
{
	f->mode = mode;
	f->reads = 0;
	if (mode != CMD_ARRAY && f->mapped) {
		hv_mem_unmap_device(f->vm, f->slot);
		f->mapped = false;
	}
}

/* Where it fails, reads are exits: slower, and right. */
static void map(struct vdev_flash *f)
{
	if (!f->mapped)
		f->mapped = hv_mem_map_device(f->vm, f->gpa, f->size, f->data, true, &f->slot) == 0;
	f->reads = 0;
}

static uint8_t cfi_byte(const struct vdev_flash *f, uint64_t offset)
{
	uint64_t blocks = f->size / VDEV_FLASH_BLOCK - 1;

	if (offset == 0x27) { /* size as a power of two, rounded up */
		unsigned bits = 0;

		while ((UINT64_C(1) << bits) < f->size)
			bits++;
		return (uint8_t)bits;
	}
	if (offset == 0x2d || offset == 0x2e)
		return (uint8_t)(blocks >> (offset == 0x2d ? 0 : 8));
	return offset < sizeof(cfi) ? cfi[offset] : 0;
}

static uint8_t read_byte(const struct vdev_flash *f, uint64_t offset)
{
	switch (f->mode) {
	case CMD_ARRAY:
		return f->data[offset];
	case CMD_ID:
		return (offset & 0xff) == 0 ? MAKER : (offset & 0xff) == 1 ? DEVICE : 0;
	case CMD_CFI:
		return cfi_byte(f, offset & 0xff);
	default:
		return f->status;
	}
}

static void flash_read(void *opaque, uint64_t offset, void *data, unsigned len)
{
	struct vdev_flash *f = opaque;

	for (unsigned i = 0; i < len; i++)
		((uint8_t *)data)[i] = read_byte(f, offset + i);
	if (f->mode == CMD_ARRAY && ++f->reads >= READS_TO_MAP)
		map(f);
}

/* ---- changing ---- */

static void keep(struct vdev_flash *f, uint64_t offset, size_t len, uint8_t error)
{
	ssize_t done = pwrite(f->fd, f->data + offset, len, (off_t)offset);

	if (done == (ssize_t)len)
		return;
	f->status |= error;
	if (!f->broken)
		log_error(f->name, "firmware's variables are not kept: %s",
			  done < 0 ? strerror(errno) : "the file system is full");
	f->broken = true;
}

static void program(struct vdev_flash *f, uint64_t offset, const uint8_t *bytes, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		f->data[offset + i] &= bytes[i];
	keep(f, offset, len, STATUS_PROGRAM_ERROR);
}

static void erase(struct vdev_flash *f, uint64_t offset)
{
	uint64_t block = ALIGN_DOWN(offset, VDEV_FLASH_BLOCK);

	memset(f->data + block, 0xff, VDEV_FLASH_BLOCK);
	keep(f, block, VDEV_FLASH_BLOCK, STATUS_ERASE_ERROR);
}

static void start_command(struct vdev_flash *f, uint8_t command)
{
	switch (command) {
	case CMD_PROGRAM:
	case CMD_PROGRAM_2:
	case CMD_ERASE:
	case CMD_LOCK_SETUP:
	case CMD_BUFFER:
		f->step = command;
		f->counted = false;
		f->status |= STATUS_READY;
		set_mode(f, CMD_STATUS);
		return;
	case CMD_CLEAR:
		f->status = 0;
		set_mode(f, CMD_ARRAY);
		return;
	case CMD_STATUS:
	case CMD_ID:
	case CMD_CFI:
		set_mode(f, command);
		return;
	default: /* CMD_ARRAY, and what is no command */
		set_mode(f, CMD_ARRAY);
	}
}

/* A count of bytes less one, that many bytes, and a confirmation. */
static void buffered(struct vdev_flash *f, uint64_t offset, const uint8_t *bytes, unsigned len)
{
	if (!f->counted) {
		f->expect = MIN(bytes[0] + 1u, BUFFER_BYTES);
		f->counted = true;
	} else if (f->expect) {
		program(f, offset, bytes, len);
		f->expect -= MIN(f->expect, len);
	} else {
		if (bytes[0] != CMD_CONFIRM)
			f->status |= STATUS_PROGRAM_ERROR;
		f->step = 0;
	}
}

static void flash_write(void *opaque, uint64_t offset, const void *data, unsigned len)
{
	struct vdev_flash *f = opaque;
	const uint8_t *bytes = data;
	uint8_t step = f->step;

	if (step == CMD_BUFFER) {
		buffered(f, offset, bytes, len);
		return;
	}
	f->step = 0;
	switch (step) {
	case CMD_PROGRAM:
	case CMD_PROGRAM_2:
		program(f, offset, bytes, len);
		return;
	case CMD_ERASE:
		if (bytes[0] == CMD_CONFIRM)
			erase(f, offset);
		else
			f->status |= STATUS_ERASE_ERROR;
		return;
	case CMD_LOCK_SETUP: /* blocks have no locks: taken, without effect */
		return;
	}
	start_command(f, bytes[0]);
}

static const struct hv_region_ops flash_ops = {.read = flash_read, .write = flash_write};

static int fill(struct vdev_flash *f)
{
	int err;

	f->data = mmap(NULL, f->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->data == MAP_FAILED) {
		f->data = NULL;
		return log_fail(-ENOMEM, f->name, "no memory for firmware's variables");
	}
	err = io_pread_full(f->fd, f->data, f->size, 0);
	return err < 0 ? log_fail(err, f->name, "not read: %s", strerror(-err)) : 0;
}

int vdev_flash_create(struct hv_vm *vm, uint64_t gpa, uint64_t size, int fd, const char *name,
		      struct vdev_flash **out)
{
	struct vdev_flash *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return log_fail(-ENOMEM, name, "no memory for a flash chip");
	*f = (struct vdev_flash){
		.vm = vm, .name = name, .gpa = gpa, .size = size, .fd = fd, .status = STATUS_READY};
	err = fill(f);
	if (!err)
		err = hv_bus_add(vm, HV_MMIO, "flash", gpa, size, &flash_ops, f, &f->region);
	if (err < 0) {
		vdev_flash_destroy(f);
		return err;
	}
	f->mode = CMD_ARRAY;
	map(f);
	*out = f;
	return 0;
}

void vdev_flash_destroy(struct vdev_flash *f)
{
	if (!f)
		return;
	if (f->mapped)
		hv_mem_unmap_device(f->vm, f->slot);
	if (f->region)
		hv_bus_remove(f->vm, f->region);
	if (f->data)
		munmap(f->data, f->size);
	free(f);
}

/* ---- standing still ---- */

static bool is_blank(const uint8_t *block)
{
	return block[0] == 0xff && memcmp(block, block + 1, VDEV_FLASH_BLOCK - 1) == 0;
}

/* What is kept goes along: the file lives on, and may have changed when the VM comes back. */
void vdev_flash_save(const struct vdev_flash *f, struct state *s)
{
	state_put(s, "size", f->size);
	state_put(s, "mode", f->mode);
	state_put(s, "step", f->step);
	state_put(s, "status", f->status);
	state_put(s, "expect", f->expect);
	state_put(s, "counted", f->counted);
	for (uint64_t at = 0; at < f->size; at += VDEV_FLASH_BLOCK)
		if (!is_blank(f->data + at))
			state_put_bytes(state_item(s, "block", at / VDEV_FLASH_BLOCK), "data",
					f->data + at, VDEV_FLASH_BLOCK);
}

static void load_blocks(struct vdev_flash *f, struct state *s)
{
	char name[32];

	for (uint64_t at = 0; at < f->size; at += VDEV_FLASH_BLOCK) {
		snprintf(name, sizeof(name), "block%u", (unsigned)(at / VDEV_FLASH_BLOCK));
		if (state_has(s, name))
			state_take_bytes(state_open(s, name), "data", f->data + at,
					 VDEV_FLASH_BLOCK);
		else
			memset(f->data + at, 0xff, VDEV_FLASH_BLOCK);
	}
}

static bool is_mode(uint8_t mode)
{
	return mode == CMD_ARRAY || mode == CMD_STATUS || mode == CMD_ID || mode == CMD_CFI;
}

void vdev_flash_load(struct vdev_flash *f, struct state *s)
{
	if (state_take(s, "size", UINT64_MAX) != f->size)
		state_refuse(s, -EINVAL, "the store of firmware's variables has another size");
	uint8_t mode = (uint8_t)state_take(s, "mode", 0xff);
	if (!state_error(s) && !is_mode(mode))
		state_refuse(s, -EINVAL, "not a mode of a flash chip");
	f->step = (uint8_t)state_take(s, "step", 0xff);
	f->status = (uint8_t)state_take(s, "status", 0xff);
	f->expect = (uint32_t)state_take(s, "expect", BUFFER_BYTES);
	f->counted = state_take(s, "counted", 1);
	if (state_error(s))
		return;
	load_blocks(f, s);
	if (state_error(s))
		return;
	keep(f, 0, f->size, STATUS_PROGRAM_ERROR);
	set_mode(f, mode);
}
