/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kcache: the file format (header, extents, relocations, then page-aligned data) and its upkeep.
 *
 * The format is for this machine alone: fields are in host order.
 */
#include "hv-core/kcache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"
#include "base/xxh64.h"

/* The last byte is the version of the format. */
#define MAGIC	    UINT64_C(0x534c554943454b02)
#define PREFIX	    "kernel-"
#define CHUNK	    ((size_t)256 << 10) /* stays in a CPU's cache between reading and summing */
#define READERS	    4u
#define MAX_EXTENTS (HV_VMLINUX_SPAN / HV_VMLINUX_PAGE)
#define MAX_RELOCS  (UINT64_C(16) << 20)

struct header {
	uint64_t magic;
	struct hv_kcache_key key;
	uint64_t load, span, entry;
	uint64_t extents;
	uint32_t relocs[HV_RELOC_KINDS];
	uint32_t reserved;
	uint64_t table_sum;  /* of extents and relocations */
	uint64_t data_sum;   /* chained over chunks */
	uint64_t header_sum; /* of what is above */
};

/* As it lies in the file. */
struct extent {
	uint64_t at, len;
};

_Static_assert(sizeof(struct header) == 120, "no padding: the header is summed as bytes");

static uint64_t header_sum(const struct header *header)
{
	return xxh64(header, offsetof(struct header, header_sum), 0);
}

static uint64_t reloc_count(const uint32_t relocs[HV_RELOC_KINDS])
{
	return (uint64_t)relocs[HV_RELOC_64] + relocs[HV_RELOC_INVERSE] + relocs[HV_RELOC_32];
}

static size_t table_size(const struct header *header)
{
	return header->extents * sizeof(struct extent) +
	       reloc_count(header->relocs) * sizeof(uint32_t);
}

static uint64_t data_start(const struct header *header)
{
	return ALIGN_UP((uint64_t)sizeof(*header) + table_size(header), HV_VMLINUX_PAGE);
}

static uint64_t time_ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * UINT64_C(1000000000) + (uint64_t)t->tv_nsec;
}

int hv_kcache_key(int kernel_fd, struct hv_kcache_key *key)
{
	struct stat st;

	if (fstat(kernel_fd, &st) < 0)
		return -errno;
	*key = (struct hv_kcache_key){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
		.mtime_ns = time_ns(&st.st_mtim),
		.ctime_ns = time_ns(&st.st_ctim),
	};
	return 0;
}

void hv_kcache_name(const struct hv_kcache_key *key, char name[HV_KCACHE_NAME])
{
	snprintf(name, HV_KCACHE_NAME, PREFIX "%016" PRIx64, xxh64(key, sizeof(*key), MAGIC));
}

/* ---- reading ---- */

static int split_tables(const struct header *header, const uint8_t *tables, struct hv_vmlinux *out)
{
	uint64_t relocs = reloc_count(header->relocs);

	out->load = header->load;
	out->span = header->span;
	out->entry = header->entry;
	out->extents = header->extents;
	out->extent = calloc(out->extents + 1, sizeof(*out->extent));
	out->reloc = malloc((relocs + 1) * sizeof(*out->reloc));
	if (!out->extent || !out->reloc)
		return -ENOMEM;
	for (size_t i = 0; i < out->extents; i++, tables += sizeof(struct extent)) {
		struct extent extent;

		memcpy(&extent, tables, sizeof(extent));
		out->extent[i] = (struct hv_vmlinux_extent){extent.at, extent.len, NULL};
	}
	memcpy(out->reloc, tables, relocs * sizeof(*out->reloc));
	memcpy(out->relocs, header->relocs, sizeof(out->relocs));
	return hv_vmlinux_check(out) < 0 ? -EBADMSG : 0;
}

static int read_tables(int fd, const struct header *header, struct hv_vmlinux *out)
{
	size_t size = table_size(header);
	uint8_t *tables = malloc(size + 1);
	int err;

	if (!tables)
		return -ENOMEM;
	err = io_pread_full(fd, tables, size, sizeof(*header));
	if (err == 0 && xxh64(tables, size, 0) != header->table_sum)
		err = -EBADMSG;
	if (err == 0)
		err = split_tables(header, tables, out);
	free(tables);
	return err;
}

static int read_header(int fd, const struct hv_kcache_key *key, struct header *header)
{
	int err = io_pread_full(fd, header, sizeof(*header), 0);

	if (err < 0)
		return err;
	if (header->magic != MAGIC || header->header_sum != header_sum(header) ||
	    memcmp(&header->key, key, sizeof(*key)) != 0 || header->extents > MAX_EXTENTS ||
	    reloc_count(header->relocs) > MAX_RELOCS)
		return -EBADMSG;
	return 0;
}

int hv_kcache_open(int dir, const struct hv_kcache_key *key, struct hv_kcache *out)
{
	char name[HV_KCACHE_NAME];
	struct header header;
	int err;

	memset(out, 0, sizeof(*out));
	hv_kcache_name(key, name);
	out->fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (out->fd < 0)
		return -errno;
	err = read_header(out->fd, key, &header);
	if (err == 0)
		err = read_tables(out->fd, &header, &out->image);
	if (err < 0) {
		hv_kcache_close(out);
		return err == -EPIPE ? -EBADMSG : err; /* shorter than it says */
	}
	out->data_at = data_start(&header);
	out->data_sum = header.data_sum;
	return 0;
}

/*
 * The data is read and summed in chunks by a few threads: most of the time goes into the host's
 * page faults on guest memory, which scale. Each chunk's sum is seeded with its number and the sums
 * are added up, so that their order does not matter.
 */
struct reading {
	const struct hv_kcache *entry;
	uint8_t *memory;
	uint64_t chunks;
	atomic_uint_fast64_t next; /* chunk that nobody has taken yet */
	atomic_uint_fast64_t sum;
	atomic_int err;
};

/* [at, at+len) of the image, which is `data` bytes into the file's data. */
struct chunk {
	uint64_t at, data;
	size_t len;
};

static uint64_t count_chunks(const struct hv_vmlinux *image)
{
	uint64_t count = 0;

	for (size_t i = 0; i < image->extents; i++)
		count += (image->extent[i].len + CHUNK - 1) / CHUNK;
	return count;
}

static struct chunk find_chunk(const struct hv_vmlinux *image, uint64_t number)
{
	struct chunk chunk = {0};

	for (size_t i = 0; i < image->extents; i++) {
		const struct hv_vmlinux_extent *extent = &image->extent[i];
		uint64_t count = (extent->len + CHUNK - 1) / CHUNK;

		if (number < count) {
			chunk.at = extent->at + number * CHUNK;
			chunk.data += number * CHUNK;
			chunk.len = MIN(CHUNK, extent->len - number * CHUNK);
			break;
		}
		number -= count;
		chunk.data += extent->len;
	}
	return chunk;
}

static void *read_chunks(void *opaque)
{
	struct reading *r = opaque;
	uint64_t number;

	while ((number = atomic_fetch_add(&r->next, 1)) < r->chunks && !atomic_load(&r->err)) {
		struct chunk chunk = find_chunk(&r->entry->image, number);
		uint8_t *to = r->memory + chunk.at;
		int err = io_pread_full(r->entry->fd, to, chunk.len,
					(off_t)(r->entry->data_at + chunk.data));

		if (err < 0)
			atomic_store(&r->err, err == -EPIPE ? -EBADMSG : err);
		else
			atomic_fetch_add(&r->sum, xxh64(to, chunk.len, number));
	}
	return NULL;
}

int hv_kcache_read(const struct hv_kcache *entry, uint8_t *memory)
{
	struct reading r = {
		.entry = entry, .memory = memory, .chunks = count_chunks(&entry->image)};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread[READERS - 1];
	unsigned count = 0;

	/* This thread is one of them; where no other can be had it does all. */
	while (count < READERS - 1 && count + 1 < (unsigned)MAX(cpus, 1) &&
	       (uint64_t)count + 1 < r.chunks &&
	       pthread_create(&thread[count], NULL, read_chunks, &r) == 0)
		count++;
	read_chunks(&r);
	while (count > 0)
		pthread_join(thread[--count], NULL);
	if (atomic_load(&r.err))
		return atomic_load(&r.err);
	return atomic_load(&r.sum) == entry->data_sum ? 0 : -EBADMSG;
}

void hv_kcache_close(struct hv_kcache *entry)
{
	io_close(&entry->fd);
	hv_vmlinux_finish(&entry->image);
}

/* ---- writing ---- */

static uint64_t sum_data(const struct hv_vmlinux *image)
{
	uint64_t sum = 0, number = 0;

	for (size_t i = 0; i < image->extents; i++) {
		const struct hv_vmlinux_extent *extent = &image->extent[i];

		for (uint64_t done = 0; done < extent->len; done += CHUNK)
			sum += xxh64(extent->data + done, MIN(CHUNK, extent->len - done), number++);
	}
	return sum;
}

/* Header and tables, padded to where the data starts; allocated. */
static uint8_t *encode(const struct hv_kcache_key *key, const struct hv_vmlinux *image, size_t *len)
{
	struct header header = {
		.magic = MAGIC,
		.key = *key,
		.load = image->load,
		.span = image->span,
		.entry = image->entry,
		.extents = image->extents,
	};
	uint8_t *head, *at;

	memcpy(header.relocs, image->relocs, sizeof(header.relocs));
	*len = data_start(&header);
	head = calloc(1, *len);
	if (!head)
		return NULL;
	at = head + sizeof(header);
	for (size_t i = 0; i < image->extents; i++, at += sizeof(struct extent)) {
		struct extent extent = {image->extent[i].at, image->extent[i].len};

		memcpy(at, &extent, sizeof(extent));
	}
	if (reloc_count(header.relocs))
		memcpy(at, image->reloc, reloc_count(header.relocs) * sizeof(*image->reloc));
	header.table_sum = xxh64(head + sizeof(header), table_size(&header), 0);
	header.data_sum = sum_data(image);
	header.header_sum = header_sum(&header);
	memcpy(head, &header, sizeof(header));
	return head;
}

static int write_entry(int fd, const struct hv_kcache_key *key, const struct hv_vmlinux *image)
{
	size_t len;
	uint8_t *head = encode(key, image, &len);
	int err;

	if (!head)
		return -ENOMEM;
	err = io_write_full(fd, head, len);
	free(head);
	for (size_t i = 0; err == 0 && i < image->extents; i++)
		err = io_write_full(fd, image->extent[i].data, image->extent[i].len);
	if (err == 0 && fsync(fd) < 0)
		err = -errno;
	return err;
}

struct listed {
	char name[HV_KCACHE_NAME];
	uint64_t mtime_ns;
};

static int newest_first(const void *a, const void *b)
{
	uint64_t x = ((const struct listed *)a)->mtime_ns, y = ((const struct listed *)b)->mtime_ns;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* What is beyond the newest HV_KCACHE_KEEP goes; so do remains of interrupted writes in time,
 * which carry the same prefix. */
static void prune(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct listed found[64];
	struct dirent *e;
	size_t count = 0;

	if (!d) {
		io_close(&fd);
		return;
	}
	while (count < ARRAY_SIZE(found) && (e = readdir(d)) != NULL) {
		struct stat st;

		if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    strlen(e->d_name) >= HV_KCACHE_NAME ||
		    fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
			continue;
		strcpy(found[count].name, e->d_name);
		found[count++].mtime_ns = time_ns(&st.st_mtim);
	}
	closedir(d);
	qsort(found, count, sizeof(found[0]), newest_first);
	for (size_t i = HV_KCACHE_KEEP; i < count; i++)
		unlinkat(dir, found[i].name, 0);
}

int hv_kcache_store(int dir, const struct hv_kcache_key *key, const struct hv_vmlinux *image)
{
	char name[HV_KCACHE_NAME], aside[HV_KCACHE_NAME];
	int fd, err;

	hv_kcache_name(key, name);
	/* Not by the process's number: in a sandbox all have the same. */
	snprintf(aside, sizeof(aside), PREFIX "new-%08x", arc4random());
	fd = openat(dir, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = write_entry(fd, key, image);
	io_close(&fd);
	if (err == 0 && renameat(dir, aside, dir, name) < 0)
		err = -errno;
	if (err < 0) {
		unlinkat(dir, aside, 0);
		return err;
	}
	prune(dir);
	return 0;
}
