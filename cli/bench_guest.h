/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench_guest: the end of a path that works as it is told: a VM with the bench's initramfs, or the
 * same program on the host. Either is a child process that hears lines and says lines.
 */
#ifndef CLI_BENCH_GUEST_H
#define CLI_BENCH_GUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

struct bench_guest {
	pid_t pid; /* 0: none */
	int in, out;
	unsigned id; /* of the last command */
	size_t len;
	char line[8192], last[128]; /* last: what it said last that was no result */
};

/* argv[0] is the program. `netns`: in a network namespace of its own, and it waits for
 * bench_guest_go before it runs. Ctrl-C reaches only us. */
int bench_guest_spawn(struct bench_guest *guest, char *const *argv, bool netns);
void bench_guest_go(struct bench_guest *guest);
/* Until it is there. `stop_fd` readable: -EINTR. -ETIMEDOUT; -ECHILD: it ended; -EIO: it says why
 * not, in guest->last. */
int bench_guest_ready(struct bench_guest *guest, unsigned seconds, int stop_fd);
/* One trial; *result is owned by the caller. Errors as above. */
int bench_guest_do(struct bench_guest *guest, const char *command, unsigned seconds, int stop_fd,
		   json_t **result);
/* Turns it off; after some seconds it is killed. */
void bench_guest_stop(struct bench_guest *guest);

#endif
