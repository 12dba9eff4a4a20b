/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * emulator-lock: takes a lock that QEMU's emulation of SVM forgets. Preloaded into the emulator of
 * rig 1 (rig1.sh), and no part of what is tested there.
 *
 * A guest that writes CR8 while KVM waits for its interrupt window (V_IRQ is set) makes
 * helper_write_crN() call cpu_interrupt() without the big lock, and cpu_interrupt() then ends the
 * emulator by an assertion. Seen in 7.2 to 11.1; UEFI firmware does that in the epilogue of each
 * interrupt, so that it lives for seconds. What is done here instead of the end is what that
 * function would have done under the lock.
 *
 * The function that fails an assertion is GLib's, so that a preloaded library can stand before it.
 * cpu_interrupt() has by then made one frame of 8 bytes and called us; the frame is dropped and
 * its caller, generated code, goes on. A build of QEMU with another frame is left as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#define INTERRUPT_VIRQ \
	0x100 /* CPU_INTERRUPT_VIRQ: of those that this helper may ask for, the only one */

extern __thread void *current_cpu;
void cpu_interrupt(void *cpu, int mask);
void bql_lock_impl(const char *file, int line);
void bql_unlock(void);

int emulator_lock_repaired(const char *function, const char *expression, const char *caller);
void emulator_lock_fail(const char *domain, const char *file, int line, const char *function,
			const char *expression);

/* endbr64; sub $8,%rsp */
static const uint8_t frame[] = {0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x83, 0xec, 0x08};

int emulator_lock_repaired(const char *function, const char *expression, const char *caller)
{
	const char *start = (const char *)(uintptr_t)cpu_interrupt;

	if (strcmp(function, "cpu_interrupt") != 0 || strcmp(expression, "bql_locked()") != 0 ||
	    caller < start || caller > start + 256 || memcmp(start, frame, sizeof(frame)) != 0)
		return 0;
	bql_lock_impl(__FILE__, __LINE__);
	cpu_interrupt(current_cpu, INTERRUPT_VIRQ);
	bql_unlock();
	return 1;
}

void emulator_lock_fail(const char *domain, const char *file, int line, const char *function,
			const char *expression)
{
	void (*next)(const char *, const char *, int, const char *, const char *);
	void *found = dlsym(RTLD_NEXT, "g_assertion_message_expr");

	memcpy(&next, &found, sizeof(next));
	next(domain, file, line, function, expression);
}

/* g_assertion_message_expr(domain, file, line, function, expression) */
__asm__(".globl g_assertion_message_expr\n"
	".type g_assertion_message_expr, @function\n"
	"g_assertion_message_expr:\n"
	"	push %rdi\n"
	"	push %rsi\n"
	"	push %rdx\n"
	"	push %rcx\n"
	"	push %r8\n"
	"	mov %rcx, %rdi\n"
	"	mov %r8, %rsi\n"
	"	mov 40(%rsp), %rdx\n"
	"	call emulator_lock_repaired@PLT\n"
	"	pop %r8\n"
	"	pop %rcx\n"
	"	pop %rdx\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"	test %eax, %eax\n"
	"	jz emulator_lock_fail@PLT\n"
	"	add $16, %rsp\n" /* our return address, cpu_interrupt()'s frame */
	"	ret\n"
	".size g_assertion_message_expr, . - g_assertion_message_expr\n");
