/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unit tests of hv-core/acpi.c, dsdt.c and aml.c: checksums, pointers, what the tables say; and,
 * where ACPICA's iasl is installed, that it reads the AML without complaint and finds every device.
 */
#include "hv-core/acpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "hv-core/aml.h"
#include "hv-core/numa.h"

#define BASE UINT64_C(0xe0000)

static const struct hv_acpi_intx intx[] = {
	{.bridge = -1, .dev = 1, .gsi = {16, 17, 18, 19}},
	{.bridge = -1, .dev = 2, .gsi = {20, 21, 22, 23}},
	{.bridge = 1, .gsi = {17, 18, 19, 20}},
	{.bridge = 2, .gsi = {21, 22, 23, 16}, .placed = true, .node = 1},
};

static const struct hv_acpi_config config = {
	.last_bus = 3,
	.sleep_port = 0x600,
	.reset_port = 0x602,
	.reset_value = 0x42,
	.event_port = 0x604,
	.event_gsi = 5,
	.serial_port = 0x3f8,
	.serial_gsi = 4,
	.panic_port = 0x505,
	.intx = intx,
	.intx_count = ARRAY_SIZE(intx),
};

static const struct hv_mem_layout layout = {
	.low_ram = {0, 0x1fffffff},
	.high_ram = {1, 0},
	.pci32 = {0xc0000000, 0xfebfffff},
	.ecam = {0xe0000000, 0xefffffff},
	.pci64 = {0x4000000000, 0x7fffffffff},
};

struct tables {
	uint8_t *data;
	size_t size;
};

static struct tables build_on(const struct hv_acpi_config *with, unsigned cpus,
			      const struct hv_numa *numa)
{
	unsigned ids[HV_MAX_CPUS];
	struct hv_acpi_input input = {
		.config = with,
		.layout = &layout,
		.apic_ids = ids,
		.cpus = cpus,
		.ioapic_base = 0xfec00000,
		.numa = numa,
	};
	struct tables t;

	for (unsigned i = 0; i < cpus; i++)
		ids[i] = i == 63 ? 300 : i * 2;
	assert_int_equal(hv_acpi_build(&input, BASE, &t.data, &t.size), 0);
	return t;
}

static struct tables build_with(const struct hv_acpi_config *with, unsigned cpus)
{
	return build_on(with, cpus, NULL);
}

static struct tables build(unsigned cpus)
{
	return build_with(&config, cpus);
}

static uint64_t get(const uint8_t *at, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, at, len);
	return value;
}

static uint8_t sum(const uint8_t *at, size_t len)
{
	uint8_t total = 0;

	while (len--)
		total = (uint8_t)(total + *at++);
	return total;
}

/* The table at a guest address, whole and summing up to zero. */
static const uint8_t *table_at(const struct tables *t, uint64_t address, const char *signature)
{
	const uint8_t *at = t->data + (address - BASE);

	assert_in_range(address, BASE, BASE + t->size - 36);
	assert_in_range(get(at + 4, 4), 36, t->size - (address - BASE));
	assert_memory_equal(at, signature, 4);
	assert_int_equal(sum(at, get(at + 4, 4)), 0);
	return at;
}

static const uint8_t *find_table(const struct tables *t, const char *signature)
{
	const uint8_t *xsdt = table_at(t, get(t->data + 24, 8), "XSDT");

	for (size_t at = 36; at < get(xsdt + 4, 4); at += 8) {
		uint64_t address = get(xsdt + at, 8);

		if (memcmp(t->data + (address - BASE), signature, 4) == 0)
			return table_at(t, address, signature);
	}
	return NULL;
}

static void points_from_rsdp_to_all(void **state)
{
	struct tables t = build(2);
	const uint8_t *fadt;

	(void)state;
	assert_memory_equal(t.data, "RSD PTR ", 8);
	assert_int_equal(sum(t.data, 20), 0);
	assert_int_equal(sum(t.data, 36), 0);
	fadt = find_table(&t, "FACP");
	assert_non_null(fadt);
	assert_non_null(find_table(&t, "APIC"));
	assert_non_null(find_table(&t, "MCFG"));
	table_at(&t, get(fadt + 140, 8), "DSDT");
	free(t.data);
}

/* Every table of the one list is in the other, in 32 bits. */
static void rsdt_lists_what_xsdt_does(void **state)
{
	struct tables t = build(2);
	const uint8_t *xsdt = table_at(&t, get(t.data + 24, 8), "XSDT");
	const uint8_t *rsdt = table_at(&t, get(t.data + 16, 4), "RSDT");
	size_t count = (get(xsdt + 4, 4) - 36) / 8;

	(void)state;
	assert_int_equal(get(rsdt + 4, 4), 36 + 4 * count);
	assert_in_range(count, 3, 16);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(get(rsdt + 36 + 4 * i, 4), get(xsdt + 36 + 8 * i, 8));
	free(t.data);
}

static void fadt_is_hardware_reduced(void **state)
{
	struct tables t = build(1);
	const uint8_t *fadt = find_table(&t, "FACP");
	uint64_t flags = get(fadt + 112, 4);

	(void)state;
	assert_int_equal(get(fadt + 4, 4), 276);
	assert_true(flags & 1u << 20);
	assert_true(flags & 1u << 10);
	assert_int_equal(get(fadt + 109, 2),
			 0x34); /* no VGA, no ASPM, no RTC; no 8042, no legacy */
	assert_int_equal(get(fadt + 116 + 4, 8), 0x602);
	assert_int_equal(fadt[116], 1); /* I/O space */
	assert_int_equal(fadt[128], 0x42);
	assert_int_equal(get(fadt + 244 + 4, 8), 0x600);
	assert_int_equal(get(fadt + 256 + 4, 8), 0x601);
	free(t.data);
}

static void madt_lists_every_cpu(void **state)
{
	struct tables t = build(64);
	const uint8_t *madt = find_table(&t, "APIC");
	unsigned lapics = 0, x2apics = 0, ioapics = 0;

	(void)state;
	for (size_t at = 44; at < get(madt + 4, 4); at += madt[at + 1]) {
		if (madt[at] == 0) {
			assert_int_equal(madt[at + 2], lapics);
			assert_int_equal(madt[at + 3], lapics * 2);
			assert_int_equal(get(madt + at + 4, 4), 1);
			lapics++;
		} else if (madt[at] == 9) {
			assert_int_equal(get(madt + at + 4, 4), 300);
			assert_int_equal(get(madt + at + 12, 4), 63);
			x2apics++;
		} else {
			assert_int_equal(madt[at], 1);
			assert_int_equal(get(madt + at + 4, 4), 0xfec00000);
			ioapics++;
		}
	}
	assert_int_equal(lapics, 63);
	assert_int_equal(x2apics, 1);
	assert_int_equal(ioapics, 1);
	assert_int_equal(get(madt + 40, 4), 0); /* no 8259 */
	free(t.data);
}

/* CPUs that may come are listed as such, and are no different otherwise. */
static void madt_tells_who_may_come(void **state)
{
	struct hv_acpi_config with = config;

	(void)state;
	with.cpu_port = 0x620;
	with.cpus_present = 2;
	struct tables t = build_with(&with, 64);
	const uint8_t *madt = find_table(&t, "APIC");
	unsigned cpu = 0;
	for (size_t at = 44; at < get(madt + 4, 4); at += madt[at + 1]) {
		if (madt[at] == 1)
			continue;
		size_t flags = madt[at] == 0 ? 4 : 8;

		assert_int_equal(get(madt + at + flags, 4), cpu < 2 ? 1 : 2);
		cpu++;
	}
	assert_int_equal(cpu, 64);
	free(t.data);
}

static void mcfg_tells_ecam(void **state)
{
	struct tables t = build(1);
	const uint8_t *mcfg = find_table(&t, "MCFG");

	(void)state;
	assert_int_equal(get(mcfg + 44, 8), 0xe0000000);
	assert_int_equal(mcfg[54], 0);
	assert_int_equal(mcfg[55], 3);
	free(t.data);
}

static void lengths_at_their_limits(void **state)
{
	/* bodies around the steps of PkgLength, and the encodings that ACPI 6.5, 20.2.4 gives */
	static const struct {
		size_t body;
		uint8_t want[3];
		size_t len;
	} step[] = {
		{0, {0x01}, 1},
		{62, {0x3f}, 1},
		{63, {0x41, 0x04}, 2},
		{4093, {0x4f, 0xff}, 2},
		{4094, {0x81, 0x00, 0x01}, 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(step); i++) {
		struct aml a = {0};
		size_t mark = aml_if(&a), len;
		uint8_t *out;

		for (size_t n = 0; n < step[i].body; n++)
			aml_op(&a, AML_ZERO);
		aml_close(&a, mark);
		assert_int_equal(aml_finish(&a, &out, &len), 0);
		assert_int_equal(len, 1 + step[i].len + step[i].body);
		assert_memory_equal(out + 1, step[i].want, step[i].len);
		free(out);
	}
}

static void names_and_numbers(void **state)
{
	static const uint8_t want[] = {'\\', 0x2f, 3,	 '_',  'S',  'B',  '_',	 'P',  'C',
				       'I',  '0',  'S',	 '0',  '1',  '_',  0x00, 0x01, 0x0a,
				       0xff, 0x0b, 0x00, 0x01, 0x0c, 0x41, 0xd0, 0x0a, 0x08};
	struct aml a = {0};
	uint8_t *out;
	size_t len;

	(void)state;
	aml_path(&a, "\\_SB.PCI0.S01");
	aml_int(&a, 0);
	aml_int(&a, 1);
	aml_int(&a, 255);
	aml_int(&a, 256);
	aml_eisa_id(&a, "PNP0A08");
	assert_int_equal(aml_finish(&a, &out, &len), 0);
	assert_int_equal(len, sizeof(want));
	assert_memory_equal(out, want, len);
	free(out);
}

/* ---- with ACPICA ---- */

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (f && text) {
		size_t got = fread(text, 1, (1 << 20) - 1, f);

		text[got] = 0;
	}
	if (f)
		fclose(f);
	return text;
}

static void write_table(const uint8_t *table, const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(table, get(table + 4, 4), 1, f), 1);
	fclose(f);
}

static char *disassemble(const uint8_t *table, const char *dir, const char *name)
{
	char path[128], command[512];

	snprintf(path, sizeof(path), "%s/%s.aml", dir, name);
	write_table(table, path);
	snprintf(command, sizeof(command), "cd %s && iasl -d %s.aml >%s.log 2>&1", dir, name, name);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/%s.dsl", dir, name);
	return slurp(path);
}

/* Back through the compiler: it checks semantics, which the disassembler does not. */
static void compile(const char *dir, const char *name)
{
	char command[512];

	snprintf(command, sizeof(command), "cd %s && iasl -p again %s.dsl >%s.again 2>&1", dir,
		 name, name);
	if (system(command) != 0) {
		snprintf(command, sizeof(command), "cat %s/%s.again", dir, name);
		(void)!system(command);
		fail_msg("iasl refuses what it disassembled");
	}
}

static void iasl_reads_it(void **state)
{
	static const char *const parts[] = {
		"Device (PCI0)",
		"\"PNP0A08\"",
		"Device (S01)",
		"Device (COM1)",
		"\"ACPI0013\"",
		"\"QEMU0001\"",
		"Device (PWRB)",
		"Device (C03F)",
		"Name (\\_S5",
		"\"ACPI0007\"",
		"33db4d5b-1ff7-401c-9657-7441c03dd766",
		"0xC0000000",
		"0xF0000000",
		"Notify (\\_SB.PWRB",
		"Notify (C03F, 0x03)",
		"Method (_EJ0",
		"SystemIO, 0x0638, 0x08",
		"SystemIO, 0x0640, 0x0C",
		"Notify (\\_SB.PCI0.S02.FN, 0x03)",
		"Name (_SUN, 0x02)",
		"\\_SB.EVNT",
		"\"VM_Gen_Counter\"",
		"0xFED60000",
		"Notify (\\_SB.VGEN, 0x80)",
	};
	char dir[] = "/tmp/acpi-XXXXXX", command[64], *text;
	struct tables t;

	(void)state;
	if (system("command -v iasl >/dev/null 2>&1") != 0) {
		print_message("skipped: iasl (package acpica-tools) is not installed\n");
		skip();
	}
	struct hv_acpi_config with = config;
	with.cpu_port = 0x620;
	with.cpus_present = 1;
	with.slot_port = 0x640;
	with.slots = 0x6;
	with.generation = UINT64_C(0x1fed60000);
	t = build_with(&with, 64);
	assert_non_null(mkdtemp(dir));
	text = disassemble(table_at(&t, get(find_table(&t, "FACP") + 140, 8), "DSDT"), dir, "dsdt");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!strstr(text, parts[i]))
			fail_msg("the DSDT lacks %s", parts[i]);
	}
	free(text);
	compile(dir, "dsdt");
	free(disassemble(find_table(&t, "FACP"), dir, "facp"));
	free(disassemble(find_table(&t, "APIC"), dir, "apic"));
	free(disassemble(find_table(&t, "MCFG"), dir, "mcfg"));
	free(t.data);
	/* the same with fixed hardware: the events are a general-purpose one */
	with.pm_port = 0x600;
	with.event_port = 0x610;
	t = build_with(&with, 2);
	const uint8_t *fadt = find_table(&t, "FACP");
	assert_int_equal(get(fadt + 80, 4), 0x60c); /* GPE0_BLK */
	assert_int_equal(fadt[92], 2);
	text = disassemble(table_at(&t, get(fadt + 140, 8), "DSDT"), dir, "dsdt");
	assert_non_null(strstr(text, "Method (_L02"));
	assert_non_null(strstr(text, "Notify (\\_SB.PCI0.S02.FN, 0x03)"));
	assert_null(strstr(text, "ACPI0013"));
	free(text);
	compile(dir, "dsdt");
	free(disassemble(fadt, dir, "facp"));
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	free(t.data);
}

/* The text from `from` on up to the next `Device`. */
static bool says(const char *text, const char *from, const char *what)
{
	const char *at = strstr(text, from), *end = at ? strstr(at + 1, "Device (") : NULL;
	const char *found = at ? strstr(at, what) : NULL;

	return found && (!end || found < end);
}

static void iasl_reads_nodes(void **state)
{
	static const char pxm_0[] = "Name (_PXM, Zero)", pxm_1[] = "Name (_PXM, One)";
	const struct hv_numa numa = {
		.count = 2,
		.node = {{.ram = 256 * MIB, .cpus = 1, .host = -1},
			 {.offset = 256 * MIB, .ram = 256 * MIB, .cpus = 2, .host = -1}},
		.distance = {{10, 20}, {20, 10}},
	};
	char dir[] = "/tmp/acpi-XXXXXX", command[64], *text;
	struct tables t;

	(void)state;
	if (system("command -v iasl >/dev/null 2>&1") != 0) {
		print_message("skipped: iasl (package acpica-tools) is not installed\n");
		skip();
	}
	t = build_on(&config, 2, &numa);
	assert_non_null(mkdtemp(dir));
	text = disassemble(table_at(&t, get(find_table(&t, "FACP") + 140, 8), "DSDT"), dir, "dsdt");
	assert_true(says(text, "Device (C000)", pxm_0));
	assert_true(says(text, "Device (C001)", pxm_1));
	assert_true(says(text, "Device (S02)", pxm_1));
	assert_false(says(text, "Device (S01)", "_PXM"));
	assert_true(says(text, "Device (PCI0)", pxm_1)); /* where its one placed device is */
	free(text);
	compile(dir, "dsdt");
	text = disassemble(find_table(&t, "SRAT"), dir, "srat");
	assert_non_null(strstr(text, "Memory Affinity"));
	assert_null(strstr(text, "Invalid"));
	free(text);
	text = disassemble(find_table(&t, "SLIT"), dir, "slit");
	assert_non_null(strstr(text, "0A 14"));
	free(text);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
	free(t.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(points_from_rsdp_to_all),
		cmocka_unit_test(rsdt_lists_what_xsdt_does),
		cmocka_unit_test(fadt_is_hardware_reduced),
		cmocka_unit_test(madt_lists_every_cpu),
		cmocka_unit_test(madt_tells_who_may_come),
		cmocka_unit_test(mcfg_tells_ecam),
		cmocka_unit_test(lengths_at_their_limits),
		cmocka_unit_test(names_and_numbers),
		cmocka_unit_test(iasl_reads_it),
		cmocka_unit_test(iasl_reads_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
