/* SPDX-License-Identifier: BSD-3-Clause */
/* aml: bytes, lengths and names. */
#include "hv-core/aml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

#define EXT_PREFIX 0x5b

static uint8_t *grow(struct aml *aml, size_t len)
{
	uint8_t *at;

	if (aml->failed)
		return NULL;
	if (len > aml->room - aml->len) {
		size_t room = MAX(aml->room * 2, aml->len + len + 1024);
		void *data = realloc(aml->data, room);

		if (!data) {
			aml->failed = true;
			return NULL;
		}
		aml->data = data;
		aml->room = room;
	}
	at = aml->data + aml->len;
	aml->len += len;
	return at;
}

static void put(struct aml *aml, const void *bytes, size_t len)
{
	uint8_t *at = grow(aml, len);

	if (at)
		memcpy(at, bytes, len);
}

static void put_int(struct aml *aml, uint64_t value, size_t len)
{
	put(aml, &value, len); /* little-endian, as this machine is */
}

int aml_finish(struct aml *aml, uint8_t **out, size_t *len)
{
	bool failed = aml->failed;

	if (failed) {
		free(aml->data);
	} else {
		*out = aml->data;
		*len = aml->len;
	}
	*aml = (struct aml){0};
	return failed ? -ENOMEM : 0;
}

void aml_op(struct aml *aml, uint8_t op)
{
	put_int(aml, op, 1);
}

void aml_ext_op(struct aml *aml, uint8_t op)
{
	aml_op(aml, EXT_PREFIX);
	aml_op(aml, op);
}

/* ---- lengths ---- */

/*
 * PkgLength (20.2.4) counts itself: one byte up to 63, else the low four bits beside a count of
 * the bytes that follow.
 */
static size_t encode_length(size_t body, uint8_t out[4])
{
	size_t bytes = 1, total;

	while (bytes < 4 &&
	       body + bytes >= (bytes == 1 ? (size_t)1 << 6 : (size_t)1 << (8 * bytes - 4)))
		bytes++;
	total = body + bytes;
	if (bytes == 1) {
		out[0] = (uint8_t)total;
		return 1;
	}
	out[0] = (uint8_t)((bytes - 1) << 6 | (total & 0xf));
	for (size_t i = 1; i < bytes; i++)
		out[i] = (uint8_t)(total >> (8 * i - 4));
	return bytes;
}

static void insert(struct aml *aml, size_t at, const uint8_t *bytes, size_t len)
{
	size_t tail = aml->len - at;

	if (!grow(aml, len))
		return;
	memmove(aml->data + at + len, aml->data + at, tail);
	memcpy(aml->data + at, bytes, len);
}

void aml_close(struct aml *aml, size_t mark)
{
	uint8_t bytes[4] = {0};

	if (aml->failed)
		return;
	size_t len = encode_length(aml->len - mark, bytes);
	insert(aml, mark, bytes, len);
}

static size_t open_op(struct aml *aml, uint8_t op)
{
	aml_op(aml, op);
	return aml->len;
}

/* ---- names ---- */

static void put_segment(struct aml *aml, const char *segment, size_t len)
{
	char padded[4] = {'_', '_', '_', '_'};

	memcpy(padded, segment, MIN(len, sizeof(padded)));
	put(aml, padded, sizeof(padded));
}

/* NameString (20.2.2): root, then one, two (0x2e) or more (0x2f, count) segments. */
void aml_path(struct aml *aml, const char *path)
{
	uint8_t segments = 1;

	if (*path == '\\')
		aml_op(aml, (uint8_t)*path++);
	for (const char *p = path; *p; p++)
		segments = (uint8_t)(segments + (*p == '.'));
	if (segments == 2)
		aml_op(aml, 0x2e);
	if (segments > 2) {
		aml_op(aml, 0x2f);
		aml_op(aml, segments);
	}
	for (; segments > 0; segments--) {
		size_t len = strcspn(path, ".");

		put_segment(aml, path, len);
		path += len + 1;
	}
}

void aml_name(struct aml *aml, const char *name)
{
	aml_op(aml, 0x08);
	aml_path(aml, name);
}

/* ---- terms with a length ---- */

size_t aml_scope(struct aml *aml, const char *path)
{
	size_t mark = open_op(aml, 0x10);

	aml_path(aml, path);
	return mark;
}

size_t aml_device(struct aml *aml, const char *name)
{
	size_t mark;

	aml_op(aml, EXT_PREFIX);
	mark = open_op(aml, 0x82);
	aml_path(aml, name);
	return mark;
}

size_t aml_method(struct aml *aml, const char *name, unsigned args, bool serialized)
{
	size_t mark = open_op(aml, 0x14);

	aml_path(aml, name);
	aml_op(aml, (uint8_t)(args | (serialized ? 8u : 0u)));
	return mark;
}

size_t aml_package(struct aml *aml, uint8_t elements)
{
	size_t mark = open_op(aml, 0x12);

	aml_op(aml, elements);
	return mark;
}

size_t aml_if(struct aml *aml)
{
	return open_op(aml, 0xa0);
}

size_t aml_else(struct aml *aml)
{
	return open_op(aml, 0xa1);
}

size_t aml_field(struct aml *aml, const char *region, uint8_t flags)
{
	size_t mark;

	aml_op(aml, EXT_PREFIX);
	mark = open_op(aml, 0x81);
	aml_path(aml, region);
	aml_op(aml, flags);
	return mark;
}

void aml_field_unit(struct aml *aml, const char *name, unsigned bits)
{
	put_segment(aml, name, strlen(name));
	aml_op(aml, (uint8_t)bits);
}

void aml_io_region(struct aml *aml, const char *name, uint16_t port, uint8_t len)
{
	aml_ext_op(aml, 0x80);
	aml_path(aml, name);
	aml_op(aml, 1); /* SystemIO */
	aml_int(aml, port);
	aml_int(aml, len);
}

/* ---- data ---- */

void aml_int(struct aml *aml, uint64_t value)
{
	if (value <= 1) {
		aml_op(aml, (uint8_t)value); /* ZeroOp, OneOp */
	} else if (value <= UINT8_MAX) {
		aml_op(aml, 0x0a);
		put_int(aml, value, 1);
	} else if (value <= UINT16_MAX) {
		aml_op(aml, 0x0b);
		put_int(aml, value, 2);
	} else if (value <= UINT32_MAX) {
		aml_op(aml, 0x0c);
		put_int(aml, value, 4);
	} else {
		aml_op(aml, 0x0e);
		put_int(aml, value, 8);
	}
}

void aml_string(struct aml *aml, const char *text)
{
	aml_op(aml, 0x0d);
	put(aml, text, strlen(text) + 1);
}

static uint8_t hex(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* Three letters of five bits, four digits of four; big-endian (19.3.4). */
void aml_eisa_id(struct aml *aml, const char id[8])
{
	uint32_t value = 0;

	for (int i = 0; i < 3; i++)
		value = value << 5 | (uint32_t)(id[i] - 'A' + 1);
	for (int i = 3; i < 7; i++)
		value = value << 4 | hex(id[i]);
	aml_op(aml, 0x0c);
	put_int(aml, __builtin_bswap32(value), 4);
}

void aml_buffer(struct aml *aml, const uint8_t *bytes, size_t len)
{
	size_t mark = open_op(aml, 0x11);

	aml_int(aml, len);
	for (size_t i = 0; i < len; i++)
		aml_op(aml, bytes[i]);
	aml_close(aml, mark);
}

void aml_uuid(struct aml *aml, const char *text)
{
	/* where the digit pairs of "aabbccdd-eeff-gghh-iijj-kkllmmnnoopp" go: 19.6.142 */
	static const uint8_t at[16] = {6, 4, 2, 0, 11, 9, 16, 14, 19, 21, 24, 26, 28, 30, 32, 34};
	size_t mark = open_op(aml, 0x11);

	aml_int(aml, sizeof(at));
	for (size_t i = 0; i < sizeof(at); i++)
		aml_op(aml, (uint8_t)(hex(text[at[i]]) << 4 | hex(text[at[i] + 1])));
	aml_close(aml, mark);
}

/* ---- resource templates ---- */

size_t aml_resources(struct aml *aml)
{
	return open_op(aml, 0x11);
}

void aml_close_resources(struct aml *aml, size_t mark)
{
	struct aml size = {0};

	aml_op(aml, 0x79); /* end tag (6.4.2.9) */
	aml_op(aml, 0);	   /* no checksum */
	aml_int(&size, aml->len - mark);
	if (size.failed)
		aml->failed = true;
	if (!aml->failed)
		insert(aml, mark, size.data, size.len);
	free(size.data);
	aml_close(aml, mark);
}

void aml_res_io(struct aml *aml, uint16_t port, uint8_t len)
{
	aml_op(aml, 0x47); /* 6.4.2.5 */
	aml_op(aml, 1);	   /* decodes 16 bits */
	put_int(aml, port, 2);
	put_int(aml, port, 2);
	aml_op(aml, 1);
	aml_op(aml, len);
}

void aml_res_memory32(struct aml *aml, uint32_t base, uint32_t len)
{
	aml_op(aml, 0x86); /* 6.4.3.4 */
	put_int(aml, 9, 2);
	aml_op(aml, 1); /* writeable */
	put_int(aml, base, 4);
	put_int(aml, len, 4);
}

/* Address space descriptors (6.4.3.5) differ in the width of their numbers. */
static void address_space(struct aml *aml, size_t width, uint8_t type, uint8_t type_flags,
			  uint64_t first, uint64_t last)
{
	aml_op(aml, width == 2 ? 0x88 : width == 4 ? 0x87 : 0x8a);
	put_int(aml, 3 + 5 * width, 2);
	aml_op(aml, type);
	aml_op(aml, 0x0c); /* minimum and maximum fixed, positive decode, producer */
	aml_op(aml, type_flags);
	put_int(aml, 0, width); /* granularity */
	put_int(aml, first, width);
	put_int(aml, last, width);
	put_int(aml, 0, width); /* translation */
	put_int(aml, last - first + 1, width);
}

void aml_res_bus(struct aml *aml, uint8_t first, uint8_t last)
{
	address_space(aml, 2, 2, 0, first, last);
}

void aml_res_window32(struct aml *aml, uint32_t first, uint32_t last)
{
	address_space(aml, 4, 0, 0x01, first, last); /* read-write, not cacheable */
}

void aml_res_window64(struct aml *aml, uint64_t first, uint64_t last)
{
	address_space(aml, 8, 0, 0x07, first, last); /* read-write, prefetchable */
}

void aml_res_isa_irq(struct aml *aml, unsigned irq)
{
	aml_op(aml, 0x22); /* 6.4.2.1, without flags */
	put_int(aml, UINT64_C(1) << irq, 2);
}

static void interrupt(struct aml *aml, uint8_t flags, uint32_t gsi)
{
	aml_op(aml, 0x89); /* 6.4.3.6 */
	put_int(aml, 6, 2);
	aml_op(aml, flags);
	aml_op(aml, 1);
	put_int(aml, gsi, 4);
}

void aml_res_edge_interrupt(struct aml *aml, uint32_t gsi)
{
	interrupt(aml, 0x03, gsi); /* consumer, edge, active high, exclusive */
}

void aml_res_level_interrupt(struct aml *aml, uint32_t gsi)
{
	interrupt(aml, 0x01, gsi);
}
