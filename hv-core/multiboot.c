/* SPDX-License-Identifier: BSD-3-Clause */
/* multiboot: finding and checking the header. */
#include "hv-core/multiboot.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

#define MAGIC 0x1badb002u

/* Multiboot 0.6.96, 3.1.2: bits 0..15 are demands, which a loader must know or refuse */
#define FLAG_PAGE_ALIGN	 (1u << 0)
#define FLAG_MEMORY_INFO (1u << 1)
#define FLAG_VIDEO_MODE	 (1u << 2)
#define FLAG_ADDRESSES	 (1u << 16)
#define DEMANDS		 0xffffu

struct header {
	uint32_t magic, flags, checksum;
	/* with FLAG_ADDRESSES, 3.1.3 */
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr;
};

_Static_assert(offsetof(struct header, header_addr) == 12, "Multiboot 0.6.96, 3.1.1");
_Static_assert(offsetof(struct header, entry_addr) == 28, "Multiboot 0.6.96, 3.1.1");

#define HEADER_SHORT offsetof(struct header, header_addr)

static int bad(const char **why, const char *text)
{
	*why = text;
	return -ENOEXEC;
}

/* The fields that the file is long enough for; the rest is zero. */
static bool find(const uint8_t *head, size_t len, struct header *out, size_t *at)
{
	len = MIN(len, (size_t)HV_MULTIBOOT_HEAD);
	for (*at = 0; *at + HEADER_SHORT <= len; *at += 4) {
		*out = (struct header){0};
		memcpy(out, head + *at, HEADER_SHORT);
		if (out->magic == MAGIC && out->magic + out->flags + out->checksum == 0) {
			memcpy(out, head + *at, MIN(sizeof(*out), len - *at));
			return true;
		}
	}
	return false;
}

bool hv_multiboot_magic(const void *head, size_t len)
{
	struct header header;
	size_t at;

	return find(head, len, &header, &at);
}

/* 3.1.3. `at` is where the header stands in the file, header_addr where it will in memory. */
static int read_addresses(const struct header *h, size_t at, uint64_t file_size,
			  struct hv_multiboot *out, const char **why)
{
	uint64_t before, end;

	if (h->header_addr < h->load_addr || h->header_addr - h->load_addr > at)
		return bad(why, "a Multiboot header that loads from before the file");
	before = h->header_addr - h->load_addr;
	out->offset = at - before;
	/* 0: all that the file has */
	end = h->load_end_addr ? h->load_end_addr : h->load_addr + (file_size - out->offset);
	if (end <= h->load_addr || end > UINT32_MAX || end - h->load_addr > file_size - out->offset)
		return bad(why, "a Multiboot kernel that was cut short");
	out->load = h->load_addr;
	out->filesz = (uint32_t)(end - h->load_addr);
	out->memsz = out->filesz;
	if (h->bss_end_addr && h->bss_end_addr < end)
		return bad(why, "a Multiboot header whose bss ends before its data");
	if (h->bss_end_addr)
		out->memsz = h->bss_end_addr - h->load_addr;
	if (h->entry_addr < out->load || h->entry_addr - out->load >= out->memsz)
		return bad(why, "a Multiboot kernel whose entry is not in it");
	out->entry = h->entry_addr;
	return 0;
}

int hv_multiboot_parse(const void *head, size_t len, uint64_t file_size, struct hv_multiboot *out,
		       const char **why)
{
	struct header h;
	size_t at;

	*out = (struct hv_multiboot){0};
	if (!find(head, len, &h, &at) || file_size < len)
		return bad(why, "no Multiboot header");
	if (h.flags & FLAG_VIDEO_MODE)
		return bad(why, "a Multiboot kernel that demands a video mode; there is no screen");
	if (h.flags & DEMANDS & ~(FLAG_PAGE_ALIGN | FLAG_MEMORY_INFO))
		return bad(why, "a Multiboot kernel that demands what no specification names");
	out->addresses = h.flags & FLAG_ADDRESSES;
	if (!out->addresses)
		return 0;
	if (MIN(len, (size_t)HV_MULTIBOOT_HEAD) - at < sizeof(h))
		return bad(why, "a Multiboot header cut short");
	return read_addresses(&h, at, file_size, out, why);
}
