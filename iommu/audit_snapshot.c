/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * audit_snapshot: facts and pages in a file.
 *
 *     header, units, owners, devices, runs, reserved ranges, other requester ids, pages (address,
 *     4096 bytes; pages that could not be read have only their absence), checksum of all before
 *
 * Everything is little-endian and of fixed size, and what refers to something else is checked
 * before it is used: a file may come from anywhere.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "iommu/audit_priv.h"

#define MAGIC	 "SLUICEIO"
#define VERSION	 1u
#define FILE_MAX (UINT64_C(1) << 32)

struct header {
	char magic[8];
	uint32_t version, units, owners, devices;
	uint64_t runs, reserved, others, pages;
};
_Static_assert(sizeof(struct header) == 56, "the first record of a snapshot");

struct paged {
	uint64_t phys;
	uint64_t words[512];
};
_Static_assert(sizeof(struct paged) == 4104, "a record of a snapshot");

/* FNV-1a over words' bytes: against damage, not against intent. */
static uint64_t checksum(uint64_t sum, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
	return sum;
}

#define CHECKSUM_START UINT64_C(0xcbf29ce484222325)

struct writer {
	int fd, err;
	uint64_t sum;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
	if (w->err || !len)
		return;
	w->sum = checksum(w->sum, bytes, len);
	w->err = io_write_full(w->fd, bytes, len);
}

static void put_pages(struct writer *w, const struct audit_pages *pages)
{
	for (size_t i = 0; pages && i < pages->room; i++) {
		struct paged out;
		if (!pages->slots[i] || pages->slots[i]->bad)
			continue;
		out.phys = pages->slots[i]->phys;
		memcpy(out.words, pages->slots[i]->words, sizeof(out.words));
		put(w, &out, sizeof(out));
	}
}

static size_t good_pages(const struct audit_pages *pages)
{
	size_t count = 0;

	for (size_t i = 0; pages && i < pages->room; i++)
		count += pages->slots[i] && !pages->slots[i]->bad;
	return count;
}

int audit_save(const struct audit *a, int fd)
{
	struct writer w = {.fd = fd, .sum = CHECKSUM_START};
	const struct header header = {
		.magic = MAGIC,
		.version = VERSION,
		.units = (uint32_t)a->unit_count,
		.owners = (uint32_t)a->owner_count,
		.devices = (uint32_t)a->device_count,
		.runs = a->run_count,
		.reserved = a->reserved_count,
		.others = a->other_count,
		.pages = good_pages(a->pages),
	};

	put(&w, &header, sizeof(header));
	put(&w, a->units, a->unit_count * sizeof(*a->units));
	put(&w, a->owners, a->owner_count * sizeof(*a->owners));
	put(&w, a->devices, a->device_count * sizeof(*a->devices));
	put(&w, a->runs, a->run_count * sizeof(*a->runs));
	put(&w, a->reserved, a->reserved_count * sizeof(*a->reserved));
	put(&w, a->others, a->other_count * sizeof(*a->others));
	put_pages(&w, a->pages);
	uint64_t sum = w.sum;
	put(&w, &sum, sizeof(sum));
	return w.err ? log_fail(w.err, "snapshot", "not written: %s", strerror(-w.err)) : 0;
}

/* ---- reading ---- */

struct reader {
	const char *at;
	size_t left;
};

static const void *take(struct reader *r, uint64_t count, size_t size)
{
	const char *at = r->at;

	if (count > r->left / size)
		return NULL;
	r->at += count * size;
	r->left -= count * size;
	return at;
}

static int take_array(struct reader *r, uint64_t count, size_t size, void *array, size_t *filled)
{
	const void *bytes = take(r, count, size);
	void *copy;

	if (!bytes)
		return -EINVAL;
	if (!count)
		return 0;
	/* Room as audit_add_… has it: a power of two. */
	for (*filled = 1; *filled < count;)
		*filled *= 2;
	copy = reallocarray(NULL, *filled, size);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, count * size);
	memcpy(array, &copy, sizeof(copy));
	*filled = count;
	return 0;
}

static int take_pages(struct reader *r, uint64_t count, struct audit *out)
{
	struct paged page;

	for (uint64_t i = 0; i < count; i++) {
		const void *bytes = take(r, 1, sizeof(page));
		if (!bytes)
			return -EINVAL;
		memcpy(&page, bytes, sizeof(page));
		struct audit_page *kept = audit_page_add(out, page.phys);
		if (!kept)
			return -ENOMEM;
		memcpy(kept->words, page.words, sizeof(kept->words));
	}
	return 0;
}

static bool is_sound(struct audit *a)
{
	int owners = (int)a->owner_count;

	for (size_t i = 0; i < a->owner_count; i++)
		if (!memchr(a->owners[i].name, 0, sizeof(a->owners[i].name)))
			return false;
	for (size_t i = 0; i < a->device_count; i++)
		if (a->devices[i].unit >= a->unit_count || a->devices[i].owner < AUDIT_HOST ||
		    a->devices[i].owner >= owners ||
		    !memchr(a->devices[i].driver, 0, sizeof(a->devices[i].driver)))
			return false;
	for (size_t i = 0; i < a->run_count; i++)
		if (a->runs[i].owner < 0 || a->runs[i].owner >= owners || !a->runs[i].size ||
		    a->runs[i].iova + a->runs[i].size < a->runs[i].iova ||
		    a->runs[i].phys + a->runs[i].size < a->runs[i].phys)
			return false;
	for (size_t i = 0; i < a->unit_count; i++)
		if (a->units[i].host_width < 32 || a->units[i].host_width > 64)
			return false;
	return true;
}

static int take_all(struct reader *r, const struct header *h, struct audit *out)
{
	int err = take_array(r, h->units, sizeof(*out->units), &out->units, &out->unit_count);

	if (!err)
		err = take_array(r, h->owners, sizeof(*out->owners), &out->owners,
				 &out->owner_count);
	if (!err)
		err = take_array(r, h->devices, sizeof(*out->devices), &out->devices,
				 &out->device_count);
	if (!err)
		err = take_array(r, h->runs, sizeof(*out->runs), &out->runs, &out->run_count);
	if (!err)
		err = take_array(r, h->reserved, sizeof(*out->reserved), &out->reserved,
				 &out->reserved_count);
	if (!err)
		err = take_array(r, h->others, sizeof(*out->others), &out->others,
				 &out->other_count);
	if (!err)
		err = take_pages(r, h->pages, out);
	if (!err)
		err = r->left || !is_sound(out) ? -EINVAL : 0;
	return err ? err : audit_ready(out);
}

static int parse(const char *bytes, size_t len, const char *name, struct audit *out)
{
	struct reader r = {bytes, len};
	struct header header;
	uint64_t sum;

	if (len < sizeof(header) + sizeof(sum) || memcmp(bytes, MAGIC, 8) != 0)
		return log_fail(-EINVAL, name, "no snapshot of sluice iommu audit");
	memcpy(&header, take(&r, 1, sizeof(header)), sizeof(header));
	if (header.version != VERSION)
		return log_fail(-EINVAL, name, "a snapshot of version %u; this sluice reads %u",
				header.version, VERSION);
	memcpy(&sum, bytes + len - sizeof(sum), sizeof(sum));
	r.left -= sizeof(sum);
	if (checksum(CHECKSUM_START, bytes, len - sizeof(sum)) != sum)
		return log_fail(-EINVAL, name, "damaged or cut off: its checksum does not match");
	int err = take_all(&r, &header, out);
	if (err == -EINVAL)
		return log_fail(err, name, "its records contradict one another");
	return err;
}

int audit_load(int fd, const char *name, struct audit *out)
{
	char *bytes;
	size_t len;
	int err = io_read_file(fd, FILE_MAX, &bytes, &len);

	*out = (struct audit){0};
	if (err)
		return log_fail(err, name, "not read: %s", strerror(-err));
	err = parse(bytes, len, name, out);
	free(bytes);
	if (err)
		audit_finish(out);
	return err;
}
