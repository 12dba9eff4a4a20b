/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counter: a guest that counts. A PVH ELF (entered in 32-bit protected mode) that writes a number,
 * kept in memory, to the serial port at 0x3f8 about every tenth of a second, measured by its TSC's
 * frequency as the start page of KVM tells it (CPUID 0x40000010, EAX: kHz). It fills 24 MiB of RAM with a
 * pattern first, so that there is something to save, and counts its pages again with each number:
 * "count 00000012 sum 00001800".
 */
#define FILL_AT	   0x1000000
#define FILL_PAGES 6144
#define PATTERN	   0x51b1ce00

	.section .note, "a", @note
	.align 4
	.long 4, 4, 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.text
	.code32
	.globl start
start:	movl $stack, %esp
	movl $FILL_AT, %edi		/* a word per page: its number and the pattern */
	movl $FILL_PAGES, %ecx
1:	leal PATTERN(%ecx), %eax
	movl %eax, (%edi)
	addl $4096, %edi
	decl %ecx
	jnz 1b

	movl $0x40000010, %eax
	xorl %ecx, %ecx
	cpuid
	testl %eax, %eax
	jnz 2f
	movl $1000000, %eax
2:	movl $100, %ecx			/* kHz * 100: ticks in a tenth of a second */
	mull %ecx
	movl %eax, period
	movl %edx, period + 4

round:	incl count
	movl $text_count, %esi
	call print
	movl count, %ebx
	call hex
	movl $text_sum, %esi
	call print
	call sum
	call hex
	movl $text_end, %esi
	call print
	rdtsc
	addl period, %eax
	adcl period + 4, %edx
	movl %eax, until
	movl %edx, until + 4
3:	pause
	rdtsc
	subl until, %eax
	sbbl until + 4, %edx
	jc 3b
	jmp round

/* EBX: how many pages still have their word. */
sum:	movl $FILL_AT, %edi
	movl $FILL_PAGES, %ecx
	xorl %ebx, %ebx
4:	leal PATTERN(%ecx), %eax
	cmpl %eax, (%edi)
	jne 5f
	incl %ebx
5:	addl $4096, %edi
	decl %ecx
	jnz 4b
	ret

print:	movw $0x3f8, %dx
6:	lodsb
	testb %al, %al
	jz 7f
	outb %al, %dx
	jmp 6b
7:	ret

/* EBX as eight hexadecimal digits. */
hex:	movw $0x3f8, %dx
	movl $8, %ecx
8:	roll $4, %ebx
	movl %ebx, %eax
	andl $15, %eax
	movb digits(%eax), %al
	outb %al, %dx
	decl %ecx
	jnz 8b
	ret

text_count:	.asciz "count "
text_sum:	.asciz " sum "
text_end:	.asciz "\r\n"
digits:		.ascii "0123456789abcdef"
	.align 8
count:	.long 0
	.long 0
period:	.quad 0
until:	.quad 0
	.space 256
stack:
