/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mb-apic: the local APIC (SDM vol. 3, chapter 11): its timer in every mode, an interrupt to oneself,
 * a second CPU started by INIT and SIPI which interrupts the first, and x2APIC mode. Wants 2 CPUs.
 */
#include "multiboot.inc"

#define APIC	    0xfee00000
#define TIMER	    0x40
#define SELF	    0x41
#define FROM_AP	    0x42
#define AP_AT	    0x8000
#define PATIENCE    50000000		/* turns of a waiting loop */

main:	GATE 13, fault_code
	GATE TIMER, on_timer
	GATE SELF, on_self
	GATE FROM_AP, on_ap
	lidt idt_pointer
	movl $0x1ff, APIC + 0xf0	/* on; vector of spurious ones */
	movl APIC + 0x30, %eax
	andl $0xf0, %eax
	cmpl $0x10, %eax
	CHECK e, "the local APIC is an integrated one"
	movl $0xb, APIC + 0x3e0		/* timer divides by 1 */
	sti

	movl $TIMER, APIC + 0x320
	movl $100000, APIC + 0x380
	movl $1, %eax
	movl $ticks, %ebx
	call wait_for
	CHECK e, "the timer fires once"
	movl $1000000, %ecx
1:	pause
	loop 1b
	cmpl $1, ticks
	CHECK e, "and no second time"
	movl $1 << 17 | TIMER, APIC + 0x320
	movl $100000, APIC + 0x380
	movl $4, %eax
	movl $ticks, %ebx
	call wait_for
	CHECK e, "the timer fires periodically"
	movl $0, APIC + 0x380
	movl $1 << 16, APIC + 0x320

	movl $1, %eax
	cpuid
	movl %ecx, features
	testl $1 << 24, %ecx
	jz 2f
	movl $2 << 17 | TIMER, APIC + 0x320
	mfence
	movl ticks, %edi
	rdtsc
	addl $1000000, %eax
	adcl $0, %edx
	movl $0x6e0, %ecx		/* IA32_TSC_DEADLINE */
	wrmsr
	leal 1(%edi), %eax
	movl $ticks, %ebx
	call wait_for
	CHECK e, "the timer fires at a deadline of the time-stamp counter"
	movl $0x6e0, %ecx
	rdmsr
	orl %edx, %eax
	CHECK z, "which is then disarmed"
	jmp 3f
2:	SAY "ok - the timer fires at a deadline # SKIP this CPU has no such mode\r\n"

3:	movl $1 << 18 | SELF, APIC + 0x300
	movl $1, %eax
	movl $selves, %ebx
	call wait_for
	CHECK e, "an interrupt to oneself arrives"

	cli
	movl $1 << 18 | SELF, APIC + 0x300
	movl APIC + 0x220, %eax		/* IRR, vectors 0x40 to 0x5f */
	testl $1 << (SELF & 31), %eax
	CHECK nz, "with interrupts off it waits in IRR"
	sti
	movl $2, %eax
	movl $selves, %ebx
	call wait_for
	CHECK e, "and arrives when they are on again"
	movl $0x50, APIC + 0x80		/* TPR above its class */
	movl $1 << 18 | SELF, APIC + 0x300
	movl $100000, %ecx
4:	pause
	loop 4b
	cmpl $2, selves
	CHECK e, "a higher task priority holds it back"
	movl $0, APIC + 0x80
	movl $3, %eax
	movl $selves, %ebx
	call wait_for
	CHECK e, "until it is lowered"

	/* the others: INIT, then SIPI to AP_AT */
	movl $ap_start, %esi
	movl $AP_AT, %edi
	movl $ap_end - ap_start, %ecx
	rep movsb
	movl $0xc4500, APIC + 0x300
	movl $1000000, %ecx
5:	pause
	loop 5b
	movl $0xc4600 | AP_AT >> 12, APIC + 0x300
	movl $1, %eax
	movl $aps, %ebx
	call wait_for
	CHECK e, "INIT and SIPI start the other CPU"
	movl $1, %eax
	movl $from_ap, %ebx
	call wait_for
	CHECK e, "which interrupts this one"
	cmpl $1, ap_id
	CHECK e, "and has APIC ID 1"

	testl $1 << 21, features
	jz 6f
	movl $0x1b, %ecx
	rdmsr
	orl $0xc00, %eax
	wrmsr
	movl $0x802, %ecx
	rdmsr
	testl %eax, %eax
	CHECK z, "x2APIC mode: its ID is read from an MSR"
	movl $0x83f, %ecx		/* self IPI */
	movl $SELF, %eax
	xorl %edx, %edx
	wrmsr
	movl $4, %eax
	movl $selves, %ebx
	call wait_for
	CHECK e, "x2APIC mode: an interrupt to oneself arrives"
	movl $0x80e, %ecx		/* DFR, which x2APIC has not */
	FAULTS "x2APIC mode: a register that is not there raises #GP", rdmsr
	ret
6:	SAY "ok - x2APIC mode # SKIP this CPU has none\r\n"
	ret

/* Until the word at %ebx is at least %eax; ZF tells. */
wait_for:
	movl $PATIENCE, %ecx
1:	cmpl %eax, (%ebx)
	jae 2f
	pause
	loop 1b
	testl %esp, %esp		/* ZF clear */
	ret
2:	cmpl %eax, %eax
	ret

eoi:	pushl %ecx
	pushl %edx
	pushl %eax
	movl $0x1b, %ecx
	rdmsr
	testl $1 << 10, %eax
	jnz 1f
	movl $0, APIC + 0xb0
	jmp 2f
1:	movl $0x80b, %ecx
	xorl %eax, %eax
	xorl %edx, %edx
	wrmsr
2:	popl %eax
	popl %edx
	popl %ecx
	ret

on_timer:
	incl ticks
	call eoi
	iretl
on_self:
	incl selves
	call eoi
	iretl
on_ap:	incl from_ap
	call eoi
	iretl

/* The other CPU: real mode at AP_AT, then protected mode like the first. */
	.code16
ap_start:
	cli
	xorw %ax, %ax
	movw %ax, %ds
	lgdtl AP_AT + ap_gdt_pointer - ap_start
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $CODE, $ap_protected
ap_gdt_pointer:
	.word 31
	.long gdt
ap_end:
	.code32
ap_protected:
	movw $DATA, %ax
	movw %ax, %ds
	movl $0x1ff, APIC + 0xf0
	movl APIC + 0x20, %eax
	shrl $24, %eax
	movl %eax, ap_id
	lock incl aps
	movl $0, APIC + 0x310		/* to APIC 0 */
	movl $1 << 14 | FROM_AP, APIC + 0x300
1:	cli
	hlt
	jmp 1b

	.bss
ticks:	.space 4
selves:	.space 4
from_ap: .space 4
aps:	.space 4
ap_id:	.space 4
features: .space 4
