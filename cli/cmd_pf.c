/* SPDX-License-Identifier: BSD-3-Clause */
/* pf list: the devices that can be divided. */
#include <stdlib.h>

#include "base/parse.h"
#include "cli/cli.h"

static const struct cli_column columns[] = {
	{"PF", "name", CLI_SHOW_PLAIN},
	{"ADDRESS", "address", CLI_SHOW_PLAIN},
	{"DRIVER", "driver", CLI_SHOW_PLAIN},
	{"VFS", "vfs", CLI_SHOW_PLAIN},
	{"MOST", "total_vfs", CLI_SHOW_PLAIN},
	{"LINK", "link", CLI_SHOW_PLAIN},
	{"MAC", "mac", CLI_SHOW_PLAIN},
	{"NUMA", "numa_node", CLI_SHOW_PLAIN},
	{"GROUP", "iommu_group", CLI_SHOW_PLAIN},
	{"DEVICE", "device", CLI_SHOW_PLAIN},
	{0},
};

static json_t *encode(const struct sriov_pf *pf)
{
	char bdf[BDF_TEXT], mac[PARSE_MAC_TEXT];
	bool net = pf->ifname[0] != '\0';

	bdf_format(pf->bdf, bdf);
	return json_pack("{s:s,s:s,s:s,s:i,s:i,s:s*,s:s*,s:o*,s:o*,s:s,s:i,s:i}", "name",
			 net ? pf->ifname : bdf, "address", bdf, "driver", pf->driver, "vfs",
			 (int)pf->num_vfs, "total_vfs", (int)pf->total_vfs, "link",
			 net ? (pf->link_up ? "up" : "down") : NULL, "mac",
			 net ? format_mac(pf->mac, mac) : NULL, "numa_node",
			 pf->numa_node < 0 ? NULL : json_integer(pf->numa_node), "iommu_group",
			 pf->iommu_group < 0 ? NULL : json_integer(pf->iommu_group), "device",
			 pf->device, "vendor", pf->vendor, "device_id", pf->device_id);
}

int cmd_pf_list(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_pf *pfs = NULL;
	size_t count;

	(void)args;
	if (!sriov || sriov_pf_list(sriov, &pfs, &count))
		return CLI_FAILED;
	json_t *rows = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(rows, encode(&pfs[i]));
	free(pfs);
	if (cli->json)
		cli_print_json(stdout, rows);
	else
		cli_print_table(stdout, columns, rows);
	json_decref(rows);
	return CLI_OK;
}
