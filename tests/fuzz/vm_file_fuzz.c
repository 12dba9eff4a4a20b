/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any file as a saved VM: refused, or read within its bounds. Checksums would keep the fuzzer out,
 * so those of the header and of the parts that lie inside the file are made to fit; the first byte
 * says which are left as they are.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/vm_file.h"
#include "hv-core/xxh64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD sizeof(struct vm_file_header)

static void fit(struct vm_file_part *part, const uint8_t *bytes, size_t size)
{
	if (part->offset <= size && part->size <= size - part->offset)
		part->sum = hv_xxh64(bytes + part->offset, part->size, 0);
}

static void read_all(int fd)
{
	struct vm_file file;
	struct state *state;
	json_t *config;

	if (vm_file_open("fuzz", fd, &file))
		return;
	if (vm_file_config(&file, &config) == 0)
		json_decref(config);
	if (vm_file_state(&file, &state) == 0)
		state_free(state);
	vm_file_verify(&file);
}

/* The header and what follows it; between them stands as much RAM, all zeroes, as the header says,
 * up to 4 MiB. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_file_header h;

	if (size < 1 + HEAD)
		return 0;
	memcpy(&h, data + 1, HEAD);
	uint64_t ram = h.ram_size <= 2 * VM_FILE_CHUNK ? h.ram_size : 2 * VM_FILE_CHUNK;
	size_t rest = size - 1 - HEAD, total = (size_t)(VM_FILE_RAM_AT + ram) + rest;
	uint8_t *bytes = calloc(1, total);
	int fd = memfd_create("fuzz", 0);

	if (!bytes || fd < 0)
		abort();
	memcpy(bytes + total - rest, data + 1 + HEAD, rest);
	if (data[0] & 1)
		h.file_size = total;
	fit(&h.sums, bytes, total);
	fit(&h.config, bytes, total);
	fit(&h.state, bytes, total);
	if (!(data[0] & 2))
		h.sum = hv_xxh64(&h, offsetof(struct vm_file_header, sum), 0);
	memcpy(bytes, &h, HEAD);
	if (write(fd, bytes, total) != (ssize_t)total)
		abort();
	read_all(fd);
	close(fd);
	free(bytes);
	return 0;
}
