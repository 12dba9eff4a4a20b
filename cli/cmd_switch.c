/* SPDX-License-Identifier: BSD-3-Clause */
/* switch: start, stop, show. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/rpc.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/program.h"
#include "cli/switch_dir.h"

#define SUBJECT	   "switch"
#define STEP_MS	   20
#define START_MS   30000
#define CONFIG_MAX (4u << 20)

/* ---- start ---- */

/* The file that is named, else what the switch has kept, else nothing. */
static json_t *read_config(const struct cli *cli, const struct cli_args *args)
{
	char kept[CLI_PATH];
	const char *wanted = cli_text(args, "--config", NULL), *path = wanted;
	json_error_t where;

	if (!path) {
		if (switch_path(cli, SWITCH_CONFIG, kept))
			return NULL;
		path = kept;
		if (access(path, F_OK) < 0)
			return json_object();
	}
	json_t *config = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
	if (json_is_object(config))
		return config;
	log_error(path, "no configuration: %s (line %d)", where.text, where.line);
	json_decref(config);
	return NULL;
}

static int set_cpus(json_t *start, const char *list)
{
	json_t *cpus = json_array();
	char copy[256], *rest = copy, *item;
	uint32_t cpu;
	int err = snprintf(copy, sizeof(copy), "%s", list) < (int)sizeof(copy) ? 0 : -EINVAL;

	while (!err && (item = strsep(&rest, ","))) {
		bool any = !strcmp(item, "any");

		err = any ? 0 : parse_u32(item, 0, 1023, &cpu);
		if (!err)
			json_array_append_new(cpus, json_integer(any ? -1 : (json_int_t)cpu));
	}
	json_object_set_new(start, "cpus", cpus);
	if (err)
		log_error(SUBJECT,
			  "--cpus %s: CPUs such as 2,3 are wanted, one for each worker, "
			  "or any",
			  list);
	return err;
}

static int set_start(json_t *config, const struct cli_args *args)
{
	json_t *start = json_object_get(config, "start");

	if (!start) {
		start = json_object();
		json_object_set_new(config, "start", start);
	}
	if (cli_has(args, "--memory"))
		json_object_set_new(
			start, "memory",
			json_integer((json_int_t)(cli_number(args, "--memory", 0) / MIB)));
	if (cli_has(args, "--buffers"))
		json_object_set_new(start, "buffers",
				    json_integer((json_int_t)cli_number(args, "--buffers", 0)));
	if (cli_has(args, "--sleep"))
		json_object_set_new(start, "sleep_us",
				    json_integer((json_int_t)cli_number(args, "--sleep", 0)));
	if (cli_has(args, "--hugepages"))
		json_object_set_new(start, "hugepages", json_true());
	if (cli_has(args, "--pci"))
		json_object_set_new(start, "pci", json_true());
	return cli_has(args, "--cpus") ? set_cpus(start, cli_text(args, "--cpus", "")) : 0;
}

static int make_folder(const struct cli *cli, char folder[CLI_PATH])
{
	if (mkdir(cli->run_dir, 0755) < 0 && errno != EEXIST)
		return log_fail(-errno, cli->run_dir, "not made: %m");
	if (cli_run_path(cli, folder, "switch"))
		return -ENAMETOOLONG;
	if (mkdir(folder, 0755) < 0 && errno != EEXIST)
		return log_fail(-errno, folder, "not made: %m");
	return 0;
}

/* In the child. Only returns when the program could not be started. */
static void become_switch(const char *folder, int log_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char path[PATH_MAX];

	setsid();
	dup2(null, STDIN_FILENO);
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	cli_program("SLUICE_SWITCH", "sluice-switch", path);
	execlp(path, "sluice-switch", folder, (char *)NULL);
	log_error(path, "not started: %m; set SLUICE_SWITCH to where sluice-switch is");
}

static void show_log(const char *path)
{
	char *text = NULL;
	size_t len;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && !io_read_file(fd, 64 * KIB, &text, &len))
		fwrite(text, 1, len, stderr);
	free(text);
	io_close(&fd);
}

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
}

/* Until it answers, or has ended. */
static int wait_for(const struct cli *cli, pid_t pid, const char *log)
{
	char path[CLI_PATH], error[RPC_ERROR_TEXT];
	int err = switch_path(cli, SWITCH_CTL, path);

	for (int ms = 0; !err && ms < START_MS; ms += STEP_MS) {
		json_t *answer = NULL;

		if (rpc_call(path, "status", NULL, 1000, &answer, error) == 0) {
			json_decref(answer);
			show_log(log); /* what it has to say about its configuration */
			return 0;
		}
		if (waitpid(pid, NULL, WNOHANG) == pid) {
			show_log(log);
			return -ECHILD;
		}
		nap();
	}
	kill(pid, SIGTERM);
	return log_fail(-ETIMEDOUT, SUBJECT, "did not answer within %d s; see %s", START_MS / 1000,
			log);
}

static int spawn(const struct cli *cli, const char *folder)
{
	char log[CLI_PATH];
	int err = switch_path(cli, SWITCH_LOG, log);
	int log_fd =
		err ? -1 : open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	if (log_fd < 0)
		return log_fail(-errno, log, "not opened: %m");
	pid_t pid = fork();
	if (pid == 0) {
		become_switch(folder, log_fd);
		_exit(127);
	}
	io_close(&log_fd);
	return pid < 0 ? log_fail(-errno, SUBJECT, "no process made: %m") : wait_for(cli, pid, log);
}

static int write_config(const struct cli *cli, const json_t *config)
{
	char path[CLI_PATH];
	int err = switch_path(cli, SWITCH_CONFIG, path);

	if (err)
		return err;
	return json_dump_file(config, path, JSON_INDENT(2)) < 0
		       ? log_fail(-EIO, path, "not written: %m")
		       : 0;
}

int switch_start(const struct cli *cli, const json_t *config)
{
	char folder[CLI_PATH];
	int err = make_folder(cli, folder);

	if (!err)
		err = write_config(cli, config);
	return err ? err : spawn(cli, folder);
}

int cmd_switch_start(struct cli *cli, const struct cli_args *args)
{
	json_t *config = read_config(cli, args);

	if (!config)
		return CLI_FAILED;
	if (switch_runs(cli)) {
		json_decref(config);
		return log_fail(CLI_FAILED, SUBJECT, "runs already; see sluice switch show");
	}
	int err = set_start(config, args);
	if (err || cli->dry_run) {
		json_decref(config);
		return err ? CLI_USAGE : switch_report(cli, SUBJECT, "would be started");
	}
	err = switch_start(cli, config);
	json_decref(config);
	return err ? CLI_FAILED : switch_report(cli, SUBJECT, "started");
}

/* ---- stop ---- */

int switch_stop(const struct cli *cli)
{
	if (switch_tell(cli, "quit", NULL, NULL))
		return -EIO;
	for (int ms = 0; switch_runs(cli); ms += STEP_MS) {
		if (ms > START_MS)
			return log_fail(-ETIMEDOUT, SUBJECT, "was told to end, and has not");
		nap();
	}
	return 0;
}

int cmd_switch_stop(struct cli *cli, const struct cli_args *args)
{
	(void)args;
	if (!switch_runs(cli))
		return log_fail(CLI_FAILED, SUBJECT, "does not run");
	if (cli->dry_run)
		return switch_report(cli, SUBJECT, "would be stopped");
	if (switch_stop(cli))
		return CLI_FAILED;
	return switch_report(cli, SUBJECT, "stopped");
}

/* ---- show ---- */

static void show_workers(const json_t *status)
{
	static const struct cli_column columns[] = {{"WORKER", "worker", CLI_SHOW_PLAIN},
						    {"CPU", "where", CLI_SHOW_PLAIN},
						    {"QUEUES", "queues", CLI_SHOW_PLAIN},
						    {"POLLS", "polls", CLI_SHOW_PLAIN},
						    {"EMPTY", "empty", CLI_SHOW_PLAIN},
						    {"SLEEPS", "sleeps", CLI_SHOW_PLAIN},
						    {0}};
	json_t *rows = json_object_get(status, "workers"), *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		json_int_t cpu = json_integer_value(json_object_get(row, "cpu"));

		json_object_set_new(row, "where", cpu < 0 ? json_string("any") : json_integer(cpu));
	}
	cli_print_table(stdout, columns, rows);
}

static void show_bridges(const json_t *status)
{
	static const struct cli_column columns[] = {
		{"BRIDGE", "name", CLI_SHOW_PLAIN},	    {"PORTS", "ports", CLI_SHOW_PLAIN},
		{"ADDRESSES", "addresses", CLI_SHOW_PLAIN}, {"LIMIT", "mac_limit", CLI_SHOW_PLAIN},
		{"AGEING", "ageing", CLI_SHOW_PLAIN},	    {0}};

	putchar('\n');
	cli_print_table(stdout, columns, json_object_get(status, "bridges"));
}

static void show_ports(const json_t *status)
{
	static const struct cli_column columns[] = {{"PORT", "name", CLI_SHOW_PLAIN},
						    {"BRIDGE", "bridge", CLI_SHOW_PLAIN},
						    {"KIND", "kind", CLI_SHOW_PLAIN},
						    {"WHERE", "where", CLI_SHOW_PLAIN},
						    {"UP", "up", CLI_SHOW_PLAIN},
						    {"QUEUES", "queues_on", CLI_SHOW_PLAIN},
						    {"VLAN", "vlan", CLI_SHOW_PLAIN},
						    {"ADDRESSES", "addresses", CLI_SHOW_PLAIN},
						    {"MIRROR", "mirror", CLI_SHOW_PLAIN},
						    {"STATE", "text", CLI_SHOW_PLAIN},
						    {0}};

	putchar('\n');
	cli_print_table(stdout, columns, json_object_get(status, "ports"));
}

int cmd_switch_show(struct cli *cli, const struct cli_args *args)
{
	json_t *status = NULL;
	int rc;

	if (cli_has(args, "--config")) {
		rc = switch_tell(cli, "config", NULL, &status);
		if (!rc)
			cli_print_json(stdout, status);
		json_decref(status);
		return rc;
	}
	rc = switch_tell(cli, "status", NULL, &status);
	if (!rc && cli->json) {
		cli_print_json(stdout, status);
	} else if (!rc) {
		printf("switch: pid %lld, %lld of %lld buffers free\n\n",
		       json_integer_value(json_object_get(status, "pid")),
		       json_integer_value(json_object_get(status, "buffers_free")),
		       json_integer_value(json_object_get(status, "buffers")));
		show_workers(status);
		show_bridges(status);
		show_ports(status);
	}
	json_decref(status);
	return rc;
}
