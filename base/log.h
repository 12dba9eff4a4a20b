/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log: the one way a message leaves the program.
 *
 * A message has a subject (the thing it is about, as the user knows it: "vf ens1f0/2",
 * "vm web", "0000:01:10.0") and a text that says what happened, why, and what to do next.
 * It becomes one line on standard error, written with one write(2), so that lines of threads
 * never mix:
 *
 *     sluice: vf ens1f0/2: not created: 0000:01:00.0 has 4 VFs; pass --count 4
 *
 * An error is logged once, where it is born; callers pass the negative errno on and stay silent.
 * The threshold is LOG_WARN, or what the environment variable SLUICE_LOG names
 * (error, warn, info, debug).
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdarg.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_msg(enum log_level level, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Logs at LOG_ERROR and returns `err` (a negative errno), so that a failing path is one line:
 *     return log_fail(-ENOENT, pf->name, "no such VF: %u; it has %u", index, count);        */
int log_fail(int err, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* What this thread last logged at LOG_ERROR since log_forget, "subject: text"; "" when nothing. For
 * a server, whose client asked and does not see its log. */
const char *log_last(void);
void log_forget(void);

#define log_error(subject, ...) log_msg(LOG_ERROR, subject, __VA_ARGS__)
#define log_warn(subject, ...)	log_msg(LOG_WARN, subject, __VA_ARGS__)
#define log_info(subject, ...)	log_msg(LOG_INFO, subject, __VA_ARGS__)
#define log_debug(subject, ...) log_msg(LOG_DEBUG, subject, __VA_ARGS__)

#endif
