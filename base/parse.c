/* SPDX-License-Identifier: BSD-3-Clause */
/* parse: see parse.h. */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

/* strtoull without its leniency: no white space, no sign. */
static int take_number(const char *text, uint64_t *out, const char **end)
{
	char *stop;
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	if (!isdigit((unsigned char)text[0]) || (hex && !isxdigit((unsigned char)text[2])))
		return -EINVAL;
	errno = 0;
	unsigned long long value = strtoull(text, &stop, hex ? 16 : 10);
	if (errno)
		return -ERANGE;
	*out = value;
	*end = stop;
	return 0;
}

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *end;
	uint64_t value;
	int err = take_number(text, &value, &end);

	if (err < 0)
		return err;
	if (*end && strcmp(end, "\n"))
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

int parse_u32(const char *text, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t value;
	int err = parse_u64(text, min, max, &value);

	if (!err)
		*out = (uint32_t)value;
	return err;
}

int parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *end;
	uint64_t value;
	unsigned shift = 0;
	int err = take_number(text, &value, &end);

	if (err < 0)
		return err;
	const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
	if (unit) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
		if (strcasecmp(end, "i") && strcasecmp(end, "ib") && strcasecmp(end, "b") && *end)
			return -EINVAL;
	} else if (*end) {
		return -EINVAL;
	}
	if (value > UINT64_MAX >> shift)
		return -ERANGE;
	value <<= shift;
	if (value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int parse_mac(const char *text, uint8_t out[6])
{
	static const uint8_t zero[6];
	uint8_t mac[6];

	for (int i = 0; i < 6; i++) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		mac[i] = (uint8_t)(high << 4 | low);
		text += 3;
	}
	if ((mac[0] & 1) || !memcmp(mac, zero, sizeof(zero)))
		return -ERANGE;
	memcpy(out, mac, sizeof(mac));
	return 0;
}

char *format_mac(const uint8_t mac[6], char text[PARSE_MAC_TEXT])
{
	snprintf(text, PARSE_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}

char *format_size(uint64_t bytes, char text[PARSE_SIZE_TEXT])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned unit = 0;
	uint64_t whole = bytes, tenths = 0;

	while (whole >= 1024 && unit < ARRAY_SIZE(units) - 1) {
		tenths = (whole % 1024) * 10 / 1024;
		whole /= 1024;
		unit++;
	}
	if (tenths)
		snprintf(text, PARSE_SIZE_TEXT, "%u.%u %s", (unsigned)whole, (unsigned)tenths,
			 units[unit]);
	else
		snprintf(text, PARSE_SIZE_TEXT, "%u %s", (unsigned)whole, units[unit]);
	return text;
}
