/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_release: every unit with a journal, and whether it was left on. See vtd_journal.h. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

#include "base/log.h"
#include "iommu/iommu.h"
#include "iommu/vtd_driver.h"
#include "iommu/vtd_journal.h"
#include "iommu/vtd_place.h"

/* 1 when the unit was left on. */
static int look(const char *run_dir, uint64_t base)
{
	struct vtd_journal *journal;
	int err = vtd_journal_open(run_dir, base, &journal);

	if (err)
		return err;
	int left = vtd_journal_left(journal) != NULL;
	vtd_journal_close(journal);
	return left;
}

int iommu_unit_release(const struct sysfs *fs, const char *run_dir, struct bdf bdf, bool dry_run)
{
	struct vtd_place place;
	int result = vtd_place_find(fs, bdf, &place);

	if (!result)
		result = dry_run ? look(run_dir, place.base)
				 : vtd_driver_release(fs, run_dir, place.base, place.size);
	vtd_place_finish(&place);
	return result;
}

int iommu_units_release(const struct sysfs *fs, const char *run_dir, bool dry_run,
			void (*each)(void *opaque, uint64_t base, int result), void *opaque)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	int first = 0;

	if (snprintf(path, sizeof(path), "%s/iommu", run_dir) >= (int)sizeof(path))
		return log_fail(-ENAMETOOLONG, run_dir, "too long for a run directory");
	DIR *dir = opendir(path);
	if (!dir) /* no driver has ever run here */
		return errno == ENOENT ? 0 : log_fail(-errno, path, "not read: %m");
	while ((entry = readdir(dir))) {
		uint64_t base;
		int end = 0;
		if (sscanf(entry->d_name, "%" SCNx64 ".unit%n", &base, &end) != 1 || !end ||
		    entry->d_name[end])
			continue;
		int result =
			dry_run ? look(run_dir, base) : vtd_driver_release(fs, run_dir, base, 0);
		each(opaque, base, result);
		first = first < 0 ? first : result < 0 ? result : 0;
	}
	closedir(dir);
	return first;
}
