/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_dial: connections that a VMM asks its supervisor for.
 *
 * In its sandbox sluice-vmm can make no socket and sees no file; but the processes that serve its
 * vhost-user devices come and go, and it must call them again. So it sends the path over a socket
 * pair, and gets the connected socket or an error. What it may ask for stands in the VM's folder
 * (VM_DIAL, a path per line), written by the commands that gave it such a device: a VMM that is not
 * ours any more can call nobody else.
 */
#ifndef CLI_VM_DIAL_H
#define CLI_VM_DIAL_H

#include "cli/vm_dir.h"

/* A new list: nobody may be called. */
int vm_dial_begin(const struct cli *cli, const char *name);
/* Logged. */
int vm_dial_allow(const struct cli *cli, const char *name, const char *path);

/* The supervisor's: one request at `fd`, if there is one; waits for nobody. Negative: the VMM is
 * gone. */
int vm_dial_serve(const struct cli *cli, const char *name, int fd);

/* The VMM's: asks at `fd` for a connection to `path`. A descriptor, non-blocking; or a negative
 * errno: -EACCES when it is not on the list, -ETIMEDOUT when the supervisor does not answer,
 * -EPIPE when it is gone. */
int vm_dial_ask(int fd, const char *path);

#endif
