/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * engine_kvm_vcpu: one virtual CPU of KVM: its first state, its run loop's single step, its exits.
 *
 * KVM and we share a page, struct kvm_run, through which an exit is told and answered (api.rst,
 * section 5). The answer is taken when KVM_RUN is called again.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "hv-core/engine_kvm.h"

/* SDM vol. 3: 2.5 (control registers), 2.2.1 (EFER), 12.11.2.1 (MTRR), 2.1 of vol. 4 (MSRs) */
#define CR0_PE			(1u << 0)
#define CR0_ET			(1u << 4)
#define CR0_NE			(1u << 5)
#define CR0_PG			(1u << 31)
#define CR4_PAE			(1u << 5)
#define EFER_LME		(1u << 8)
#define EFER_LMA		(1u << 10)
#define RFLAGS_ONE		(1u << 1)
#define MSR_MISC_ENABLE		0x1a0
#define MISC_ENABLE_FAST_STRING 1u
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLE		(1u << 11)
#define MTRR_WRITE_BACK		6u

_Static_assert(sizeof(bool) == sizeof(((struct kvm_run *)0)->msr.error),
	       "struct kvm_run, msr.error");

int hv_kvm_vcpu_ioctl(const struct hv_engine_vcpu *vcpu, unsigned long request, const void *arg)
{
	int result = ioctl(vcpu->fd, request, arg);

	return result < 0 ? -errno : result;
}

static int one_msr(const struct hv_engine_vcpu *vcpu, unsigned long request, uint32_t index,
		   uint64_t *value)
{
	union {
		struct kvm_msrs head;
		uint8_t space[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} msrs = {.head.nmsrs = 1};
	struct kvm_msr_entry *entry = msrs.head.entries;

	*entry = (struct kvm_msr_entry){.index = index, .data = *value};
	int rc = hv_kvm_vcpu_ioctl(vcpu, request, &msrs);
	*value = entry->data;
	return rc;
}

int hv_kvm_get_msr(const struct hv_engine_vcpu *vcpu, uint32_t index, uint64_t *value)
{
	*value = 0;
	return one_msr(vcpu, KVM_GET_MSRS, index, value);
}

int hv_kvm_set_msr(const struct hv_engine_vcpu *vcpu, uint32_t index, uint64_t value)
{
	return one_msr(vcpu, KVM_SET_MSRS, index, &value);
}

/*
 * What firmware would have done: memory is write-back unless a page table says otherwise (with
 * MTRRs off it would all be uncached), and fast string instructions are on. Every CPU alike, or
 * Linux complains about a BIOS.
 */
static int set_msrs(struct hv_engine_vcpu *vcpu)
{
	union {
		struct kvm_msrs head;
		uint8_t space[sizeof(struct kvm_msrs) + 2 * sizeof(struct kvm_msr_entry)];
	} msrs = {.head.nmsrs = 1};
	struct kvm_msr_entry *entry = msrs.head.entries;

	entry[0] = (struct kvm_msr_entry){.index = MSR_MISC_ENABLE};
	int rc = hv_kvm_vcpu_ioctl(vcpu, KVM_GET_MSRS, &msrs);
	if (rc == 1)
		entry[0].data |= MISC_ENABLE_FAST_STRING;
	unsigned n = rc == 1 ? 1 : 0;
	entry[n++] = (struct kvm_msr_entry){.index = MSR_MTRR_DEF_TYPE,
					    .data = MTRR_ENABLE | MTRR_WRITE_BACK};
	msrs.head.nmsrs = n;
	rc = hv_kvm_vcpu_ioctl(vcpu, KVM_SET_MSRS, &msrs);
	if (rc < 0)
		return rc;
	return (unsigned)rc == n ? 0 : -EINVAL; /* KVM tells how many it took */
}

int hv_kvm_vcpu_create(struct hv_engine *engine, unsigned apic_id, struct hv_engine_vcpu **out)
{
	struct hv_engine_vcpu *vcpu = calloc(1, sizeof(*vcpu));
	void *run;

	if (!vcpu)
		return -ENOMEM;
	*vcpu = (struct hv_engine_vcpu){.engine = engine, .apic_id = apic_id, .stats = -1};
	vcpu->fd = ioctl(engine->vm, KVM_CREATE_VCPU, (unsigned long)apic_id);
	if (vcpu->fd < 0) {
		int err = -errno;
		free(vcpu);
		return err;
	}
	run = mmap(NULL, (size_t)engine->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED) {
		int err = -errno;
		hv_kvm_vcpu_destroy(vcpu);
		return err;
	}
	vcpu->run = run;
	if (engine->caps.stats)
		vcpu->stats = ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
	vcpu->next = engine->list;
	engine->list = vcpu;
	*out = vcpu;
	return 0;
}

void hv_kvm_vcpu_destroy(struct hv_engine_vcpu *vcpu)
{
	if (!vcpu)
		return;
	for (struct hv_engine_vcpu **at = &vcpu->engine->list; *at; at = &(*at)->next)
		if (*at == vcpu) {
			*at = vcpu->next;
			break;
		}
	if (vcpu->run)
		munmap(vcpu->run, (size_t)vcpu->engine->run_size);
	io_close(&vcpu->stats);
	io_close(&vcpu->fd);
	free(vcpu);
}

int hv_kvm_vcpu_set_cpuid(struct hv_engine_vcpu *vcpu, const struct hv_cpuid_entry *entries,
			  size_t count)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) + count * sizeof(cpuid->entries[0]));

	if (!cpuid)
		return -ENOMEM;
	cpuid->nent = (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		cpuid->entries[i] = (struct kvm_cpuid_entry2){
			.function = entries[i].leaf,
			.index = entries[i].subleaf,
			.flags = entries[i].has_subleaf ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
			.eax = entries[i].eax,
			.ebx = entries[i].ebx,
			.ecx = entries[i].ecx,
			.edx = entries[i].edx,
		};
	int rc = hv_kvm_vcpu_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
	return rc;
}

/* ---- entry ---- */

static struct kvm_segment flat(uint16_t selector, bool code, bool wide)
{
	return (struct kvm_segment){
		.base = 0,
		.limit = UINT32_MAX,
		.selector = selector,
		.type = code ? 11 : 3, /* execute/read or read/write, accessed */
		.present = 1,
		.s = 1,
		.g = 1,
		.l = code && wide,
		.db = !(code && wide),
	};
}

static void fill_sregs(struct kvm_sregs *sregs, const struct hv_entry_state *entry)
{
	bool wide = entry->mode == HV_ENTRY_LONG;
	struct kvm_segment data = flat(entry->data_selector, false, wide);

	sregs->cs = flat(entry->code_selector, true, wide);
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	/* A busy TSS, which Intel CPUs insist on: SDM vol. 3, 27.3.1.2. */
	sregs->tr = (struct kvm_segment){.limit = 0x67, .type = 11, .present = 1};
	sregs->gdt.base = entry->gdt_base;
	sregs->gdt.limit = entry->gdt_limit;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	sregs->cr0 = CR0_PE | CR0_ET;
	sregs->cr3 = 0;
	sregs->cr4 = 0;
	sregs->efer = 0;
	if (wide) {
		sregs->cr0 |= CR0_NE | CR0_PG;
		sregs->cr3 = entry->cr3;
		sregs->cr4 = CR4_PAE;
		sregs->efer = EFER_LME | EFER_LMA;
	}
}

static int enter_at(struct hv_engine_vcpu *vcpu, const struct hv_entry_state *entry)
{
	struct kvm_regs regs = {
		.rip = entry->rip,
		.rsp = entry->rsp,
		.rax = entry->rax,
		.rsi = entry->rsi,
		.rbx = entry->rbx,
		.rflags = RFLAGS_ONE,
	};
	struct kvm_sregs sregs = {0};
	int rc = hv_kvm_vcpu_ioctl(vcpu, KVM_GET_SREGS, &sregs);

	if (rc < 0)
		return rc;
	fill_sregs(&sregs, entry);
	rc = hv_kvm_vcpu_ioctl(vcpu, KVM_SET_SREGS, &sregs);
	return rc < 0 ? rc : hv_kvm_vcpu_ioctl(vcpu, KVM_SET_REGS, &regs);
}

/*
 * KVM finds the target of an IPI in a map of APIC IDs, which it made before this vCPU was in its
 * list and makes anew only when some APIC changes. Writing the state back is such a change; without
 * it a guest whose first act is to start another CPU would reach nobody.
 */
static int announce_apic(struct hv_engine_vcpu *vcpu)
{
	struct kvm_lapic_state apic = {0};
	int rc = hv_kvm_vcpu_ioctl(vcpu, KVM_GET_LAPIC, &apic);

	return rc < 0 ? rc : hv_kvm_vcpu_ioctl(vcpu, KVM_SET_LAPIC, &apic);
}

int hv_kvm_vcpu_set_entry(struct hv_engine_vcpu *vcpu, const struct hv_entry_state *entry)
{
	struct kvm_mp_state state = {
		.mp_state = entry ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED,
	};
	/* KVM has made the CPU as after power-on, at the reset vector (SDM vol. 3, 10.1.4). */
	bool reset = entry && entry->mode == HV_ENTRY_RESET;
	int rc = entry && !reset ? enter_at(vcpu, entry) : 0;

	if (rc == 0 && !reset)
		rc = set_msrs(vcpu);
	if (rc == 0)
		rc = announce_apic(vcpu);
	return rc < 0 ? rc : hv_kvm_vcpu_ioctl(vcpu, KVM_SET_MP_STATE, &state);
}

/* ---- exits ---- */

static void decode_io(struct kvm_run *run, struct hv_exit *exit)
{
	exit->reason = run->io.direction == KVM_EXIT_IO_IN ? HV_EXIT_IO_READ : HV_EXIT_IO_WRITE;
	exit->io.addr = run->io.port;
	exit->io.len = run->io.size;
	exit->io.count = run->io.count;
	exit->io.data = (uint8_t *)run + run->io.data_offset;
}

static void decode_mmio(struct kvm_run *run, struct hv_exit *exit)
{
	exit->reason = run->mmio.is_write ? HV_EXIT_MMIO_WRITE : HV_EXIT_MMIO_READ;
	exit->io.addr = run->mmio.phys_addr;
	exit->io.len = (uint8_t)run->mmio.len;
	exit->io.count = 1;
	exit->io.data = run->mmio.data;
}

static void decode_msr(struct hv_engine_vcpu *vcpu, struct hv_exit *exit)
{
	const struct kvm_run *run = vcpu->run;

	exit->reason =
		run->exit_reason == KVM_EXIT_X86_RDMSR ? HV_EXIT_MSR_READ : HV_EXIT_MSR_WRITE;
	exit->msr.index = run->msr.index;
	exit->msr.data = run->msr.data;
	exit->msr.error = &vcpu->msr_error;
	vcpu->msr_error = false;
	vcpu->msr_pending = true;
}

static void decode(struct hv_engine_vcpu *vcpu, struct hv_exit *exit)
{
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		decode_io(run, exit);
		return;
	case KVM_EXIT_MMIO:
		decode_mmio(run, exit);
		return;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		decode_msr(vcpu, exit);
		return;
	case KVM_EXIT_IOAPIC_EOI:
		exit->reason = HV_EXIT_EOI;
		exit->eoi_vector = run->eoi.vector;
		return;
	case KVM_EXIT_HLT:
		exit->reason = HV_EXIT_HALT;
		return;
	case KVM_EXIT_INTR:
		exit->reason = HV_EXIT_SIGNAL;
		return;
	case KVM_EXIT_SHUTDOWN:
		exit->reason = HV_EXIT_SHUTDOWN;
		return;
	case KVM_EXIT_SYSTEM_EVENT:
		exit->reason = HV_EXIT_SYSTEM_EVENT;
		exit->code = run->system_event.type;
		return;
	case KVM_EXIT_FAIL_ENTRY:
		exit->reason = HV_EXIT_FAIL_ENTRY;
		exit->code = run->fail_entry.hardware_entry_failure_reason;
		return;
	case KVM_EXIT_INTERNAL_ERROR:
		exit->reason = HV_EXIT_INTERNAL_ERROR;
		exit->code = run->internal.suberror;
		return;
	default:
		exit->reason = HV_EXIT_OTHER;
		exit->code = run->exit_reason;
	}
}

/* The thread that runs a vCPU takes kicks, whatever else it blocks. */
static void adopt_thread(struct hv_engine_vcpu *vcpu)
{
	sigset_t kick;

	sigemptyset(&kick);
	sigaddset(&kick, hv_kvm_kick_signal());
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	atomic_store(&vcpu->tid, (int)gettid());
}

/*
 * A kick sets immediate_exit, then sends the signal. Before KVM_RUN the flag makes it come back at
 * once, inside it the signal does; so no kick is lost. Only we, after coming back, clear the flag:
 * whoever kicks later finds it clear, sets it again, and so is seen by the next call.
 */
int hv_kvm_vcpu_run(struct hv_engine_vcpu *vcpu, struct hv_exit *exit)
{
	if (!atomic_load_explicit(&vcpu->tid, memory_order_relaxed))
		adopt_thread(vcpu);
	if (vcpu->msr_pending) {
		vcpu->run->msr.data = exit->msr.data;
		vcpu->run->msr.error = vcpu->msr_error;
		vcpu->msr_pending = false;
	}
	for (;;) {
		if (ioctl(vcpu->fd, KVM_RUN, NULL) == 0) {
			decode(vcpu, exit);
			return 0;
		}
		if (errno == EINTR) {
			__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
			exit->reason = HV_EXIT_SIGNAL;
			return 0;
		}
		/* EAGAIN: a CPU that waited for INIT or SIPI got one. */
		if (errno != EAGAIN)
			return -errno;
	}
}

int hv_kvm_vcpu_kick(struct hv_engine_vcpu *vcpu)
{
	int tid;

	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	tid = atomic_load(&vcpu->tid);
	/* A thread that has ended meanwhile (ESRCH) is out of the guest as well. */
	if (tid && syscall(SYS_tgkill, getpid(), tid, hv_kvm_kick_signal()) < 0 && errno != ESRCH)
		return -errno;
	return 0;
}

/*
 * With a split irqchip KVM takes the interrupt of an 8259 in user space: it tells at each exit
 * whether the CPU would accept one (interrupts on, LVT0 in ExtINT mode and not masked, nothing
 * else on its way), and keeps the one it is given until it has been delivered.
 */
bool hv_kvm_vcpu_ready(const struct hv_engine_vcpu *vcpu)
{
	return vcpu->run->ready_for_interrupt_injection;
}

int hv_kvm_vcpu_extint(struct hv_engine_vcpu *vcpu, uint8_t vector)
{
	const struct kvm_interrupt interrupt = {.irq = vector};
	int rc = hv_kvm_vcpu_ioctl(vcpu, KVM_INTERRUPT, &interrupt);

	return rc == -EEXIST ? -EAGAIN : rc;
}

int hv_kvm_vcpu_describe(struct hv_engine_vcpu *vcpu, char *text, size_t size)
{
	struct kvm_regs r = {0};
	struct kvm_sregs s = {0};
	int rc = hv_kvm_vcpu_ioctl(vcpu, KVM_GET_REGS, &r);

	if (rc == 0)
		rc = hv_kvm_vcpu_ioctl(vcpu, KVM_GET_SREGS, &s);
	if (rc < 0)
		return rc;
	snprintf(text, size,
		 "rip %04x:%016" PRIx64 " rflags %08" PRIx64 " rsp %016" PRIx64 " rax %016" PRIx64
		 " rbx %016" PRIx64 " rcx %016" PRIx64 " rdx %016" PRIx64 " rsi %016" PRIx64
		 " rdi %016" PRIx64 " cr0 %08" PRIx64 " cr2 %016" PRIx64 " cr3 %016" PRIx64
		 " cr4 %08" PRIx64 " efer %" PRIx64 " idt %016" PRIx64 "+%x",
		 s.cs.selector, (uint64_t)r.rip, (uint64_t)r.rflags, (uint64_t)r.rsp,
		 (uint64_t)r.rax, (uint64_t)r.rbx, (uint64_t)r.rcx, (uint64_t)r.rdx,
		 (uint64_t)r.rsi, (uint64_t)r.rdi, (uint64_t)s.cr0, (uint64_t)s.cr2,
		 (uint64_t)s.cr3, (uint64_t)s.cr4, (uint64_t)s.efer, (uint64_t)s.idt.base,
		 s.idt.limit);
	return 0;
}
