/* SPDX-License-Identifier: BSD-3-Clause */
/* Unit tests of hv-core/unpack.c: every format there and back, damage, and sizes that lie. */
#include "hv-core/unpack.h"

#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>

#include <cmocka.h>

#define PLAIN_LEN   100000u
#define PACKED_ROOM 200000u

static uint8_t plain[PLAIN_LEN], packed[PACKED_ROOM];

static void fill_plain(void)
{
	for (unsigned i = 0; i < PLAIN_LEN; i++)
		plain[i] = (uint8_t)(i * i >> 7);
}

static size_t append_size(size_t len, uint32_t size)
{
	memcpy(packed + len, &size, sizeof(size));
	return len + sizeof(size);
}

static size_t pack_zstd(void)
{
	return append_size(ZSTD_compress(packed, PACKED_ROOM, plain, PLAIN_LEN, 1), PLAIN_LEN);
}

static size_t pack_xz(void)
{
	size_t len = 0;

	assert_int_equal(lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, NULL, plain, PLAIN_LEN,
						 packed, &len, PACKED_ROOM),
			 LZMA_OK);
	return append_size(len, PLAIN_LEN);
}

/* Two blocks in a legacy frame. */
static size_t pack_lz4(void)
{
	static const uint8_t magic[] = {0x02, 0x21, 0x4c, 0x18};
	size_t len = sizeof(magic);

	memcpy(packed, magic, sizeof(magic));
	for (unsigned at = 0; at < PLAIN_LEN; at += PLAIN_LEN / 2) {
		int got = LZ4_compress_default((const char *)plain + at, (char *)packed + len + 4,
					       PLAIN_LEN / 2, 100000);

		assert_true(got > 0);
		append_size(len, (uint32_t)got);
		len += 4 + (size_t)got;
	}
	return append_size(len, PLAIN_LEN);
}

static size_t pack_gzip(void)
{
	z_stream z = {.next_in = plain,
		      .avail_in = PLAIN_LEN,
		      .next_out = packed,
		      .avail_out = PACKED_ROOM};

	assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), 0);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out; /* its trailer ends in the size */
}

static void check(const char *name, size_t len)
{
	void *out = NULL;
	size_t out_len = 0;

	assert_string_equal(hv_unpack_format(packed, len), name);
	assert_int_equal(hv_unpack(packed, len, &out, &out_len), 0);
	assert_int_equal(out_len, PLAIN_LEN);
	assert_memory_equal(out, plain, PLAIN_LEN);
	munmap(out, out_len);
	for (size_t cut = 17; cut < len; cut += len / 13)
		assert_true(hv_unpack(packed, cut, &out, &out_len) < 0);
	packed[len - 4]++; /* the size it claims */
	assert_int_equal(hv_unpack(packed, len, &out, &out_len), -EBADMSG);
	packed[len - 4] = (uint8_t)(packed[len - 4] - 2);
	assert_int_equal(hv_unpack(packed, len, &out, &out_len), -EBADMSG);
}

static void unpacks_zstd(void **state)
{
	(void)state;
	check("zstd", pack_zstd());
}

static void unpacks_xz(void **state)
{
	(void)state;
	check("xz", pack_xz());
}

static void unpacks_lz4(void **state)
{
	(void)state;
	check("lz4", pack_lz4());
}

static void unpacks_gzip(void **state)
{
	(void)state;
	check("gzip", pack_gzip());
}

static void leaves_unknown_formats_alone(void **state)
{
	void *out;
	size_t len;

	(void)state;
	memset(packed, 0x33, 64);
	assert_null(hv_unpack_format(packed, 64));
	assert_int_equal(hv_unpack(packed, 64, &out, &len), -EOPNOTSUPP);
	assert_null(hv_unpack_format("", 0));
}

static void refuses_absurd_sizes(void **state)
{
	size_t len = pack_zstd(), out_len;
	void *out;

	(void)state;
	append_size(len - 4, 0);
	assert_int_equal(hv_unpack(packed, len, &out, &out_len), -EBADMSG);
	append_size(len - 4, UINT32_MAX);
	assert_int_equal(hv_unpack(packed, len, &out, &out_len), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unpacks_zstd),
		cmocka_unit_test(unpacks_xz),
		cmocka_unit_test(unpacks_lz4),
		cmocka_unit_test(unpacks_gzip),
		cmocka_unit_test(leaves_unknown_formats_alone),
		cmocka_unit_test(refuses_absurd_sizes),
	};

	fill_plain();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
