/* SPDX-License-Identifier: BSD-3-Clause */
/* vm balloon: asks a guest to make do with less of its memory, or gives it back. */
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/vm_dir.h"

int cmd_vm_balloon(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand, *size = args->more[0];
	char text[PARSE_SIZE_TEXT + 64], shown[PARSE_SIZE_TEXT];
	json_t *result = NULL;
	uint64_t bytes;

	if (parse_size(size, MIB, INT64_MAX, &bytes)) {
		log_error(name, "'%.40s' is not a size such as 512M, from 1M on", size);
		return CLI_USAGE;
	}
	format_size(bytes, shown);
	if (!vm_known(cli, name)) {
		log_error(name, "no such VM; see sluice vm list");
		return CLI_FAILED;
	}
	if (cli->dry_run) {
		snprintf(text, sizeof(text), "would be asked to keep %s", shown);
		return vm_report(cli, name, text);
	}
	if (vm_tell(cli, name, "balloon", json_pack("{s:I}", "size", (json_int_t)bytes), NULL, 0,
		    &result))
		return CLI_FAILED;
	bool driver = json_is_true(json_object_get(result, "driver"));
	json_decref(result);
	snprintf(text, sizeof(text), "%s keep %s; see sluice vm stat",
		 driver ? "asked to" : "has no driver yet, will be asked to", shown);
	return vm_report(cli, name, text);
}
