/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elf: the load segments and notes of a kernel in ELF form, checked.
 *
 * The file is data from outside: whatever hv_elf_parse accepts, every offset and length in the
 * result lies inside the buffer and no address computed from it wraps. Pure.
 */
#ifndef HV_CORE_ELF_H
#define HV_CORE_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_ELF_SEGMENTS 16
#define HV_ELF_NOTES	4

struct hv_elf_segment {
	uint64_t offset, filesz; /* in the buffer */
	uint64_t paddr, memsz;	 /* in guest memory; filesz <= memsz, memsz > 0 */
	uint64_t vaddr;
};

struct hv_elf {
	bool is64;
	uint64_t entry;
	struct hv_elf_segment segment[HV_ELF_SEGMENTS]; /* PT_LOAD, sorted by paddr, disjoint */
	unsigned segments;
	struct {
		uint64_t offset, size;
	} note[HV_ELF_NOTES]; /* PT_NOTE */
	unsigned notes;
	uint64_t end; /* first byte after all that the headers speak of */
};

bool hv_elf_magic(const void *data, size_t len);
/* 0, or -ENOEXEC with a few words on what is wrong in *why. */
int hv_elf_parse(const void *data, size_t len, struct hv_elf *out, const char **why);
/* Where a virtual address lies in guest memory: by the segment that holds it; else as it is. */
uint64_t hv_elf_physical(const struct hv_elf *elf, uint64_t vaddr);
/* Descriptor of the first note with that owner and type; NULL when there is none. */
const void *hv_elf_note(const void *data, const struct hv_elf *elf, const char *owner,
			uint32_t type, size_t *size);

#endif
