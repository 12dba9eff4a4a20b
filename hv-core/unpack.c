/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unpack: one function per format, all from one buffer into another of known size.
 *
 * The unpacked size at the payload's end is a claim: it bounds the output buffer, and a payload
 * that unpacks to anything else is damaged.
 */
#include "hv-core/unpack.h"

#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>
#include <zstd.h>

#include "base/util.h"

struct format {
	const char *name;
	uint8_t magic[6];
	size_t magic_len;
	/* `in` is without the size at the end; 0 or -EBADMSG */
	int (*unpack)(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len);
};

static int unpack_zstd(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	return ZSTD_decompress(out, out_len, in, in_len) == out_len ? 0 : -EBADMSG;
}

static int unpack_xz(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	uint64_t memory = 256 * MIB;
	size_t in_pos = 0, out_pos = 0;
	lzma_ret ret = lzma_stream_buffer_decode(&memory, 0, NULL, in, &in_pos, in_len, out,
						 &out_pos, out_len);

	return ret == LZMA_OK && out_pos == out_len ? 0 : -EBADMSG;
}

/* The legacy frame: a magic, then blocks of up to 8 MiB, each behind its packed size. */
static int unpack_lz4(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	const size_t block_max = 8 * MIB;
	size_t at = 4, done = 0;

	while (at < in_len) {
		uint32_t packed;
		int got;

		if (in_len - at < sizeof(packed))
			return -EBADMSG;
		memcpy(&packed, in + at, sizeof(packed));
		at += sizeof(packed);
		if (packed > in_len - at || packed > INT32_MAX)
			return -EBADMSG;
		got = LZ4_decompress_safe((const char *)in + at, (char *)out + done, (int)packed,
					  (int)MIN(block_max, out_len - done));
		if (got < 0)
			return -EBADMSG;
		at += packed;
		done += (size_t)got;
	}
	return done == out_len ? 0 : -EBADMSG;
}

static int unpack_gzip(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	z_stream z = {
		.next_in = (uint8_t *)(uintptr_t)in, /* zlib's API lacks a const */
		.avail_in = (uInt)in_len,
		.next_out = out,
		.avail_out = (uInt)out_len,
	};
	int ret;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	ret = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return ret == Z_STREAM_END && z.total_out == out_len ? 0 : -EBADMSG;
}

static const struct format formats[] = {
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, unpack_zstd},
	{"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, unpack_xz},
	{"lz4", {0x02, 0x21, 0x4c, 0x18}, 4, unpack_lz4},
	{"gzip", {0x1f, 0x8b, 8}, 3, unpack_gzip},
};

static const struct format *find_format(const void *data, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (len >= formats[i].magic_len &&
		    memcmp(data, formats[i].magic, formats[i].magic_len) == 0)
			return &formats[i];
	}
	return NULL;
}

const char *hv_unpack_format(const void *data, size_t len)
{
	const struct format *format = find_format(data, len);

	return format ? format->name : NULL;
}

int hv_unpack(const void *data, size_t len, void **out, size_t *out_len)
{
	const struct format *format = find_format(data, len);
	const uint8_t *bytes = data;
	uint32_t size;
	void *buffer;
	int err;

	if (!format)
		return -EOPNOTSUPP;
	if (len < 16 || len > HV_UNPACK_MAX)
		return -EBADMSG;
	memcpy(&size, bytes + len - sizeof(size), sizeof(size));
	if (size == 0 || size > HV_UNPACK_MAX)
		return -EBADMSG;
	buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		return -ENOMEM;
	madvise(buffer, size, MADV_HUGEPAGE);
	/* gzip's trailer is its own size field: it stays part of the stream. */
	err = format->unpack(bytes, format->unpack == unpack_gzip ? len : len - sizeof(size),
			     buffer, size);
	if (err < 0) {
		munmap(buffer, size);
		return err;
	}
	*out = buffer;
	*out_len = size;
	return 0;
}
