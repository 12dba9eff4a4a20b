/* SPDX-License-Identifier: BSD-3-Clause */
/* holder: which processes have an IOMMU group open. */
#ifndef SRIOV_HOLDER_H
#define SRIOV_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HOLDER_PROC "/proc"

struct holder {
	int group;
	pid_t pid;
	char comm[16];
};

struct holders {
	struct holder *list;
	size_t count;
	bool complete; /* false: some process could not be looked into */
};

/* Looks at the descriptors of every process below `proc` ("/proc"). holders_free() in any case. */
int holders_scan(const char *proc, struct holders *out);
void holders_free(struct holders *holders);
/* The first one that has `group` open, other than `except` (0: nobody); NULL: none was seen. */
const struct holder *holders_find(const struct holders *holders, int group, pid_t except);

#define HOLDER_TEXT 96
/* Who has `group` open, in words for a message: "qemu (pid 812)"; "no process that can be seen". */
char *holders_words(int group, char text[HOLDER_TEXT]);

#endif
