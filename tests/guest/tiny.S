/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tiny: the smallest guest that shows a start and a stop. A PVH ELF (entered in 32-bit protected
 * mode, EBX = hvm_start_info) that writes one line to the serial port at 0x3f8 and turns itself
 * off through the sleep control register that the VMM's ACPI tables name (port 0x600).
 */
	.section .note, "a", @note
	.align 4
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:	movl $line, %esi
	movw $0x3f8, %dx
1:	lodsb
	testb %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	movw $0x600, %dx		/* SLP_TYP 5 << 2 | SLP_EN: ACPI 6.5, 4.8.3.7 */
	movb $0x34, %al
	outb %al, %dx
3:	hlt
	jmp 3b

line:	.asciz "tiny guest: up\r\n"
