/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_record: how a VM was asked for, kept with it: {"args": [TEXT…], "cwd": FOLDER}.
 *
 * The options of `vm run` as they were typed, and the folder that names in them start from. A saved
 * VM is restored by reading them again; so whatever `vm run` can be told, a restored VM has too.
 */
#ifndef CLI_VM_RECORD_H
#define CLI_VM_RECORD_H

#include <jansson.h>

#include "cli/args.h"

/* A new reference. --detach, and what all commands take, are left out: they are no part of the VM.
 */
json_t *vm_record(const struct cli_args *args);

/* The options again; what they point to is the record's, and `argv`'s. -EINVAL, said. */
struct vm_recorded {
	struct cli_args args;
	char **argv;
	int argc;
};

int vm_record_read(const char *subject, const json_t *record, struct vm_recorded *out);
void vm_recorded_free(struct vm_recorded *recorded);
/* Makes names mean what they meant. A folder that is gone is no error: the names will say so. */
void vm_record_enter(const json_t *record);

#endif
