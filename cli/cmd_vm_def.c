/* SPDX-License-Identifier: BSD-3-Clause */
/* vm define, vm undefine, vm start: VMs that are there while they do not run. */
#include <errno.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/vm_def.h"
#include "cli/vm_dir.h"
#include "cli/vmm_config.h"

/* What is not vm define's stays in the definition that it replaces. */
static int define(const struct cli *cli, const char *name, json_t *record)
{
	int lock = vm_def_lock(cli), err = lock < 0 ? lock : 0;
	json_t *old = !err && vm_def_known(cli, name) ? vm_def_load(cli, name) : NULL;

	if (old)
		json_object_update_missing(record, old);
	if (!err)
		err = vm_def_store(cli, name, record);
	json_decref(old);
	io_close(&lock);
	return err;
}

int cmd_vm_define(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand;
	int status = CLI_USAGE;

	if (!vmm_name_valid(name)) {
		log_error("vm define",
			  "'%s' is no name for a VM: up to %d letters, digits, '.', '_', '-', "
			  "starting with a letter or digit",
			  name, VMM_NAME_MAX - 1);
		return CLI_USAGE;
	}
	json_t *record = vm_record(args);
	if (!vm_def_check(name, record))
		status = cli->dry_run		     ? vm_report(cli, name, "would be defined")
			 : define(cli, name, record) ? CLI_FAILED
						     : vm_report(cli, name, "defined");
	json_decref(record);
	return status;
}

int cmd_vm_undefine(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand;

	if (cli->dry_run && vm_def_known(cli, name))
		return vm_report(cli, name, "would be forgotten");
	int lock = vm_def_lock(cli);
	int err = lock < 0 ? lock : vm_def_forget(cli, name);
	io_close(&lock);
	return err ? CLI_FAILED : vm_report(cli, name, "not defined any more");
}

int cmd_vm_start(struct cli *cli, const struct cli_args *args)
{
	return vm_def_start(cli, args->operand, cli_has(args, "--detach"));
}
