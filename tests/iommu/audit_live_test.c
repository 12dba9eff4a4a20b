/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The facts of a made-up machine: firmware's table and functions in a made-up /sys; registers,
 * memory and the pages of a process in files that stand for /dev/mem, /proc/kcore and
 * /proc/PID/pagemap. What cannot be read must be named, and never counts as good.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/audit.h"
#include "iommu/vtd_format.h"
#include "tests/fakes/fake_dmar.h"

#define BASE	 UINT64_C(0xfed90000)
#define KERNEL	 UINT64_C(0xffff888000000000) /* where the kernel shows all memory */
#define PRESENT	 (UINT64_C(1) << 63)
#define LOW_AT	 0x10000 /* in kcore: memory from 0, and from 4 GiB */
#define HIGH_AT	 0x20000
#define OTHER_AT 0x30000 /* and what is no memory */

struct machine {
	struct fake_sysfs fake;
	char root[48];
};

static void write_at(const struct machine *m, const char *path, const void *bytes, size_t len,
		     uint64_t offset)
{
	if (!sysfs_exists(&m->fake.fs, "%s", path))
		fake_put(&m->fake.fs, "", "%s", path);
	int fd = openat(m->fake.fs.root, path, O_WRONLY);
	assert_int_equal(pwrite(fd, bytes, len, (off_t)offset), len);
	close(fd);
}

static void put_registers(const struct machine *m)
{
	const struct {
		unsigned reg;
		uint64_t value;
	} regs[] = {
		{VTD_VER, 0x10},      {VTD_CAP, UINT64_C(0xd2008c222f0686)},
		{VTD_ECAP, 0xf00f5a}, {VTD_GSTS, VTD_GS_TE | VTD_GS_IRE},
		{VTD_RTADDR, 0x1000}, {VTD_IRTA, 0x200f},
	};

	for (size_t i = 0; i < ARRAY_SIZE(regs); i++)
		write_at(m, "dev/mem", &regs[i].value, 8, BASE + regs[i].reg);
	write_at(m, "dev/mem", "", 1, BASE + 4095);
}

static void put_memory(const struct machine *m)
{
	const Elf64_Phdr segments[] = {
		{.p_type = PT_NOTE, .p_offset = 64, .p_filesz = 64},
		/* The kernel's own text, modules: no physical address is told. */
		{.p_type = PT_LOAD,
		 .p_vaddr = 0xffffffff81000000,
		 .p_paddr = UINT64_MAX,
		 .p_offset = OTHER_AT,
		 .p_memsz = GIB},
		{.p_type = PT_LOAD, .p_vaddr = 0x1000, .p_offset = OTHER_AT, .p_memsz = GIB},
		{.p_type = PT_LOAD, .p_vaddr = KERNEL, .p_offset = LOW_AT, .p_memsz = 0x9f800},
		{.p_type = PT_LOAD,
		 .p_vaddr = KERNEL + 4 * GIB,
		 .p_paddr = 4 * GIB,
		 .p_offset = HIGH_AT,
		 .p_memsz = GIB},
	};
	const Elf64_Ehdr head = {
		.e_ident = ELFMAG, .e_phoff = 128, .e_phnum = ARRAY_SIZE(segments)};
	uint64_t page[512] = {0};

	write_at(m, "proc/kcore", &head, sizeof(head), 0);
	write_at(m, "proc/kcore", segments, sizeof(segments), 128);
	page[0] = 0x1111;
	write_at(m, "proc/kcore", page, sizeof(page), LOW_AT + 0x1000);
	page[0] = 0x2222;
	write_at(m, "proc/kcore", page, sizeof(page), HIGH_AT + 0x3000);
}

static void put_firmware(const struct machine *m)
{
	struct table t;

	table_start(&t);
	table_drhd(&t, 1, BASE);
	table_scope(&t, DMAR_SCOPE_IOAPIC, 2, 0xf0, 0x1f00);
	table_scope(&t, DMAR_SCOPE_HPET, 0, 0, 0x1e01);
	table_end(&t);
	table_entry(&t, DMAR_RMRR), table_put(&t, 0, 2), table_put(&t, 0, 2);
	table_put(&t, 0x7d000000, 8), table_put(&t, 0x7d0fffff, 8);
	table_scope(&t, DMAR_SCOPE_ENDPOINT, 0, 0, 0x0200);
	table_end(&t);
	table_install(&t, &m->fake.fs);
}

static int setup(void **state)
{
	static struct machine m;

	fake_sysfs_make(&m.fake);
	snprintf(m.root, sizeof(m.root), "%s", m.fake.dir);
	fake_driver(&m.fake.fs, "igb");
	fake_device(&m.fake.fs, "0000:00:02.0", 1, "");
	fake_device(&m.fake.fs, "0000:01:00.0", 2, "igb");
	fake_device(&m.fake.fs, "0000:01:10.0", 3, "vfio-pci");
	fake_device(&m.fake.fs, "0001:00:00.0", 4, ""); /* a segment that has no unit */
	fake_put(&m.fake.fs, "", "bus/pci/devices/0000:01:10.0/msi_irqs/40");
	fake_put(&m.fake.fs, "", "bus/pci/devices/0000:01:10.0/msi_irqs/41");
	put_firmware(&m);
	put_registers(&m);
	put_memory(&m);
	*state = &m;
	return 0;
}

static int teardown(void **state)
{
	struct machine *m = *state;

	fake_sysfs_remove(&m->fake);
	return 0;
}

static int open_live(const struct machine *m, struct audit *audit)
{
	return audit_open_live(&m->fake.fs, m->root, audit);
}

static void facts(void **state)
{
	const struct machine *m = *state;
	struct audit audit;

	assert_int_equal(open_live(m, &audit), 0);
	assert_int_equal(audit.unit_count, 1);
	const struct audit_unit *unit = audit.units;
	assert_int_equal(unit->base, BASE);
	assert_int_equal(unit->version, 0x10);
	assert_int_equal(unit->cap, UINT64_C(0xd2008c222f0686));
	assert_int_equal(unit->ecap, 0xf00f5a);
	assert_int_equal(unit->gsts, VTD_GS_TE | VTD_GS_IRE);
	assert_int_equal(unit->rtaddr, 0x1000);
	assert_int_equal(unit->irta, 0x200f);
	assert_int_equal(unit->host_width, 39);
	assert_int_equal(audit.device_count, 3);
	const struct audit_device *vf = audit_find_device(&audit, 0, 0x0180);
	assert_non_null(vf);
	assert_int_equal(vf->owner, AUDIT_HOST);
	assert_true(vf->vfio);
	assert_int_equal(vf->vectors, 2);
	assert_string_equal(vf->driver, "vfio-pci");
	const struct audit_device *pf = audit_find_device(&audit, 0, 0x0100);
	assert_true(pf && !pf->vfio && !pf->vectors);
	assert_string_equal(audit_find_device(&audit, 0, 0x0010)->driver, "");
	assert_int_equal(audit.reserved_count, 1);
	assert_int_equal(audit.reserved[0].start, 0x7d000000);
	assert_int_equal(audit.other_count, 2);
	assert_int_equal(audit.others[0], 0xf0f8);
	assert_int_equal(audit.others[1], 0x00f1);
	audit_finish(&audit);
}

/* Where what is no memory lies over the same addresses, it is passed over. */
static void memory(void **state)
{
	const struct machine *m = *state;
	struct audit audit;

	assert_int_equal(open_live(m, &audit), 0);
	const uint64_t *page = audit_page(&audit, 0x1000);
	assert_true(page && page[0] == 0x1111);
	page = audit_page(&audit, 4 * GIB + 0x3000);
	assert_true(page && page[0] == 0x2222);
	assert_ptr_equal(audit_page(&audit, 4 * GIB + 0x3000), page);
	assert_null(audit_page(&audit, 0x9f000));	   /* cut by the segment's end */
	assert_null(audit_page(&audit, 2 * GIB));	   /* no segment */
	assert_null(audit_page(&audit, 4 * GIB + 0x9000)); /* behind the end of the file */
	assert_null(audit_page(&audit, 0x1008));
	audit_finish(&audit);
}

static void closed_doors(void **state)
{
	const struct machine *m = *state;
	const struct sysfs *fs = &m->fake.fs;
	struct audit audit;

	fake_unlink(fs, "proc/kcore");
	assert_int_equal(open_live(m, &audit), -ENOENT);
	fake_put(fs, "too short", "proc/kcore");
	assert_int_equal(open_live(m, &audit), -EPIPE);
	fake_unlink(fs, "dev/mem");
	assert_int_equal(open_live(m, &audit), -ENOENT);
	fake_link(fs, "/dev/null", "dev/mem"); /* as a kernel that is locked down: no map */
	assert_int_equal(open_live(m, &audit), -ENODEV);
	fake_unlink(fs, "firmware/acpi/tables/DMAR");
	assert_int_equal(open_live(m, &audit), -ENOENT);
	assert_int_equal(audit.unit_count, 0);
}

/* ---- pages of a process ---- */

static void put_frame(const struct machine *m, uint64_t page, uint64_t word)
{
	write_at(m, "proc/812/pagemap", &word, 8, page * 8);
}

static void pages_of_a_process(void **state)
{
	const struct audit_owner web = {"vm web", 812, 1};
	const struct machine *m = *state;
	struct audit audit;

	for (uint64_t i = 0; i < 5000; i++) /* more than is read at once */
		put_frame(m, 0x1000 + i, PRESENT | (0x40000 + i));
	put_frame(m, 0x1000 + 5000, PRESENT | 0x90000);
	put_frame(m, 0x1000 + 5002, PRESENT); /* its frame is hidden */
	assert_int_equal(open_live(m, &audit), 0);
	assert_int_equal(audit_add_owner(&audit, &web), 0);
	assert_int_equal(audit_add_memory(&audit, 0, 812, 0x1000000, 0x8000, 5001 * 4 * KIB, true),
			 0);
	assert_int_equal(audit_ready(&audit), 0);
	assert_int_equal(audit.run_count, 2);
	assert_int_equal(audit.runs[0].iova, 0x8000);
	assert_int_equal(audit.runs[0].phys, 0x40000000);
	assert_int_equal(audit.runs[0].size, 5000 * 4 * KIB);
	assert_true(audit.runs[0].write);
	assert_int_equal(audit.runs[1].iova, 0x8000 + 5000 * 4 * KIB);
	assert_int_equal(audit.runs[1].phys, 0x90000000);
	assert_int_equal(
		audit_add_memory(&audit, 0, 812, 0x1000000, 0x4000000, 5002 * 4 * KIB, true),
		-ENODATA); /* one is not there */
	assert_int_equal(audit_add_memory(&audit, 0, 812, 0x1000000 + 5002 * 4 * KIB, 0x8000000,
					  4 * KIB, true),
			 -ENODATA);
	assert_int_equal(audit_add_memory(&audit, 0, 812, GIB, 0x8000000, 4 * KIB, true), -EPIPE);
	assert_int_equal(audit_add_memory(&audit, 0, 813, 0, 0, 4 * KIB, true), -ENOENT);
	audit_finish(&audit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(facts, setup, teardown),
		cmocka_unit_test_setup_teardown(memory, setup, teardown),
		cmocka_unit_test_setup_teardown(closed_doors, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_of_a_process, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
