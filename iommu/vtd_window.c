/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_window: the registers of a unit, through /dev/mem. See vtd.h. Each is read and written in one
 * access of its own width (VT-d 11.2). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "iommu/vtd.h"

struct vtd_window {
	char *at;
	size_t size;
};

static volatile void *reg_at(const struct vtd_window *window, unsigned reg)
{
	return window->at + reg;
}

static uint32_t read32(void *opaque, unsigned reg)
{
	const struct vtd_window *window = opaque;

	if (reg > window->size - sizeof(uint32_t))
		return UINT32_MAX;
	return *(volatile uint32_t *)reg_at(window, reg);
}

static uint64_t read64(void *opaque, unsigned reg)
{
	const struct vtd_window *window = opaque;

	if (reg > window->size - sizeof(uint64_t))
		return UINT64_MAX;
	return *(volatile uint64_t *)reg_at(window, reg);
}

static void write32(void *opaque, unsigned reg, uint32_t value)
{
	const struct vtd_window *window = opaque;

	if (reg <= window->size - sizeof(value))
		*(volatile uint32_t *)reg_at(window, reg) = value;
}

static void write64(void *opaque, unsigned reg, uint64_t value)
{
	const struct vtd_window *window = opaque;

	if (reg <= window->size - sizeof(value))
		*(volatile uint64_t *)reg_at(window, reg) = value;
}

int vtd_window_open(const char *memory, uint64_t base, size_t size, struct vtd_window **out,
		    struct vtd_io *io)
{
	int fd = open(memory, O_RDWR | O_SYNC | O_CLOEXEC);

	if (fd < 0)
		return log_fail(-errno, memory, "not opened: %m");
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)base);
	int err = at == MAP_FAILED ? -errno : 0;
	io_close(&fd);
	if (err)
		return log_fail(err, memory,
				"0x%" PRIx64 " not mapped: %s; boot with iomem=relaxed", base,
				strerror(-err));
	struct vtd_window *window = malloc(sizeof(*window));
	if (!window) {
		munmap(at, size);
		return -ENOMEM;
	}
	*window = (struct vtd_window){at, size};
	*io = (struct vtd_io){read32, read64, write32, write64, window};
	*out = window;
	return 0;
}

void vtd_window_close(struct vtd_window *window)
{
	if (!window)
		return;
	munmap(window->at, window->size);
	free(window);
}
