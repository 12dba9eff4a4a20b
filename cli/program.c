/* SPDX-License-Identifier: BSD-3-Clause */
/* program: see program.h. */
#include "cli/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"

void cli_program(const char *variable, const char *name, char path[PATH_MAX])
{
	static const char *const places[] = {"", "../libexec/sluice/"};
	const char *wanted = getenv(variable);
	char self[PATH_MAX - 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash = n > 0 ? memrchr(self, '/', (size_t)n) : NULL;

	if (wanted && *wanted) {
		snprintf(path, PATH_MAX, "%s", wanted);
		return;
	}
	for (size_t i = 0; slash && i < ARRAY_SIZE(places); i++) {
		snprintf(path, PATH_MAX, "%.*s/%s%s", (int)(slash - self), self, places[i], name);
		if (access(path, X_OK) == 0)
			return;
	}
	snprintf(path, PATH_MAX, "%s", name);
}
