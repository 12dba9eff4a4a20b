/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tiny: the engine on the machine's own /dev/kvm, with guests of a few instructions each.
 *
 * They are 32-bit, unpaged and without devices, so that they run even where KVM is itself emulated
 * or restricted. Where /dev/kvm is missing or refuses the very first of them, the program says so
 * and ends with 77, which the runner counts as skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "hv-core/engine.h"

#define RAM_SIZE       (64 * KIB)
#define GDT_AT	       0x500
#define CODE_AT	       0x1000
#define HANDLER_AT     0x1100
#define IDT_AT	       0x2000
#define IDT_POINTER_AT 0x3000
#define AP_AT	       0x7000
#define CODE_SELECTOR  0x08
#define DATA_SELECTOR  0x10
#define TIMEOUT_S      30

static const struct hv_engine_config split = {.ioapic_pins = 24};

struct machine {
	int kvm;
	uint8_t *ram;
	struct hv_engine *engine;
	struct hv_engine_vcpu *vcpu;
};

static const struct hv_engine_ops *const kvm = &hv_engine_kvm;

static void write_gdt(uint8_t *ram)
{
	static const uint64_t gdt[] = {0, 0x00cf9b000000ffff, 0x00cf93000000ffff};

	memcpy(ram + GDT_AT, gdt, sizeof(gdt));
}

/* Every vector from 0x20 on goes to the handler; faults find nothing, and so become a triple
 * fault. */
static void write_idt(uint8_t *ram)
{
	const uint64_t gate = (HANDLER_AT & 0xffff) | CODE_SELECTOR << 16 | UINT64_C(0x8e00) << 32;
	const uint16_t limit = 0x100 * 8 - 1;
	const uint32_t base = IDT_AT;

	for (unsigned vector = 0x20; vector < 0x100; vector++)
		memcpy(ram + IDT_AT + vector * 8, &gate, sizeof(gate));
	memcpy(ram + IDT_POINTER_AT, &limit, sizeof(limit));
	memcpy(ram + IDT_POINTER_AT + 2, &base, sizeof(base));
}

static int give_cpuid(struct machine *m, struct hv_engine_vcpu *vcpu)
{
	struct hv_cpuid_entry *cpuid = NULL;
	size_t count = 0;
	int rc = kvm->supported_cpuid(m->engine, &cpuid, &count);

	if (rc == 0)
		rc = kvm->vcpu_set_cpuid(vcpu, cpuid, count);
	free(cpuid);
	return rc;
}

static int machine_make(struct machine *m, const uint8_t *code, size_t len)
{
	const struct hv_entry_state entry = {
		.mode = HV_ENTRY_PROTECTED,
		.rip = CODE_AT,
		.rsp = RAM_SIZE - 16,
		.gdt_base = GDT_AT,
		.gdt_limit = 23,
		.code_selector = CODE_SELECTOR,
		.data_selector = DATA_SELECTOR,
	};
	int rc;

	*m = (struct machine){.kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC)};
	if (m->kvm < 0)
		return -errno;
	m->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m->ram == MAP_FAILED)
		return -errno;
	memcpy(m->ram + CODE_AT, code, len);
	write_gdt(m->ram);
	write_idt(m->ram);
	rc = kvm->create(m->kvm, &split, &m->engine);
	if (rc == 0)
		rc = kvm->map(m->engine, 0, 0, RAM_SIZE, m->ram, false, false);
	if (rc == 0)
		rc = kvm->vcpu_create(m->engine, 0, &m->vcpu);
	if (rc == 0)
		rc = give_cpuid(m, m->vcpu);
	if (rc == 0)
		rc = kvm->vcpu_set_entry(m->vcpu, &entry);
	return rc;
}

static void poke(struct machine *m, uint32_t at, const uint8_t *code, size_t len)
{
	if (m->ram)
		memcpy(m->ram + at, code, len);
}

static void machine_end(struct machine *m)
{
	kvm->vcpu_destroy(m->vcpu);
	if (m->engine)
		kvm->destroy(m->engine);
	if (m->ram && m->ram != MAP_FAILED)
		munmap(m->ram, RAM_SIZE);
	if (m->kvm >= 0)
		close(m->kvm);
}

#define MAKE(m, ...)                                                        \
	do {                                                                \
		static const uint8_t code_[] = {__VA_ARGS__};               \
		alarm(TIMEOUT_S); /* a guest that hangs is a failed test */ \
		assert_int_equal(machine_make(m, code_, sizeof(code_)), 0); \
	} while (0)

static void expect_out(struct hv_engine_vcpu *vcpu, struct hv_exit *exit, uint16_t port,
		       uint32_t value)
{
	uint32_t got = 0;

	assert_int_equal(kvm->vcpu_run(vcpu, exit), 0);
	assert_int_equal(exit->reason, HV_EXIT_IO_WRITE);
	assert_int_equal(exit->io.addr, port);
	memcpy(&got, exit->io.data, exit->io.len);
	assert_int_equal(got, value);
}

/* mov al,0x42; out 0x80,al; in eax,0x84; out 0x88,eax */
static void test_ports(void **state)
{
	struct hv_exit exit = {0};
	struct machine m;
	uint32_t answer = 0x12345678;
	(void)state;

	MAKE(&m, 0xb0, 0x42, 0xe6, 0x80, 0xe5, 0x84, 0xe7, 0x88);
	expect_out(m.vcpu, &exit, 0x80, 0x42);
	assert_int_equal(exit.io.len, 1);
	assert_int_equal(exit.io.count, 1);
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_IO_READ);
	assert_int_equal(exit.io.len, 4);
	memcpy(exit.io.data, &answer, sizeof(answer));
	expect_out(m.vcpu, &exit, 0x88, answer);
	machine_end(&m);
}

/* mov esi,0x1000; mov ecx,6; mov dx,0x3f8; rep outsb: all of it arrives, in order */
static void test_string_output(void **state)
{
	struct hv_exit exit = {0};
	uint8_t got[6];
	size_t n = 0;
	struct machine m;
	(void)state;

	MAKE(&m, 0xbe, 0x00, 0x10, 0, 0, 0xb9, 6, 0, 0, 0, 0x66, 0xba, 0xf8, 0x03, 0xf3, 0x6e);
	while (n < sizeof(got)) {
		assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
		assert_int_equal(exit.reason, HV_EXIT_IO_WRITE);
		assert_int_equal(exit.io.addr, 0x3f8);
		assert_int_equal(exit.io.len, 1);
		assert_in_range(exit.io.count, 1, sizeof(got) - n);
		memcpy(got + n, exit.io.data, exit.io.count);
		n += exit.io.count;
	}
	assert_memory_equal(got, m.ram + CODE_AT, sizeof(got));
	machine_end(&m);
}

/* mov eax,[0xd0000004]; mov [0xd0000008],eax */
static void test_mmio(void **state)
{
	struct hv_exit exit = {0};
	struct machine m;
	uint32_t value = 0xcafe0001, got = 0;
	(void)state;

	MAKE(&m, 0xa1, 0x04, 0, 0, 0xd0, 0xa3, 0x08, 0, 0, 0xd0);
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_MMIO_READ);
	assert_int_equal(exit.io.addr, 0xd0000004);
	assert_int_equal(exit.io.len, 4);
	memcpy(exit.io.data, &value, sizeof(value));
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_MMIO_WRITE);
	assert_int_equal(exit.io.addr, 0xd0000008);
	memcpy(&got, exit.io.data, sizeof(got));
	assert_int_equal(got, value);
	machine_end(&m);
}

/* mov ecx,0x4b4d4f4f; rdmsr; out 0x88,eax; wrmsr (refused: a fault, here a triple one) */
static void test_unknown_msr(void **state)
{
	struct hv_exit exit = {0};
	struct machine m;
	(void)state;

	MAKE(&m, 0xb9, 0x4f, 0x4f, 0x4d, 0x4b, 0x0f, 0x32, 0xe7, 0x88, 0x0f, 0x30);
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_MSR_READ);
	assert_int_equal(exit.msr.index, 0x4b4d4f4f);
	exit.msr.data = 0x55aa;
	expect_out(m.vcpu, &exit, 0x88, 0x55aa);
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_MSR_WRITE);
	assert_int_equal(exit.msr.data & UINT32_MAX, 0x55aa);
	*exit.msr.error = true;
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_SHUTDOWN);
	machine_end(&m);
}

/* ud2, without a handler */
static void test_triple_fault(void **state)
{
	struct hv_exit exit = {0};
	struct machine m;
	char text[768];
	(void)state;

	MAKE(&m, 0x0f, 0x0b);
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_SHUTDOWN);
	assert_int_equal(kvm->vcpu_describe(m.vcpu, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "rip "));
	machine_end(&m);
}

static void *kick_later(void *opaque)
{
	usleep(50000);
	assert_int_equal(kvm->vcpu_kick(opaque), 0);
	return NULL;
}

/*
 * sti; jmp $: kicked before it runs, and while it does. Without the first instruction, Bochs 3.0
 * would not look at the host's interrupts: on VM entry it does so where the interrupt flag changes.
 */
static void test_kick(void **state)
{
	struct hv_exit exit = {0};
	pthread_t thread;
	struct machine m;
	(void)state;

	MAKE(&m, 0xfb, 0xeb, 0xfe);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kvm->vcpu_kick(m.vcpu), 0);
		assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
		assert_int_equal(exit.reason, HV_EXIT_SIGNAL);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_create(&thread, NULL, kick_later, m.vcpu), 0);
		assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
		assert_int_equal(exit.reason, HV_EXIT_SIGNAL);
		pthread_join(thread, NULL);
	}
	machine_end(&m);
}

/* hlt: waits inside the engine, and a kick ends the wait */
static void test_kick_halted(void **state)
{
	struct hv_exit exit = {0};
	pthread_t thread;
	struct machine m;
	(void)state;

	MAKE(&m, 0xf4);
	assert_int_equal(pthread_create(&thread, NULL, kick_later, m.vcpu), 0);
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_SIGNAL);
	pthread_join(thread, NULL);
	machine_end(&m);
}

/* mov al,7; out 0x90,al; out 0x91,al: the first only counts up an eventfd */
static void test_ioeventfd(void **state)
{
	struct hv_exit exit = {0};
	struct machine m;
	uint64_t count = 0;
	int fd = eventfd(0, EFD_NONBLOCK);
	(void)state;

	MAKE(&m, 0xb0, 0x07, 0xe6, 0x90, 0xe6, 0x91);
	assert_int_equal(kvm->ioeventfd(m.engine, fd, 0x90, 1, true, true, 7, true), 0);
	expect_out(m.vcpu, &exit, 0x91, 7);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	assert_int_equal(kvm->ioeventfd(m.engine, fd, 0x90, 1, true, true, 7, false), 0);
	close(fd);
	machine_end(&m);
}

/* Handler: mov al,2; out 0x81,al; mov dword [0xfee000b0],0 (end of interrupt); sti; 1: hlt; jmp 1b.
 * It never returns, because not every KVM can emulate an iret without paging. */
static const uint8_t handler[] = {0xb0, 0x02, 0xe6, 0x81, 0xc7, 0x05, 0xb0, 0x00, 0xe0,
				  0xfe, 0,    0,    0,	  0,	0xfb, 0xf4, 0xeb, 0xfd};

/* lidt [0x3000]; mov dword [0xfee000f0],0x1ff (local APIC on); mov al,1; out 0x80,al; sti;
 * 1: hlt; jmp 1b */
#define INTERRUPTIBLE                                                                             \
	0x0f, 0x01, 0x1d, 0x00, 0x30, 0, 0, 0xc7, 0x05, 0xf0, 0x00, 0xe0, 0xfe, 0xff, 0x01, 0, 0, \
		0xb0, 0x01, 0xe6, 0x80, 0xfb, 0xf4, 0xeb, 0xfd

static void test_msi_and_irqfd(void **state)
{
	const struct hv_msi msi = {.addr = 0xfee00000, .data = 0x40};
	const struct hv_msi nobody = {.addr = 0xfee0a000, .data = 0x40};
	const uint32_t gsi = 24;
	const uint64_t one = 1;
	struct hv_exit exit = {0};
	struct machine m;
	int fd = eventfd(0, EFD_NONBLOCK);
	(void)state;

	MAKE(&m, INTERRUPTIBLE);
	poke(&m, HANDLER_AT, handler, sizeof(handler));
	expect_out(m.vcpu, &exit, 0x80, 1);
	assert_int_equal(kvm->msi_signal(m.engine, &nobody), -EAGAIN);
	assert_int_equal(kvm->msi_signal(m.engine, &msi), 0);
	expect_out(m.vcpu, &exit, 0x81, 2);
	assert_int_equal(kvm->set_routes(m.engine, &gsi, &msi, 1), 0);
	assert_int_equal(kvm->irqfd(m.engine, fd, gsi, true), 0);
	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
	expect_out(m.vcpu, &exit, 0x81, 2);
	assert_int_equal(kvm->irqfd(m.engine, fd, gsi, false), 0);
	assert_int_equal(kvm->set_routes(m.engine, NULL, NULL, 0), 0);
	close(fd);
	machine_end(&m);
}

/* The end of an interrupt is told when, and only when, a pin's route says that it is one of level.
 */
static void test_eoi(void **state)
{
	const struct hv_msi level = {.addr = 0xfee00000, .data = 0x41 | 1u << 15 | 1u << 14};
	const struct hv_msi edge = {.addr = 0xfee00000, .data = 0x42};
	const struct hv_msi routes[] = {level, edge};
	const uint32_t gsi[] = {5, 6};
	struct hv_exit exit = {0};
	struct machine m;
	(void)state;

	MAKE(&m, INTERRUPTIBLE);
	poke(&m, HANDLER_AT, handler, sizeof(handler));
	assert_int_equal(kvm->set_routes(m.engine, gsi, routes, 2), 0);
	expect_out(m.vcpu, &exit, 0x80, 1);
	assert_int_equal(kvm->msi_signal(m.engine, &edge), 0);
	expect_out(m.vcpu, &exit, 0x81, 2);
	assert_int_equal(kvm->msi_signal(m.engine, &level), 0);
	expect_out(m.vcpu, &exit, 0x81, 2); /* not the edge's end */
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_EOI);
	assert_int_equal(exit.eoi_vector, 0x41);
	machine_end(&m);
}

struct second {
	struct hv_engine_vcpu *vcpu;
	int rc;
	struct hv_exit exit;
	uint8_t byte;
};

static void *run_second(void *opaque)
{
	struct second *second = opaque;

	do
		second->rc = kvm->vcpu_run(second->vcpu, &second->exit);
	while (second->rc == 0 && second->exit.reason == HV_EXIT_SIGNAL);
	if (second->rc == 0 && second->exit.reason == HV_EXIT_IO_WRITE)
		second->byte = *(uint8_t *)second->exit.io.data;
	return NULL;
}

/* mov dword [0xfee00310],0x01000000 (to APIC 1); [0xfee00300] = INIT, then SIPI to page 7;
 * out 0x80. The second CPU begins there in real mode: mov al,3; out 0x82,al */
static void test_second_cpu(void **state)
{
	static const uint8_t ap_code[] = {0xb0, 0x03, 0xe6, 0x82};
	struct hv_exit exit = {0};
	struct second second = {0};
	pthread_t thread;
	struct machine m;
	(void)state;

	MAKE(&m, 0xc7, 0x05, 0x10, 0x03, 0xe0, 0xfe, 0, 0, 0, 0x01, /* ICR, high half */
	     0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x00, 0x45, 0, 0,  /* INIT */
	     0xc7, 0x05, 0x00, 0x03, 0xe0, 0xfe, 0x07, 0x46, 0, 0,  /* SIPI */
	     0xb0, 0x01, 0xe6, 0x80);
	poke(&m, AP_AT, ap_code, sizeof(ap_code));
	assert_int_equal(kvm->vcpu_create(m.engine, 1, &second.vcpu), 0);
	assert_int_equal(give_cpuid(&m, second.vcpu), 0);
	assert_int_equal(kvm->vcpu_set_entry(second.vcpu, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, run_second, &second), 0);
	usleep(20000);
	assert_int_equal(kvm->vcpu_kick(second.vcpu), 0); /* while it waits to be started */
	expect_out(m.vcpu, &exit, 0x80, 1);
	pthread_join(thread, NULL);
	assert_int_equal(second.rc, 0);
	assert_int_equal(second.exit.reason, HV_EXIT_IO_WRITE);
	assert_int_equal(second.exit.io.addr, 0x82);
	assert_int_equal(second.byte, 3);
	kvm->vcpu_destroy(second.vcpu);
	machine_end(&m);
}

static const struct hv_engine_stat *find_stat(const struct hv_engine_stat *stats, size_t count,
					      const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(stats[i].name, name))
			return &stats[i];
	return NULL;
}

static void test_stats(void **state)
{
	struct hv_exit exit = {0};
	struct hv_engine_stat *stats = NULL;
	struct hv_engine_caps caps;
	size_t count = 0;
	struct machine m;
	(void)state;

	MAKE(&m, 0xb0, 0x42, 0xe6, 0x80, 0xe6, 0x80);
	expect_out(m.vcpu, &exit, 0x80, 0x42);
	expect_out(m.vcpu, &exit, 0x80, 0x42);
	kvm->caps(m.engine, &caps);
	assert_true(caps.max_vcpus >= 1);
	if (!caps.stats) {
		print_message("#: no binary statistics of KVM to test: this kernel has none\n");
		machine_end(&m);
		skip();
	}
	assert_int_equal(kvm->stats(m.engine, m.vcpu, &stats, &count), 0);
	const struct hv_engine_stat *exits = find_stat(stats, count, "exits");
	assert_non_null(exits);
	assert_true(exits->value >= 2);
	free(stats);
	assert_int_equal(kvm->stats(m.engine, NULL, &stats, &count), 0);
	assert_true(count > 0);
	free(stats);
	machine_end(&m);
}

/* Not a /dev/kvm at all */
static void stand_still(struct machine *m, struct hv_exit *exit)
{
	assert_int_equal(kvm->vcpu_kick(m->vcpu), 0);
	assert_int_equal(kvm->vcpu_run(m->vcpu, exit), 0);
	assert_int_equal(exit->reason, HV_EXIT_SIGNAL);
	assert_int_equal(kvm->clock_stop(m->engine), 0);
}

/* The state as a file has it: text. */
static char *save(struct machine *m)
{
	struct state *s = state_new();

	assert_int_equal(kvm->save(m->engine, m->vcpu, state_child(s, "cpu")), 0);
	assert_int_equal(kvm->save(m->engine, NULL, state_child(s, "engine")), 0);
	assert_int_equal(state_error(s), 0);
	char *text = state_text(s);
	assert_non_null(text);
	state_free(s);
	return text;
}

static int load(struct machine *m, const char *text)
{
	struct state *s;

	assert_int_equal(state_parse("test", text, strlen(text), &s), 0);
	int rc = kvm->load(m->engine, m->vcpu, state_open(s, "cpu"));
	if (rc == 0)
		rc = kvm->load(m->engine, NULL, state_open(s, "engine"));
	state_free(s);
	return rc;
}

/* mov ebx,0x1234; in eax,0x84; out 0x88,eax; mov eax,ebx; out 0x88,eax: saved while the answer to
 * the read is on its way, and it arrives in another VM. */
static void test_state(void **state)
{
	struct hv_exit exit = {0};
	struct machine m, other;
	uint32_t answer = 0x12345678;
	(void)state;

	MAKE(&m, 0xbb, 0x34, 0x12, 0, 0, 0xe5, 0x84, 0xe7, 0x88, 0x89, 0xd8, 0xe7, 0x88);
	assert_int_equal(kvm->vcpu_run(m.vcpu, &exit), 0);
	assert_int_equal(exit.reason, HV_EXIT_IO_READ);
	memcpy(exit.io.data, &answer, sizeof(answer));
	stand_still(&m, &exit);
	char *text = save(&m);

	MAKE(&other, 0xbb, 0x34, 0x12, 0, 0, 0xe5, 0x84, 0xe7, 0x88, 0x89, 0xd8, 0xe7, 0x88);
	assert_int_equal(load(&other, text), 0);
	assert_int_equal(kvm->clock_start(other.engine), 0);
	exit = (struct hv_exit){0};
	expect_out(other.vcpu, &exit, 0x88, answer);
	expect_out(other.vcpu, &exit, 0x88, 0x1234);
	free(text);
	machine_end(&other);
	machine_end(&m);
}

/* A CPU of another make, in the saved table of CPUID: refused before anything is changed. */
static void test_state_of_another_cpu(void **state)
{
	struct hv_exit exit = {0};
	struct machine m;
	(void)state;

	MAKE(&m, 0xe5, 0x84);
	stand_still(&m, &exit);
	char *text = save(&m);
	char *table = strstr(text, "\"cpuid\":\"");
	assert_non_null(table);
	table[strlen("\"cpuid\":\"") + 2 * 4 * 4] ^= 1; /* the first leaf's EBX: the vendor */
	assert_int_equal(load(&m, text), -ENOTSUP);
	free(text);
	machine_end(&m);
}

static uint32_t read_tsc(struct machine *m, struct hv_exit *exit)
{
	uint32_t low = 0;

	assert_int_equal(kvm->vcpu_run(m->vcpu, exit), 0);
	assert_int_equal(exit->reason, HV_EXIT_IO_WRITE);
	memcpy(&low, exit->io.data, sizeof(low));
	return low;
}

/* rdtsc; out 0x88,eax; jmp back: a pause of half a second is none to the guest, nor is it when it
 * is loaded into another VM meanwhile. */
static void test_clocks(void **state)
{
	struct hv_exit exit = {0};
	struct hv_engine_caps caps;
	struct machine m, other;
	(void)state;

	if (access("/sys/module/kvm_intel", F_OK) < 0 && access("/sys/module/kvm_amd", F_OK) < 0) {
		print_message("#: no TSC offset to test: this KVM uses neither VMX nor SVM\n");
		skip();
	}
	MAKE(&m, 0x0f, 0x31, 0xe7, 0x88, 0xeb, 0xfa);
	kvm->caps(m.engine, &caps);
	uint32_t before = read_tsc(&m, &exit);
	stand_still(&m, &exit);
	usleep(500000);
	assert_int_equal(kvm->clock_start(m.engine), 0);
	uint32_t passed = read_tsc(&m, &exit) - before;
	assert_in_range(passed, 1, caps.tsc_khz * 250u);

	before += passed;
	stand_still(&m, &exit);
	char *text = save(&m);
	usleep(500000);
	MAKE(&other, 0x0f, 0x31, 0xe7, 0x88, 0xeb, 0xfa);
	assert_int_equal(load(&other, text), 0);
	assert_int_equal(kvm->clock_start(other.engine), 0);
	exit = (struct hv_exit){0};
	assert_in_range(read_tsc(&other, &exit) - before, 1, caps.tsc_khz * 250u);
	free(text);
	machine_end(&other);
	machine_end(&m);
}

static void test_wrong_descriptor(void **state)
{
	struct hv_engine *engine = NULL;
	int fd = open("/dev/null", O_RDWR);
	(void)state;

	assert_true(kvm->create(fd, &split, &engine) < 0);
	assert_null(engine);
	close(fd);
}

/* Runs the smallest guest there is. */
static int probe(void)
{
	static const uint8_t out[] = {0xb0, 0x42, 0xe6, 0x80};
	struct hv_exit exit = {0};
	struct machine m;
	int rc = machine_make(&m, out, sizeof(out));

	if (rc == 0)
		rc = kvm->vcpu_run(m.vcpu, &exit);
	if (rc < 0)
		printf("SKIP: no guest runs on /dev/kvm here: %s\n", strerror(-rc));
	else if (exit.reason != HV_EXIT_IO_WRITE)
		printf("SKIP: /dev/kvm cannot run a two-instruction guest: exit %d, code 0x%llx\n",
		       exit.reason, (unsigned long long)exit.code);
	machine_end(&m);
	return rc == 0 && exit.reason == HV_EXIT_IO_WRITE ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),	      cmocka_unit_test(test_string_output),
		cmocka_unit_test(test_mmio),	      cmocka_unit_test(test_unknown_msr),
		cmocka_unit_test(test_triple_fault),  cmocka_unit_test(test_kick),
		cmocka_unit_test(test_kick_halted),   cmocka_unit_test(test_ioeventfd),
		cmocka_unit_test(test_msi_and_irqfd), cmocka_unit_test(test_eoi),
		cmocka_unit_test(test_second_cpu),    cmocka_unit_test(test_stats),
		cmocka_unit_test(test_state),	      cmocka_unit_test(test_state_of_another_cpu),
		cmocka_unit_test(test_clocks),	      cmocka_unit_test(test_wrong_descriptor),
	};

	alarm(TIMEOUT_S);
	if (probe() < 0)
		return 77;
	return cmocka_run_group_tests_name("kvm/tiny", tests, NULL, NULL);
}
