/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_file: see vm_file.h. What is read here may be anybody's: nothing in it is believed. */
#include "cli/vm_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "base/xxh64.h"

#define CONFIG_MAX (1 * MIB)
#define STATE_MAX  (64 * MIB)
#define RAM_MAX	   (64 * 1024 * GIB)
#define PAGE	   4096u

/* ---- bytes ---- */

static int read_at(int fd, void *to, uint64_t len, uint64_t offset)
{
	uint8_t *at = to;

	while (len) {
		ssize_t n = pread(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		at += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static int write_at(int fd, const void *from, uint64_t len, uint64_t offset)
{
	const uint8_t *at = from;

	while (len) {
		ssize_t n = pwrite(fd, at, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static bool is_zero(const void *bytes, size_t len)
{
	const uint64_t *at = bytes;

	for (size_t i = 0; i < len / sizeof(*at); i++)
		if (at[i])
			return false;
	return true;
}

static uint64_t sum_of(const void *bytes, size_t len)
{
	return xxh64(bytes, len, 0);
}

/* Zero stands for "nothing but zeroes". */
static uint64_t chunk_sum(const void *bytes, size_t len)
{
	uint64_t sum = is_zero(bytes, len) ? 0 : sum_of(bytes, len);

	return sum || is_zero(bytes, len) ? sum : 1;
}

static uint64_t header_sum(const struct vm_file_header *header)
{
	return sum_of(header, offsetof(struct vm_file_header, sum));
}

/* ---- reading ---- */

static int damaged(const struct vm_file *file, const char *what)
{
	return log_fail(-EINVAL, file->subject, "not restored: the file is damaged: %s", what);
}

static bool inside(struct vm_file_part part, uint64_t max, const struct vm_file_header *h)
{
	uint64_t from = h->ram_offset + h->ram_size;

	return part.size <= max && part.offset >= from && part.offset <= h->file_size &&
	       part.size <= h->file_size - part.offset;
}

static bool sane(const struct vm_file_header *h)
{
	return h->chunk == VM_FILE_CHUNK && h->ram_offset == VM_FILE_RAM_AT && h->ram_size &&
	       h->ram_size <= RAM_MAX && IS_ALIGNED(h->ram_size, PAGE) &&
	       h->file_size >= h->ram_offset + h->ram_size &&
	       h->sums.size == (h->ram_size + VM_FILE_CHUNK - 1) / VM_FILE_CHUNK * 8 &&
	       inside(h->sums, RAM_MAX, h) && inside(h->config, CONFIG_MAX, h) &&
	       inside(h->state, STATE_MAX, h);
}

static int check_header(const struct vm_file *file, uint64_t size)
{
	const struct vm_file_header *h = &file->header;

	if (memcmp(h->magic, VM_FILE_MAGIC, sizeof(h->magic)) != 0)
		return log_fail(-EINVAL, file->subject, "not restored: this is no saved VM");
	if (h->version != VM_FILE_VERSION)
		return log_fail(-ENOTSUP, file->subject,
				"not restored: saved in format %u, and this sluice reads format %u",
				h->version, VM_FILE_VERSION);
	if (h->sum != header_sum(h))
		return damaged(file, "its header does not fit its checksum");
	if (size != h->file_size)
		return log_fail(-EINVAL, file->subject,
				"not restored: the file is %s: %llu of %llu bytes",
				size < h->file_size ? "cut off" : "longer than it was",
				(unsigned long long)size, (unsigned long long)h->file_size);
	return sane(h) ? 0 : damaged(file, "its header contradicts itself");
}

int vm_file_open(const char *subject, int fd, struct vm_file *out)
{
	struct stat st;

	*out = (struct vm_file){.subject = subject, .fd = fd};
	if (fstat(fd, &st) < 0)
		return log_fail(-errno, subject, "not restored: %m");
	if (!S_ISREG(st.st_mode) || st.st_size < (off_t)VM_FILE_HEAD)
		return log_fail(-EINVAL, subject, "not restored: this is no saved VM");
	int err = read_at(fd, &out->header, sizeof(out->header), 0);
	if (err)
		return log_fail(err, subject, "not restored: not read: %s", strerror(-err));
	return check_header(out, (uint64_t)st.st_size);
}

/* Allocated, with a zero byte behind it. */
static int read_part(const struct vm_file *file, struct vm_file_part part, const char *what,
		     char **out)
{
	char *bytes = malloc(part.size + 1);
	int err = bytes ? read_at(file->fd, bytes, part.size, part.offset) : -ENOMEM;

	if (err) {
		free(bytes);
		return log_fail(err, file->subject, "not restored: %s not read: %s", what,
				strerror(-err));
	}
	if (sum_of(bytes, part.size) != part.sum) {
		free(bytes);
		return log_fail(-EINVAL, file->subject,
				"not restored: the file is damaged: %s does not fit its checksum",
				what);
	}
	bytes[part.size] = '\0';
	*out = bytes;
	return 0;
}

int vm_file_config(const struct vm_file *file, json_t **out)
{
	char *text = NULL;
	int err = read_part(file, file->header.config, "its configuration", &text);

	if (err)
		return err;
	*out = json_loadb(text, file->header.config.size, JSON_REJECT_DUPLICATES, NULL);
	free(text);
	if (json_is_object(*out))
		return 0;
	json_decref(*out);
	return damaged(file, "its configuration is not understood");
}

int vm_file_state(const struct vm_file *file, struct state **out)
{
	char *text = NULL;
	int err = read_part(file, file->header.state, "its state", &text);

	if (err)
		return err;
	err = state_parse(file->subject, text, file->header.state.size, out);
	free(text);
	return err;
}

static int verify_chunk(const struct vm_file *file, uint64_t at, uint8_t *buffer, uint64_t want)
{
	uint64_t len = MIN(VM_FILE_CHUNK, file->header.ram_size - at);
	int err = read_at(file->fd, buffer, len, file->header.ram_offset + at);

	if (err)
		return log_fail(err, file->subject, "not restored: memory not read: %s",
				strerror(-err));
	if (chunk_sum(buffer, len) == want)
		return 0;
	return log_fail(-EINVAL, file->subject,
			"not restored: the file is damaged: memory at 0x%llx does not fit its "
			"checksum",
			(unsigned long long)at);
}

int vm_file_verify(const struct vm_file *file)
{
	uint8_t *buffer = malloc(VM_FILE_CHUNK);
	char *text = NULL;
	int err = buffer ? read_part(file, file->header.sums, "the table of memory's checksums",
				     &text)
			 : -ENOMEM;

	for (uint64_t at = 0; !err && text && at < file->header.ram_size; at += VM_FILE_CHUNK) {
		uint64_t want;

		memcpy(&want, text + at / VM_FILE_CHUNK * sizeof(want), sizeof(want));
		err = verify_chunk(file, at, buffer, want);
	}
	free(text);
	free(buffer);
	return err;
}

/* ---- writing ---- */

/* Runs of pages that are not all zeroes. */
static int write_pages(int fd, const uint8_t *chunk, size_t len, uint64_t offset)
{
	int err = 0;

	for (size_t at = 0, end; !err && at < len; at = end) {
		bool zero = is_zero(chunk + at, PAGE);

		for (end = at + PAGE; end < len && is_zero(chunk + end, PAGE) == zero;)
			end += PAGE;
		if (!zero)
			err = write_at(fd, chunk + at, end - at, offset + at);
	}
	return err;
}

/* In memory that is a file of its own, what was never touched must not be read: reading would
 * fill it. Returns how many bytes from `at` on are such a hole. */
static uint64_t hole_at(const struct hv_ram_block *block, uint64_t at)
{
	off_t data;

	if (block->fd < 0)
		return 0;
	data = lseek(block->fd, (off_t)(block->offset + at), SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? block->size - at : 0;
	return MIN((uint64_t)data - block->offset, block->size) - at;
}

/* RAM at `ram_at` of the whole begins a chunk, and so does every block. */
static int write_block(int fd, const struct vm_file_source *source,
		       const struct hv_ram_block *block, uint64_t ram_at, uint64_t *sums)
{
	int err = 0;

	for (uint64_t at = 0; !err && at < block->size; at += VM_FILE_CHUNK) {
		uint64_t len = MIN(VM_FILE_CHUNK, block->size - at);
		const uint8_t *chunk = (const uint8_t *)block->hva + at;
		uint64_t *sum = &sums[(ram_at + at) / VM_FILE_CHUNK];

		if (atomic_load(source->cancel))
			return -ECANCELED;
		*sum = hole_at(block, at) >= len ? 0 : chunk_sum(chunk, len);
		if (*sum)
			err = write_pages(fd, chunk, len, VM_FILE_RAM_AT + ram_at + at);
		atomic_fetch_add(source->done, len);
	}
	return err;
}

static int write_ram(int fd, const struct vm_file_source *source, uint64_t *sums)
{
	uint64_t at = 0;
	int err = 0;

	for (size_t i = 0; !err && i < source->blocks; i++) {
		if (!IS_ALIGNED(at, VM_FILE_CHUNK))
			return -EINVAL;
		err = write_block(fd, source, &source->block[i], at, sums);
		at += source->block[i].size;
	}
	return err;
}

static int write_part(int fd, const void *bytes, uint64_t size, uint64_t *end,
		      struct vm_file_part *part)
{
	*part = (struct vm_file_part){.offset = *end, .size = size, .sum = sum_of(bytes, size)};
	*end = ALIGN_UP(*end + size, (uint64_t)PAGE);
	return write_at(fd, bytes, size, part->offset);
}

static int write_parts(int fd, const struct vm_file_source *source, const uint64_t *sums,
		       struct vm_file_header *h)
{
	uint64_t end = h->ram_offset + h->ram_size;
	int err = write_part(fd, sums, h->sums.size, &end, &h->sums);

	if (!err)
		err = write_part(fd, source->config, strlen(source->config), &end, &h->config);
	if (!err)
		err = write_part(fd, source->state, strlen(source->state), &end, &h->state);
	h->file_size = end;
	if (!err && ftruncate(fd, (off_t)end) < 0)
		err = -errno;
	return err;
}

static int seal(int fd, struct vm_file_header *h)
{
	uint8_t head[VM_FILE_HEAD] = {0};

	if (fdatasync(fd) < 0)
		return -errno;
	h->sum = header_sum(h);
	memcpy(head, h, sizeof(*h));
	int err = write_at(fd, head, sizeof(head), 0);
	if (!err && fsync(fd) < 0)
		err = -errno;
	return err;
}

int vm_file_write(int fd, const struct vm_file_source *source)
{
	struct vm_file_header h = {
		.magic = VM_FILE_MAGIC,
		.version = VM_FILE_VERSION,
		.chunk = VM_FILE_CHUNK,
		.ram_offset = VM_FILE_RAM_AT,
		.saved_at = (uint64_t)time(NULL),
	};

	for (size_t i = 0; i < source->blocks; i++)
		h.ram_size += source->block[i].size;
	uint64_t chunks = (h.ram_size + VM_FILE_CHUNK - 1) / VM_FILE_CHUNK;
	uint64_t *sums = calloc(MAX(chunks, UINT64_C(1)), sizeof(*sums));

	h.sums.size = chunks * sizeof(*sums);
	int err = sums ? write_ram(fd, source, sums) : -ENOMEM;
	if (!err)
		err = write_parts(fd, source, sums, &h);
	if (!err)
		err = seal(fd, &h);
	free(sums);
	return err;
}
