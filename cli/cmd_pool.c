/* SPDX-License-Identifier: BSD-3-Clause */
/* pool: list, set, remove. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"

static const struct cli_column columns[] = {
	{"POOL", "name", CLI_SHOW_PLAIN},      {"PF", "pf", CLI_SHOW_PLAIN},
	{"NUMA", "numa_node", CLI_SHOW_PLAIN}, {"DRIVER", "driver", CLI_SHOW_PLAIN},
	{"MBIT", "speed", CLI_SHOW_PLAIN},     {0},
};

static json_t *encode(const struct sriov_pool *pool)
{
	return json_pack("{s:s,s:s*,s:o*,s:s*,s:o*}", "name", pool->name, "pf",
			 pool->pf[0] ? pool->pf : NULL, "numa_node",
			 pool->numa_node < 0 ? NULL : json_integer(pool->numa_node), "driver",
			 pool->driver[0] ? pool->driver : NULL, "speed",
			 pool->speed ? json_integer(pool->speed) : NULL);
}

int cmd_pool_list(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_pool *pools = NULL;
	size_t count = 0;

	(void)args;
	if (!sriov || sriov_pool_list(sriov, &pools, &count))
		return CLI_FAILED;
	json_t *rows = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(rows, encode(&pools[i]));
	if (cli->json)
		cli_print_json(stdout, rows);
	else
		cli_print_table(stdout, columns, rows);
	json_decref(rows);
	free(pools);
	return CLI_OK;
}

static int check_name(struct sriov *sriov, const char *name)
{
	struct sriov_pf *pfs = NULL;
	size_t count = 0;
	struct bdf bdf;
	int err = sriov_pf_list(sriov, &pfs, &count);

	if (!*name || strlen(name) >= SRIOV_NAME || strpbrk(name, "/:,= \t") || *name == '-' ||
	    !bdf_parse(name, &bdf))
		err = log_fail(-EINVAL, name,
			       "no name for a pool: up to %d characters, none of '/', ':', ',', "
			       "'=' and spaces",
			       SRIOV_NAME - 1);
	for (size_t i = 0; i < count && !err; i++)
		if (!strcmp(pfs[i].ifname, name))
			err = log_fail(-EEXIST, name, "no name for a pool: a PF has it");
	free(pfs);
	return err;
}

int cmd_pool_set(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_pool pool = {.numa_node = -1};
	struct sriov_pf pf;
	const char *name = cli_text(args, "--pf", NULL);

	if (!sriov || check_name(sriov, args->operand) || (name && sriov_pf_find(sriov, name, &pf)))
		return CLI_FAILED;
	snprintf(pool.name, sizeof(pool.name), "%s", args->operand);
	snprintf(pool.pf, sizeof(pool.pf), "%s", name ? name : "");
	snprintf(pool.driver, sizeof(pool.driver), "%s", cli_text(args, "--driver", ""));
	if (cli_has(args, "--numa"))
		pool.numa_node = (int)cli_number(args, "--numa", 0);
	pool.speed = (unsigned)cli_number(args, "--speed", 0);
	if (!cli->dry_run && sriov_pool_set(sriov, &pool))
		return CLI_FAILED;
	json_t *json = encode(&pool);
	if (cli->json)
		cli_print_json(stdout, json);
	else
		printf("%s: %s\n", pool.name, cli->dry_run ? "would be set" : "set");
	json_decref(json);
	return CLI_OK;
}

int cmd_pool_remove(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);

	if (!sriov || (!cli->dry_run && sriov_pool_drop(sriov, args->operand)))
		return CLI_FAILED;
	printf("%s: %s; its VFs stay as they are\n", args->operand,
	       cli->dry_run ? "would be removed" : "removed");
	return CLI_OK;
}
