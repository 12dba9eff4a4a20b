/* SPDX-License-Identifier: BSD-3-Clause */
/* redact: see redact.h. */
#include "cli/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

static bool name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.';
}

static bool secret_name(const char *name, size_t len)
{
	static const char *const words[] = {"password", "passwd", "passphrase", "secret",
					    "token",	"psk",	  "credential", "private"};

	for (size_t i = 0; i < len; i++)
		for (size_t w = 0; w < ARRAY_SIZE(words); w++)
			if (len - i >= strlen(words[w]) &&
			    !strncasecmp(name + i, words[w], strlen(words[w])))
				return true;
	/* "key" alone is half of all names there are: only at the end of one */
	return len >= 3 && !strncasecmp(name + len - 3, "key", 3);
}

/* Behind a name: how far it is to its value, over an equals sign or a colon and what may stand
 * around it; 0: this is no name with a value. */
static size_t skip_sign(const char *at)
{
	const char *c = at + (*at == '"' || *at == '\'');

	if (*c == ' ' && (c[1] == '=' || c[1] == ':'))
		c++;
	if (*c != '=' && *c != ':')
		return 0;
	c++;
	while (*c == ' ' || *c == '\t')
		c++;
	return (size_t)(c - at);
}

/* A value in quotes ends with them, and another one at white space. */
static size_t value_length(const char *at)
{
	size_t len = 1;

	if (*at != '"' && *at != '\'')
		return strcspn(at, " \t\r\n,;&\"'}]");
	while (at[len] && at[len] != *at && at[len] != '\n')
		len += at[len] == '\\' && at[len + 1] ? 2 : 1;
	return at[len] == *at ? len + 1 : len;
}

/* "user:abc@" behind "://": its length, without the @; 0 when nobody is named there. */
static size_t user_length(const char *at)
{
	size_t len = strcspn(at, " \t\r\n/\"'@?#");

	return at[len] == '@' && memchr(at, ':', len) ? len : 0;
}

static void put_value(FILE *out, const char *at)
{
	fprintf(out, *at == '"' || *at == '\'' ? "%c" REDACTED "%c" : REDACTED, *at, *at);
}

/* Copies one piece, and returns how long it was. */
static size_t copy_piece(FILE *out, const char *at)
{
	size_t len = 0, sign;

	if (!strncmp(at, "://", 3)) {
		size_t user = user_length(at + 3);

		fputs(user ? "://" REDACTED : "://", out);
		return 3 + user;
	}
	while (name_char(at[len]))
		len++;
	if (!len) {
		fputc(*at, out);
		return 1;
	}
	sign = skip_sign(at + len);
	fprintf(out, "%.*s", (int)len, at);
	if (!sign || !secret_name(at, len) || !strncmp(at + len, "://", 3))
		return len;
	fprintf(out, "%.*s", (int)sign, at + len);
	size_t value = value_length(at + len + sign);
	if (value)
		put_value(out, at + len + sign);
	return len + sign + value;
}

char *redact(const char *text)
{
	char *result = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&result, &size);

	if (!out)
		return NULL;
	while (*text)
		text += copy_piece(out, text);
	if (fclose(out)) {
		free(result);
		return NULL;
	}
	return result;
}
