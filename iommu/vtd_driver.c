/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_driver: see vtd_driver.h. */
#include "iommu/vtd_driver.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/vtd_journal.h"
#include "iommu/vtd_quiesce.h"

struct vtd_driver {
	char name[32];
	struct vtd_journal *journal;
	struct vtd_window *window;
	struct vtd_io io;
	struct vtd_hugefile *file;
	struct vtd_mem *mem;
	struct vtd_unit *unit;
};

static size_t window_size(size_t size)
{
	return ALIGN_UP(size ? size : VTD_REGS_MIN_SIZE, (size_t)VTD_REGS_MIN_SIZE);
}

static void set_name(struct vtd_driver *driver, uint64_t base)
{
	snprintf(driver->name, sizeof(driver->name), "iommu 0x%" PRIx64, base);
}

/* Lock and registers; a unit that was left on is off afterwards. 1 when it was. */
static int take_over(struct vtd_driver *driver, const struct sysfs *fs, const char *run_dir,
		     uint64_t base, size_t size)
{
	int err = vtd_journal_open(run_dir, base, &driver->journal);

	if (!err)
		err = vtd_window_open(VTD_MEMORY, base, window_size(size), &driver->window,
				      &driver->io);
	if (err || !vtd_journal_left(driver->journal))
		return err;
	log_warn(driver->name, "was left on by a driver that was killed; switching it off");
	err = vtd_quiesce(fs, base);
	if (err >= 0)
		err = vtd_switch_off(&driver->io, driver->name, 0);
	if (!err)
		err = vtd_journal_end(driver->journal);
	return err ? err : 1;
}

/* A unit that is on without being ours is the kernel's. */
static int check_free(const struct vtd_driver *driver)
{
	uint32_t state = driver->io.read32(driver->io.opaque, VTD_GSTS);

	if (!(state & (VTD_GS_TE | VTD_GS_IRE)))
		return 0;
	return log_fail(-EPERM, driver->name,
			"the kernel drives it (%s%s is on); boot with intel_iommu=off intremap=off",
			state & VTD_GS_TE ? "translation" : "",
			state & VTD_GS_TE ? "" : "interrupt remapping");
}

static int get_memory(struct vtd_driver *driver, const struct vtd_driver_config *config)
{
	struct vtd_mem_source source;
	struct vtd_ecap ecap;
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/sluice-vtd-%" PRIx64, config->hugetlbfs,
		     config->base) >= (int)sizeof(path))
		return log_fail(-ENAMETOOLONG, config->hugetlbfs, "too long a path");
	/* Of a driver that was killed before it wrote its journal: nothing walks it. */
	unlink(path);
	vtd_ecap_decode(driver->io.read64(driver->io.opaque, VTD_ECAP), &ecap);
	/* Page tables of scalable mode have a capability of their own. */
	bool coherent = ecap.coherent && (!config->unit.scalable || ecap.scalable_coherent);
	int err = vtd_hugefile_open(path, VTD_PAGEMAP, &driver->file, &source);
	if (!err)
		err = vtd_mem_create(&source, coherent, &driver->mem);
	if (!err)
		err = vtd_journal_begin(driver->journal, path);
	if (err && driver->file)
		unlink(path);
	return err;
}

int vtd_driver_open(const struct vtd_driver_config *config, struct vtd_driver **out)
{
	struct vtd_driver *driver = calloc(1, sizeof(*driver));

	if (!driver)
		return -ENOMEM;
	set_name(driver, config->base);
	int err = take_over(driver, config->fs, config->run_dir, config->base, config->size);
	if (err >= 0)
		err = check_free(driver);
	if (!err)
		err = get_memory(driver, config);
	if (!err) {
		struct vtd_config unit = config->unit;
		unit.name = driver->name;
		unit.io = driver->io;
		unit.mem = driver->mem;
		err = vtd_unit_create(&unit, &driver->unit);
	}
	if (err) {
		vtd_driver_close(driver);
		return err;
	}
	*out = driver;
	return 0;
}

/* Only a unit that is off lets go of the memory. */
static void end_journal(struct vtd_driver *driver)
{
	uint32_t on = VTD_GS_TE | VTD_GS_IRE | VTD_GS_QIE;

	if (!driver->window || !driver->journal || !vtd_journal_left(driver->journal))
		return;
	if (!(driver->io.read32(driver->io.opaque, VTD_GSTS) & on))
		vtd_journal_end(driver->journal);
}

void vtd_driver_close(struct vtd_driver *driver)
{
	if (!driver)
		return;
	vtd_unit_destroy(driver->unit);
	vtd_mem_destroy(driver->mem);
	vtd_hugefile_close(driver->file);
	end_journal(driver);
	vtd_window_close(driver->window);
	vtd_journal_close(driver->journal);
	free(driver);
}

struct vtd_unit *vtd_driver_unit(struct vtd_driver *driver)
{
	return driver->unit;
}

struct vtd_mem *vtd_driver_mem(struct vtd_driver *driver)
{
	return driver->mem;
}

int vtd_driver_release(const struct sysfs *fs, const char *run_dir, uint64_t base, size_t size)
{
	struct vtd_driver driver = {0};

	set_name(&driver, base);
	int result = take_over(&driver, fs, run_dir, base, size);
	vtd_window_close(driver.window);
	vtd_journal_close(driver.journal);
	return result;
}
