/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as the firmware's DMAR table; length and checksum are put right, or nothing would get
 * past them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/sysfs.h"
#include "iommu/dmar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct sysfs nowhere = {.root = -1};
	uint8_t *table, sum = 0;
	struct dmar *dmar;

	if (size < 48 || size > 65536)
		return 0;
	table = malloc(size);
	if (!table)
		return 0;
	memcpy(table, data, size);
	memcpy(table, "DMAR", 4);
	for (unsigned i = 0; i < 4; i++)
		table[4 + i] = (uint8_t)(size >> (8 * i));
	table[9] = 0;
	for (size_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + table[i]);
	table[9] = (uint8_t)-sum;
	if (dmar_parse(table, size, &dmar) == 0) {
		for (size_t i = 0; i < dmar->count; i++)
			if (dmar->entries[i].type == DMAR_DRHD &&
			    dmar->entries[i].range.last < dmar->entries[i].range.start)
				abort();
		dmar_unit_of(dmar, &nowhere, (struct bdf){0, 1, 16, 0});
		dmar_destroy(dmar);
	}
	free(table);
	return 0;
}
