/* SPDX-License-Identifier: BSD-3-Clause */
/* vm attach, vm detach, vf attach, vf detach: the words; vm_plug.c does the work. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/vm_plug.h"
#include "cli/vm_request.h"

#define DETACH_TIMEOUT_S 30

static int detach(struct cli *cli, const struct cli_args *args)
{
	unsigned seconds = (unsigned)cli_number(args, "--timeout", DETACH_TIMEOUT_S);

	return vm_plug_detach(cli, args->operand, args->more[0], seconds) ? CLI_FAILED : CLI_OK;
}

int cmd_vm_attach(struct cli *cli, const struct cli_args *args)
{
	struct vm_request request;

	if (vm_request_parse_devices(args, &request))
		return CLI_USAGE;
	return vm_plug_attach(cli, &request) ? CLI_FAILED : CLI_OK;
}

int cmd_vm_detach(struct cli *cli, const struct cli_args *args)
{
	return detach(cli, args);
}

int cmd_vf_attach(struct cli *cli, const struct cli_args *args)
{
	struct vm_request request = {.pick_count = 0};

	vm_request_set_name(&request, args->operand);
	for (size_t i = 0; i < args->more_count; i++) {
		struct vm_pick *pick = &request.picks[request.pick_count];

		if (request.pick_count++ == VMM_DEVICES_MAX) {
			log_error("vf attach", "more than %d devices at once", VMM_DEVICES_MAX);
			return CLI_USAGE;
		}
		if (vf_spec_parse("vf attach", args->more[i], &pick->spec))
			return CLI_USAGE;
		pick->is_vf = true;
	}
	return vm_plug_attach(cli, &request) ? CLI_FAILED : CLI_OK;
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
