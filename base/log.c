/* SPDX-License-Identifier: BSD-3-Clause */
/* log: see log.h. The threshold comes from the environment at each call: messages are rare, and a
 * cached level would be mutable state shared by all threads. */
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A thread's own: the one state here, and nobody else's. */
static _Thread_local char last[512];

static enum log_level threshold(void)
{
	static const char *const names[] = {"error", "warn", "info", "debug"};
	const char *wanted = getenv("SLUICE_LOG");

	for (int i = LOG_ERROR; wanted && i <= LOG_DEBUG; i++)
		if (!strcmp(wanted, names[i]))
			return (enum log_level)i;
	return LOG_WARN;
}

static void log_vmsg(enum log_level level, const char *subject, const char *fmt, va_list args)
{
	static const char *const prefix[] = {"", "warning: ", "", "debug: "};
	char line[1024];
	int saved = errno;

	if (level > threshold())
		return;
	int n = snprintf(line, sizeof(line) - 1, "sluice: %s%s: ", prefix[level], subject);
	if (n < 0)
		n = 0;
	size_t used = (size_t)n < sizeof(line) - 1 ? (size_t)n : sizeof(line) - 2;
	int m = vsnprintf(line + used, sizeof(line) - 1 - used, fmt, args);
	if (level == LOG_ERROR)
		snprintf(last, sizeof(last), "%.500s", line + strlen("sluice: "));
	used += m < 0 ? 0 : (size_t)m;
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2; /* cut, but still one line */
	line[used++] = '\n';
	ssize_t written = write(STDERR_FILENO, line, used);
	(void)written; /* nobody is left to tell */
	errno = saved;
}

const char *log_last(void)
{
	return last;
}

void log_forget(void)
{
	last[0] = '\0';
}

void log_msg(enum log_level level, const char *subject, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_vmsg(level, subject, fmt, args);
	va_end(args);
}

int log_fail(int err, const char *subject, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_vmsg(LOG_ERROR, subject, fmt, args);
	va_end(args);
	return err;
}
