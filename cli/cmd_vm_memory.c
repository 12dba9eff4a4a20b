/* SPDX-License-Identifier: BSD-3-Clause */
/* vm memory: how much memory a running VM has. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/vm_dir.h"

#define WAIT_S 30

struct sizes {
	uint64_t wanted, now, max;
};

static int read_sizes(struct cli *cli, const char *name, struct sizes *out)
{
	json_t *status = vm_call(cli, name, "status");

	if (!status)
		return -EIO;
	*out = (struct sizes){
		.wanted = (uint64_t)json_integer_value(json_object_get(status, "ram_wanted")),
		.now = (uint64_t)json_integer_value(json_object_get(status, "ram_now")),
		.max = (uint64_t)json_integer_value(json_object_get(status, "ram_max")),
	};
	json_decref(status);
	return 0;
}

/* Until the guest has as much as it shall have. */
static int await(struct cli *cli, const char *name, unsigned seconds, struct sizes *sizes)
{
	const struct timespec tick = {.tv_nsec = 100000000};
	char now[PARSE_SIZE_TEXT], wanted[PARSE_SIZE_TEXT];
	time_t deadline = time(NULL) + (time_t)seconds;
	int err;

	while (!(err = read_sizes(cli, name, sizes)) && sizes->now != sizes->wanted) {
		if (time(NULL) > deadline)
			return log_fail(
				-ETIMEDOUT, name,
				"its guest has %s so far, and not %s within %u s; the wish "
				"stands, and vm show tells how far it is (a Linux guest needs "
				"virtio_mem, and uses what comes with memhp_default_state="
				"online_movable)",
				format_size(sizes->now, now), format_size(sizes->wanted, wanted),
				seconds);
		nanosleep(&tick, NULL);
	}
	return err;
}

static int set(struct cli *cli, const char *name, uint64_t bytes, unsigned seconds)
{
	char text[PARSE_SIZE_TEXT];
	struct sizes sizes;

	if (vm_tell(cli, name, "memory", json_pack("{s:I}", "size", (json_int_t)bytes), NULL, 0,
		    NULL) ||
	    await(cli, name, seconds, &sizes))
		return CLI_FAILED;
	if (cli->json) {
		json_t *json = json_pack("{s:s,s:I}", "vm", name, "ram", (json_int_t)sizes.now);

		cli_print_json(stdout, json);
		json_decref(json);
	} else {
		printf("%s: has %s\n", name, format_size(sizes.now, text));
	}
	return CLI_OK;
}

int cmd_vm_memory(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand;
	unsigned seconds = (unsigned)cli_number(args, "--timeout", WAIT_S);
	uint64_t bytes;

	if (parse_size(args->more[0], MIB, UINT64_C(1) << 46, &bytes)) {
		log_error("vm memory", "'%s' is no size such as 2G", args->more[0]);
		return CLI_USAGE;
	}
	if (!cli_sriov(cli))
		return CLI_FAILED;
	if (!vm_known(cli, name))
		return log_fail(CLI_FAILED, name, "no such VM; see sluice vm list");
	if (cli->dry_run)
		return vm_report(cli, name, "would be given that much memory");
	return set(cli, name, bytes, seconds);
}
