/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/vmlinux.c: extents, the relocation table, and relocating. */
#include "hv-core/vmlinux.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/hv-core/kernel_image.h"

struct kernel {
	uint8_t file[KI_ELF_LEN + 64];
	size_t len;
	struct hv_vmlinux image;
	uint8_t *memory;
};

static const char *why;

static void parse(struct kernel *k)
{
	assert_int_equal(hv_vmlinux_parse(k->file, k->len, &k->image, &why), 0);
}

static void copy_to_memory(struct kernel *k)
{
	k->memory = calloc(1, k->image.span);
	assert_non_null(k->memory);
	for (size_t i = 0; i < k->image.extents; i++)
		memcpy(k->memory + k->image.extent[i].at, k->image.extent[i].data,
		       k->image.extent[i].len);
}

static uint64_t get64(const struct kernel *k, uint64_t at)
{
	uint64_t value;

	memcpy(&value, k->memory + at, sizeof(value));
	return value;
}

static uint32_t get32(const struct kernel *k, uint64_t at)
{
	uint32_t value;

	memcpy(&value, k->memory + at, sizeof(value));
	return value;
}

static void keeps_what_is_not_zero(void **state)
{
	struct kernel *k = *state;

	parse(k);
	assert_int_equal(k->image.load, KI_LOAD);
	assert_int_equal(k->image.span, KI_SPAN);
	assert_int_equal(k->image.entry, KI_ENTRY);
	assert_int_equal(k->image.extents, 3);
	assert_int_equal(k->image.extent[0].at, 0);
	assert_int_equal(k->image.extent[0].len, KI_PAGE);
	assert_int_equal(k->image.extent[1].at, 2 * KI_PAGE);
	assert_int_equal(k->image.extent[2].at, KI_SEG1_AT);
	assert_int_equal(k->image.extent[2].len, KI_SEG1_FILE);
	assert_memory_equal(k->image.extent[1].data, k->file + KI_SEG0_OFFSET + 2 * KI_PAGE,
			    KI_PAGE);
}

static void check_moved(struct kernel *k, int inverse)
{
	const uint64_t delta = UINT64_C(0x12200000);

	k->len = KI_ELF_LEN + ki_relocs(k->file + KI_ELF_LEN, inverse);
	parse(k);
	assert_int_equal(k->image.relocs[HV_RELOC_64], 1);
	assert_int_equal(k->image.relocs[HV_RELOC_INVERSE], inverse);
	assert_int_equal(k->image.relocs[HV_RELOC_32], 1);
	copy_to_memory(k);
	assert_int_equal(hv_vmlinux_relocate(&k->image, k->memory, delta), 0);
	assert_int_equal(get64(k, KI_PLACE64), KI_VIRT + KI_LOAD + 0x1234 + delta);
	assert_int_equal(get32(k, KI_PLACE32), (uint32_t)(KI_VIRT + KI_LOAD + 0x4321 + delta));
	assert_int_equal(get32(k, KI_PLACE_INVERSE),
			 inverse ? (uint32_t)(0x80000000u - delta) : 0x80000000u);
	assert_int_equal(k->memory[KI_PLACE64 - 1], 0xa5);
	assert_int_equal(k->memory[KI_PLACE64 + 8], 0xa5);
}

static void relocates_with_inverse_list(void **state)
{
	check_moved(*state, 1);
}

static void relocates_without_inverse_list(void **state)
{
	check_moved(*state, 0);
}

static void no_table_means_no_moving(void **state)
{
	struct kernel *k = *state;

	parse(k);
	assert_int_equal(k->image.relocs[HV_RELOC_64], 0);
	hv_vmlinux_finish(&k->image);
	/* bytes that are there, but are no table */
	ki_put32(k->file + KI_ELF_LEN, 7);
	ki_put32(k->file + KI_ELF_LEN + 4, 0);
	k->len = KI_ELF_LEN + 8;
	parse(k);
	assert_int_equal(k->image.relocs[HV_RELOC_64], 0);
	assert_int_equal(k->image.relocs[HV_RELOC_32], 0);
}

static void refuses_places_outside(void **state)
{
	static const uint32_t bad[] = {KI_SPAN - 7, KI_SPAN, (uint32_t)-1, 0x70000000};
	struct kernel *k = *state;

	for (size_t i = 0; i < 4; i++) {
		k->len = KI_ELF_LEN + ki_relocs(k->file + KI_ELF_LEN, 1);
		ki_put32(k->file + KI_ELF_LEN + 4, (uint32_t)(KI_VIRT + KI_LOAD) + bad[i]);
		parse(k);
		copy_to_memory(k);
		assert_int_equal(hv_vmlinux_relocate(&k->image, k->memory, 0x200000), -EBADMSG);
		free(k->memory);
		k->memory = NULL;
		hv_vmlinux_finish(&k->image);
	}
}

static void refuses_what_is_no_kernel(void **state)
{
	struct kernel *k = *state;
	Elf64_Phdr *ph = (Elf64_Phdr *)(void *)(k->file + sizeof(Elf64_Ehdr));

	ph[0].p_paddr += KI_PAGE; /* not where startup_64 may stand */
	assert_int_equal(hv_vmlinux_parse(k->file, k->len, &k->image, &why), -ENOEXEC);
	ph[0].p_paddr -= KI_PAGE;
	ph[1].p_memsz = HV_VMLINUX_SPAN;
	assert_int_equal(hv_vmlinux_parse(k->file, k->len, &k->image, &why), -ENOEXEC);
	ph[1].p_memsz = KI_SEG1_MEM;
	((Elf64_Ehdr *)(void *)k->file)->e_entry = KI_LOAD + KI_SPAN;
	assert_int_equal(hv_vmlinux_parse(k->file, k->len, &k->image, &why), -ENOEXEC);
}

static int setup(void **state)
{
	struct kernel *k = calloc(1, sizeof(*k));

	if (!k)
		return -1;
	ki_elf(k->file);
	k->len = KI_ELF_LEN;
	*state = k;
	return 0;
}

static int teardown(void **state)
{
	struct kernel *k = *state;

	hv_vmlinux_finish(&k->image);
	free(k->memory);
	free(k);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_what_is_not_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(relocates_with_inverse_list, setup, teardown),
		cmocka_unit_test_setup_teardown(relocates_without_inverse_list, setup, teardown),
		cmocka_unit_test_setup_teardown(no_table_means_no_moving, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_places_outside, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_what_is_no_kernel, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
