/* SPDX-License-Identifier: BSD-3-Clause */
/* A unit taken over with all that belongs to it: journal, registers and memory are made of files
 * and memory here; the lab has the real ones. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "iommu/iommu.h"
#include "iommu/vtd_driver.h"
#include "iommu/vtd_journal.h"
#include "iommu/vtd_quiesce.h"
#include "tests/fakes/fake_dmar.h"
#include "tests/fakes/fake_vtd.h"

#define BASE UINT64_C(0xfed90000)

/* What the wrapped functions hand out; one test at a time. */
static struct fake_vtd fake;
static struct fake_chunks chunks;
static int window_error, memory_error;

int __wrap_vtd_window_open(const char *memory, uint64_t base, size_t size, struct vtd_window **out,
			   struct vtd_io *io);
void __wrap_vtd_window_close(struct vtd_window *window);
int __wrap_vtd_hugefile_open(const char *path, const char *pagemap, struct vtd_hugefile **out,
			     struct vtd_mem_source *source);
void __wrap_vtd_hugefile_close(struct vtd_hugefile *file);
int __real_vtd_mem_create(const struct vtd_mem_source *source, bool coherent, struct vtd_mem **out);
int __wrap_vtd_mem_create(const struct vtd_mem_source *source, bool coherent, struct vtd_mem **out);

int __wrap_vtd_window_open(const char *memory, uint64_t base, size_t size, struct vtd_window **out,
			   struct vtd_io *io)
{
	assert_string_equal(memory, "/dev/mem");
	assert_int_equal(base, BASE);
	assert_int_equal(size, 4096);
	*out = (struct vtd_window *)&fake;
	*io = fake.io;
	return window_error;
}

void __wrap_vtd_window_close(struct vtd_window *window)
{
	(void)window;
}

int __wrap_vtd_hugefile_open(const char *path, const char *pagemap, struct vtd_hugefile **out,
			     struct vtd_mem_source *source)
{
	FILE *file = fopen(path, "wx");

	assert_string_equal(pagemap, "/proc/self/pagemap");
	assert_non_null(file);
	fclose(file);
	*out = (struct vtd_hugefile *)&chunks;
	*source = chunks.source;
	return 0;
}

void __wrap_vtd_hugefile_close(struct vtd_hugefile *file)
{
	(void)file;
}

int __wrap_vtd_mem_create(const struct vtd_mem_source *source, bool coherent, struct vtd_mem **out)
{
	if (memory_error)
		return memory_error;
	int err = __real_vtd_mem_create(source, coherent, out);
	fake.mem = *out;
	return err;
}

struct rig {
	struct fake_sysfs machine;
	char dir[32], memory[96];
	struct vtd_driver_config config;
};

/* Configuration space of a function: its command register and type of header. */
static void put_config(const struct sysfs *fs, const char *bdf, uint8_t command, uint8_t type)
{
	uint8_t config[64] = {[4] = command, [5] = 0x04, [0x0e] = type};
	char path[SYSFS_PATH];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", bdf);
	fake_put(fs, "", "%s", path);
	int fd = openat(fs->root, path, O_WRONLY);
	assert_int_equal(write(fd, config, sizeof(config)), sizeof(config));
	close(fd);
}

static uint8_t command_of(const struct sysfs *fs, const char *bdf)
{
	uint8_t config[64] = {0};
	char path[SYSFS_PATH];

	snprintf(path, sizeof(path), "bus/pci/devices/%s/config", bdf);
	int fd = openat(fs->root, path, O_RDONLY);
	assert_int_equal(read(fd, config, sizeof(config)), sizeof(config));
	close(fd);
	assert_int_equal(config[5], 0x04); /* the rest of the register is as it was */
	return config[4];
}

/* A device that the driver had, the host's, a bridge, and one behind another unit. */
static void make_machine(struct fake_sysfs *machine)
{
	static const char *const devices[] = {"0000:00:03.0", "0000:00:04.0", "0000:00:1c.0",
					      "0000:00:05.0"};
	struct table t;

	fake_sysfs_make(machine);
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		fake_device(&machine->fs, devices[i], -1, "");
		put_config(&machine->fs, devices[i], 0x06, i == 2 ? 0x81 : 0);
	}
	fake_driver(&machine->fs, "e1000e");
	fake_bind(&machine->fs, "0000:00:04.0", "e1000e");
	table_start(&t);
	table_drhd(&t, 0, BASE + 0x1000), table_scope(&t, 1, 0, 0, 0x0500), table_end(&t);
	table_drhd(&t, 1, BASE), table_end(&t);
	table_install(&t, &machine->fs);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	strcpy(rig->dir, "/tmp/vtd-driver-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->memory, sizeof(rig->memory), "%s/sluice-vtd-fed90000", rig->dir);
	make_machine(&rig->machine);
	rig->config = (struct vtd_driver_config){
		.base = BASE,
		.fs = &rig->machine.fs,
		.run_dir = rig->dir,
		.hugetlbfs = rig->dir,
		.unit = {.host_width = 46, .interrupts = 256, .timeout_ms = 20},
	};
	fake_chunks_init(&chunks);
	fake_vtd_init(&fake, NULL, FAKE_CAP, FAKE_ECAP);
	window_error = memory_error = 0;
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", rig->dir);
	assert_int_equal(system(command), 0);
	fake_sysfs_remove(&rig->machine);
	free(rig);
	return 0;
}

static bool memory_exists(const struct rig *rig)
{
	return access(rig->memory, F_OK) == 0;
}

struct heard {
	unsigned count;
	uint64_t base;
	int result;
};

static void hear(void *opaque, uint64_t base, int result)
{
	struct heard *heard = opaque;

	heard->count++;
	heard->base = base;
	heard->result = result;
}

/* Leaves the unit and the journal as a kill -9 does. */
static void leave_on(struct rig *rig)
{
	struct vtd_journal *journal;
	FILE *file = fopen(rig->memory, "w");

	assert_non_null(file);
	fclose(file);
	assert_int_equal(vtd_journal_open(rig->dir, BASE, &journal), 0);
	assert_int_equal(vtd_journal_begin(journal, rig->memory), 0);
	vtd_journal_close(journal);
	fake.gsts = VTD_GS_TE | VTD_GS_QIE | VTD_GS_IRE;
}

static void takes_and_gives_back(void **state)
{
	struct rig *rig = *state;
	struct vtd_driver *driver;
	struct heard heard = {0};

	assert_int_equal(vtd_driver_open(&rig->config, &driver), 0);
	assert_non_null(vtd_driver_unit(driver));
	assert_ptr_equal(vtd_driver_mem(driver), fake.mem);
	assert_true(fake.gsts & VTD_GS_TE && memory_exists(rig));
	assert_int_equal(vtd_driver_release(&rig->machine.fs, rig->dir, BASE, 0), -EBUSY);
	assert_int_equal(iommu_units_release(&rig->machine.fs, rig->dir, false, hear, &heard),
			 -EBUSY);
	assert_int_equal(iommu_units_release(&rig->machine.fs, rig->dir, true, hear, &heard),
			 -EBUSY);
	vtd_driver_close(driver);
	assert_false(fake.gsts & VTD_GS_TE || memory_exists(rig));
	assert_int_equal(vtd_driver_release(&rig->machine.fs, rig->dir, BASE, 0), 0);
	vtd_driver_close(NULL);
}

static void what_was_left_on_is_released(void **state)
{
	struct rig *rig = *state;
	struct heard heard = {0};

	assert_int_equal(iommu_units_release(&rig->machine.fs, "/nowhere", false, hear, &heard), 0);
	leave_on(rig);
	assert_int_equal(iommu_units_release(&rig->machine.fs, rig->dir, true, hear, &heard), 0);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.base, BASE);
	assert_int_equal(heard.result, 1);
	assert_true(fake.gsts & VTD_GS_TE && memory_exists(rig));
	assert_int_equal(iommu_units_release(&rig->machine.fs, rig->dir, false, hear, &heard), 0);
	assert_int_equal(heard.result, 1);
	assert_false(fake.gsts & VTD_GS_TE || memory_exists(rig));
	assert_int_equal(iommu_units_release(&rig->machine.fs, rig->dir, false, hear, &heard), 0);
	assert_int_equal(heard.result, 0);
}

/* What its killed driver left running stands still before its unit goes off; nothing else does. */
static void a_device_left_running_is_stopped(void **state)
{
	struct rig *rig = *state;
	const struct sysfs *fs = &rig->machine.fs;
	const struct bdf device = {0, 0, 3, 0};

	assert_int_equal(iommu_unit_release(fs, rig->dir, device, false), 0);
	assert_int_equal(command_of(fs, "0000:00:03.0"), 6); /* nothing was left on */
	leave_on(rig);
	assert_int_equal(iommu_unit_release(fs, rig->dir, device, true), 1);
	assert_int_equal(command_of(fs, "0000:00:03.0"), 6);
	assert_int_equal(iommu_unit_release(fs, rig->dir, device, false), 1);
	assert_int_equal(fake.gsts & VTD_GS_TE, 0);
	assert_int_equal(command_of(fs, "0000:00:03.0"), 2);
	assert_int_equal(command_of(fs, "0000:00:04.0"), 6); /* the host's */
	assert_int_equal(command_of(fs, "0000:00:1c.0"), 6); /* a bridge */
	assert_int_equal(command_of(fs, "0000:00:05.0"), 6); /* behind another unit */
	assert_int_equal(vtd_quiesce(fs, BASE + 0x1000), 1);
	assert_int_equal(vtd_quiesce(fs, BASE + 0x1000), 0);
	fake_unlink(fs, "bus/pci/devices/0000:00:03.0/config"); /* pulled out */
	assert_int_equal(vtd_quiesce(fs, BASE), 0);
}

/* Who cannot stop the device leaves the unit on: then it still reaches what it reached, and no
 * more. */
static void a_device_that_does_not_stop(void **state)
{
	struct rig *rig = *state;
	const struct sysfs *fs = &rig->machine.fs;
	const struct bdf device = {0, 0, 3, 0};

	leave_on(rig);
	fake_unlink(fs, "bus/pci/devices/0000:00:03.0/config");
	fake_put(fs, "short", "bus/pci/devices/0000:00:03.0/config");
	assert_int_equal(iommu_unit_release(fs, rig->dir, device, false), -EPIPE);
	assert_true(fake.gsts & VTD_GS_TE && memory_exists(rig));
	fake_unlink(fs, "firmware/acpi/tables/DMAR");
	assert_int_equal(iommu_unit_release(fs, rig->dir, device, false), -ENOENT);
	assert_int_equal(vtd_driver_release(fs, rig->dir, BASE, 0), -ENOENT);
	assert_true(fake.gsts & VTD_GS_TE && memory_exists(rig));
}

static void the_next_driver_takes_over(void **state)
{
	struct rig *rig = *state;
	struct vtd_driver *driver;

	leave_on(rig);
	assert_int_equal(vtd_driver_open(&rig->config, &driver), 0);
	vtd_driver_close(driver);
	assert_false(memory_exists(rig));
}

/* While the unit does not go off, its tables stay where it can walk them. */
static void a_unit_that_stays_on_keeps_its_memory(void **state)
{
	struct rig *rig = *state;
	struct vtd_driver *driver;

	leave_on(rig);
	fake.stuck = VTD_GS_TE;
	assert_int_equal(vtd_driver_release(&rig->machine.fs, rig->dir, BASE, 0), -ETIMEDOUT);
	assert_true(memory_exists(rig));
	fake.stuck = 0;
	assert_int_equal(vtd_driver_open(&rig->config, &driver), 0);
	fake.stuck = VTD_GS_TE;
	vtd_driver_close(driver);
	assert_true(memory_exists(rig));
	fake.stuck = 0;
	assert_int_equal(vtd_driver_release(&rig->machine.fs, rig->dir, BASE, 0), 1);
	assert_false(memory_exists(rig));
}

static void a_unit_of_the_kernel_is_left_alone(void **state)
{
	struct rig *rig = *state;
	struct vtd_driver *driver;

	fake.gsts = VTD_GS_TE | VTD_GS_IRE;
	assert_int_equal(vtd_driver_open(&rig->config, &driver), -EPERM);
	assert_int_equal(fake.gsts, VTD_GS_TE | VTD_GS_IRE);
	fake.gsts = VTD_GS_IRE;
	assert_int_equal(vtd_driver_open(&rig->config, &driver), -EPERM);
	assert_int_equal(fake.gsts, VTD_GS_IRE);
}

static void failures_leave_nothing(void **state)
{
	struct rig *rig = *state;
	struct vtd_driver *driver;

	window_error = -EPERM;
	assert_int_equal(vtd_driver_open(&rig->config, &driver), -EPERM);
	window_error = 0;
	memory_error = -ENOMEM;
	assert_int_equal(vtd_driver_open(&rig->config, &driver), -ENOMEM);
	assert_false(memory_exists(rig));
	memory_error = 0;
	fake.stuck = VTD_GS_RTP;
	assert_int_equal(vtd_driver_open(&rig->config, &driver), -ETIMEDOUT);
	assert_false(memory_exists(rig));
	assert_int_equal(vtd_driver_release(&rig->machine.fs, rig->dir, BASE, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_and_gives_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_left_on_is_released, setup, teardown),
		cmocka_unit_test_setup_teardown(a_device_left_running_is_stopped, setup, teardown),
		cmocka_unit_test_setup_teardown(a_device_that_does_not_stop, setup, teardown),
		cmocka_unit_test_setup_teardown(the_next_driver_takes_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unit_that_stays_on_keeps_its_memory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_unit_of_the_kernel_is_left_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(failures_leave_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
