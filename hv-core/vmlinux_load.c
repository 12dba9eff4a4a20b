/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlinux_load: an unpacked kernel, out of the cache or out of the image, into guest memory.
 *
 * The guest then starts at the kernel's own first instruction: it neither unpacks nor moves
 * anything. Each byte is written once, straight to where it stays.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "hv-core/boot.h"
#include "hv-core/kcache.h"
#include "hv-core/unpack.h"
#include "hv-core/vmlinux.h"

/* Where a kernel goes. */
struct place {
	uint64_t phys;
	uint64_t delta; /* of virtual addresses */
};

static uint64_t pick(uint64_t slots)
{
	uint64_t random;

	/* Never short for so few bytes; before the host's pool is ready it waits. */
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return 0;
	return random % slots;
}

static int place_kernel(const struct hv_boot *boot, const struct hv_vmlinux *image,
			struct place *out)
{
	struct range room = hv_boot_room(boot);
	char need[PARSE_SIZE_TEXT];

	if (room.last < image->load || image->span > room.last + 1 - image->load)
		return log_fail(-EFBIG, boot->config->kernel_name,
				"%s and its initrd do not fit the VM's memory; give it more with "
				"--memory",
				format_size(image->load + image->span, need));
	out->phys = image->load;
	out->delta = 0;
	if (!boot->config->kaslr || !image->relocs[HV_RELOC_64])
		return 0;
	out->phys += HV_VMLINUX_ALIGN *
		     pick((room.last + 1 - image->load - image->span) / HV_VMLINUX_ALIGN + 1);
	out->delta = HV_VMLINUX_ALIGN *
		     pick((HV_VMLINUX_SPAN - image->load - image->span) / HV_VMLINUX_ALIGN + 1);
	return 0;
}

/* What no extent covers must be zero, also when the VM ran before. */
static int zero_gaps(struct hv_boot *boot, const struct hv_vmlinux *image, uint64_t phys)
{
	uint64_t at = 0;

	for (size_t i = 0; i <= image->extents; i++) {
		uint64_t next = i < image->extents ? image->extent[i].at : image->span;
		int err = at < next ? hv_boot_zero(boot, phys + at, next - at) : 0;

		if (err < 0)
			return err;
		if (i < image->extents)
			at = next + image->extent[i].len;
	}
	return 0;
}

/* `cache` NULL: the image has its data. */
static int fill(struct hv_boot *boot, const struct hv_vmlinux *image, const struct hv_kcache *cache,
		uint64_t *entry, bool *moved)
{
	struct place place = {0};
	uint8_t *memory;
	int err = place_kernel(boot, image, &place);

	if (err < 0)
		return err;
	memory = hv_mem_ptr(boot->vm, place.phys, image->span);
	if (!memory)
		return -EFAULT;
	if (cache)
		err = hv_kcache_read(cache, memory);
	for (size_t i = 0; !cache && i < image->extents; i++)
		memcpy(memory + image->extent[i].at, image->extent[i].data, image->extent[i].len);
	if (err == 0)
		err = zero_gaps(boot, image, place.phys);
	if (err == 0 && place.delta)
		err = hv_vmlinux_relocate(image, memory, place.delta);
	*entry = place.phys + image->entry;
	*moved = place.delta || place.phys != image->load;
	return err;
}

static int from_cache(struct hv_boot *boot, const struct hv_kcache_key *key, uint64_t *entry,
		      bool *moved)
{
	struct hv_kcache cache;
	int err = hv_kcache_open(boot->config->cache_dir, key, &cache);

	if (err < 0)
		return err;
	err = fill(boot, &cache.image, &cache, entry, moved);
	hv_kcache_close(&cache);
	return err;
}

/* The payload in memory of its own; munmap frees it. */
static int read_payload(struct hv_boot *boot, const struct hv_bzimage *bz, void **out, size_t *len)
{
	void *packed = malloc(bz->payload_size);
	int err;

	if (!packed)
		return -ENOMEM;
	err = io_pread_full(boot->config->kernel_fd, packed, bz->payload_size,
			    (off_t)bz->payload_offset);
	if (err < 0)
		log_error(boot->config->kernel_name, "cannot be read: %s", strerror(-err));
	else
		err = hv_unpack(packed, bz->payload_size, out, len);
	free(packed);
	return err;
}

static int from_payload(struct hv_boot *boot, const struct hv_bzimage *bz,
			const struct hv_kcache_key *key, uint64_t *entry, bool *moved)
{
	struct hv_vmlinux image;
	const char *why = "its payload is damaged";
	void *elf;
	size_t len;
	int err = read_payload(boot, bz, &elf, &len);

	if (err == -EBADMSG)
		return log_fail(-ENOEXEC, boot->config->kernel_name, "not a kernel: %s", why);
	if (err < 0)
		return err;
	err = hv_vmlinux_parse(elf, len, &image, &why);
	if (err == -ENOEXEC) {
		log_info(boot->config->kernel_name, "left to unpack itself: %s", why);
		err = -EOPNOTSUPP;
	}
	if (err == 0) {
		int stored = key ? hv_kcache_store(boot->config->cache_dir, key, &image) : 0;

		if (stored < 0)
			log_warn(boot->config->kernel_name,
				 "unpacked form not kept: %s; the next start unpacks again",
				 strerror(-stored));
		err = fill(boot, &image, NULL, entry, moved);
		if (err == -EBADMSG)
			log_error(boot->config->kernel_name, "its relocations lead outside of it");
		hv_vmlinux_finish(&image);
	}
	munmap(elf, len);
	return err == -EBADMSG ? -ENOEXEC : err;
}

int hv_boot_unpacked(struct hv_boot *boot, const struct hv_bzimage *bz, uint64_t *entry,
		     bool *moved)
{
	struct hv_kcache_key key;
	bool cached =
		boot->config->cache_dir >= 0 && hv_kcache_key(boot->config->kernel_fd, &key) == 0;

	if (!bz->payload_size)
		return -EOPNOTSUPP;
	if (cached) {
		int err = from_cache(boot, &key, entry, moved);

		if (err == 0 || err == -EFBIG)
			return err;
		if (err != -ENOENT)
			log_info(boot->config->kernel_name, "unpacked again: cache entry: %s",
				 strerror(-err));
	}
	return from_payload(boot, bz, cached ? &key : NULL, entry, moved);
}
