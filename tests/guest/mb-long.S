/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mb-long: from 32-bit protected mode into 64-bit mode and back (SDM vol. 3, 9.8.5), and what paging
 * does there: translation, accessed and dirty bits, a page fault with its address and error code.
 */
#include "multiboot.inc"

#define PRESENT_WRITE 3
#define LARGE	      0x80
#define ACCESSED      0x20
#define DIRTY	      0x40
#define NOWHERE	      0x40000000	/* 1 GiB: the first address that is not mapped */
#define ALIAS	      0x20000000	/* 512 MiB: mapped to the page at 2 MiB */

main:	movl $pml4, %eax
	movl $pdpt + PRESENT_WRITE, (%eax)
	movl $pdpt, %eax
	movl $pd + PRESENT_WRITE, (%eax)
	xorl %ecx, %ecx
1:	movl %ecx, %eax
	shll $21, %eax
	orl $PRESENT_WRITE | LARGE, %eax
	movl %eax, pd(, %ecx, 8)
	incl %ecx
	cmpl $512, %ecx
	jb 1b
	movl $0x200000 | PRESENT_WRITE | LARGE, pd + (ALIAS >> 21) * 8

	movl %cr4, %eax
	orl $0x620, %eax		/* PAE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl $pml4, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx		/* EFER */
	rdmsr
	orl $0x100, %eax		/* LME */
	wrmsr
	movl %cr0, %eax
	orl $0x80000000, %eax
	movl %eax, %cr0
	ljmp $CODE_64, $long_mode

back:	movw $DATA, %ax
	movw %ax, %ss
	movl %cr0, %eax
	andl $0x7fffffff, %eax
	movl %eax, %cr0
	movl $0xc0000080, %ecx
	rdmsr
	andl $~0x100, %eax
	wrmsr
	rdmsr
	testl $0x400, %eax
	CHECK z, "64-bit mode is left again"
	testl $1, results
	CHECK nz, "EFER.LMA is set in 64-bit mode"
	testl $2, results
	CHECK nz, "64-bit arithmetic"
	testl $4, results
	CHECK nz, "SSE2 registers"
	testl $8, results
	CHECK nz, "two addresses of one page"
	cmpl $1, faults
	CHECK e, "an address that is not mapped raises #PF once"
	cmpl $NOWHERE + 8, fault_address
	CHECK e, "CR2 has its address"
	cmpl $2, fault_error
	CHECK e, "the error code says: a write, not present"
	movl pd + (ALIAS >> 21) * 8, %eax
	testl $ACCESSED, %eax
	CHECK nz, "a page that was read is marked accessed"
	testl $DIRTY, %eax
	CHECK nz, "a page that was written is marked dirty"
	movl pd + (ALIAS >> 21) * 8 + 8, %eax
	testl $ACCESSED | DIRTY, %eax
	CHECK z, "a page that was not touched is not marked"
	ret

	.code64
long_mode:
	movl $results, %edi
	movl $0xc0000080, %ecx
	rdmsr
	shrl $10, %eax
	andl $1, %eax
	orl %eax, (%rdi)

	movabsq $0x123456789abcdef1, %rax
	movl $3, %edx
	mulq %rdx
	movabsq $0x369d0369d0369cd3, %rdx
	cmpq %rdx, %rax
	jne 1f
	orl $2, (%rdi)
1:	movq %rax, %xmm7
	paddq %xmm7, %xmm7
	movq %xmm7, %rdx
	addq %rax, %rax
	cmpq %rax, %rdx
	jne 2f
	orl $4, (%rdi)
2:	movl $ALIAS, %esi
	movl $0x200000, %edx
	movl $0xfeedf00d, (%rsi)
	cmpl $0xfeedf00d, (%rdx)
	jne 3f
	orl $8, (%rdi)

	/* #PF, SDM vol. 3, 6.14.1: a gate of 16 bytes */
3:	movl $idt + 14 * 16, %esi
	movl $page_fault, %eax
	movw %ax, (%rsi)
	movw $CODE_64, 2(%rsi)
	movw $0x8e00, 4(%rsi)
	shrl $16, %eax
	movw %ax, 6(%rsi)
	movl $0, 8(%rsi)
	movl $idt_pointer_64, %eax
	lidt (%rax)
	movl $NOWHERE, %eax
	movl $1, 8(%rax)		/* 7 bytes long */
after:	pushq $CODE
	movl $back, %eax
	pushq %rax
	lretq

page_fault:
	movl $faults, %edi
	incl (%rdi)
	movq %cr2, %rax
	movl $fault_address, %edi
	movl %eax, (%rdi)
	popq %rax
	movl $fault_error, %edi
	movl %eax, (%rdi)
	movl $after, %eax
	movq %rax, (%rsp)
	iretq

	.section .rodata
idt_pointer_64:
	.word 256 * 8 - 1		/* 128 gates */
	.long idt, 0

	.bss
	.align 4096
pml4:	.space 4096
pdpt:	.space 4096
pd:	.space 4096
results: .space 4
fault_address: .space 4
fault_error: .space 4
