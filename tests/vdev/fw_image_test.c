/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of vdev/fw_image.c: made-up firmware and stores, whole and spoilt in every way. */
#include "vdev/fw_image.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#define CODE  (256u << 10)
#define VARS  (128u << 10)
#define HEAD  512u
#define FV_AT (CODE / 2)

static const uint8_t guid[16] = {0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
				 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92};

static void volume(uint8_t *at, uint64_t length)
{
	static const char signature[4] = {'_', 'F', 'V', 'H'};
	uint16_t header = 72, sum = 0, word;

	memset(at, 0, header);
	memcpy(at + 32, &length, 8);
	memcpy(at + 40, signature, sizeof(signature));
	memcpy(at + 48, &header, 2);
	for (unsigned i = 0; i < header; i += 2) {
		memcpy(&word, at + i, 2);
		sum = (uint16_t)(sum + word);
	}
	sum = (uint16_t)-sum;
	memcpy(at + 50, &sum, 2);
}

/* Two volumes; a jump at the reset vector. */
static uint8_t *uefi(void)
{
	uint8_t *data = calloc(1, CODE);

	assert_non_null(data);
	volume(data, FV_AT);
	volume(data + FV_AT, CODE - FV_AT);
	data[CODE - 16] = 0x90;
	data[CODE - 15] = 0xe9;
	return data;
}

static void whole_firmware(void **state)
{
	enum vdev_fw_kind kind;
	uint8_t *data = uefi();

	(void)state;
	assert_null(vdev_fw_code_wrong(data, CODE, &kind));
	assert_int_equal(kind, VDEV_FW_UEFI);
	memset(data, 0, CODE - 16); /* nothing but the jump: a BIOS */
	assert_null(vdev_fw_code_wrong(data, CODE, &kind));
	assert_int_equal(kind, VDEV_FW_BIOS);
	free(data);
}

static void truncated_firmware(void **state)
{
	enum vdev_fw_kind kind;
	uint8_t *data = uefi();

	(void)state;
	assert_non_null(vdev_fw_code_wrong(data, CODE - 1, &kind));
	assert_non_null(strstr(vdev_fw_code_wrong(data, CODE - 4096, &kind), "truncated"));
	assert_non_null(vdev_fw_code_wrong(data, FV_AT + 4096, &kind));
	assert_non_null(vdev_fw_code_wrong(data, 16, &kind));
	free(data);
}

static void corrupt_firmware(void **state)
{
	enum vdev_fw_kind kind;
	uint8_t *data = uefi();

	(void)state;
	data[20] ^= 1;
	assert_non_null(strstr(vdev_fw_code_wrong(data, CODE, &kind), "checksum"));
	data[20] ^= 1;
	data[FV_AT + 41] = 0;
	assert_non_null(vdev_fw_code_wrong(data, CODE, &kind));
	volume(data + FV_AT, CODE - FV_AT);
	memset(data + CODE - 16, 0xff, 16);
	assert_non_null(strstr(vdev_fw_code_wrong(data, CODE, &kind), "reset vector"));
	free(data);
}

static void store(uint8_t head[HEAD])
{
	uint32_t size = VARS - 72;

	memset(head, 0xff, HEAD);
	volume(head, VARS);
	memcpy(head + 72, guid, 16);
	memcpy(head + 88, &size, 4);
	head[92] = 0x5a;
	head[93] = 0xfe;
}

static void stores_of_variables(void **state)
{
	uint8_t head[HEAD];

	(void)state;
	store(head);
	assert_null(vdev_fw_vars_wrong(head, HEAD, VARS));
	assert_non_null(strstr(vdev_fw_vars_wrong(head, HEAD, VARS - 4096), "truncated"));
	assert_non_null(vdev_fw_vars_wrong(head, HEAD, VARS + 4096));
	assert_non_null(vdev_fw_vars_wrong(head, 40, 40));
	assert_non_null(vdev_fw_vars_wrong(head, 80, 80));
	head[93] = 0;
	assert_non_null(strstr(vdev_fw_vars_wrong(head, HEAD, VARS), "corrupt"));
	store(head);
	head[75] ^= 0xff;
	assert_non_null(vdev_fw_vars_wrong(head, HEAD, VARS));
	store(head);
	head[91] = 0xff; /* longer than its volume */
	assert_non_null(vdev_fw_vars_wrong(head, HEAD, VARS));
}

/* Headers of noise: none may be read past its end (the sanitizers see), hardly one is taken. */
static void garbage(void **state)
{
	uint8_t *data = uefi();
	uint32_t seed = 9;
	enum vdev_fw_kind kind;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 1664525 + 1013904223;
		data[(seed >> 8) % 64 + (seed & 1 ? FV_AT : 0)] = (uint8_t)(seed >> 24);
		vdev_fw_code_wrong(data, CODE, &kind);
		vdev_fw_vars_wrong(data, (seed >> 12) % HEAD, CODE);
	}
	/* Whoever has lost its first signature may only pass as a BIOS. */
	if (!vdev_fw_code_wrong(data, CODE, &kind))
		assert_int_equal(kind, VDEV_FW_BIOS);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_firmware),   cmocka_unit_test(truncated_firmware),
		cmocka_unit_test(corrupt_firmware), cmocka_unit_test(stores_of_variables),
		cmocka_unit_test(garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
