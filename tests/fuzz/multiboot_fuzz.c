/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any file as a Multiboot kernel: what is accepted lies inside the file and below 4 GiB. The first
 * byte says where a header that is right in itself is put, so that not all time goes into
 * guessing a checksum.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/multiboot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void plant(uint8_t *file, size_t len, size_t at)
{
	uint32_t word[3] = {0x1badb002};

	if (at > len || len - at < sizeof(word))
		return;
	memcpy(&word[1], file + at + 4, sizeof(word[1]));
	word[2] = 0u - word[0] - word[1];
	memcpy(file + at, word, sizeof(word));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hv_multiboot mb;
	const char *why = NULL;
	uint8_t *file;
	size_t len;

	if (size == 0)
		return 0;
	file = malloc(size);
	if (!file)
		return 0;
	len = size - 1;
	memcpy(file, data + 1, len);
	if (data[0] < 0x80)
		plant(file, len, (size_t)data[0] * 4);
	if (hv_multiboot_parse(file, MIN(len, (size_t)HV_MULTIBOOT_HEAD), len, &mb, &why) < 0) {
		if (!why)
			abort();
	} else if (mb.addresses) {
		if (mb.offset > len || mb.filesz > len - mb.offset || mb.memsz < mb.filesz ||
		    mb.memsz == 0 || mb.load > UINT32_MAX - (mb.memsz - 1) || mb.entry < mb.load ||
		    mb.entry - mb.load >= mb.memsz)
			abort();
	}
	free(file);
	return 0;
}
