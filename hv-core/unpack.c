/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unpack: one function per format, all from one buffer into another of known size.
 *
 * The unpacked size at the payload's end is a claim: it bounds the output buffer, and a payload
 * that unpacks to anything else is damaged.
 *
 * The libraries are loaded when one is needed, not linked: most starts find an unpacked kernel in
 * the cache, and a VM's process should neither wait for nor hold four decompressors for nothing.
 * A library that is not installed makes its format an unknown one.
 */
#include "hv-core/unpack.h"

#include <dlfcn.h>
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
	const char *library;
	/* `in` is without the size at the end, but for gzip; 0, -EBADMSG or -EOPNOTSUPP */
	int (*unpack)(void *library, const uint8_t *in, size_t in_len, uint8_t *out,
		      size_t out_len);
};

/* A function of `library` with the type that its header gives it; NULL when it is not there. */
#define SYMBOL(library, function) ((__typeof__(function) *)dlsym(library, #function))

static int unpack_zstd(void *library, const uint8_t *in, size_t in_len, uint8_t *out,
		       size_t out_len)
{
	__typeof__(ZSTD_decompress) *decompress = SYMBOL(library, ZSTD_decompress);

	if (!decompress)
		return -EOPNOTSUPP;
	return decompress(out, out_len, in, in_len) == out_len ? 0 : -EBADMSG;
}

static int unpack_xz(void *library, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	__typeof__(lzma_stream_buffer_decode) *decode = SYMBOL(library, lzma_stream_buffer_decode);
	uint64_t memory = 256 * MIB;
	size_t in_pos = 0, out_pos = 0;

	if (!decode)
		return -EOPNOTSUPP;
	if (decode(&memory, 0, NULL, in, &in_pos, in_len, out, &out_pos, out_len) != LZMA_OK)
		return -EBADMSG;
	return out_pos == out_len ? 0 : -EBADMSG;
}

/* The legacy frame: a magic, then blocks of up to 8 MiB, each behind its packed size. */
static int unpack_lz4(void *library, const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	__typeof__(LZ4_decompress_safe) *decompress = SYMBOL(library, LZ4_decompress_safe);
	const size_t block_max = 8 * MIB;
	size_t at = 4, done = 0;

	if (!decompress)
		return -EOPNOTSUPP;
	while (at < in_len) {
		uint32_t packed;
		int got;

		if (in_len - at < sizeof(packed))
			return -EBADMSG;
		memcpy(&packed, in + at, sizeof(packed));
		at += sizeof(packed);
		if (packed > in_len - at || packed > INT32_MAX)
			return -EBADMSG;
		got = decompress((const char *)in + at, (char *)out + done, (int)packed,
				 (int)MIN(block_max, out_len - done));
		if (got < 0)
			return -EBADMSG;
		at += packed;
		done += (size_t)got;
	}
	return done == out_len ? 0 : -EBADMSG;
}

static int unpack_gzip(void *library, const uint8_t *in, size_t in_len, uint8_t *out,
		       size_t out_len)
{
	__typeof__(inflateInit2_) *init = SYMBOL(library, inflateInit2_);
	__typeof__(inflate) *run = SYMBOL(library, inflate);
	__typeof__(inflateEnd) *end = SYMBOL(library, inflateEnd);
	z_stream z = {
		.next_in = (uint8_t *)(uintptr_t)in, /* zlib's API lacks a const */
		.avail_in = (uInt)in_len,
		.next_out = out,
		.avail_out = (uInt)out_len,
	};
	int ret;

	if (!init || !run || !end)
		return -EOPNOTSUPP;
	if (init(&z, 16 + MAX_WBITS, ZLIB_VERSION, sizeof(z)) != Z_OK)
		return -ENOMEM;
	ret = run(&z, Z_FINISH);
	end(&z);
	return ret == Z_STREAM_END && z.total_out == out_len ? 0 : -EBADMSG;
}

static const struct format formats[] = {
	{"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, "libzstd.so.1", unpack_zstd},
	{"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, "liblzma.so.5", unpack_xz},
	{"lz4", {0x02, 0x21, 0x4c, 0x18}, 4, "liblz4.so.1", unpack_lz4},
	{"gzip", {0x1f, 0x8b, 8}, 3, "libz.so.1", unpack_gzip},
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

void hv_unpack_prepare(const void *data, size_t len)
{
	const struct format *format = find_format(data, len);

	/* Not closed: so run_format finds it by its name, without a look at any file. */
	if (format && !dlopen(format->library, RTLD_NOW | RTLD_LOCAL))
		dlerror();
}

static int run_format(const struct format *format, const uint8_t *in, size_t in_len, uint8_t *out,
		      size_t out_len)
{
	void *library = dlopen(format->library, RTLD_NOW | RTLD_LOCAL);
	int err;

	if (!library)
		return -EOPNOTSUPP;
	err = format->unpack(library, in, in_len, out, out_len);
	dlclose(library);
	return err;
}

int hv_unpack(const void *data, size_t len, void **out, size_t *out_len)
{
	const struct format *format = find_format(data, len);
	uint32_t size;
	void *buffer;
	int err;

	if (!format)
		return -EOPNOTSUPP;
	if (len < 16 || len > HV_UNPACK_MAX)
		return -EBADMSG;
	memcpy(&size, (const uint8_t *)data + len - sizeof(size), sizeof(size));
	if (size == 0 || size > HV_UNPACK_MAX)
		return -EBADMSG;
	buffer = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer == MAP_FAILED)
		return -ENOMEM;
	madvise(buffer, size, MADV_HUGEPAGE);
	/* gzip's trailer is its own size field: it stays part of the stream. */
	if (format->unpack != unpack_gzip)
		len -= sizeof(size);
	err = run_format(format, data, len, buffer, size);
	if (err < 0) {
		munmap(buffer, size);
		return err;
	}
	*out = buffer;
	*out_len = size;
	return 0;
}
