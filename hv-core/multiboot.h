/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * multiboot: the header by which a kernel says that any Multiboot loader may start it (Multiboot
 * Specification 0.6.96, section 3.1).
 *
 * It stands in the first 8 KiB of the file, on a multiple of four. Either the file is an ELF file
 * and says there what is to be loaded, or the header itself does (flag 16). Pure.
 */
#ifndef HV_CORE_MULTIBOOT_H
#define HV_CORE_MULTIBOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_MULTIBOOT_HEAD 8192u /* bytes of the file that hold all of the header */

struct hv_multiboot {
	bool addresses; /* the header says what to load; else the ELF header does */
	/* with addresses: */
	uint64_t offset; /* in the file */
	uint32_t load, entry;
	uint32_t filesz, memsz; /* filesz <= memsz, memsz > 0; load + memsz does not wrap */
};

/* Whether this claims to be a Multiboot kernel at all. */
bool hv_multiboot_magic(const void *head, size_t len);
/* 0, or -ENOEXEC with the reason in *why. */
int hv_multiboot_parse(const void *head, size_t len, uint64_t file_size, struct hv_multiboot *out,
		       const char **why);

#endif
