/* SPDX-License-Identifier: BSD-3-Clause */
/* cpuset: see cpuset.h. */
#include "base/cpuset.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A number at *text, which is moved behind it. */
static int take_number(const char **text, unsigned long *out)
{
	char *end;

	if (!isdigit((unsigned char)**text))
		return -EINVAL;
	errno = 0;
	*out = strtoul(*text, &end, 10);
	if (errno || *out >= CPU_SETSIZE)
		return -ERANGE;
	*text = end;
	return 0;
}

/* "3" or "0-3" */
static int take_range(const char **text, cpu_set_t *set)
{
	unsigned long first = 0, last;
	int err = take_number(text, &first);

	last = first;
	if (!err && **text == '-') {
		++*text;
		err = take_number(text, &last);
	}
	if (err)
		return err;
	if (last < first)
		return -EINVAL;
	for (unsigned long cpu = first; cpu <= last; cpu++)
		CPU_SET(cpu, set);
	return 0;
}

int cpuset_parse(const char *text, char separator, cpu_set_t *out)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	while (*text && *text != '\n') {
		int err = take_range(&text, &set);

		if (err)
			return err;
		if (*text == separator && text[1] && text[1] != '\n')
			text++;
		else if (*text && *text != '\n')
			return -EINVAL;
	}
	if (*text == '\n' && text[1])
		return -EINVAL;
	*out = set;
	return 0;
}

char *cpuset_format(const cpu_set_t *set, char *text, size_t size)
{
	char piece[24];
	size_t len = 0;

	*text = '\0';
	for (unsigned first = 0; first < CPU_SETSIZE; first++) {
		unsigned last = first;

		if (!CPU_ISSET(first, set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
			last++;
		int n = last == first ? snprintf(piece, sizeof(piece), ",%u", first)
				      : snprintf(piece, sizeof(piece), ",%u-%u", first, last);
		if (len + (size_t)n >= size)
			break;
		len += (size_t)snprintf(text + len, size - len, "%s", piece + (len == 0));
		first = last;
	}
	return text;
}

void cpuset_remove(cpu_set_t *a, const cpu_set_t *b)
{
	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, b))
			CPU_CLR(cpu, a);
}

bool cpuset_overlaps(const cpu_set_t *a, const cpu_set_t *b)
{
	cpu_set_t both;

	CPU_AND(&both, a, b);
	return CPU_COUNT(&both) > 0;
}
