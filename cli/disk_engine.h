/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk_engine: a process that knows an image format, for one disk of one VM.
 *
 * The formats of QEMU are not ours to parse: qemu-storage-daemon opens the image and serves it as a
 * vhost-user-blk back-end, at a socket in the VM's folder. A small process of ours, its *keeper*,
 * looks after it: it starts the engine again when that dies, says so in the VM's log, and ends it,
 * orderly, when the disk goes. What the keeper watches is a pipe of which only the VMM has the
 * other end; so the engine goes with the disk and with the VM, kill -9 included, and nobody needs
 * to think of it. An engine whose keeper is killed is told by the kernel (PR_SET_PDEATHSIG).
 */
#ifndef CLI_DISK_ENGINE_H
#define CLI_DISK_ENGINE_H

#include "cli/cli.h"
#include "cli/disk_spec.h"
#include "cli/vmm_config.h"

#define DISK_ENGINE_WORDS 512

/* Starts the engine of `disk` (whose file.name is the image) for VM `vm`, whose folder exists, and
 * waits until it serves: fills disk->socket and disk->life_fd. On failure nothing is left, and
 * `why` has the engine's own words; nothing is logged. */
int disk_engine_start(const struct cli *cli, const char *vm, const struct disk_spec *spec,
		      struct vmm_disk *disk, char why[DISK_ENGINE_WORDS]);
/* Until every engine of the VM has closed its image, for at most some seconds. The VMM is gone, or
 * has let go of them. */
void disk_engine_wait(const struct cli *cli, const char *vm);

#endif
