/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a compressed payload: refused, or exactly as long as they claim. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "hv-core/unpack.h"

#define CLAIM_MAX (4 * MIB) /* larger ones cost the fuzzer time and tell nothing more */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *out = NULL;
	size_t len = 0;
	uint32_t claim;

	if (size < sizeof(claim))
		return 0;
	memcpy(&claim, data + size - sizeof(claim), sizeof(claim));
	if (claim > CLAIM_MAX || hv_unpack(data, size, &out, &len) < 0)
		return 0;
	if (len != claim)
		abort();
	munmap(out, len);
	return 0;
}
