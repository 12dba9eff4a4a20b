/* SPDX-License-Identifier: BSD-3-Clause */
/* mb-cpu: CPUID, MSRs and faults, in 32-bit protected mode (SDM vol. 3, chapters 2, 6 and 12). */
#include "multiboot.inc"

main:	GATE 0, fault_plain
	GATE 6, fault_plain
	GATE 13, fault_code
	lidt idt_pointer

	FAULTS "ud2 raises #UD", ud2
	xorl %edx, %edx
	movl $1, %eax
	xorl %ecx, %ecx
	FAULTS "division by zero raises #DE", divl %ecx
	movl %cr4, %eax
	orl $1 << 31, %eax
	FAULTS "a reserved bit of CR4 raises #GP", movl %eax, %cr4
	movw $0x7f8, %ax
	FAULTS "a selector outside the GDT raises #GP", movw %ax, %fs

	xorl %eax, %eax
	cpuid
	cmpl $1, %eax
	CHECK ae, "CPUID has leaf 1"
	movl $1, %eax
	cpuid
	movl %ecx, %edi
	testl $1 << 31, %ecx
	CHECK nz, "CPUID tells that there is a hypervisor"
	shrl $24, %ebx
	CHECK z, "the boot CPU has APIC ID 0"
	movl $0x40000000, %eax
	cpuid
	cmpl $0x4b4d564b, %ebx		/* "KVMK" */
	CHECK e, "CPUID 0x40000000 names KVM's interface"
	movl $0x40000100, %eax
	cpuid
	movl $0x80000008, %eax
	cpuid
	cmpb $32, %al
	CHECK ae, "CPUID tells the width of physical addresses"

	movl $0x1b, %ecx		/* IA32_APIC_BASE */
	rdmsr
	movl %eax, %ebx
	andl $0xfffffc00, %ebx
	andl $0x900, %eax
	cmpl $0x900, %eax
	CHECK e, "the local APIC is on, and this is the boot CPU"
	andl $0xfffff000, %ebx
	cmpl $0xfee00000, %ebx
	CHECK e, "the local APIC is at 0xfee00000"
	movl $0x2ff, %ecx		/* IA32_MTRR_DEF_TYPE */
	rdmsr
	andl $0x8ff, %eax
	cmpl $0x806, %eax
	CHECK e, "MTRRs are on and memory is write-back by default"

	movl $0x4b4d4f4f, %ecx		/* nobody's */
	FAULTS "reading an unknown MSR raises #GP", rdmsr
	FAULTS "writing an unknown MSR raises #GP", wrmsr
	movl $0xc0000080, %ecx		/* EFER */
	rdmsr
	orl $1 << 2, %eax
	FAULTS "a reserved bit of EFER raises #GP", wrmsr
	movl $0x802, %ecx
	FAULTS "an x2APIC register raises #GP in xAPIC mode", rdmsr
	movl $0x1b, %ecx
	rdmsr
	orl $1 << 9, %eax
	FAULTS "a reserved bit of IA32_APIC_BASE raises #GP", wrmsr

	rdtsc
	movl %eax, %ebx
	movl %edx, %ecx
	rdtsc
	subl %ebx, %eax
	sbbl %ecx, %edx
	CHECK ns, "the time-stamp counter does not go back"
	orl %edx, %eax
	CHECK nz, "the time-stamp counter goes on"

	movw $0x5d0, %dx		/* a port of nobody */
	inb %dx, %al
	cmpb $0xff, %al
	CHECK e, "a port without a device reads all ones"
	ret
