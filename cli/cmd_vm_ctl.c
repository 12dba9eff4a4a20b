/* SPDX-License-Identifier: BSD-3-Clause */
/* vm: list, show, maps, stop, console: what can be asked of VMs that were started. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/console.h"
#include "cli/terminal.h"
#include "cli/vm_def.h"
#include "cli/vm_dir.h"
#include "cli/vm_supervise.h"
#include "cli/vmm_config.h"

#define STOP_TIMEOUT_S 60
#define FORCE_ASKS     4 /* of VM_CALL_MS each */
#define FORCE_GRACE_S  5
#define KEY_PREFIX     0x1d /* Ctrl-] */

/* ---- list ---- */

static const struct cli_column list_columns[] = {
	{"NAME", "name", CLI_SHOW_PLAIN},	{"STATE", "state", CLI_SHOW_PLAIN},
	{"PID", "pid", CLI_SHOW_PLAIN},		{"CPUS", "cpus", CLI_SHOW_PLAIN},
	{"MEMORY", "ram", CLI_SHOW_SIZE},	{"UPTIME", "uptime", CLI_SHOW_PLAIN},
	{"DEVICES", "devices", CLI_SHOW_PLAIN}, {0},
};

static json_t *names_of(const json_t *devices)
{
	json_t *names = json_array();

	for (size_t i = 0; i < json_array_size(devices); i++) {
		json_t *name = json_object_get(json_array_get(devices, i), "name");
		json_array_append(names, name ? name : json_array_get(devices, i));
	}
	return names;
}

/* "3d 4h", "12m 5s" */
static json_t *uptime(int64_t since)
{
	long long s = (long long)time(NULL) - since;
	char text[48];

	s = s < 0 ? 0 : s;
	if (s >= 86400)
		snprintf(text, sizeof(text), "%lldd %lldh", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		snprintf(text, sizeof(text), "%lldh %lldm", s / 3600, s / 60 % 60);
	else
		snprintf(text, sizeof(text), "%lldm %llds", s / 60, s % 60);
	return json_string(text);
}

/* The addresses that the ledger still has for `name`. */
static json_t *claims_of(const struct sriov_claim *claims, size_t count, const char *name)
{
	json_t *list = json_array();
	char bdf[BDF_TEXT];

	for (size_t i = 0; i < count; i++)
		if (!strcmp(claims[i].owner, name))
			json_array_append_new(list, json_string(bdf_format(claims[i].bdf, bdf)));
	return list;
}

static json_t *groups_of(const json_t *devices)
{
	json_t *groups = json_array();

	for (size_t i = 0; i < json_array_size(devices); i++) {
		json_t *group = json_object_get(json_array_get(devices, i), "group");
		bool known = false;

		for (size_t g = 0; g < json_array_size(groups); g++)
			known |= json_equal(json_array_get(groups, g), group);
		if (!known)
			json_array_append(groups, group);
	}
	return groups;
}

static void describe_running(const struct cli *cli, const char *name, json_t *row)
{
	char error[RPC_ERROR_TEXT];
	json_t *status = NULL;

	if (vm_try(cli, name, "status", &status, error)) {
		json_object_set_new(row, "state", json_string("starting"));
		return;
	}
	json_object_set(row, "state", json_object_get(status, "state"));
	json_object_set(row, "pid", json_object_get(status, "pid"));
	json_object_set(row, "cpus", json_object_get(status, "cpus"));
	json_object_set(row, "ram", json_object_get(status, "ram"));
	json_object_set(row, "since", json_object_get(status, "since"));
	json_object_set_new(row, "uptime",
			    uptime(json_integer_value(json_object_get(status, "since"))));
	json_object_set_new(row, "devices", names_of(json_object_get(status, "devices")));
	json_object_set_new(row, "disks", names_of(json_object_get(status, "disks")));
	json_object_set_new(row, "iommu_groups", groups_of(json_object_get(status, "devices")));
	json_decref(status);
}

/* What is left of a VM whose process is gone. */
static void ended_state(const char *end, char *state, size_t size)
{
	static const char *const well[] = {"poweroff", "reset", "killed"};

	for (size_t i = 0; i < sizeof(well) / sizeof(well[0]); i++) {
		if (!strcmp(end, well[i])) {
			snprintf(state, size, "inactive: %s", end);
			return;
		}
	}
	if (!strcmp(end, "saved"))
		snprintf(state, size, "suspended");
	else
		snprintf(state, size, "crashed: %.40s", end);
}

static json_t *describe_vm(const struct cli *cli, const char *name,
			   const struct sriov_claim *claims, size_t count)
{
	json_t *row = json_pack("{s:s}", "name", name);

	json_object_set_new(row, "defined", json_boolean(vm_def_known(cli, name)));
	if (sriov_owner_alive(cli->sriov, name)) {
		describe_running(cli, name, row);
		return row;
	}
	json_t *held = claims_of(claims, count, name);
	if (!vm_known(cli, name) && !json_array_size(held)) {
		json_decref(held);
		vm_def_describe(cli, name, row);
		return row;
	}
	json_t *result = vm_read_json(cli, name, VM_RESULT);
	const char *end = json_string_value(json_object_get(result, "end"));
	char state[64];
	ended_state(end ? end : "died", state, sizeof(state));
	json_object_set_new(row, "state", json_string(json_array_size(held) ? "orphaned" : state));
	json_object_set(row, "file", json_object_get(result, "file"));
	json_object_set_new(row, "devices", held);
	json_decref(result);
	return row;
}

static bool listed(const json_t *names, const char *name)
{
	for (size_t i = 0; i < json_array_size(names); i++)
		if (!strcmp(json_string_value(json_array_get(names, i)), name))
			return true;
	return false;
}

static void add_defined(const struct cli *cli, json_t *names)
{
	json_t *defined = vm_def_names(cli);

	for (size_t i = 0; i < json_array_size(defined); i++)
		if (!listed(names, json_string_value(json_array_get(defined, i))))
			json_array_append(names, json_array_get(defined, i));
	json_decref(defined);
}

int cmd_vm_list(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_claim *claims = NULL;
	size_t count;

	(void)args;
	if (!sriov || sriov_claims(sriov, &claims, &count))
		return CLI_FAILED;
	json_t *names = vm_names(cli), *rows = json_array();
	/* After a reboot of the host the folders are gone, and the ledger still knows. */
	for (size_t i = 0; i < count; i++)
		if (!listed(names, claims[i].owner))
			json_array_append_new(names, json_string(claims[i].owner));
	add_defined(cli, names);
	for (size_t i = 0; i < json_array_size(names); i++)
		json_array_append_new(rows,
				      describe_vm(cli, json_string_value(json_array_get(names, i)),
						  claims, count));
	free(claims);
	json_decref(names);
	if (cli->json)
		cli_print_json(stdout, rows);
	else
		cli_print_table(stdout, list_columns, rows);
	json_decref(rows);
	return CLI_OK;
}

/* ---- show, maps ---- */

static const struct cli_column show_columns[] = {
	{"name", "name", CLI_SHOW_PLAIN},
	{"state", "state", CLI_SHOW_PLAIN},
	{"saved in", "file", CLI_SHOW_PLAIN},
	{"pid", "pid", CLI_SHOW_PLAIN},
	{"uptime", "uptime", CLI_SHOW_PLAIN},
	{"kernel", "kernel", CLI_SHOW_PLAIN},
	{"initrd", "initrd", CLI_SHOW_PLAIN},
	{"command line", "cmdline", CLI_SHOW_PLAIN},
	{"CPUs", "cpus", CLI_SHOW_PLAIN},
	{"pinned to", "pin", CLI_SHOW_PLAIN},
	{"memory", "ram", CLI_SHOW_SIZE},
	{"pages", "pages", CLI_SHOW_PLAIN},
	{"devices", "devices", CLI_SHOW_PLAIN},
	{"disks", "disks", CLI_SHOW_PLAIN},
	{"IOMMU groups", "iommu_groups", CLI_SHOW_PLAIN},
	{"log", "log", CLI_SHOW_PLAIN},
	{"defined as", "definition", CLI_SHOW_PLAIN},
	{"defined in", "cwd", CLI_SHOW_PLAIN},
	{0},
};

static const struct cli_column map_columns[] = {
	{"IOVA", "iova", CLI_SHOW_HEX},
	{"SIZE", "size", CLI_SHOW_SIZE},
	{"WHAT", "what", CLI_SHOW_PLAIN},
	{"ACCESS", "prot", CLI_SHOW_PLAIN},
	{0},
};

/* The configuration as the user knows it: names instead of descriptors. What a running VM has told
 * of itself stays: devices, disks and CPUs come and go. */
static void describe_config(const struct cli *cli, const char *name, json_t *vm)
{
	static const char *const same[] = {"cmdline", "cpus", "pin", "ram", "pages"};
	json_t *config = vm_read_json(cli, name, VM_CONFIG), *groups = json_array();
	const json_t *list = json_object_get(config, "groups");
	char path[CLI_PATH];

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (!json_object_get(vm, same[i]))
			json_object_set(vm, same[i], json_object_get(config, same[i]));
	json_object_set(vm, "kernel", json_object_get(json_object_get(config, "kernel"), "name"));
	json_object_set(vm, "initrd", json_object_get(json_object_get(config, "initrd"), "name"));
	if (!json_object_get(vm, "devices"))
		json_object_set_new(vm, "devices", names_of(json_object_get(config, "devices")));
	if (!json_object_get(vm, "disks"))
		json_object_set_new(vm, "disks", names_of(json_object_get(config, "disks")));
	for (size_t i = 0; i < json_array_size(list); i++)
		json_array_append(groups, json_object_get(json_array_get(list, i), "id"));
	if (!json_object_get(vm, "iommu_groups"))
		json_object_set(vm, "iommu_groups", groups);
	json_decref(groups);
	if (!vm_path(cli, name, VM_LOG, path))
		json_object_set_new(vm, "log", json_string(path));
	json_decref(config);
}

static int refuse_unknown(const char *name)
{
	log_error(name, "no such VM; see sluice vm list");
	return CLI_FAILED;
}

int cmd_vm_show(struct cli *cli, const struct cli_args *args)
{
	struct sriov *sriov = cli_sriov(cli);
	struct sriov_claim *claims = NULL;
	char error[RPC_ERROR_TEXT];
	json_t *maps = NULL;
	size_t count;

	if (!vm_known(cli, args->operand) && !vm_def_known(cli, args->operand))
		return refuse_unknown(args->operand);
	if (!sriov || sriov_claims(sriov, &claims, &count))
		return CLI_FAILED;
	json_t *vm = describe_vm(cli, args->operand, claims, count);
	free(claims);
	if (vm_known(cli, args->operand))
		describe_config(cli, args->operand, vm);
	if (vm_def_known(cli, args->operand))
		vm_def_show(cli, args->operand, vm);
	if (vm_try(cli, args->operand, "maps", &maps, error) == 0)
		json_object_set(vm, "maps", maps);
	if (cli->json) {
		cli_print_json(stdout, vm);
	} else {
		cli_print_fields(stdout, show_columns, vm);
		if (json_array_size(maps)) {
			puts("\nDMA mappings (I/O address = guest physical address)");
			cli_print_table(stdout, map_columns, maps);
		}
	}
	json_decref(maps);
	json_decref(vm);
	return CLI_OK;
}

int cmd_vm_maps(struct cli *cli, const struct cli_args *args)
{
	json_t *maps = vm_call(cli, args->operand, "maps");

	if (!maps)
		return CLI_FAILED;
	if (cli->json)
		cli_print_json(stdout, maps);
	else
		cli_print_table(stdout, map_columns, maps);
	json_decref(maps);
	return CLI_OK;
}

/* ---- stop ---- */

bool vm_wait_gone(struct cli *cli, const char *name, unsigned seconds)
{
	const struct timespec tick = {.tv_nsec = 50000000};
	struct timespec now, start;

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		if (!sriov_owner_alive(cli->sriov, name))
			return true;
		nanosleep(&tick, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - start.tv_sec < (time_t)seconds);
	return false;
}

/* Ends the VMM, by asking it, else with SIGKILL. */
static int force(struct cli *cli, const char *name)
{
	char error[RPC_ERROR_TEXT], subject[VMM_NAME_MAX + 4];
	json_t *status = NULL;

	snprintf(subject, sizeof(subject), "vm %s", name);
	int err = -ETIMEDOUT;
	/* While it makes its machine anew for a guest that resets, it answers nobody. */
	for (unsigned i = 0; i < FORCE_ASKS && err == -ETIMEDOUT; i++)
		err = vm_try(cli, name, "status", &status, error);
	pid_t pid = (pid_t)json_integer_value(json_object_get(status, "pid"));
	json_decref(status);
	if (!err)
		err = vm_try(cli, name, "quit", NULL, error);
	if (!err && vm_wait_gone(cli, name, FORCE_GRACE_S))
		return 0;
	if (pid > 0 && kill(pid, SIGKILL) == 0 && vm_wait_gone(cli, name, FORCE_GRACE_S))
		return 0;
	return log_fail(-EBUSY, subject, "not stopped: %s",
			err ? error : "its process does not go away");
}

static int ask(struct cli *cli, const char *name, unsigned seconds)
{
	char error[RPC_ERROR_TEXT], subject[VMM_NAME_MAX + 4];

	snprintf(subject, sizeof(subject), "vm %s", name);
	int err = vm_try(cli, name, "power-button", NULL, error);
	if (err)
		return log_fail(err, subject,
				"power button not pressed: %s; --force stops it anyway", error);
	if (vm_wait_gone(cli, name, seconds))
		return 0;
	return log_fail(
		-ETIMEDOUT, subject,
		"has not powered off within %u s; wait longer with --timeout, or use --force",
		seconds);
}

static bool has_claims(struct cli *cli, const char *name)
{
	struct sriov_claim *claims = NULL;
	size_t count = 0;
	bool found = false;

	if (sriov_claims(cli->sriov, &claims, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		found |= !strcmp(claims[i].owner, name);
	free(claims);
	return found;
}

int vm_report(const struct cli *cli, const char *name, const char *text)
{
	if (cli->json) {
		json_t *json = json_pack("{s:s,s:s}", "name", name, "result", text);
		cli_print_json(stdout, json);
		json_decref(json);
	} else {
		printf("%s: %s\n", name, text);
	}
	return CLI_OK;
}

int cmd_vm_stop(struct cli *cli, const struct cli_args *args)
{
	unsigned seconds = (unsigned)cli_number(args, "--timeout", STOP_TIMEOUT_S);
	const char *name = args->operand;
	struct sriov *sriov = cli_sriov(cli);

	if (!sriov)
		return CLI_FAILED;
	if (!vm_known(cli, name) && !has_claims(cli, name))
		return refuse_unknown(name);
	bool alive = sriov_owner_alive(sriov, name);
	if (cli->dry_run)
		return vm_report(cli, name,
				 alive ? "would be stopped" : "would be cleaned up after");
	if (alive && (cli_has(args, "--force") ? force(cli, name) : ask(cli, name, seconds)))
		return CLI_FAILED;
	/* Its supervisor has done this already, unless that was gone. */
	if ((vm_known(cli, name) || has_claims(cli, name)) && vm_give_back(cli, name))
		return CLI_FAILED;
	return vm_report(cli, name, alive ? "stopped" : "cleaned up after");
}

int cmd_vm_kill(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand;
	struct sriov *sriov = cli_sriov(cli);

	if (!sriov)
		return CLI_FAILED;
	if (!vm_known(cli, name))
		return refuse_unknown(name);
	if (cli->dry_run)
		return vm_report(cli, name, "would be killed");
	if (sriov_owner_alive(sriov, name) && force(cli, name))
		return CLI_FAILED;
	if ((vm_known(cli, name) || has_claims(cli, name)) && vm_give_back(cli, name))
		return CLI_FAILED;
	return vm_report(cli, name, "killed");
}

/* ---- console ---- */

struct session {
	struct loop *loop;
	struct terminal terminal;
	int signals;
};

static bool console_key_typed(void *opaque, uint8_t byte)
{
	struct session *session = opaque;

	if (!session->terminal.raw || byte != KEY_PREFIX)
		return true;
	loop_stop(session->loop, 0);
	return false;
}

static void session_closed(void *opaque)
{
	struct session *session = opaque;

	loop_stop(session->loop, 1);
}

static void session_silent(void *opaque)
{
	struct session *session = opaque;

	loop_stop(session->loop, 0);
}

static void session_signal(void *opaque, uint32_t events)
{
	struct session *session = opaque;

	(void)events;
	loop_stop(session->loop, 0);
}

/* So that the terminal is restored whatever ends us. */
static int session_signals(struct session *session)
{
	struct loop_source *source;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 ||
	    (session->signals = signalfd(-1, &set, SFD_CLOEXEC)) < 0)
		return -errno;
	return loop_add(session->loop, session->signals, EPOLLIN, session_signal, session, &source);
}

#define PATIENCE_MS 1000u /* the least silence after the input's end that counts */

static int join_console(struct session *session, const char *path, bool follow)
{
	struct console_config config = {.loop = session->loop,
					.sock = console_connect(path),
					.in = STDIN_FILENO,
					.out = STDOUT_FILENO,
					.key = console_key_typed,
					.closed = session_closed,
					.silent = session_silent,
					.patience_ms = follow ? 0 : PATIENCE_MS,
					.opaque = session};
	struct console *console = NULL;

	if (config.sock < 0)
		return config.sock;
	int err = session_signals(session);
	terminal_raw(&session->terminal, STDIN_FILENO);
	if (session->terminal.raw)
		fputs("Ctrl-] leaves\n", stderr);
	if (err)
		io_close(&config.sock);
	else
		err = console_open(&config, &console);
	if (!err)
		err = loop_run(session->loop);
	console_close(console);
	terminal_restore(&session->terminal);
	return err;
}

int cmd_vm_console(struct cli *cli, const struct cli_args *args)
{
	struct session session = {.signals = -1};
	char path[CLI_PATH];

	if (!vm_known(cli, args->operand))
		return refuse_unknown(args->operand);
	int err = vm_path(cli, args->operand, VM_CONSOLE, path);
	if (!err)
		err = loop_create(&session.loop);
	if (!err)
		err = join_console(&session, path, cli_has(args, "--follow"));
	loop_destroy(session.loop);
	io_close(&session.signals);
	if (err == -ENOENT || err == -ECONNREFUSED)
		log_error(args->operand, "does not run any more; see sluice vm list");
	else if (err < 0)
		log_error(args->operand, "no console: %s", strerror(-err));
	else
		fputs(err ? "\nsluice: the VM has ended\n" : "\nsluice: left; the VM runs on\n",
		      stderr);
	return err < 0 ? CLI_FAILED : CLI_OK;
}
