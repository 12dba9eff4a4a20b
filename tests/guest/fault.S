/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fault: a guest that triple-faults at once: a breakpoint without a descriptor for it, nor for the
 * faults that follow. A PVH ELF (entered in 32-bit protected mode).
 */
	.section .note, "a", @note
	.align 4
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:	lidt none
	int3

none:	.word 0
	.long 0
