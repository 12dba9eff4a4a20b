/* SPDX-License-Identifier: BSD-3-Clause */
/* vm link: pulls the cable of a VM's emulated NIC, or plugs it in. */
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/vm_dir.h"

int cmd_vm_link(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand, *tap = args->more[0];
	const char *way = args->more_count > 1 ? args->more[1] : "";
	bool up = !strcmp(way, "up");
	char text[96];

	if (args->more_count != 2 || (!up && strcmp(way, "down") != 0)) {
		log_error(name, "pass the NIC's tap and up or down: sluice vm link %s tap0 down",
			  name);
		return CLI_USAGE;
	}
	if (!vm_known(cli, name)) {
		log_error(name, "no such VM; see sluice vm list");
		return CLI_FAILED;
	}
	snprintf(text, sizeof(text), "%s%.20s is %s", cli->dry_run ? "would be told: " : "", tap,
		 way);
	if (!cli->dry_run &&
	    vm_tell(cli, name, "link", json_pack("{s:s,s:b}", "tap", tap, "up", up), NULL, 0, NULL))
		return CLI_FAILED;
	return vm_report(cli, name, text);
}
