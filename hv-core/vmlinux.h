/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlinux: an unpacked 64-bit Linux kernel, as what has to be in memory before its first
 * instruction.
 *
 * A kernel is linked for one physical address (`load`) and, in its virtual addresses, for
 * 0xffffffff80000000 + load. It may be put at any other 2 MiB boundary. Its virtual addresses
 * move only when each place that holds one is changed: those places are listed in a table that
 * the build appends to the ELF file (Linux arch/x86/tools/relocs.c). The kernel's own unpacker
 * does both when it randomizes the address; here we do it, natively, before the guest starts.
 *
 * Only what is not zero is kept, as extents in units of HV_VMLINUX_PAGE.
 */
#ifndef HV_CORE_VMLINUX_H
#define HV_CORE_VMLINUX_H

#include <stddef.h>
#include <stdint.h>

#define HV_VMLINUX_PAGE	 4096u
#define HV_VMLINUX_ALIGN (UINT64_C(2) << 20)	      /* startup_64 insists on it */
#define HV_VMLINUX_SPAN	 (UINT64_C(1) << 30)	      /* KERNEL_IMAGE_SIZE with KASLR */
#define HV_VMLINUX_VIRT	 UINT64_C(0xffffffff80000000) /* __START_KERNEL_map */

/* [at, at+len) from `load` on is not all zero. */
struct hv_vmlinux_extent {
	uint64_t at, len;
	const uint8_t *data; /* in the ELF file; NULL for an image out of the cache */
};

/* The kinds in the order of the table: 64-bit places, 32-bit places that hold a negative distance
 * (per-CPU symbols of older kernels), 32-bit places. */
enum hv_vmlinux_reloc { HV_RELOC_64, HV_RELOC_INVERSE, HV_RELOC_32, HV_RELOC_KINDS };

struct hv_vmlinux {
	uint64_t load;	/* physical address it is linked for */
	uint64_t span;	/* bytes of memory from there on, those without file contents included */
	uint64_t entry; /* offset of the 64-bit entry */
	struct hv_vmlinux_extent *extent;
	size_t extents;
	uint32_t *reloc;		 /* low halves of virtual addresses, kind after kind */
	uint32_t relocs[HV_RELOC_KINDS]; /* all 0: the kernel cannot move in virtual space */
};

/* From the ELF file with appended table, which `out` goes on pointing into. 0, -ENOMEM, or -ENOEXEC
 * with the reason in *why. */
int hv_vmlinux_parse(const void *elf, size_t len, struct hv_vmlinux *out, const char **why);
void hv_vmlinux_finish(struct hv_vmlinux *image);

/* Whether the numbers fit each other; for what comes from a file. */
int hv_vmlinux_check(const struct hv_vmlinux *image);

/* Moves the image in `memory` (span bytes) by `delta` in virtual space. -EBADMSG for a place
 * outside of it: the memory is spoiled then. */
int hv_vmlinux_relocate(const struct hv_vmlinux *image, uint8_t *memory, uint64_t delta);

#endif
