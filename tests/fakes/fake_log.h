/* SPDX-License-Identifier: BSD-3-Clause */
/* fake_log: what several fakes were asked to do, in one order, one word or two per line. */
#ifndef TESTS_FAKES_FAKE_LOG_H
#define TESTS_FAKES_FAKE_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct fake_log {
	char text[8192];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static inline void fake_log_add(struct fake_log *log,
								      const char *fmt, ...)
{
	va_list args;
	size_t room = sizeof(log->text) - log->len;

	va_start(args, fmt);
	int n = vsnprintf(log->text + log->len, room, fmt, args);
	va_end(args);
	if (n > 0 && (size_t)n + 2 < room) {
		log->len += (size_t)n;
		log->text[log->len++] = '\n';
	}
	log->text[log->len] = '\0';
}

static inline void fake_log_clear(struct fake_log *log)
{
	log->len = 0;
	log->text[0] = '\0';
}

#endif
