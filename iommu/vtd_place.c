/* SPDX-License-Identifier: BSD-3-Clause */
/* vtd_place: see vtd_place.h. */
#include "iommu/vtd_place.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/util.h"
#include "iommu/dmar.h"

#define WIDTH_MAX 52u /* bits 51:12 of every entry that holds an address (VT-d 9) */

static int by_start(const void *a, const void *b)
{
	uint64_t x = ((const struct range *)a)->start, y = ((const struct range *)b)->start;

	return (x > y) - (x < y);
}

static int take_reserved(const struct dmar *dmar, const struct sysfs *fs, struct bdf bdf,
			 struct vtd_place *out)
{
	out->reserved = calloc(dmar->count, sizeof(*out->reserved));
	if (!out->reserved)
		return -ENOMEM;
	for (size_t i = 0; i < dmar->count; i++)
		if (dmar->entries[i].type == DMAR_RMRR && dmar_covers(fs, &dmar->entries[i], bdf))
			out->reserved[out->reserved_count++] = dmar->entries[i].range;
	qsort(out->reserved, out->reserved_count, sizeof(*out->reserved), by_start);
	return 0;
}

int vtd_place_find(const struct sysfs *fs, struct bdf bdf, struct vtd_place *out)
{
	char text[BDF_TEXT];
	struct dmar *dmar;
	int err = dmar_read(fs, &dmar);

	*out = (struct vtd_place){0};
	if (err)
		return err;
	const struct dmar_entry *unit = dmar_unit_of(dmar, fs, bdf);
	if (unit) {
		out->base = unit->range.start;
		out->size = range_size(unit->range);
		out->segment = unit->segment;
		out->host_width = MIN(dmar->host_width, WIDTH_MAX);
		err = take_reserved(dmar, fs, bdf, out);
	} else {
		err = log_fail(-ENODEV, bdf_format(bdf, text),
			       "the firmware names no VT-d unit in front of it");
	}
	dmar_destroy(dmar);
	return err;
}

void vtd_place_finish(struct vtd_place *place)
{
	free(place->reserved);
	*place = (struct vtd_place){0};
}
