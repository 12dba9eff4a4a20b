/* SPDX-License-Identifier: BSD-3-Clause */
/* host units: what systemd's generator runs. */
#include "cli/cli.h"
#include "cli/unit.h"

int cmd_host_units(struct cli *cli, const struct cli_args *args)
{
	return unit_generate(cli, args->operand) ? CLI_FAILED : CLI_OK;
}
