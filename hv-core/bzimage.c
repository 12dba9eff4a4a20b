/* SPDX-License-Identifier: BSD-3-Clause */
/* bzimage: reading and checking the setup header. */
#include "hv-core/bzimage.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"

#define HEADER_OFFSET	0x1f1u
#define HEADER_END_BASE 0x202u /* the byte before it holds the distance from here to the end */
#define MAGIC_HDRS	0x53726448u
#define VERSION_MIN	0x020c

_Static_assert(offsetof(struct boot_params, hdr) == HEADER_OFFSET,
	       "boot.rst: setup_sects at 0x1f1");
_Static_assert(offsetof(struct setup_header, header) == 0x202 - HEADER_OFFSET, "boot.rst: HdrS");
_Static_assert(offsetof(struct setup_header, payload_offset) == 0x248 - HEADER_OFFSET, "boot.rst");
_Static_assert(offsetof(struct setup_header, init_size) == 0x260 - HEADER_OFFSET, "boot.rst");

static int bad(const char **why, const char *text)
{
	*why = text;
	return -ENOEXEC;
}

bool hv_bzimage_magic(const void *head, size_t len)
{
	uint32_t magic;

	if (len < HEADER_OFFSET + sizeof(struct setup_header))
		return false;
	memcpy(&magic, (const uint8_t *)head + 0x202, sizeof(magic));
	return magic == MAGIC_HDRS;
}

static int find_parts(struct hv_bzimage *out, uint64_t file_size, const char **why)
{
	const struct setup_header *h = &out->header;
	/* 0 means 4: boot.rst, "setup_sects" */
	uint64_t sectors = h->setup_sects ? h->setup_sects : 4;

	out->kernel_offset = (sectors + 1) * 512;
	if (out->kernel_offset + 0x200 >= file_size)
		return bad(why, "a bzImage that was cut short");
	out->kernel_size = file_size - out->kernel_offset;
	if (h->payload_length == 0)
		return 0;
	if (h->payload_offset > out->kernel_size ||
	    h->payload_length > out->kernel_size - h->payload_offset)
		return bad(why, "a bzImage that was cut short");
	out->payload_offset = out->kernel_offset + h->payload_offset;
	out->payload_size = h->payload_length;
	return 0;
}

int hv_bzimage_parse(const void *head, size_t len, uint64_t file_size, struct hv_bzimage *out,
		     const char **why)
{
	const uint8_t *bytes = head;
	struct setup_header *h = &out->header;
	size_t header_end;

	memset(out, 0, sizeof(*out));
	if (!hv_bzimage_magic(head, len))
		return bad(why, "no bzImage");
	header_end = HEADER_END_BASE + bytes[0x201];
	if (header_end <= HEADER_OFFSET + offsetof(struct setup_header, version))
		return bad(why, "a bzImage with a broken header");
	memcpy(h, bytes + HEADER_OFFSET, MIN(header_end - HEADER_OFFSET, sizeof(*h)));
	if (h->version < VERSION_MIN)
		return bad(why, "a bzImage older than boot protocol 2.12");
	if (!(h->loadflags & LOADED_HIGH) || !(h->xloadflags & XLF_KERNEL_64))
		return bad(why, "a bzImage without a 64-bit entry");
	if (h->kernel_alignment == 0 || !IS_ALIGNED(h->kernel_alignment, 4096u) ||
	    (h->kernel_alignment & (h->kernel_alignment - 1)))
		return bad(why, "a bzImage with a broken alignment");
	return find_parts(out, file_size, why);
}
