/* SPDX-License-Identifier: BSD-3-Clause */
/* sandbox_calls: the system calls of sandbox.h. */
#ifndef CLI_SANDBOX_CALLS_H
#define CLI_SANDBOX_CALLS_H

#include "cli/sandbox.h"

/* For the calling thread, and those that it makes. A negative errno. */
int sandbox_allow(enum sandbox_kind kind);

#endif
