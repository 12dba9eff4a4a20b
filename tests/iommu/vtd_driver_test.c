/* SPDX-License-Identifier: BSD-3-Clause */
/* A unit taken over with all that belongs to it: journal, registers and memory are made of files
 * and memory here; the lab has the real ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "iommu/iommu.h"
#include "iommu/vtd_driver.h"
#include "iommu/vtd_journal.h"
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
	char dir[32], memory[96];
	struct vtd_driver_config config;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	strcpy(rig->dir, "/tmp/vtd-driver-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	snprintf(rig->memory, sizeof(rig->memory), "%s/sluice-vtd-fed90000", rig->dir);
	rig->config = (struct vtd_driver_config){
		.base = BASE,
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
	assert_int_equal(vtd_driver_release(rig->dir, BASE, 0), -EBUSY);
	assert_int_equal(iommu_units_release(rig->dir, false, hear, &heard), -EBUSY);
	assert_int_equal(iommu_units_release(rig->dir, true, hear, &heard), -EBUSY);
	vtd_driver_close(driver);
	assert_false(fake.gsts & VTD_GS_TE || memory_exists(rig));
	assert_int_equal(vtd_driver_release(rig->dir, BASE, 0), 0);
	vtd_driver_close(NULL);
}

static void what_was_left_on_is_released(void **state)
{
	struct rig *rig = *state;
	struct heard heard = {0};

	assert_int_equal(iommu_units_release("/nowhere", false, hear, &heard), 0);
	leave_on(rig);
	assert_int_equal(iommu_units_release(rig->dir, true, hear, &heard), 0);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.base, BASE);
	assert_int_equal(heard.result, 1);
	assert_true(fake.gsts & VTD_GS_TE && memory_exists(rig));
	assert_int_equal(iommu_units_release(rig->dir, false, hear, &heard), 0);
	assert_int_equal(heard.result, 1);
	assert_false(fake.gsts & VTD_GS_TE || memory_exists(rig));
	assert_int_equal(iommu_units_release(rig->dir, false, hear, &heard), 0);
	assert_int_equal(heard.result, 0);
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
	assert_int_equal(vtd_driver_release(rig->dir, BASE, 0), -ETIMEDOUT);
	assert_true(memory_exists(rig));
	fake.stuck = 0;
	assert_int_equal(vtd_driver_open(&rig->config, &driver), 0);
	fake.stuck = VTD_GS_TE;
	vtd_driver_close(driver);
	assert_true(memory_exists(rig));
	fake.stuck = 0;
	assert_int_equal(vtd_driver_release(rig->dir, BASE, 0), 1);
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
	assert_int_equal(vtd_driver_release(rig->dir, BASE, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_and_gives_back, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_left_on_is_released, setup, teardown),
		cmocka_unit_test_setup_teardown(the_next_driver_takes_over, setup, teardown),
		cmocka_unit_test_setup_teardown(a_unit_that_stays_on_keeps_its_memory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_unit_of_the_kernel_is_left_alone, setup,
						teardown),
		cmocka_unit_test_setup_teardown(failures_leave_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
