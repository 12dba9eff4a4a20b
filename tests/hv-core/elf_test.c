/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/elf.c: what is accepted, and that nothing outside the buffer ever is. */
#include "hv-core/elf.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/hv-core/kernel_image.h"

struct file {
	uint8_t bytes[KI_ELF_LEN];
	const char *why;
	struct hv_elf elf;
};

static Elf64_Ehdr *header(struct file *f)
{
	return (Elf64_Ehdr *)(void *)f->bytes;
}

static Elf64_Phdr *segment(struct file *f, unsigned i)
{
	return (Elf64_Phdr *)(void *)(f->bytes + sizeof(Elf64_Ehdr)) + i;
}

static struct file *fresh(void **state)
{
	struct file *f = *state;

	ki_elf(f->bytes);
	return f;
}

static int parse(struct file *f)
{
	return hv_elf_parse(f->bytes, sizeof(f->bytes), &f->elf, &f->why);
}

static void accepts_a_kernel(void **state)
{
	struct file *f = fresh(state);

	assert_int_equal(parse(f), 0);
	assert_true(f->elf.is64);
	assert_int_equal(f->elf.segments, 2);
	assert_int_equal(f->elf.segment[1].paddr, KI_LOAD + KI_SEG1_AT);
	assert_int_equal(f->elf.segment[1].memsz, KI_SEG1_MEM);
	assert_int_equal(f->elf.end, KI_ELF_LEN);
}

/* An entry is a virtual address; without paging it takes a physical one. */
static void translates_addresses(void **state)
{
	struct file *f = fresh(state);

	assert_int_equal(parse(f), 0);
	assert_int_equal(hv_elf_physical(&f->elf, KI_VIRT + KI_LOAD + 0x40), KI_LOAD + 0x40);
	assert_int_equal(hv_elf_physical(&f->elf, KI_VIRT + KI_LOAD + KI_SEG1_AT + 1),
			 KI_LOAD + KI_SEG1_AT + 1);
	assert_int_equal(hv_elf_physical(&f->elf, KI_LOAD), KI_LOAD);
}

static void sorts_segments(void **state)
{
	struct file *f = fresh(state);
	Elf64_Phdr swap = *segment(f, 0);

	*segment(f, 0) = *segment(f, 1);
	*segment(f, 1) = swap;
	assert_int_equal(parse(f), 0);
	assert_int_equal(f->elf.segment[0].paddr, KI_LOAD);
}

static void refuses_what_lies_outside(void **state)
{
	struct file *f = fresh(state);

	segment(f, 1)->p_filesz = KI_SEG1_FILE + 1;
	assert_int_equal(parse(f), -ENOEXEC);
	segment(f, 1)->p_filesz = 8;
	segment(f, 1)->p_offset = UINT64_MAX - 3;
	assert_int_equal(parse(f), -ENOEXEC);
	f = fresh(state);
	header(f)->e_phoff = UINT64_MAX - 8;
	assert_int_equal(parse(f), -ENOEXEC);
	header(f)->e_phoff = KI_ELF_LEN - sizeof(Elf64_Phdr);
	assert_int_equal(parse(f), -ENOEXEC);
}

static void refuses_bad_addresses(void **state)
{
	struct file *f = fresh(state);

	segment(f, 1)->p_paddr = UINT64_MAX - 4;
	assert_int_equal(parse(f), -ENOEXEC);
	segment(f, 1)->p_paddr = KI_LOAD + KI_SEG0_LEN - 1;
	assert_int_equal(parse(f), -ENOEXEC);
	segment(f, 1)->p_paddr = KI_LOAD + KI_SEG0_LEN;
	assert_int_equal(parse(f), 0);
	segment(f, 1)->p_memsz = KI_SEG1_FILE - 1;
	assert_int_equal(parse(f), -ENOEXEC);
}

static void refuses_other_files(void **state)
{
	struct file *f = fresh(state);

	header(f)->e_machine = EM_AARCH64;
	assert_int_equal(parse(f), -ENOEXEC);
	f = fresh(state);
	header(f)->e_ident[EI_CLASS] = 3;
	assert_int_equal(parse(f), -ENOEXEC);
	f = fresh(state);
	header(f)->e_phnum = 0;
	assert_int_equal(parse(f), -ENOEXEC);
	f = fresh(state);
	segment(f, 0)->p_type = segment(f, 1)->p_type = PT_NULL;
	assert_int_equal(parse(f), -ENOEXEC);
}

/* Under a sanitizer this also shows that nothing behind the end is read. */
static void survives_truncation_anywhere(void **state)
{
	struct file *f = fresh(state);

	for (size_t len = 0; len < KI_ELF_LEN; len += 7) {
		uint8_t *copy = malloc(len + 1);

		memcpy(copy, f->bytes, len);
		assert_int_equal(hv_elf_parse(copy, len, &f->elf, &f->why), -ENOEXEC);
		free(copy);
	}
}

static void put_note(struct file *f, uint32_t name_len, uint32_t desc_len)
{
	const Elf64_Nhdr note = {name_len, desc_len, 18};
	uint8_t *at = f->bytes + 512;

	memcpy(at, &note, sizeof(note));
	memcpy(at + sizeof(note), "Xen", 4);
	ki_put32(at + sizeof(note) + 4, 0x1000123);
	*segment(f, 1) = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = 512, .p_filesz = 20};
}

static void finds_a_note(void **state)
{
	struct file *f = fresh(state);
	const uint8_t *desc;
	size_t size;

	put_note(f, 4, 4);
	assert_int_equal(parse(f), 0);
	desc = hv_elf_note(f->bytes, &f->elf, "Xen", 18, &size);
	assert_ptr_equal(desc, f->bytes + 512 + 16);
	assert_int_equal(size, 4);
	assert_null(hv_elf_note(f->bytes, &f->elf, "Xen", 19, &size));
	assert_null(hv_elf_note(f->bytes, &f->elf, "Xem", 18, &size));
}

static void refuses_notes_that_overrun(void **state)
{
	static const uint32_t bad[][2] = {{4, 5}, {5, 4}, {4, UINT32_MAX}, {UINT32_MAX, 4}};
	struct file *f = fresh(state);
	size_t size;

	for (size_t i = 0; i < 4; i++) {
		put_note(f, bad[i][0], bad[i][1]);
		assert_int_equal(parse(f), 0);
		assert_null(hv_elf_note(f->bytes, &f->elf, "Xen", 18, &size));
	}
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct file));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_a_kernel),
		cmocka_unit_test(translates_addresses),
		cmocka_unit_test(sorts_segments),
		cmocka_unit_test(refuses_what_lies_outside),
		cmocka_unit_test(refuses_bad_addresses),
		cmocka_unit_test(refuses_other_files),
		cmocka_unit_test(survives_truncation_anywhere),
		cmocka_unit_test(finds_a_note),
		cmocka_unit_test(refuses_notes_that_overrun),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
