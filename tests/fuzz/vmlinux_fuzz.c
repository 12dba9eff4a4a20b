/* SPDX-License-Identifier: BSD-3-Clause */
/* Any file as the kernel that came out of a bzImage: its parts lie inside its span, and moving it
 * touches nothing outside. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/vmlinux.h"

#define SPAN_MAX (16 * MIB) /* larger ones cost the fuzzer time and tell nothing more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_vmlinux image;
	const char *why = NULL;
	uint8_t *memory;

	if (hv_vmlinux_parse(data, size, &image, &why) < 0) {
		if (!why)
			abort();
		return 0;
	}
	if (hv_vmlinux_check(&image) < 0 || image.entry >= image.span)
		abort();
	memory = image.span <= SPAN_MAX ? calloc(1, image.span) : NULL;
	for (size_t i = 0; memory && i < image.extents; i++)
		memcpy(memory + image.extent[i].at, image.extent[i].data, image.extent[i].len);
	if (memory)
		hv_vmlinux_relocate(&image, memory, 2 * MIB);
	free(memory);
	hv_vmlinux_finish(&image);
	return 0;
}
