/* SPDX-License-Identifier: BSD-3-Clause */
/* host doctor: what will stand in the way, before anybody tries. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/doctor.h"

static const char *get(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

/* Good news is one line, bad news three. */
static void print(const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach (rows, i, row) {
		printf("%-8s %s: %s: %s\n", get(row, "state"), get(row, "about"), get(row, "check"),
		       get(row, "finding"));
		if (strcmp(get(row, "state"), "ok") != 0)
			printf("         why: %s\n         fix: %s\n", get(row, "why"),
			       get(row, "fix"));
	}
}

int cmd_host_doctor(struct cli *cli, const struct cli_args *args)
{
	enum doctor_state worst = DOCTOR_GOOD;
	json_t *rows = json_array();
	int err = doctor_run(cli, rows, &worst);

	(void)args;
	if (!err && cli->json)
		cli_print_json(stdout, rows);
	else if (!err)
		print(rows);
	json_decref(rows);
	return err || worst == DOCTOR_BAD ? CLI_FAILED : CLI_OK;
}
