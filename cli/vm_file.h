/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_file: a VM in a file: what it was made of, its state, and its RAM.
 *
 *     0         header (below), 4 KiB
 *     2 MiB     RAM: every block one after the other, as long as the RAM is; pages of zeroes are
 *               holes. Its place in the file is aligned as in the guest, so that it can be mapped.
 *     behind    the checksums of RAM, one per 2 MiB (0: nothing but zeroes)
 *               configuration: JSON, how the VM was started
 *               state: JSON, base/state.h
 *
 * Every part has a checksum in the header, the header has one itself, and it is written last, after
 * the rest has reached the disk. So a file whose header fits is whole. RAM's own checksums are only
 * compared where somebody asks for it: reading all of RAM is what restoring avoids.
 */
#ifndef CLI_VM_FILE_H
#define CLI_VM_FILE_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>

#include "base/state.h"
#include "hv-core/hv.h"

#define VM_FILE_MAGIC	"SLUICEVM"
#define VM_FILE_VERSION 1u
#define VM_FILE_CHUNK	(UINT64_C(2) << 20)
#define VM_FILE_RAM_AT	VM_FILE_CHUNK
#define VM_FILE_HEAD	4096u

struct vm_file_part {
	uint64_t offset, size, sum;
};

/* Little-endian, as all hosts that run it are. */
struct vm_file_header {
	char magic[8];
	uint32_t version;
	uint32_t chunk; /* bytes of RAM per checksum */
	uint64_t file_size;
	uint64_t ram_offset, ram_size;
	struct vm_file_part sums, config, state;
	uint64_t saved_at; /* CLOCK_REALTIME, seconds */
	uint64_t sum;	   /* of all that is above */
};
_Static_assert(sizeof(struct vm_file_header) == 128, "the saved VM's header");
_Static_assert(offsetof(struct vm_file_header, sums) == 40, "the saved VM's header");

/* ---- reading; `subject` is the file as messages name it; every failure is logged ---- */

struct vm_file {
	const char *subject;
	int fd; /* the caller's */
	struct vm_file_header header;
};

/* -EINVAL: it is no saved VM, or damaged, and in which way; -ENOTSUP: of another version. */
int vm_file_open(const char *subject, int fd, struct vm_file *out);
int vm_file_config(const struct vm_file *file, json_t **out);
int vm_file_state(const struct vm_file *file, struct state **out);
/* Compares all of RAM with its checksums. */
int vm_file_verify(const struct vm_file *file);

/* ---- writing ---- */

struct vm_file_source {
	const struct hv_ram_block *block; /* RAM; nobody writes there meanwhile */
	size_t blocks;
	const char *config, *state; /* JSON */
	atomic_uint_fast64_t *done; /* bytes of RAM looked at */
	atomic_bool *cancel;
};

/* Into an empty file, and until it has reached the disk. Negative errno, not logged: -ECANCELED,
 * -ENOSPC … */
int vm_file_write(int fd, const struct vm_file_source *source);

#endif
