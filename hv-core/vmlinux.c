/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlinux: segments into extents, and the relocation table read and applied. */
#include "hv-core/vmlinux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "hv-core/elf.h"

static bool page_is_zero(const uint8_t *page, size_t len)
{
	return page[0] == 0 && memcmp(page, page + 1, len - 1) == 0;
}

static int add_extent(struct hv_vmlinux *out, size_t *room, uint64_t at, const uint8_t *data,
		      uint64_t len)
{
	struct hv_vmlinux_extent *last = out->extents ? &out->extent[out->extents - 1] : NULL;

	if (last && last->at + last->len == at && last->data + last->len == data) {
		last->len += len;
		return 0;
	}
	if (out->extents == *room) {
		size_t more = *room ? *room * 2 : 64;
		void *grown = realloc(out->extent, more * sizeof(*out->extent));

		if (!grown)
			return -ENOMEM;
		out->extent = grown;
		*room = more;
	}
	out->extent[out->extents++] = (struct hv_vmlinux_extent){at, len, data};
	return 0;
}

/* The pages of the file's bytes that hold anything, in ascending order. */
static int find_extents(const uint8_t *bytes, const struct hv_elf *elf, struct hv_vmlinux *out)
{
	size_t room = 0;

	for (unsigned i = 0; i < elf->segments; i++) {
		const struct hv_elf_segment *seg = &elf->segment[i];

		for (uint64_t done = 0; done < seg->filesz; done += HV_VMLINUX_PAGE) {
			const uint8_t *page = bytes + seg->offset + done;
			uint64_t len = MIN((uint64_t)HV_VMLINUX_PAGE, seg->filesz - done);
			int err;

			if (page_is_zero(page, len))
				continue;
			err = add_extent(out, &room, seg->paddr - out->load + done, page, len);
			if (err < 0)
				return err;
		}
	}
	return 0;
}

/*
 * The table fills the file from the ELF's end on: 0, 64-bit places, 0, inverse 32-bit places, 0,
 * 32-bit places. Kernels without per-CPU symbols at address zero (from 6.15 on) lack the middle
 * list and its zero. Anything else is not a table, and the kernel then stays where it is linked.
 */
static int read_relocs(const uint8_t *table, size_t len, struct hv_vmlinux *out)
{
	size_t words = len / sizeof(uint32_t), zero[HV_RELOC_KINDS], zeros = 0;

	if (words < 2 || len % sizeof(uint32_t) || words > UINT32_MAX)
		return 0;
	out->reloc = malloc(len);
	if (!out->reloc)
		return -ENOMEM;
	memcpy(out->reloc, table, len);
	for (size_t i = 0; i < words; i++) {
		if (out->reloc[i])
			continue;
		if (zeros == HV_RELOC_KINDS)
			return 0;
		zero[zeros++] = i;
	}
	if (zeros < 2 || zero[0] != 0)
		return 0;
	out->relocs[HV_RELOC_64] = (uint32_t)(zero[1] - zero[0] - 1);
	if (zeros == 3)
		out->relocs[HV_RELOC_INVERSE] = (uint32_t)(zero[2] - zero[1] - 1);
	out->relocs[HV_RELOC_32] = (uint32_t)(words - zero[zeros - 1] - 1);
	/* Without the zeros the lists stand one behind the other. */
	words = 0;
	for (size_t i = 0; i < len / sizeof(uint32_t); i++) {
		if (out->reloc[i])
			out->reloc[words++] = out->reloc[i];
	}
	return 0;
}

static int describe(const struct hv_elf *elf, struct hv_vmlinux *out, const char **why)
{
	const struct hv_elf_segment *last = &elf->segment[elf->segments - 1];

	out->load = elf->segment[0].paddr;
	out->span = last->paddr + last->memsz - out->load;
	out->entry = elf->entry - out->load;
	if (!elf->is64 || hv_vmlinux_check(out) < 0) {
		*why = "an ELF file that is no 64-bit Linux kernel";
		return -ENOEXEC;
	}
	return 0;
}

int hv_vmlinux_parse(const void *elf, size_t len, struct hv_vmlinux *out, const char **why)
{
	struct hv_elf header;
	int err = hv_elf_parse(elf, len, &header, why);

	memset(out, 0, sizeof(*out));
	if (err < 0)
		return err;
	err = describe(&header, out, why);
	if (err == 0)
		err = find_extents(elf, &header, out);
	if (err == 0 && header.end <= len)
		err = read_relocs((const uint8_t *)elf + header.end, len - header.end, out);
	if (err < 0)
		hv_vmlinux_finish(out);
	return err;
}

void hv_vmlinux_finish(struct hv_vmlinux *image)
{
	free(image->extent);
	free(image->reloc);
	memset(image, 0, sizeof(*image));
}

int hv_vmlinux_check(const struct hv_vmlinux *image)
{
	uint64_t end = 0;

	if (!IS_ALIGNED(image->load, HV_VMLINUX_ALIGN) || image->load >= HV_VMLINUX_SPAN ||
	    image->span == 0 || image->span > HV_VMLINUX_SPAN - image->load ||
	    image->entry >= image->span)
		return -ENOEXEC;
	for (size_t i = 0; i < image->extents; i++) {
		const struct hv_vmlinux_extent *extent = &image->extent[i];

		if (extent->len == 0 || extent->at < end || extent->at > image->span ||
		    extent->len > image->span - extent->at)
			return -ENOEXEC;
		end = extent->at + extent->len;
	}
	return 0;
}

static void move_32(uint8_t *at, uint32_t by)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	value += by;
	memcpy(at, &value, sizeof(value));
}

static void move_64(uint8_t *at, uint64_t by)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	value += by;
	memcpy(at, &value, sizeof(value));
}

int hv_vmlinux_relocate(const struct hv_vmlinux *image, uint8_t *memory, uint64_t delta)
{
	const uint64_t base = HV_VMLINUX_VIRT + image->load;
	const uint32_t *reloc = image->reloc;

	for (int kind = 0; kind < HV_RELOC_KINDS; kind++) {
		const uint64_t size = kind == HV_RELOC_64 ? sizeof(uint64_t) : sizeof(uint32_t);

		if (image->span < size)
			return -EBADMSG;
		for (uint32_t i = 0; i < image->relocs[kind]; i++) {
			/* sign-extended, as the kernel's addresses are */
			uint64_t offset = (uint64_t)(int64_t)(int32_t)*reloc++ - base;

			if (offset > image->span - size)
				return -EBADMSG;
			if (kind == HV_RELOC_64)
				move_64(memory + offset, delta);
			else
				move_32(memory + offset, kind == HV_RELOC_INVERSE
								 ? -(uint32_t)delta
								 : (uint32_t)delta);
		}
	}
	return 0;
}
