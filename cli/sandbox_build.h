/* SPDX-License-Identifier: BSD-3-Clause */
/* sandbox_build: whether this build can have a sandbox. Sanitizers look at themselves through /proc
 * and ptrace(2), which a sandbox does not have. */
#ifndef CLI_SANDBOX_BUILD_H
#define CLI_SANDBOX_BUILD_H

#include <stdbool.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static inline bool sandbox_possible(void)
{
	return !SANITIZED;
}

#endif
