/* SPDX-License-Identifier: BSD-3-Clause */
/* range: see range.h. */
#include "base/range.h"

#include <errno.h>

#include "base/util.h"

/* Lowest start >= at (aligned) whose range lies clear of every taken one, or past `last`. */
static bool place_in(struct range gap, const struct range *taken, size_t taken_count, uint64_t size,
		     uint64_t align, uint64_t *start)
{
	uint64_t at = ALIGN_UP(gap.start, align);
	bool moved = true;

	while (moved) {
		moved = false;
		if (at < gap.start || at > gap.last || gap.last - at < size - 1)
			return false;
		for (size_t i = 0; i < taken_count; i++) {
			if (!range_overlaps((struct range){at, at + size - 1}, taken[i]))
				continue;
			if (taken[i].last > UINT64_MAX - align)
				return false; /* rounding up would wrap */
			at = ALIGN_UP(taken[i].last + 1, align);
			moved = true;
		}
	}
	*start = at;
	return true;
}

int range_place(struct range window, const struct range *usable, size_t usable_count,
		const struct range *taken, size_t taken_count, uint64_t size, uint64_t align,
		uint64_t *start)
{
	static const struct range everything = {0, UINT64_MAX};

	if (!usable_count) {
		usable = &everything;
		usable_count = 1;
	}
	for (size_t i = 0; size && i < usable_count; i++) {
		if (!range_overlaps(window, usable[i]))
			continue;
		struct range gap = {MAX(window.start, usable[i].start),
				    MIN(window.last, usable[i].last)};
		if (place_in(gap, taken, taken_count, size, align, start))
			return 0;
	}
	return -ENOSPC;
}
