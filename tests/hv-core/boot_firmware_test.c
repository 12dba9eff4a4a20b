/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unit tests of hv-core/boot_firmware.c and of the tables for machines with PM blocks in acpi.c:
 * the script is run here as firmware runs it, and the result must be a tree of whole tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/util.h"
#include "hv-core/hv.h"
#include "tests/fakes/fake_engine.h"

#define RSDP_AT	  UINT64_C(0xf5000)
#define TABLES_AT UINT64_C(0x0ff00000)

struct fixture {
	struct hv_engine engine;
	struct hv_config config;
	struct hv_vm *vm;
	struct hv_acpi_blob blob;
};

static const struct hv_acpi_config acpi = {
	.pm_port = 0x600,
	.sci_gsi = 9,
	.last_bus = 255,
	.reset_port = 0xcf9,
	.reset_value = 6,
	.serial_port = 0x3f8,
	.serial_gsi = 4,
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_engine_init(&f->engine);
	f->config = (struct hv_config){
		.name = "test",
		.engine = &fake_engine_ops,
		.engine_fd = fake_engine_fd(&f->engine),
		.cpus = 2,
		.ram = 16 * MIB,
	};
	assert_int_equal(loop_create(&f->config.legacy), 0);
	assert_int_equal(hv_vm_create(&f->config, &f->vm), 0);
	assert_int_equal(hv_acpi_blob_build(f->vm, &acpi, 0xe0000000, &f->blob), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hv_acpi_blob_free(&f->blob);
	hv_vm_destroy(f->vm);
	loop_destroy(f->config.legacy);
	close(f->config.engine_fd);
	fake_engine_finish(&f->engine);
	free(f);
	return 0;
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

	for (size_t i = 0; i < len; i++)
		total = (uint8_t)(total + at[i]);
	return total;
}

static uint8_t *file(struct fixture *f, const uint8_t *name, size_t *size)
{
	bool rsdp = strcmp((const char *)name, "etc/acpi/rsdp") == 0;

	if (!rsdp)
		assert_string_equal((const char *)name, "etc/acpi/tables");
	*size = rsdp ? f->blob.rsdp_size : f->blob.tables_size;
	return rsdp ? f->blob.rsdp : f->blob.tables;
}

static void run_pointer(struct fixture *f, const uint8_t *arg)
{
	size_t size, len = arg[116];
	uint8_t *data = file(f, arg, &size);
	uint32_t at = (uint32_t)get(arg + 112, 4);
	uint64_t target = strcmp((const char *)arg + 56, "etc/acpi/tables") ? RSDP_AT : TABLES_AT;

	assert_true(len == 4 || len == 8);
	assert_true(at + len <= size);
	target += get(data + at, len);
	assert_true(target < TABLES_AT + f->blob.tables_size);
	memcpy(data + at, &target, len);
}

/* As OVMF does it, which puts the sum there whatever was: the byte must be zero before. */
static void run_checksum(struct fixture *f, const uint8_t *arg)
{
	size_t size;
	uint8_t *data = file(f, arg, &size);
	uint32_t at = (uint32_t)get(arg + 56, 4), start = (uint32_t)get(arg + 60, 4);
	uint32_t len = (uint32_t)get(arg + 64, 4);

	assert_true(start + len <= size && at < size);
	assert_int_equal(data[at], 0);
	data[at] = (uint8_t)-sum(data + start, len);
}

static void run_script(struct fixture *f)
{
	assert_int_equal(f->blob.script_size % 128, 0);
	for (size_t i = 0; i < f->blob.script_size; i += 128) {
		const uint8_t *c = f->blob.script + i;

		switch (get(c, 4)) {
		case 1:
			break;
		case 2:
			run_pointer(f, c + 4);
			break;
		case 3:
			run_checksum(f, c + 4);
			break;
		default:
			fail_msg("command %u", (unsigned)get(c, 4));
		}
	}
}

static const uint8_t *table(struct fixture *f, uint64_t address, const char *signature)
{
	assert_in_range(address, TABLES_AT, TABLES_AT + f->blob.tables_size - 36);
	const uint8_t *t = f->blob.tables + (address - TABLES_AT);
	size_t len = get(t + 4, 4);

	assert_memory_equal(t, signature, 4);
	assert_true(address - TABLES_AT + len <= f->blob.tables_size);
	if (strcmp(signature, "FACS") != 0)
		assert_int_equal(sum(t, len), 0);
	return t;
}

static void moved_tables_are_whole(void **state)
{
	struct fixture *f = *state;

	run_script(f);
	assert_memory_equal(f->blob.rsdp, "RSD PTR ", 8);
	assert_int_equal(sum(f->blob.rsdp, 20), 0);
	assert_int_equal(sum(f->blob.rsdp, 36), 0);
	const uint8_t *xsdt = table(f, get(f->blob.rsdp + 24, 8), "XSDT");
	const uint8_t *fadt = table(f, get(xsdt + 36, 8), "FACP");
	const uint8_t *madt = table(f, get(xsdt + 44, 8), "APIC");
	const uint8_t *mcfg = table(f, get(xsdt + 52, 8), "MCFG");

	table(f, get(fadt + 40, 4), "DSDT");
	table(f, get(fadt + 140, 8), "DSDT");
	table(f, get(fadt + 36, 4), "FACS");
	assert_int_equal(get(fadt + 46, 2), 9);		   /* SCI_INT */
	assert_int_equal(get(fadt + 56, 4), 0x600);	   /* PM1a_EVT_BLK */
	assert_int_equal(get(fadt + 64, 4), 0x604);	   /* PM1a_CNT_BLK */
	assert_int_equal(get(fadt + 76, 4), 0x608);	   /* PM_TMR_BLK */
	assert_int_equal(get(fadt + 112, 4) >> 20 & 1, 0); /* not hardware-reduced */
	assert_int_equal(get(fadt + 112, 4) >> 4 & 1, 0);  /* a fixed power button */
	assert_int_equal(get(madt + 40, 4), 1);		   /* PCAT_COMPAT */
	assert_int_equal(get(mcfg + 44, 8), 0xe0000000);
	assert_int_equal(mcfg[55], 255);
}

static void the_timer_is_at_input_2(void **state)
{
	struct fixture *f = *state;
	bool timer = false, sci = false;

	run_script(f);
	const uint8_t *xsdt = table(f, get(f->blob.rsdp + 24, 8), "XSDT");
	const uint8_t *madt = table(f, get(xsdt + 44, 8), "APIC");
	for (const uint8_t *e = madt + 44; e < madt + get(madt + 4, 4); e += e[1]) {
		assert_true(e[1] >= 2);
		timer |= e[0] == 2 && e[3] == 0 && get(e + 4, 4) == 2;
		sci |= e[0] == 2 && e[3] == 9 && get(e + 4, 4) == 9 && get(e + 8, 2) == 0x0d;
	}
	assert_true(timer);
	assert_true(sci);
}

static void low_ram_leaves_room(void **state)
{
	struct fixture *f = *state;
	struct hv_mem_layout layout;

	hv_mem_layout(f->vm, &layout);
	assert_int_equal(layout.ecam.start, 0xb0000000);
	assert_int_equal(layout.pci32.start, 0xc0000000);
	assert_int_equal(layout.pci32.last, 0xfebfffff);
}

static void cpus_start_by_themselves(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(hv_boot_firmware(f->vm), 0);
	assert_int_equal(f->engine.entries, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(moved_tables_are_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(the_timer_is_at_input_2, setup, teardown),
		cmocka_unit_test_setup_teardown(low_ram_leaves_room, setup, teardown),
		cmocka_unit_test_setup_teardown(cpus_start_by_themselves, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
