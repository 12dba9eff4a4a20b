/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_sandbox: what sluice-switch gives up before it looks at anything of a guest's.
 *
 * Less than a VMM (sandbox.h): drivers of NICs look for huge pages, devices and sockets by name, at
 * any time, and need rights for it. What none of them needs goes: capabilities beyond a short list,
 * new privileges, System V IPC and the host's name, and system calls by which a process becomes
 * another one, looks into another one, or changes the machine. Such a call ends it.
 */
#ifndef CLI_SWITCH_SANDBOX_H
#define CLI_SWITCH_SANDBOX_H

/* Set in its environment: it keeps everything, and says so (switch start --no-sandbox). */
#define SWITCH_NO_SANDBOX "SLUICE_SWITCH_NO_SANDBOX"

/* While there is one thread. 0, or a negative errno, logged. */
int switch_sandbox_enter(void);

#endif
