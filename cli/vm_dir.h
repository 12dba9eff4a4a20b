/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_dir: the folder of a VM, RUN_DIR/vm/NAME.
 *
 *     lock          held as long as a process of the VM lives (sriov_owner_lock)
 *     ctl.sock      JSON-RPC (vmm_ctl.h)      console.sock   the serial line
 *     config.json   how it was started        vmm.log        what sluice-vmm said
 *     result.json   how it ended: only for a VM that did not end well
 *     cpus.json     where it runs (vm_place.h)
 *     dial          whom the VMM may have itself connected with (vm_dial.h)
 *     engine-N.sock where a disk's engine serves it (disk_engine.h): there until it has closed
 *     plug.lock     held by a command that gives it devices or takes them (vm_plug.h)
 *
 * It appears with the lock, and goes when the VM has ended well and given everything back.
 */
#ifndef CLI_VM_DIR_H
#define CLI_VM_DIR_H

#include <jansson.h>

#include "base/rpc.h"
#include "cli/cli.h"

#define VM_LOCK	   "lock"
#define VM_CTL	   "ctl.sock"
#define VM_CONSOLE "console.sock"
#define VM_CONFIG  "config.json"
#define VM_LOG	   "vmm.log"
#define VM_RESULT  "result.json"
#define VM_PLUG	   "plug.lock"
#define VM_CPUS	   "cpus.json"
#define VM_DIAL	   "dial"

/* "RUN_DIR/vm/NAME/FILE"; -ENAMETOOLONG, logged. */
int vm_path(const struct cli *cli, const char *name, const char *file, char path[CLI_PATH]);
bool vm_known(const struct cli *cli, const char *name);
/* Names of all folders, sorted: an array of strings. */
json_t *vm_names(const struct cli *cli);

/* Removes the folder and what is in it; the lock last. */
void vm_dir_remove(const struct cli *cli, const char *name);
/* Removes what would mislead the next look: the sockets. */
void vm_dir_silence(const struct cli *cli, const char *name);

int vm_write_json(const struct cli *cli, const char *name, const char *file, const json_t *json);
/* NULL when it is not there. */
json_t *vm_read_json(const struct cli *cli, const char *name, const char *file);

/* Until no process of the VM lives, at most that long. Needs an open cli_sriov. */
bool vm_wait_gone(struct cli *cli, const char *name, unsigned seconds);
/* "NAME: TEXT", or the same as JSON; CLI_OK. */
int vm_report(const struct cli *cli, const char *name, const char *text);

#define VM_CALL_MS 5000
/* One call to a VM's control socket; logged when it fails, and NULL. */
json_t *vm_call(const struct cli *cli, const char *name, const char *method);
/* The same with parameters (stolen) and descriptors (the caller's), and logged when it fails: a
 * negative errno. `result` may be NULL. */
int vm_tell(const struct cli *cli, const char *name, const char *method, json_t *params,
	    const int *fds, size_t count, json_t **result);
/* The same, silently: a negative errno. `result` may be NULL. */
int vm_try(const struct cli *cli, const char *name, const char *method, json_t **result,
	   char error[RPC_ERROR_TEXT]);

#endif
