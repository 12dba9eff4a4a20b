/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk_spec: a disk as a user types it: "/srv/web.img,serial=W1,queues=4,iops=5000", an image
 * of another format, "/srv/web.qcow2,format=qcow2", or the socket of a process that serves one,
 * "vhost-user=/run/spdk/vhost.0". Nothing is logged; `why` gets one line.
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
	char format[16]; /* "": raw, read by us; else an engine's (disk_engine.h) */
	bool vhost_user; /* `path` is a socket */
	bool read_only, direct, share;
	unsigned queues;    /* 0: not said */
	uint64_t iops, bps; /* 0: no limit */
};

/* PATH[,ro][,direct][,share][,serial=TEXT][,queues=N][,iops=N][,bps=SIZE],
 * PATH,format=NAME[,ro][,direct][,share][,queues=N][,iops=N][,bps=SIZE] or
 * vhost-user=PATH[,queues=N]; -EINVAL. */
int disk_spec_parse(const char *text, struct disk_spec *spec, char why[DISK_SPEC_WHY]);

#endif
