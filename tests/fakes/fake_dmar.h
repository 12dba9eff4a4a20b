/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_dmar: the firmware's table DMAR, put together structure by structure (VT-d chapter 8):
 * table_start, for every structure table_entry … table_end, table_finish. */
#ifndef TESTS_FAKES_FAKE_DMAR_H
#define TESTS_FAKES_FAKE_DMAR_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "iommu/dmar.h"
#include "tests/fakes/fake_sysfs.h"

/* A table under construction; `finish` writes length and checksum. */
struct table {
	uint8_t bytes[1024];
	size_t len, entry;
};

static inline void table_put(struct table *t, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		t->bytes[t->len++] = (uint8_t)(value >> (8 * i));
}

static inline void table_start(struct table *t)
{
	*t = (struct table){.bytes = "DMAR", .len = 36};
	table_put(t, 38, 1); /* 39 bits */
	table_put(t, 5, 1);  /* interrupt remapping, DMA opt in */
	table_put(t, 0, 8), table_put(t, 0, 2);
}

static inline void table_entry(struct table *t, unsigned type)
{
	t->entry = t->len;
	table_put(t, type, 2);
	table_put(t, 0, 2);
}

static inline void table_end(struct table *t)
{
	t->bytes[t->entry + 2] = (uint8_t)(t->len - t->entry);
}

static inline void table_scope(struct table *t, unsigned type, unsigned id, unsigned bus,
			       unsigned path)
{
	table_put(t, type, 1), table_put(t, 8, 1), table_put(t, 0, 2), table_put(t, id, 1),
		table_put(t, bus, 1);
	table_put(t, path >> 8, 1), table_put(t, path & 255, 1);
}

static inline void table_drhd(struct table *t, unsigned flags, uint64_t base)
{
	table_entry(t, DMAR_DRHD);
	table_put(t, flags, 1), table_put(t, 0, 1), table_put(t, 0, 2), table_put(t, base, 8);
}

static inline void table_finish(struct table *t)
{
	uint8_t sum = 0;

	t->bytes[4] = (uint8_t)t->len, t->bytes[5] = (uint8_t)(t->len >> 8);
	t->bytes[9] = 0;
	for (size_t i = 0; i < t->len; i++)
		sum = (uint8_t)(sum + t->bytes[i]);
	t->bytes[9] = (uint8_t)-sum;
}

/* The table, finished, becomes the machine's. */
static inline void table_install(struct table *t, const struct sysfs *fs)
{
	static const char path[] = "firmware/acpi/tables/DMAR";

	table_finish(t);
	fake_put(fs, "", "%s", path);
	int fd = openat(fs->root, path, O_WRONLY | O_TRUNC);
	if (fd < 0 || write(fd, t->bytes, t->len) != (ssize_t)t->len)
		abort();
	close(fd);
}

#endif
