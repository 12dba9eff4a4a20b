/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_disk: images and block devices opened and locked for a VM.
 *
 * The lock is an open file description lock (fcntl(2), F_OFD_SETLK) on the whole file: exclusive
 * for who may write, shared for who only reads. It belongs to the descriptor, which the VMM
 * inherits, and falls with the VM, however that dies. `share` takes none: for what the guests
 * themselves keep in order, such as a cluster's file system.
 *
 * An engine (disk_engine.h) locks its image itself, in QEMU's way (single bytes from 100 on, the
 * docs of its file driver), which excludes our locks and the other way round.
 */
#ifndef CLI_VM_DISK_H
#define CLI_VM_DISK_H

#include "cli/cli.h"
#include "cli/disk_spec.h"
#include "cli/vmm_config.h"

/* Fills `disk`, descriptor included. Refused, with the reason logged: what is not there, no file
 * and no block device, not writable, locked (by which VM), or of a size that no disk has. */
int vm_disk_open(const struct cli *cli, const char *subject, const struct disk_spec *spec,
		 unsigned cpus, struct vmm_disk *disk);
/* The other half, for an image that is not raw: starts the engine that reads it, in the folder of
 * VM `vm`, which exists. Logged. */
int vm_disk_serve(const struct cli *cli, const char *subject, const char *vm,
		  const struct disk_spec *spec, struct vmm_disk *disk);

#endif
