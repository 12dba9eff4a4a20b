/* SPDX-License-Identifier: BSD-3-Clause */
/* elf: bounds-checked reading of program headers and notes (System V gABI, chapters 4 and 5). */
#include "hv-core/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/util.h"

static bool inside(uint64_t offset, uint64_t size, uint64_t len)
{
	return offset <= len && size <= len - offset;
}

bool hv_elf_magic(const void *data, size_t len)
{
	return len >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0;
}

static int bad(const char **why, const char *text)
{
	*why = text;
	return -ENOEXEC;
}

/* A 32-bit header in 64-bit clothes, so that one path reads both. */
static int read_header(const uint8_t *data, size_t len, Elf64_Ehdr *eh, const char **why)
{
	Elf32_Ehdr narrow;

	if (!hv_elf_magic(data, len) || len < sizeof(narrow))
		return bad(why, "no ELF header");
	if (data[EI_DATA] != ELFDATA2LSB)
		return bad(why, "ELF of another byte order");
	if (data[EI_CLASS] == ELFCLASS64) {
		if (len < sizeof(*eh))
			return bad(why, "ELF header cut short");
		memcpy(eh, data, sizeof(*eh));
		return 0;
	}
	if (data[EI_CLASS] != ELFCLASS32)
		return bad(why, "ELF of unknown class");
	memcpy(&narrow, data, sizeof(narrow));
	memcpy(eh->e_ident, narrow.e_ident, sizeof(eh->e_ident));
	eh->e_machine = narrow.e_machine;
	eh->e_type = narrow.e_type;
	eh->e_entry = narrow.e_entry;
	eh->e_phoff = narrow.e_phoff;
	eh->e_phnum = narrow.e_phnum;
	eh->e_phentsize = narrow.e_phentsize;
	eh->e_shoff = narrow.e_shoff;
	eh->e_shnum = narrow.e_shnum;
	eh->e_shentsize = narrow.e_shentsize;
	return 0;
}

static void read_segment(const uint8_t *at, bool is64, Elf64_Phdr *ph)
{
	Elf32_Phdr narrow;

	if (is64) {
		memcpy(ph, at, sizeof(*ph));
		return;
	}
	memcpy(&narrow, at, sizeof(narrow));
	ph->p_type = narrow.p_type;
	ph->p_offset = narrow.p_offset;
	ph->p_paddr = narrow.p_paddr;
	ph->p_vaddr = narrow.p_vaddr;
	ph->p_filesz = narrow.p_filesz;
	ph->p_memsz = narrow.p_memsz;
}

/* Keeps the segments sorted by address, so that overlap shows between neighbours. */
static int add_segment(struct hv_elf *out, const Elf64_Phdr *ph, const char **why)
{
	struct hv_elf_segment new = {
		.offset = ph->p_offset,
		.filesz = ph->p_filesz,
		.paddr = ph->p_paddr,
		.memsz = ph->p_memsz,
		.vaddr = ph->p_vaddr,
	};
	unsigned i;

	if (new.memsz == 0)
		return 0;
	if (new.filesz > new.memsz)
		return bad(why, "ELF segment with more bytes than room");
	if (new.paddr > UINT64_MAX - new.memsz)
		return bad(why, "ELF segment that wraps");
	if (out->segments == HV_ELF_SEGMENTS)
		return bad(why, "ELF with too many segments");
	for (i = out->segments; i > 0 && out->segment[i - 1].paddr > new.paddr; i--)
		out->segment[i] = out->segment[i - 1];
	out->segment[i] = new;
	out->segments++;
	if (i > 0 && out->segment[i - 1].paddr + out->segment[i - 1].memsz > new.paddr)
		return bad(why, "ELF segments that overlap");
	if (i + 1 < out->segments && new.paddr + new.memsz > out->segment[i + 1].paddr)
		return bad(why, "ELF segments that overlap");
	return 0;
}

static int add_program_header(struct hv_elf *out, const Elf64_Phdr *ph, size_t len,
			      const char **why)
{
	if (ph->p_type != PT_LOAD && ph->p_type != PT_NOTE)
		return 0;
	if (!inside(ph->p_offset, ph->p_filesz, len))
		return bad(why, "ELF segment outside the file");
	out->end = MAX(out->end, ph->p_offset + ph->p_filesz);
	if (ph->p_type == PT_LOAD)
		return add_segment(out, ph, why);
	if (out->notes < HV_ELF_NOTES) {
		out->note[out->notes].offset = ph->p_offset;
		out->note[out->notes++].size = ph->p_filesz;
	}
	return 0;
}

int hv_elf_parse(const void *data, size_t len, struct hv_elf *out, const char **why)
{
	const uint8_t *bytes = data;
	Elf64_Ehdr eh = {0};
	size_t size;
	int err = read_header(bytes, len, &eh, why);

	if (err < 0)
		return err;
	memset(out, 0, sizeof(*out));
	out->is64 = eh.e_ident[EI_CLASS] == ELFCLASS64;
	if (eh.e_machine != (out->is64 ? EM_X86_64 : EM_386))
		return bad(why, "ELF for another processor");
	size = out->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	if (eh.e_phnum == 0 || eh.e_phentsize != size ||
	    !inside(eh.e_phoff, size * eh.e_phnum, len))
		return bad(why, "ELF without usable program headers");
	out->entry = eh.e_entry;
	out->end = eh.e_phoff + size * eh.e_phnum;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		Elf64_Phdr ph = {0};

		read_segment(bytes + eh.e_phoff + i * size, out->is64, &ph);
		err = add_program_header(out, &ph, len, why);
		if (err < 0)
			return err;
	}
	if (out->segments == 0)
		return bad(why, "ELF with nothing to load");
	if (eh.e_shnum && inside(eh.e_shoff, (uint64_t)eh.e_shnum * eh.e_shentsize, len))
		out->end = MAX(out->end, eh.e_shoff + (uint64_t)eh.e_shnum * eh.e_shentsize);
	return 0;
}

uint64_t hv_elf_physical(const struct hv_elf *elf, uint64_t vaddr)
{
	for (unsigned i = 0; i < elf->segments; i++) {
		const struct hv_elf_segment *seg = &elf->segment[i];

		if (vaddr >= seg->vaddr && vaddr - seg->vaddr < seg->memsz)
			return seg->paddr + (vaddr - seg->vaddr);
	}
	return vaddr;
}

const void *hv_elf_note(const void *data, const struct hv_elf *elf, const char *owner,
			uint32_t type, size_t *size)
{
	size_t owner_len = strlen(owner) + 1;

	for (unsigned i = 0; i < elf->notes; i++) {
		const uint8_t *at = (const uint8_t *)data + elf->note[i].offset;
		uint64_t left = elf->note[i].size;

		while (left >= sizeof(Elf64_Nhdr)) {
			Elf64_Nhdr nh;
			uint64_t name, desc;

			memcpy(&nh, at, sizeof(nh));
			name = ALIGN_UP((uint64_t)nh.n_namesz, UINT64_C(4));
			desc = ALIGN_UP((uint64_t)nh.n_descsz, UINT64_C(4));
			at += sizeof(nh);
			left -= sizeof(nh);
			if (name > left || desc > left - name)
				break;
			if (nh.n_type == type && nh.n_namesz == owner_len &&
			    memcmp(at, owner, owner_len) == 0) {
				*size = nh.n_descsz;
				return at + name;
			}
			at += name + desc;
			left -= name + desc;
		}
	}
	return NULL;
}
