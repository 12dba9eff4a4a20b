/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * smbios: System Management BIOS tables (DMTF DSP0134 2.8), the structures that a conforming
 * machine must have (6.2), as firmware expects them from its emulator: the tables in one piece, and
 * an entry point whose address and sums the firmware fills in.
 */
#include "vdev/smbios.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"

enum {
	HANDLE_BIOS = 0x000,
	HANDLE_SYSTEM = 0x100,
	HANDLE_CHASSIS = 0x300,
	HANDLE_CPU = 0x400,
	HANDLE_ARRAY = 0x1000,
	HANDLE_DIMM = 0x1100,
	HANDLE_MAPPED = 0x1300,
	HANDLE_BOOT = 0x2000,
	HANDLE_END = 0x7f00,
};

struct writer {
	struct vdev_smbios *out;
	size_t start; /* of the structure being written */
	uint16_t count, largest;
};

static void put(struct writer *w, uint64_t value, size_t len)
{
	for (size_t i = 0; i < len && w->out->size < VDEV_SMBIOS_MAX; i++)
		w->out->tables[w->out->size++] = (uint8_t)(value >> (8 * i));
}

static void begin(struct writer *w, uint8_t type, uint8_t len, uint16_t handle)
{
	w->start = w->out->size;
	put(w, type, 1);
	put(w, len, 1);
	put(w, handle, 2);
}

static void text(struct writer *w, const char *s)
{
	for (; *s; s++)
		put(w, (uint8_t)*s, 1);
	put(w, 0, 1);
}

/* Strings follow the structure, then an empty one. Without strings there are two zeros. */
static void end(struct writer *w, bool strings)
{
	put(w, 0, strings ? 1 : 2);
	w->count++;
	w->largest = (uint16_t)MAX(w->largest, w->out->size - w->start);
}

static void put_bios(struct writer *w)
{
	begin(w, 0, 24, HANDLE_BIOS);
	put(w, 1, 1);		     /* vendor */
	put(w, 2, 1);		     /* version */
	put(w, 0xe800, 2);	     /* start segment */
	put(w, 3, 1);		     /* date */
	put(w, 0, 1);		     /* 64 KiB */
	put(w, UINT64_C(1) << 3, 8); /* no characteristics told */
	put(w, 0x1c00, 2);	     /* a virtual machine, UEFI capable (7.1.2.2) */
	put(w, 0xffffffff, 4);	     /* releases: none */
	text(w, "Sluice");
	text(w, SLUICE_VERSION);
	text(w, "01/01/2026");
	end(w, true);
}

static void put_system(struct writer *w, const char *name)
{
	begin(w, 1, 27, HANDLE_SYSTEM);
	put(w, 1, 1); /* manufacturer */
	put(w, 2, 1); /* product */
	put(w, 3, 1); /* version */
	put(w, 4, 1); /* serial number: the VM's name */
	put(w, 0, 8); /* UUID: all zero means "not present" (7.2.1) */
	put(w, 0, 8);
	put(w, 6, 1); /* woken by the power switch */
	put(w, 0, 2);
	text(w, "Sluice");
	text(w, "Virtual Machine");
	text(w, SLUICE_VERSION);
	text(w, name);
	end(w, true);
}

static void put_chassis(struct writer *w)
{
	begin(w, 3, 22, HANDLE_CHASSIS);
	put(w, 1, 1); /* manufacturer */
	put(w, 1, 1); /* type: other */
	put(w, 0, 3);
	put(w, 0x030303, 3); /* states: safe */
	put(w, 2, 1);	     /* security: unknown */
	put(w, 0, 8);
	put(w, 0, 1); /* no SKU number */
	text(w, "Sluice");
	end(w, true);
}

static void put_cpu(struct writer *w, unsigned cpus)
{
	begin(w, 4, 42, HANDLE_CPU);
	put(w, 1, 1); /* socket */
	put(w, 3, 1); /* a central processor */
	put(w, 1, 1); /* family: other */
	put(w, 2, 1); /* manufacturer */
	put(w, 0, 8); /* ID: CPUID tells */
	put(w, 0, 2);
	put(w, 0, 6);		   /* clocks: unknown */
	put(w, 0x41, 1);	   /* there, and on */
	put(w, 1, 1);		   /* upgrade: other */
	put(w, 0xffffffffffff, 6); /* caches: not told */
	put(w, 0, 3);
	put(w, cpus, 1); /* cores, enabled, threads */
	put(w, cpus, 1);
	put(w, cpus, 1);
	put(w, 0x04, 2); /* 64 bits */
	put(w, 1, 2);	 /* family: other */
	text(w, "CPU 0");
	text(w, "Sluice");
	end(w, true);
}

static void put_memory(struct writer *w, uint64_t low, uint64_t high)
{
	uint64_t kib = (low + high) / KIB, mib = (low + high) / MIB;

	begin(w, 16, 23, HANDLE_ARRAY);
	put(w, 1, 1); /* other */
	put(w, 3, 1); /* system memory */
	put(w, 3, 1); /* no error correction told */
	put(w, MIN(kib, UINT64_C(0x80000000)), 4);
	put(w, 0xfffe, 2); /* no error information */
	put(w, 1, 2);	   /* one device */
	put(w, kib < 0x80000000 ? 0 : low + high, 8);
	end(w, false);

	begin(w, 17, 40, HANDLE_DIMM);
	put(w, HANDLE_ARRAY, 2);
	put(w, 0xfffe, 2);
	put(w, 0xffffffff, 4); /* widths: unknown */
	put(w, MIN(mib, UINT64_C(0x7fff)), 2);
	put(w, 9, 1); /* a DIMM */
	put(w, 0, 1);
	put(w, 1, 1); /* where */
	put(w, 0, 1);
	put(w, 7, 1);	 /* RAM */
	put(w, 0x02, 2); /* other */
	put(w, 0, 2);
	put(w, 0, 5); /* no strings, no rank */
	put(w, mib < 0x7fff ? 0 : mib, 4);
	put(w, 0, 2 + 6);
	text(w, "DIMM 0");
	end(w, true);
}

static void put_mapped(struct writer *w, uint16_t index, uint64_t start, uint64_t size)
{
	if (!size)
		return;
	begin(w, 19, 31, (uint16_t)(HANDLE_MAPPED + index));
	put(w, 0xffffffff, 4); /* in bytes, below */
	put(w, 0xffffffff, 4);
	put(w, HANDLE_ARRAY, 2);
	put(w, 1, 1);
	put(w, start, 8);
	put(w, start + size - 1, 8);
	end(w, false);
}

/* The entry point (5.2.1). Sums are left right for the address 0 that it holds. */
static void put_anchor(const struct writer *w)
{
	static const char outer[4] = {'_', 'S', 'M', '_'}, inner[5] = {'_', 'D', 'M', 'I', '_'};
	uint8_t *a = w->out->anchor, sum = 0;

	memset(a, 0, VDEV_SMBIOS_ANCHOR);
	memcpy(a, outer, sizeof(outer));
	a[5] = VDEV_SMBIOS_ANCHOR;
	a[6] = 2;
	a[7] = 8;
	memcpy(a + 8, &w->largest, 2);
	memcpy(a + 16, inner, sizeof(inner));
	a[22] = (uint8_t)w->out->size;
	a[23] = (uint8_t)(w->out->size >> 8);
	memcpy(a + 28, &w->count, 2);
	a[30] = 0x28;
	for (unsigned i = 16; i < VDEV_SMBIOS_ANCHOR; i++)
		sum = (uint8_t)(sum + a[i]);
	a[21] = (uint8_t)-sum;
	sum = 0;
	for (unsigned i = 0; i < VDEV_SMBIOS_ANCHOR; i++)
		sum = (uint8_t)(sum + a[i]);
	a[4] = (uint8_t)-sum;
}

void vdev_smbios_build(const char *name, unsigned cpus, uint64_t ram_low, uint64_t ram_high,
		       struct vdev_smbios *out)
{
	struct writer w = {.out = out};

	out->size = 0;
	put_bios(&w);
	put_system(&w, name);
	put_chassis(&w);
	put_cpu(&w, cpus);
	put_memory(&w, ram_low, ram_high);
	put_mapped(&w, 0, 0, ram_low);
	put_mapped(&w, 1, 4 * GIB, ram_high);
	begin(&w, 32, 11, HANDLE_BOOT);
	put(&w, 0, 7); /* no errors */
	end(&w, false);
	begin(&w, 127, 4, HANDLE_END);
	end(&w, false);
	put_anchor(&w);
}
