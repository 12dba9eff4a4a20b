/* SPDX-License-Identifier: BSD-3-Clause */
/* proc: texts as kernels write them, and texts cut short. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cli/proc.h"

static FILE *text(const char *bytes)
{
	FILE *in = fmemopen((void *)(uintptr_t)bytes, strlen(bytes), "r");

	assert_non_null(in);
	return in;
}

static void test_meminfo(void **state)
{
	FILE *in =
		text("MemTotal:       24683284 kB\nMemFree: 1 kB\nMemAvailable:   23050000 kB\n");
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(proc_meminfo(in, "MemAvailable", &bytes), 0);
	assert_int_equal(bytes, 23050000ull * 1024);
	rewind(in);
	assert_int_equal(proc_meminfo(in, "Mem", &bytes), -ENOENT);
	fclose(in);
}

static void test_cpuinfo(void **state)
{
	FILE *in = text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"
			"flags\t\t: fpu vmx smx\nvmx flags\t: vnmi ept vpid\n\nprocessor\t: 1\n"
			"model name\t: Some CPU @ 2 GHz\nflags\t\t: fpu vmx\n");
	struct proc_cpu cpu;

	(void)state;
	proc_cpuinfo(in, &cpu);
	fclose(in);
	assert_string_equal(cpu.model, "Some CPU @ 2 GHz");
	assert_int_equal(cpu.count, 2);
	assert_true(cpu.vmx && cpu.ept && !cpu.svm && !cpu.npt);
	in = text("processor\t: 0\nflags\t: fpu svm_lock nsvm\n"); /* neither is svm */
	proc_cpuinfo(in, &cpu);
	fclose(in);
	assert_false(cpu.svm);
}

static const char interrupts[] =
	"            CPU0       CPU1       \n"
	"   1:          0          9  IR-IO-APIC    1-edge      i8042\n"
	"  45:         10         32  IR-PCI-MSIX-0000:01:10.0    0-edge      vfio-msix[0](0000:01:10.0)\n"
	"  46:          7          0  IR-PCI-MSIX-0000:01:10.0    1-edge      vfio-msix[1](0000:01:10.0)\n"
	" NMI:          1          2   Non-maskable interrupts\n";

static void test_interrupts(void **state)
{
	FILE *in = text(interrupts);
	uint64_t count = 0;
	char chip[64] = "";
	unsigned irq = 0;

	(void)state;
	assert_int_equal(
		proc_interrupt(in, "vfio-msix[0](0000:01:10.0)", &count, chip, sizeof(chip)), 0);
	assert_int_equal(count, 42);
	assert_string_equal(chip, "IR-PCI-MSIX-0000:01:10.0");
	rewind(in);
	assert_int_equal(
		proc_interrupt(in, "vfio-msix[2](0000:01:10.0)", &count, chip, sizeof(chip)),
		-ENOENT);
	rewind(in);
	rewind(in);
	assert_int_equal(proc_interrupt_number(in, "vfio-msix[0](0000:01:10.0)", &irq), 0);
	assert_true(irq > 0);
	rewind(in);
	assert_int_equal(proc_interrupt_number(in, "vfio-msix[2](0000:01:10.0)", &irq), -ENOENT);
	rewind(in);
	rewind(in);
	assert_int_equal(proc_interrupt_named(in, "NMI", &count), 0);
	assert_int_equal(count, 3);
	rewind(in);
	assert_int_equal(proc_interrupt_named(in, "NM", &count), -ENOENT);
	rewind(in);
	assert_true(proc_interrupts_remapped(in));
	fclose(in);
	in = text("  1:  0  9  IO-APIC  1-edge  i8042\n");
	assert_false(proc_interrupts_remapped(in));
	fclose(in);
}

static const char smaps[] =
	"55d0c0000000-55d0c0010000 r-xp 00000000 08:01 123  /usr/libexec/sluice-vmm\n"
	"Size:                 64 kB\nPss:                  40 kB\nPss_Dirty:             0 kB\n"
	"7f0000000000-7f0020000000 rw-s 00000000 00:01 9   /memfd:ram (deleted)\n"
	"Size:             524288 kB\nPss:              100000 kB\n"
	"7f0020000000-7f0020001000 rw-p 00000000 00:00 0 \n"
	"Pss:                   4 kB\n";

static void test_smaps(void **state)
{
	const struct proc_area ram = {0x7f0000000000, 512 * MIB};
	struct proc_memory memory;
	FILE *in = text(smaps);

	(void)state;
	proc_smaps(in, &ram, 1, &memory);
	assert_int_equal(memory.pss, 44 * KIB);
	assert_int_equal(memory.ram_pss, 100000 * KIB);
	rewind(in);
	proc_smaps(in, NULL, 0, &memory);
	assert_int_equal(memory.pss, 100044 * KIB);
	fclose(in);
}

static void test_status(void **state)
{
	FILE *in = text("Name:\tsluice-vmm\nVmLck:\t       0 kB\nVmPin:\t  262144 kB\n");
	uint64_t bytes = 0;

	(void)state;
	assert_int_equal(proc_status(in, "VmPin", &bytes), 0);
	assert_int_equal(bytes, 256 * MIB);
	fclose(in);
}

static void test_numa_node(void **state)
{
	static const struct {
		const char *maps;
		int node;
	} cases[] = {
		{"", -1},
		{"7f00 default file=/lib/x mapped=4\n", -1},
		{"7f00 bind:1 anon=4 dirty=4 N1=4 kernelpagesize_kB=4\n", 1},
		{"7f00 default anon=9 N0=3 N1=6 kernelpagesize_kB=4\n", -1},
		/* few, but large */
		{"7f00 default anon=9 N0=9 kernelpagesize_kB=4\n"
		 "7f80 default huge anon=2 N2=2 kernelpagesize_kB=2048\n",
		 2},
		{"7f00 default anon=8 N0=6 N1=2 kernelpagesize_kB=4\n", 0},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *in = text(cases[i].maps);

		assert_int_equal(proc_numa_node(in), cases[i].node);
		fclose(in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_meminfo),	   cmocka_unit_test(test_cpuinfo),
		cmocka_unit_test(test_interrupts), cmocka_unit_test(test_smaps),
		cmocka_unit_test(test_status),	   cmocka_unit_test(test_numa_node),
	};

	return cmocka_run_group_tests_name("proc", tests, NULL, NULL);
}
