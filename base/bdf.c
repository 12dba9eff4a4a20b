/* SPDX-License-Identifier: BSD-3-Clause */
/* bdf: see bdf.h. */
#include "base/bdf.h"

#include <errno.h>
#include <stdio.h>

/* Exactly `digits` hexadecimal digits at *text, followed by `end`; advances past them. */
static int take_hex(const char **text, unsigned digits, char end, unsigned *out)
{
	const char *p = *text;
	unsigned value = 0;

	for (unsigned i = 0; i < digits; i++, p++) {
		unsigned digit;
		if (*p >= '0' && *p <= '9')
			digit = (unsigned)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			digit = (unsigned)(*p - 'a') + 10;
		else if (*p >= 'A' && *p <= 'F')
			digit = (unsigned)(*p - 'A') + 10;
		else
			return -EINVAL;
		value = value * 16 + digit;
	}
	if (*p != end)
		return -EINVAL;
	*text = end ? p + 1 : p;
	*out = value;
	return 0;
}

int bdf_parse(const char *text, struct bdf *out)
{
	unsigned domain = 0, bus, dev, fn;
	const char *p = text;

	if (take_hex(&p, 4, ':', &domain) < 0)
		p = text; /* the short form, without a domain */
	if (take_hex(&p, 2, ':', &bus) < 0 || take_hex(&p, 2, '.', &dev) < 0 ||
	    take_hex(&p, 1, '\0', &fn) < 0 || dev > 31 || fn > 7)
		return -EINVAL;
	*out = (struct bdf){(uint16_t)domain, (uint8_t)bus, (uint8_t)dev, (uint8_t)fn};
	return 0;
}

char *bdf_format(struct bdf bdf, char text[BDF_TEXT])
{
	snprintf(text, BDF_TEXT, "%04x:%02x:%02x.%x", bdf.domain, bdf.bus, bdf.dev & 31u,
		 bdf.fn & 7u);
	return text;
}

static uint32_t as_number(struct bdf b)
{
	return (uint32_t)b.domain << 16 | (uint32_t)b.bus << 8 | (b.dev & 31u) << 3 | (b.fn & 7u);
}

bool bdf_equal(struct bdf a, struct bdf b)
{
	return as_number(a) == as_number(b);
}

int bdf_compare(struct bdf a, struct bdf b)
{
	uint32_t x = as_number(a), y = as_number(b);

	return (x > y) - (x < y);
}

#define STAND_IN 0xffffu

/* FNV-1a, folded to 16 bits. */
struct bdf bdf_stand_in(const char *name)
{
	uint32_t h = UINT32_C(0x811c9dc5);

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT32_C(0x01000193);
	h ^= h >> 16;
	return (struct bdf){STAND_IN, (uint8_t)(h >> 8), (uint8_t)(h >> 3 & 31u),
			    (uint8_t)(h & 7u)};
}

bool bdf_is_stand_in(struct bdf bdf)
{
	return bdf.domain == STAND_IN;
}
