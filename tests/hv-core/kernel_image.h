/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kernel_image: small made-up kernels for tests: an ELF file with two segments and a relocation
 * table, and a bzImage around a payload.
 */
#ifndef TESTS_HV_CORE_KERNEL_IMAGE_H
#define TESTS_HV_CORE_KERNEL_IMAGE_H

#include <asm/bootparam.h>
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define KI_LOAD	     0x1000000u
#define KI_PAGE	     4096u
#define KI_SEG0_LEN  (3u * KI_PAGE) /* its middle page is zero */
#define KI_SEG1_AT   0x200000u
#define KI_SEG1_FILE 100u
#define KI_SEG1_MEM  (2u * KI_PAGE)
#define KI_SPAN	     (KI_SEG1_AT + KI_SEG1_MEM)
#define KI_ENTRY     0x40u
#define KI_VIRT	     UINT64_C(0xffffffff80000000)

/* Places that the table names, as offsets from KI_LOAD. */
#define KI_PLACE64	 0x100u
#define KI_PLACE_INVERSE 0x200u
#define KI_PLACE32	 (KI_SEG1_AT + 8u)

#define KI_SEG0_OFFSET KI_PAGE
#define KI_SEG1_OFFSET (KI_SEG0_OFFSET + KI_SEG0_LEN)
#define KI_ELF_LEN     (KI_SEG1_OFFSET + KI_SEG1_FILE)

static inline void ki_put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, sizeof(value));
}

static inline void ki_put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

/* Without a table. KI_ELF_LEN bytes. */
static inline void ki_elf(uint8_t *file)
{
	Elf64_Ehdr eh = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_entry = KI_LOAD + KI_ENTRY,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	Elf64_Phdr ph[2] = {
		{PT_LOAD, PF_R | PF_X, KI_SEG0_OFFSET, KI_VIRT + KI_LOAD, KI_LOAD, KI_SEG0_LEN,
		 KI_SEG0_LEN, KI_PAGE},
		{PT_LOAD, PF_R | PF_W, KI_SEG1_OFFSET, KI_VIRT + KI_LOAD + KI_SEG1_AT,
		 KI_LOAD + KI_SEG1_AT, KI_SEG1_FILE, KI_SEG1_MEM, KI_PAGE},
	};

	memset(file, 0, KI_ELF_LEN);
	memcpy(file, &eh, sizeof(eh));
	memcpy(file + sizeof(eh), ph, sizeof(ph));
	memset(file + KI_SEG0_OFFSET, 0xa5, KI_PAGE);
	memset(file + KI_SEG0_OFFSET + 2 * KI_PAGE, 0x5a, KI_PAGE);
	memset(file + KI_SEG1_OFFSET, 0x77, KI_SEG1_FILE);
	ki_put64(file + KI_SEG0_OFFSET + KI_PLACE64, KI_VIRT + KI_LOAD + 0x1234);
	ki_put32(file + KI_SEG0_OFFSET + KI_PLACE_INVERSE, 0x80000000u);
	ki_put32(file + KI_SEG1_OFFSET + 8, (uint32_t)(KI_VIRT + KI_LOAD + 0x4321));
}

/* The table for it: with or without the inverse list. Returns its length in bytes (at most 24). */
static inline size_t ki_relocs(uint8_t *at, int inverse)
{
	const uint32_t base = (uint32_t)(KI_VIRT + KI_LOAD);
	const uint32_t with[] = {0, base + KI_PLACE64, 0, base + KI_PLACE_INVERSE,
				 0, base + KI_PLACE32};
	const uint32_t without[] = {0, base + KI_PLACE64, 0, base + KI_PLACE32};

	if (inverse)
		memcpy(at, with, sizeof(with));
	else
		memcpy(at, without, sizeof(without));
	return inverse ? sizeof(with) : sizeof(without);
}

#define KI_SETUP_LEN (2u * 512u)

/* A bzImage whose kernel proper is 0x400 bytes, then `payload`; returns allocated bytes. */
static inline uint8_t *ki_bzimage(const void *payload, uint32_t payload_len, size_t *len)
{
	struct setup_header h = {
		.setup_sects = KI_SETUP_LEN / 512 - 1,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64,
		.cmdline_size = 2047,
		.payload_offset = 0x400,
		.payload_length = payload_len,
		.pref_address = KI_LOAD,
		.init_size = 0x400000,
	};
	uint8_t *file;

	*len = KI_SETUP_LEN + 0x400 + payload_len;
	*len = *len < 4096 ? 4096 : *len;
	file = calloc(1, *len);
	if (!file)
		abort();
	memcpy(file + 0x1f1, &h, sizeof(h));
	memset(file + KI_SETUP_LEN, 0x90, 0x400);
	if (payload_len)
		memcpy(file + KI_SETUP_LEN + 0x400, payload, payload_len);
	return file;
}

#endif
