/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bzimage: the setup header of a stock Linux kernel image (Linux Documentation/arch/x86/boot.rst).
 *
 * A bzImage is a real-mode part of (setup_sects + 1) * 512 bytes, which we do not run, and the
 * kernel proper: a small program that unpacks the payload inside it. From protocol 2.12 on it may
 * say that it has a 64-bit entry, 0x200 bytes in. Pure.
 */
#ifndef HV_CORE_BZIMAGE_H
#define HV_CORE_BZIMAGE_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_BZIMAGE_HEAD 4096u /* bytes of the file that hold all of the header */

struct hv_bzimage {
	struct setup_header header; /* as the file has it; what its version lacks is zero */
	uint64_t kernel_offset;	    /* of the kernel proper in the file */
	uint64_t kernel_size;
	uint64_t payload_offset; /* in the file */
	uint64_t payload_size;	 /* 0: unknown */
};

/* Whether this claims to be one at all. */
bool hv_bzimage_magic(const void *head, size_t len);
/* 0, or -ENOEXEC with the reason in *why. */
int hv_bzimage_parse(const void *head, size_t len, uint64_t file_size, struct hv_bzimage *out,
		     const char **why);

#endif
