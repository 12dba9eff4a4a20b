/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emulator-event: keeps QEMU's emulation of SVM from delivering an injected interrupt twice.
 * Preloaded into the emulator of rig 1 (rig1.sh), and no part of what is tested there.
 *
 * helper_vmrun() notes the interrupt that VMRUN injects as the CPU's pending exception, delivers it
 * by do_interrupt_x86_hardirq(), and leaves the note. A CPU that is then asked to leave its loop
 * before the guest's next exit (another thread of the emulator kicks it) finds the note and
 * delivers the interrupt again, whatever the guest's interrupt flag says: a guest that was in an
 * interrupt handler finds its own locks taken and stands still for ever. Seen in 11.1 with a
 * guest's memory and registers in hand; rare on a quiet machine with one emulated CPU, one start
 * in ten on a busy one, and at once with two CPUs, which kick each other.
 *
 * So do_interrupt_x86_hardirq() is given a first step: the note is cleared. Its code is compared
 * with what it is known to be, byte for byte, and a QEMU that differs is left as it is, aloud.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void do_interrupt_x86_hardirq(void *env, int vector, int is_hw);
void do_interrupt_all(void *cpu, int vector, int is_int, int error_code, uint64_t next_eip,
		      int is_hw);
void cpu_loop_exit_noexc(void *cpu);

static uint32_t env_offset;   /* of a CPU's registers in the CPU */
static uint32_t index_offset; /* of its pending exception */

static void deliver(void *env, int vector, int is_hw)
{
	char *cpu = (char *)env - env_offset;
	const int none = -1;

	memcpy(cpu + index_offset, &none, sizeof(none));
	do_interrupt_all(cpu, vector, 0, 0, 0, is_hw);
}

/* endbr64; mov %edx,%r9d; sub $env_offset,%rdi; xor %r8d,%r8d; xor %ecx,%ecx; xor %edx,%edx; jmp */
static int read_env_offset(const uint8_t *code)
{
	static const uint8_t head[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x41, 0x89, 0xd1, 0x48, 0x81, 0xef};
	static const uint8_t tail[] = {0x45, 0x31, 0xc0, 0x31, 0xc9, 0x31, 0xd2, 0xe9};
	int32_t distance;

	memcpy(&env_offset, code + 10, sizeof(env_offset));
	memcpy(&distance, code + 22, sizeof(distance));
	return !memcmp(code, head, sizeof(head)) && !memcmp(code + 14, tail, sizeof(tail)) &&
	       (uintptr_t)(code + 26) + (uintptr_t)(intptr_t)distance ==
		       (uintptr_t)do_interrupt_all;
}

/* endbr64; push %rax; pop %rax; sub $8,%rsp; movl $-1,index_offset(%rdi) */
static int read_index_offset(const uint8_t *code)
{
	static const uint8_t head[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x50, 0x58,
				       0x48, 0x83, 0xec, 0x08, 0xc7, 0x87};
	static const uint8_t tail[] = {0xff, 0xff, 0xff, 0xff};

	memcpy(&index_offset, code + 12, sizeof(index_offset));
	return !memcmp(code, head, sizeof(head)) && !memcmp(code + 16, tail, sizeof(tail));
}

__attribute__((constructor)) static void repair(void)
{
	uint8_t *code = (uint8_t *)(uintptr_t)do_interrupt_x86_hardirq;
	uintptr_t page = (uintptr_t)code & ~(uintptr_t)(getpagesize() - 1);
	size_t size = 2 * (size_t)getpagesize();
	uint8_t jump[14] = {0xff, 0x25}; /* jmp *0(%rip), and the address behind it */
	uintptr_t target = (uintptr_t)deliver;

	memcpy(jump + 6, &target, sizeof(target));
	if (!read_env_offset(code) ||
	    !read_index_offset((const uint8_t *)(uintptr_t)cpu_loop_exit_noexc) ||
	    mprotect((void *)page, size, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		fputs("lab: this QEMU is not the one that emulator-event.c repairs; guests may "
		      "hang\n",
		      stderr);
		return;
	}
	memcpy(code, jump, sizeof(jump));
	mprotect((void *)page, size, PROT_READ | PROT_EXEC);
}
