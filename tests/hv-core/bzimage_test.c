/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/bzimage.c: the setup header, read and refused. */
#include "hv-core/bzimage.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/hv-core/kernel_image.h"

struct file {
	uint8_t *bytes;
	size_t len;
	struct hv_bzimage bz;
	const char *why;
};

static struct setup_header *header(struct file *f)
{
	return (struct setup_header *)(void *)(f->bytes + 0x1f1);
}

static int parse(struct file *f, uint64_t file_size)
{
	return hv_bzimage_parse(f->bytes, HV_BZIMAGE_HEAD, file_size, &f->bz, &f->why);
}

static void reads_a_header(void **state)
{
	struct file *f = *state;

	assert_true(hv_bzimage_magic(f->bytes, f->len));
	assert_int_equal(parse(f, f->len), 0);
	assert_int_equal(f->bz.kernel_offset, KI_SETUP_LEN);
	assert_int_equal(f->bz.kernel_size, f->len - KI_SETUP_LEN);
	assert_int_equal(f->bz.payload_offset, KI_SETUP_LEN + 0x400);
	assert_int_equal(f->bz.payload_size, 64);
	assert_int_equal(f->bz.header.cmdline_size, 2047);
}

static void zero_sectors_mean_four(void **state)
{
	struct file *f = *state;

	header(f)->setup_sects = 0;
	assert_int_equal(parse(f, UINT64_C(1) << 20), 0);
	assert_int_equal(f->bz.kernel_offset, 5 * 512);
}

static void leaves_out_what_the_header_lacks(void **state)
{
	struct file *f = *state;

	f->bytes[0x201] = 0x250 - 0x202; /* the header ends behind payload_length */
	assert_int_equal(parse(f, f->len), 0);
	assert_int_equal(f->bz.header.pref_address, 0);
	assert_int_equal(f->bz.payload_size, 64);
}

static void refuses_old_and_32_bit_images(void **state)
{
	struct file *f = *state;

	header(f)->version = 0x020b;
	assert_int_equal(parse(f, f->len), -ENOEXEC);
	assert_non_null(strstr(f->why, "2.12"));
	header(f)->version = 0x020c;
	assert_int_equal(parse(f, f->len), 0);
	header(f)->xloadflags = 0;
	assert_int_equal(parse(f, f->len), -ENOEXEC);
	assert_non_null(strstr(f->why, "64-bit"));
}

static void refuses_truncation(void **state)
{
	struct file *f = *state;

	assert_int_equal(parse(f, KI_SETUP_LEN + 0x200), -ENOEXEC);
	assert_int_equal(parse(f, KI_SETUP_LEN + 0x400 + 63), -ENOEXEC);
	assert_int_equal(parse(f, KI_SETUP_LEN + 0x400 + 64), 0);
	assert_int_equal(hv_bzimage_parse(f->bytes, 0x210, 0x210, &f->bz, &f->why), -ENOEXEC);
}

static void refuses_hostile_numbers(void **state)
{
	struct file *f = *state;

	header(f)->payload_offset = UINT32_MAX;
	assert_int_equal(parse(f, f->len), -ENOEXEC);
	header(f)->payload_offset = 0x400;
	header(f)->payload_length = UINT32_MAX;
	assert_int_equal(parse(f, f->len), -ENOEXEC);
	header(f)->payload_length = 64;
	header(f)->kernel_alignment = 0x300000;
	assert_int_equal(parse(f, f->len), -ENOEXEC);
	header(f)->kernel_alignment = 0x200000;
	f->bytes[0x201] = 0;
	assert_int_equal(parse(f, f->len), -ENOEXEC);
}

static int setup(void **state)
{
	struct file *f = calloc(1, sizeof(*f));
	uint8_t payload[64] = {0};

	if (!f)
		return -1;
	f->bytes = ki_bzimage(payload, sizeof(payload), &f->len);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	free(((struct file *)*state)->bytes);
	free(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_a_header, setup, teardown),
		cmocka_unit_test_setup_teardown(zero_sectors_mean_four, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_out_what_the_header_lacks, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_old_and_32_bit_images, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_truncation, setup, teardown),
		cmocka_unit_test_setup_teardown(refuses_hostile_numbers, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
