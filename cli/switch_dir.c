/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_dir: see switch_dir.h. */
#include "cli/switch_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/io.h"
#include "base/log.h"
#include "base/rpc.h"

#define SUBJECT "switch"
#define CALL_MS 10000

int switch_path(const struct cli *cli, const char *file, char path[CLI_PATH])
{
	return cli_run_path(cli, path, "switch/%s", file);
}

bool switch_runs(const struct cli *cli)
{
	char path[CLI_PATH];
	int fd = switch_path(cli, SWITCH_LOCK, path) ? -1 : open(path, O_RDWR | O_CLOEXEC);
	bool held = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;

	io_close(&fd);
	return held;
}

int switch_tell_fd(const struct cli *cli, const char *method, json_t *params, int fd,
		   json_t **result)
{
	char path[CLI_PATH], error[RPC_ERROR_TEXT] = "";
	json_t *answer = NULL;
	int err = switch_path(cli, SWITCH_CTL, path);

	if (err) {
		json_decref(params);
		return CLI_FAILED;
	}
	err = rpc_call_fds(path, method, params, &fd, fd >= 0, CALL_MS, &answer, error);
	if (err && !switch_runs(cli))
		log_error(SUBJECT, "does not run; start it with sluice switch start");
	else if (err == -ETIMEDOUT)
		log_error(SUBJECT, "does not answer");
	else if (err)
		log_error(SUBJECT, "%s", error[0] ? error : strerror(-err));
	if (result)
		*result = answer;
	else
		json_decref(answer);
	return err ? CLI_FAILED : CLI_OK;
}

int switch_tell(const struct cli *cli, const char *method, json_t *params, json_t **result)
{
	return switch_tell_fd(cli, method, params, -1, result);
}

int switch_report(const struct cli *cli, const char *subject, const char *text)
{
	if (cli->json) {
		json_t *json = json_pack("{s:s,s:s}", "name", subject, "result", text);

		cli_print_json(stdout, json);
		json_decref(json);
	} else {
		printf("%s: %s\n", subject, text);
	}
	return CLI_OK;
}

int switch_change(const struct cli *cli, const char *subject, const char *method, json_t *params,
		  const char *done)
{
	char text[128];

	if (cli->dry_run) {
		json_decref(params);
		snprintf(text, sizeof(text), "would be %s", done);
		return switch_report(cli, subject, text);
	}
	int rc = switch_tell(cli, method, params, NULL);
	return rc ? rc : switch_report(cli, subject, done);
}
