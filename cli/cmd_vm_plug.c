/* SPDX-License-Identifier: BSD-3-Clause */
/* vm attach, vm detach, vf attach, vf detach: the words; vm_plug.c and vm_def_plug.c do the work.
 */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/vm_def.h"
#include "cli/vm_def_plug.h"
#include "cli/vm_dir.h"
#include "cli/vm_plug.h"
#include "cli/vm_request.h"

#define DETACH_TIMEOUT_S 30

/* ---- now, or from the next start on ---- */

/*
 * A VM that runs is changed as it runs, one that does not as it is defined; --live and --config say
 * which is meant, or that both are.
 */
struct meant {
	bool live, config;
};

static int what_is_meant(struct cli *cli, const struct cli_args *args, struct meant *out)
{
	const char *name = args->operand;
	struct sriov *sriov = cli_sriov(cli);
	bool live = cli_has(args, "--live"), config = cli_has(args, "--config");

	if (!sriov)
		return -EIO;
	bool runs = vm_known(cli, name) && sriov_owner_alive(sriov, name);
	*out = (struct meant){live || (!config && runs), config || (!live && !runs)};
	if (out->live && !runs)
		return log_fail(-ENOENT, name,
				"does not run; without --live its definition is meant");
	if (!out->config || vm_def_known(cli, name))
		return 0;
	return runs || config
		       ? log_fail(-ENOENT, name, "is not defined; see sluice vm define --help")
		       : log_fail(-ENOENT, name, "neither runs nor is defined; see sluice vm list");
}

static int report_defined(const struct cli *cli, const char *name, bool with, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "%s defined %s %s", cli->dry_run ? "would be" : "is",
		 with ? "with" : "without", what);
	return vm_report(cli, name, text);
}

/* ---- attach ---- */

#define DEVICES_MAX (VMM_DEVICES_MAX + VMM_DISKS_MAX)

struct list {
	struct vm_def_device devices[DEVICES_MAX];
	size_t count;
};

static int define_with(struct cli *cli, struct vm_request *r, const struct list *list)
{
	int err = cli->dry_run ? 0 : vm_def_attach(cli, r->name, list->devices, list->count);

	for (size_t i = 0; i < list->count && !err; i++)
		report_defined(cli, r->name, true, list->devices[i].value);
	return err;
}

static int attach(struct cli *cli, const struct cli_args *args, struct vm_request *r,
		  const struct list *list)
{
	struct meant meant;
	int err = what_is_meant(cli, args, &meant);

	if (!err && meant.config && r->port_count)
		err = log_fail(-EINVAL, r->name,
			       "--port is for a VM that runs; a definition names a port's socket: "
			       "--net vhost-user=PATH");
	if (!err && meant.config)
		err = vm_def_check_attach(cli, r->name, list->devices, list->count);
	if (!err && meant.live)
		err = vm_plug_attach(cli, r);
	else if (!err)
		vm_def_foretell(cli, r);
	if (!err && meant.config)
		err = define_with(cli, r, list);
	return err ? CLI_FAILED : CLI_OK;
}

int cmd_vm_attach(struct cli *cli, const struct cli_args *args)
{
	static const char *const options[] = {"--vf", "--gpu", "--device", "--disk"};
	struct list list = {.count = 0};
	struct vm_request request;

	if (vm_request_parse_devices(args, &request))
		return CLI_USAGE;
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		const struct cli_given *given = NULL;

		while (list.count < DEVICES_MAX && (given = cli_next(args, options[i], given)))
			list.devices[list.count++] =
				(struct vm_def_device){options[i], given->text};
	}
	return attach(cli, args, &request, &list);
}

int cmd_vf_attach(struct cli *cli, const struct cli_args *args)
{
	struct vm_request request;
	struct list list = {.count = 0};

	vm_request_begin(&request, args->operand);
	for (size_t i = 0; i < args->more_count; i++) {
		struct vm_pick *pick = &request.picks[request.pick_count];

		if (request.pick_count++ == VMM_DEVICES_MAX) {
			log_error("vf attach", "more than %d devices at once", VMM_DEVICES_MAX);
			return CLI_USAGE;
		}
		if (vf_spec_parse("vf attach", args->more[i], &pick->spec))
			return CLI_USAGE;
		pick->is_vf = true;
		list.devices[list.count++] = (struct vm_def_device){"--vf", args->more[i]};
	}
	return attach(cli, args, &request, &list);
}

/* ---- detach ---- */

static int detach(struct cli *cli, const struct cli_args *args)
{
	unsigned seconds = (unsigned)cli_number(args, "--timeout", DETACH_TIMEOUT_S);
	const char *name = args->operand, *what = args->more[0];
	struct meant meant;
	int err = what_is_meant(cli, args, &meant);

	if (!err && meant.live)
		err = vm_plug_detach(cli, name, what, seconds);
	if (!err && meant.config)
		err = vm_def_detach(cli, name, what);
	if (!err && meant.config)
		report_defined(cli, name, false, what);
	return err ? CLI_FAILED : CLI_OK;
}

int cmd_vm_detach(struct cli *cli, const struct cli_args *args)
{
	return detach(cli, args);
}

int cmd_vf_detach(struct cli *cli, const struct cli_args *args)
{
	return detach(cli, args);
}

int cmd_vm_cpus(struct cli *cli, const struct cli_args *args)
{
	unsigned seconds = (unsigned)cli_number(args, "--timeout", DETACH_TIMEOUT_S);
	uint32_t count;

	if (parse_u32(args->more[0], 1, HV_MAX_CPUS, &count)) {
		log_error("vm cpus", "'%s' is no number from 1 to %d", args->more[0], HV_MAX_CPUS);
		return CLI_USAGE;
	}
	return vm_plug_cpus(cli, args->operand, count, seconds) ? CLI_FAILED : CLI_OK;
}
