/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_firmware: which firmware a VM boots by, and the file that keeps its UEFI variables.
 */
#ifndef CLI_VM_FIRMWARE_H
#define CLI_VM_FIRMWARE_H

#include <limits.h>

#include "cli/cli.h"
#include "cli/vmm_config.h"

struct vm_firmware {
	bool wanted;
	char code[PATH_MAX];
	char vars[PATH_MAX];	 /* "": the VM's own below the state folder, or none is needed */
	char template[PATH_MAX]; /* what a new store is a copy of; "": the firmware has none */
};

/* "uefi", "bios" or a path, and perhaps ",vars=PATH". -EINVAL with the reason in `why`. */
int vm_firmware_parse(const char *text, struct vm_firmware *out, char *why, size_t size);
/* Opens the code. `subject`: the VM. */
int vm_firmware_open(const char *subject, const struct vm_firmware *fw, struct vmm_config *config);
/* Opens the store of variables, making it where there is none yet. */
int vm_firmware_open_vars(const struct cli *cli, const char *name, const char *subject,
			  const struct vm_firmware *fw, struct vmm_config *config);

#endif
