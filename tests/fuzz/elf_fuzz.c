/* SPDX-License-Identifier: BSD-3-Clause */
/* Any file as an ELF kernel: segments inside the file, sorted and disjoint; notes inside too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hv-core/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_segments(const struct hv_elf *elf, size_t size)
{
	for (unsigned i = 0; i < elf->segments; i++) {
		const struct hv_elf_segment *seg = &elf->segment[i];

		if (seg->offset > size || seg->filesz > size - seg->offset ||
		    seg->filesz > seg->memsz || seg->memsz == 0 ||
		    seg->paddr > UINT64_MAX - (seg->memsz - 1))
			abort();
		if (i && elf->segment[i - 1].paddr + elf->segment[i - 1].memsz > seg->paddr)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static volatile uint8_t sink;
	struct hv_elf elf;
	const char *why = NULL;
	const uint8_t *note;
	size_t len = 0;

	if (hv_elf_parse(data, size, &elf, &why) < 0) {
		if (!why)
			abort();
		return 0;
	}
	check_segments(&elf, size);
	hv_elf_physical(&elf, elf.entry);
	note = hv_elf_note(data, &elf, "Xen", 18, &len);
	for (size_t i = 0; note && i < len; i++)
		sink = note[i]; /* that it can be read is the point */
	(void)sink;
	return 0;
}
