/* SPDX-License-Identifier: BSD-3-Clause */
/* iommu release: units that our own driver left on when it was killed. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"
#include "iommu/iommu.h"

static const struct cli_column columns[] = {
	{"UNIT", "unit", CLI_SHOW_PLAIN},
	{"STATE", "state", CLI_SHOW_PLAIN},
	{0},
};

struct listing {
	const struct cli *cli;
	json_t *rows;
};

static void add_unit(void *opaque, uint64_t base, int result)
{
	const struct listing *listing = opaque;
	const char *state = listing->cli->dry_run ? "left on" : "switched off";
	char unit[24];

	if (result == 0)
		return; /* was off */
	snprintf(unit, sizeof(unit), "0x%" PRIx64, base);
	json_array_append_new(listing->rows, json_pack("{s:s,s:s}", "unit", unit, "state",
						       result < 0 ? "not switched off" : state));
}

int cmd_iommu_release(struct cli *cli, const struct cli_args *args)
{
	struct listing listing = {cli, json_array()};
	const struct sysfs *fs = cli_sysfs(cli);
	int err =
		fs ? iommu_units_release(fs, cli->run_dir, cli->dry_run, add_unit, &listing) : -EIO;

	(void)args;
	if (cli->json)
		cli_print_json(stdout, listing.rows);
	else if (json_array_size(listing.rows))
		cli_print_table(stdout, columns, listing.rows);
	json_decref(listing.rows);
	return err ? CLI_FAILED : CLI_OK;
}
