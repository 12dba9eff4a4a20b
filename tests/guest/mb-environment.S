/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mb-environment: what a Multiboot kernel is told (Multiboot 0.6.96, 3.3): command line, its one
 * module, its memory; and where ACPI is found. "EXIT=N" in the module, decimal, is the value it ends
 * with when nothing failed.
 */
#include "multiboot.inc"

main:	cmpl $0x2badb002, boot_magic
	CHECK e, "EAX has the loader's magic"
	movl boot_info, %ebp
	movl (%ebp), %eax
	andl $0x24d, %eax
	cmpl $0x24d, %eax
	CHECK e, "memory, command line, module, map and loader are told"
	SAY "# command line: "
	movl 16(%ebp), %esi
	call puts
	SAY "\r\n"
	call memory
	call acpi
	cmpl $1, 20(%ebp)
	CHECK e, "one module"
	movl 24(%ebp), %ebx
	movl (%ebx), %esi
	movl 4(%ebx), %ecx
	testl $0xfff, %esi
	CHECK z, "the module begins on a page"
	cmpl %esi, %ecx
	CHECK a, "the module ends after its start"
	movl (%ebx), %esi
	subl %esi, %ecx
	/* the number behind "EXIT=" */
1:	cmpl $6, %ecx
	jb 3f
	cmpl $0x54495845, (%esi)	/* "EXIT" */
	je 2f
	incl %esi
	decl %ecx
	jmp 1b
2:	addl $5, %esi
	xorl %eax, %eax
	xorl %edx, %edx
4:	movb (%esi), %dl
	subb $'0', %dl
	cmpb $9, %dl
	ja 5f
	imull $10, %eax
	addl %edx, %eax
	incl %esi
	jmp 4b
5:	cmpl $0, failures
	je exit
3:	cmpl $0, 20(%ebp)
	CHECK e, "the module has no EXIT=N"
	ret

/* The map is sorted, has mem_lower and mem_upper in it, and its RAM is RAM up to the last byte. */
memory:	cmpl $640, 4(%ebp)
	CHECK e, "640 KiB below 1 MiB"
	movl 48(%ebp), %ebx
	movl %ebx, %edi
	addl 44(%ebp), %edi
	xorl %ecx, %ecx			/* end of the entry before */
	xorl %edx, %edx			/* end of RAM from 1 MiB on */
1:	cmpl $0, 8(%ebx)		/* above 4 GiB: not for this kernel */
	jne 2f
	cmpl %ecx, 4(%ebx)
	jb 3f
	movl 4(%ebx), %ecx
	addl 12(%ebx), %ecx
	cmpl $0x100000, 4(%ebx)
	jne 2f
	movl %ecx, %edx
2:	movl (%ebx), %eax
	leal 4(%eax, %ebx), %ebx
	cmpl %edi, %ebx
	jb 1b
	xorl %eax, %eax
3:	testl %eax, %eax
	CHECK z, "the memory map is sorted and disjoint"
	movl 8(%ebp), %eax
	shll $10, %eax
	addl $0x100000, %eax
	cmpl %eax, %edx
	CHECK e, "mem_upper is the map's RAM from 1 MiB on"
	movl -4(%edx), %ebx
	movl $0x5a5aa5a5, -4(%edx)
	cmpl $0x5a5aa5a5, -4(%edx)
	CHECK e, "RAM's last word keeps what is written"
	movl %ebx, -4(%edx)
	ret

/* ACPI 6.5, 5.2.5.1: on a 16-byte boundary between 0xe0000 and 0xfffff */
acpi:	movl $0xe0000, %ebx
1:	cmpl $0x20445352, (%ebx)	/* "RSD " */
	jne 2f
	cmpl $0x20525450, 4(%ebx)	/* "PTR " */
	je 3f
2:	addl $16, %ebx
	cmpl $0x100000, %ebx
	jb 1b
3:	cmpl $0x100000, %ebx
	CHECK b, "the RSDP is found by a search"
	cmpl $0x100000, %ebx
	jae 5f
	xorl %eax, %eax
	movl $20, %ecx
4:	addb -1(%ebx, %ecx), %al
	loop 4b
	testb %al, %al
	CHECK z, "the RSDP's checksum is right"
	movl 24(%ebx), %eax		/* XSDT */
	cmpl $0x54445358, (%eax)
	CHECK e, "the RSDP leads to an XSDT"
5:	ret
