/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_def: VMs that are defined: how they are to be run, kept while they do not run.
 *
 * STATE_DIR/vm/NAME.json is a record (vm_record.h), {"version": 1, "args": ["--kernel=…", …],
 * "cwd": FOLDER}: the options of `vm run` as they were typed, and the folder that names in them
 * start from. Members that this file does not know are kept as they are, for whoever put them
 * there. A file is written whole or not at all, and durable when its command returns; what dies on
 * the way leaves the old one.
 *
 * A definition and a running VM of its name are two things: what is changed in one stays as it is
 * in the other until the VM is started again.
 */
#ifndef CLI_VM_DEF_H
#define CLI_VM_DEF_H

#include <jansson.h>

#include "cli/cli.h"
#include "cli/vm_record.h"

#define VM_DEF_VERSION 1

bool vm_def_known(const struct cli *cli, const char *name);
/* Of all that are defined, sorted: an array of strings. */
json_t *vm_def_names(const struct cli *cli);

/* A new reference. NULL, logged: it is not defined, or its file cannot be read or is of another
 * version. */
json_t *vm_def_load(const struct cli *cli, const char *name);
/* Sets "version". Logs. Between a load and its store, vm_def_lock() keeps others off. */
int vm_def_store(const struct cli *cli, const char *name, json_t *record);
/* -ENOENT, logged, when it is not defined. */
int vm_def_forget(const struct cli *cli, const char *name);
/* A descriptor to close; logs. */
int vm_def_lock(const struct cli *cli);

/* That `vm run` would take the options. -EINVAL, logged. The machine is not looked at. */
int vm_def_check(const char *name, const json_t *record);

/* "--vf=ens1f0/2", "--rng" (no value: NULL), behind what there is. A relative path in the value of
 * --disk is made absolute, since it was meant from here. */
int vm_def_add(json_t *record, const char *option, const char *value);

/* For vm list: "state": "inactive", and CPUs, memory, devices and disks as defined. */
void vm_def_describe(const struct cli *cli, const char *name, json_t *row);
/* For vm show: "definition", the options (as JSON a list, else the command that defines it again),
 * and "cwd". */
void vm_def_show(const struct cli *cli, const char *name, json_t *row);

/* Starts a defined VM, in the foreground or detached: an exit code. */
int vm_def_start(struct cli *cli, const char *name, bool detach);

#endif
