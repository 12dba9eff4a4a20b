/* SPDX-License-Identifier: BSD-3-Clause */
/* Any text as a saved state: refused, or read within bounds. */
#include <stdint.h>
#include <stdlib.h>

#include "base/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state *root;
	uint8_t bytes[8];

	if (state_parse("state", (const char *)data, size, &root) < 0)
		return 0;
	struct state *part = state_open_item(root, "cpu", 0);
	if (state_take(part, "a", 255) > 255)
		abort();
	state_take_bytes(part, "b", bytes, sizeof(bytes));
	state_take_text(state_open(part, "deeper"), "c");
	free(state_text(root));
	state_free(root);
	return 0;
}
