/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/multiboot.c: where the header may stand, and what it may demand. */
#include "hv-core/multiboot.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hv-core/kernel_kind.h"
#include "tests/hv-core/kernel_image.h"

#define FILE_LEN 16384u
#define AT	 64u	   /* of the header in the file */
#define LOAD	 0x200000u /* of the file's first byte */

struct file {
	uint8_t bytes[FILE_LEN];
	const char *why;
	struct hv_multiboot mb;
};

/* Magic, flags and checksum at `at`, then the five address fields. */
static void put_header(struct file *f, size_t at, uint32_t flags, const uint32_t address[5])
{
	memset(f->bytes, 0, sizeof(f->bytes));
	ki_put32(f->bytes + at, 0x1badb002);
	ki_put32(f->bytes + at + 4, flags);
	ki_put32(f->bytes + at + 8, -(0x1badb002u + flags));
	if (address)
		memcpy(f->bytes + at + 12, address, 5 * sizeof(address[0]));
}

static int parse(struct file *f, uint64_t file_size)
{
	return hv_multiboot_parse(f->bytes, HV_MULTIBOOT_HEAD, file_size, &f->mb, &f->why);
}

static void finds_the_header(void **state)
{
	struct file *f = *state;

	for (size_t at = 0; at <= HV_MULTIBOOT_HEAD - 12; at += 2) {
		put_header(f, at, 3, NULL);
		assert_int_equal(hv_multiboot_magic(f->bytes, FILE_LEN), at % 4 == 0);
	}
	put_header(f, HV_MULTIBOOT_HEAD - 8, 0, NULL); /* ends past the 8 KiB */
	assert_false(hv_multiboot_magic(f->bytes, FILE_LEN));
	put_header(f, AT, 0, NULL);
	assert_false(hv_multiboot_magic(f->bytes, AT + 11));
	assert_true(hv_multiboot_magic(f->bytes, AT + 12));
	f->bytes[AT + 8]++;
	assert_false(hv_multiboot_magic(f->bytes, FILE_LEN));
}

static void leaves_elf_to_elf(void **state)
{
	struct file *f = *state;

	put_header(f, AT, 3, NULL);
	assert_int_equal(parse(f, FILE_LEN), 0);
	assert_false(f->mb.addresses);
}

static void refuses_demands(void **state)
{
	struct file *f = *state;

	put_header(f, AT, 4, NULL);
	assert_int_equal(parse(f, FILE_LEN), -ENOEXEC);
	assert_non_null(strstr(f->why, "video"));
	for (unsigned bit = 3; bit < 16; bit++) {
		put_header(f, AT, 1u << bit, NULL);
		assert_int_equal(parse(f, FILE_LEN), -ENOEXEC);
	}
	put_header(f, AT, 1u << 17, NULL); /* no demand: what one does not know does no harm */
	assert_int_equal(parse(f, FILE_LEN), 0);
}

static void reads_addresses(void **state)
{
	struct file *f = *state;
	const uint32_t all[5] = {LOAD + AT, LOAD, 0, 0, LOAD + 0x100};
	const uint32_t part[5] = {LOAD, LOAD, LOAD + 0x1000, LOAD + 0x3000, LOAD + 0x2fff};

	put_header(f, AT, 1u << 16, all);
	assert_int_equal(parse(f, FILE_LEN), 0);
	assert_true(f->mb.addresses);
	assert_int_equal(f->mb.offset, 0);
	assert_int_equal(f->mb.load, LOAD);
	assert_int_equal(f->mb.filesz, FILE_LEN);
	assert_int_equal(f->mb.memsz, FILE_LEN);
	assert_int_equal(f->mb.entry, LOAD + 0x100);

	put_header(f, AT, 1u << 16, part);
	assert_int_equal(parse(f, FILE_LEN), 0);
	assert_int_equal(f->mb.offset, AT);
	assert_int_equal(f->mb.filesz, 0x1000);
	assert_int_equal(f->mb.memsz, 0x3000);
}

static void refuses_bad_addresses(void **state)
{
	static const uint32_t bad[][5] = {
		{LOAD, LOAD + 4, 0, 0, LOAD + 8},		      /* header before load */
		{LOAD + AT + 4, LOAD, 0, 0, LOAD + 8},		      /* from before the file */
		{LOAD, LOAD, LOAD, 0, LOAD},			      /* nothing to load */
		{LOAD, LOAD, LOAD - 1, 0, LOAD},		      /* ends before it starts */
		{LOAD, LOAD, LOAD + FILE_LEN, 0, LOAD},		      /* more than the file */
		{LOAD, LOAD, LOAD + 0x1000, LOAD + 0xfff, LOAD},      /* bss ends in the data */
		{LOAD, LOAD, LOAD + 0x1000, LOAD + 0x2000, LOAD - 1}, /* entry before it */
		{LOAD, LOAD, LOAD + 0x1000, LOAD + 0x2000, LOAD + 0x2000}, /* and after */
		{0xfffff000, 0xfffff000, 0, 0, 0xfffff000},		   /* wraps */
	};
	struct file *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put_header(f, AT, 1u << 16, bad[i]);
		assert_int_equal(parse(f, FILE_LEN), -ENOEXEC);
	}
	put_header(f, HV_MULTIBOOT_HEAD - 12, 1u << 16, NULL);
	assert_int_equal(parse(f, FILE_LEN), -ENOEXEC);
	assert_non_null(strstr(f->why, "cut short"));
}

static void tells_kinds_apart(void **state)
{
	struct file *f = *state;
	uint8_t elf[KI_ELF_LEN];
	size_t len;
	uint8_t *image = ki_bzimage("payload", 7, &len);

	ki_elf(elf);
	put_header(f, AT, 0, NULL);
	assert_int_equal(hv_kernel_kind_of(f->bytes, FILE_LEN), HV_KERNEL_MULTIBOOT);
	assert_int_equal(hv_kernel_kind_of(elf, sizeof(elf)), HV_KERNEL_PVH);
	assert_int_equal(hv_kernel_kind_of(image, len), HV_KERNEL_LINUX);
	assert_int_equal(hv_kernel_kind_of("#!/bin/sh\n", 10), HV_KERNEL_UNKNOWN);
	assert_int_equal(hv_kernel_kind_of(NULL, 0), HV_KERNEL_UNKNOWN);
	free(image);
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
		cmocka_unit_test(finds_the_header),	 cmocka_unit_test(leaves_elf_to_elf),
		cmocka_unit_test(refuses_demands),	 cmocka_unit_test(reads_addresses),
		cmocka_unit_test(refuses_bad_addresses), cmocka_unit_test(tells_kinds_apart),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
