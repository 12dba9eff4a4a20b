/* SPDX-License-Identifier: BSD-3-Clause */
/* vm attach, vm detach, vf attach, vf detach: the words; vm_plug.c does the work. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
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
	struct vm_request request = {.pick_count = 1, .picks = {{.is_vf = true}}};
	char why[VF_SPEC_WHY];

	vm_request_set_name(&request, args->operand);
	if (vf_spec_parse(args->more[0], &request.picks[0].spec, why)) {
		log_error("vf attach", "%s", why);
		return CLI_USAGE;
	}
	return vm_plug_attach(cli, &request) ? CLI_FAILED : CLI_OK;
}

int cmd_vf_detach(struct cli *cli, const struct cli_args *args)
{
	return detach(cli, args);
}
