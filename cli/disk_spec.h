/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk_spec: a disk as a user types it: "/srv/web.img,serial=W1,queues=4,iops=5000". Nothing is
 * logged; `why` gets one line.
 */
#ifndef CLI_DISK_SPEC_H
#define CLI_DISK_SPEC_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define DISK_SPEC_WHY	128
#define DISK_SERIAL_MAX 20 /* virtio 1.2, 5.2.6 */
#define DISK_QUEUES_MAX 64

struct disk_spec {
	char path[PATH_MAX]; /* a comma ends it */
	char serial[DISK_SERIAL_MAX + 1];
	bool read_only, direct, share;
	unsigned queues;    /* 0: not said */
	uint64_t iops, bps; /* 0: no limit */
};

/* PATH[,ro][,direct][,share][,serial=TEXT][,queues=N][,iops=N][,bps=SIZE]; -EINVAL. */
int disk_spec_parse(const char *text, struct disk_spec *spec, char why[DISK_SPEC_WHY]);

#endif
