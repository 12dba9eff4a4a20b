/* SPDX-License-Identifier: BSD-3-Clause */
/* Any file as a bzImage: what is accepted lies inside the file. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/bzimage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t head[HV_BZIMAGE_HEAD] = {0};
	struct hv_bzimage bz;
	const char *why = NULL;
	uint64_t file_size;

	if (size < sizeof(file_size))
		return 0;
	/* The first bytes are the file's size, the rest is the setup header and what follows. */
	memcpy(&file_size, data, sizeof(file_size));
	memcpy(head + 0x1f1, data + sizeof(file_size),
	       MIN(size - sizeof(file_size), sizeof(head) - 0x1f1));
	memcpy(head + 0x202, "HdrS", 4);
	if (hv_bzimage_parse(head, sizeof(head), file_size, &bz, &why) < 0) {
		if (!why)
			abort();
		return 0;
	}
	if (bz.kernel_offset >= file_size || bz.kernel_size != file_size - bz.kernel_offset)
		abort();
	if (bz.payload_size &&
	    (bz.payload_offset < bz.kernel_offset || bz.payload_offset > file_size ||
	     bz.payload_size > file_size - bz.payload_offset))
		abort();
	return 0;
}
