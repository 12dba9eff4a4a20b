/* SPDX-License-Identifier: BSD-3-Clause */
/* switch: fdb, stats, mirror, capture: what passes, and who is where. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <poll.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/switch_dir.h"

/* ---- fdb ---- */

static json_t *address(const struct cli_args *args, const char *mac)
{
	json_t *params = json_pack("{s:s,s:s,s:i}", "bridge", args->operand, "mac", mac, "vlan",
				   (int)cli_number(args, "--vlan", 0));
	const char *port = cli_text(args, "--port", NULL);

	if (port)
		json_object_set_new(params, "port", json_string(port));
	return params;
}

static int change_address(struct cli *cli, const struct cli_args *args)
{
	const char *add = cli_text(args, "--add", NULL), *del = cli_text(args, "--remove", NULL);
	uint8_t mac[6];

	if (add && del) {
		log_error(args->operand, "--add and --remove exclude each other");
		return CLI_USAGE;
	}
	if (parse_mac(add ? add : del, mac)) {
		log_error(args->operand,
			  "'%.40s' is no station's address such as "
			  "02:00:00:00:00:01",
			  add ? add : del);
		return CLI_USAGE;
	}
	if (!add != !cli_has(args, "--port")) {
		log_error(args->operand, add ? "--add needs the --port that the address is behind"
					     : "--remove takes no --port");
		return CLI_USAGE;
	}
	return switch_change(cli, add ? add : del, add ? "fdb-add" : "fdb-remove",
			     address(args, add ? add : del), add ? "added" : "removed");
}

static int list_addresses(struct cli *cli, const struct cli_args *args)
{
	static const struct cli_column columns[] = {{"BRIDGE", "bridge", CLI_SHOW_PLAIN},
						    {"VLAN", "vlan", CLI_SHOW_PLAIN},
						    {"ADDRESS", "mac", CLI_SHOW_PLAIN},
						    {"PORT", "port", CLI_SHOW_PLAIN},
						    {"STATIC", "static", CLI_SHOW_PLAIN},
						    {"AGE", "age", CLI_SHOW_PLAIN},
						    {0}};
	json_t *list = NULL;
	int rc = switch_tell(cli, "fdb",
			     args->operand ? json_pack("{s:s}", "bridge", args->operand) : NULL,
			     &list);

	if (!rc && cli->json)
		cli_print_json(stdout, list);
	else if (!rc)
		cli_print_table(stdout, columns, list);
	json_decref(list);
	return rc;
}

int cmd_switch_fdb(struct cli *cli, const struct cli_args *args)
{
	const char *port = cli_text(args, "--port", NULL);
	bool changes = cli_has(args, "--add") || cli_has(args, "--remove");

	if (cli_has(args, "--flush")) {
		if (changes || !args->operand == !port) {
			log_error("fdb", "--flush takes either a BRIDGE or --port PORT");
			return CLI_USAGE;
		}
		return switch_change(
			cli, port ? port : args->operand, "fdb-flush",
			json_pack("{s:s}", port ? "port" : "bridge", port ? port : args->operand),
			"flushed");
	}
	if (!changes)
		return list_addresses(cli, args);
	if (args->operand)
		return change_address(cli, args);
	log_error("fdb", "name the BRIDGE whose address is meant");
	return CLI_USAGE;
}

/* ---- stats ---- */

static void print_drops(const json_t *ports)
{
	const char *reason;
	json_t *count, *port;
	size_t i;
	bool any = false;

	json_array_foreach ((json_t *)(uintptr_t)ports, i, port) {
		const char *name = json_string_value(json_object_get(port, "name"));

		json_object_foreach (json_object_get(port, "drops"), reason, count) {
			if (!any)
				puts("\ndropped, by reason");
			any = true;
			printf("  %-16s %-16s %lld\n", name, reason, json_integer_value(count));
		}
	}
}

static void print_stats(json_t *ports)
{
	static const struct cli_column columns[] = {
		{"PORT", "name", CLI_SHOW_PLAIN},	 {"RX", "rx_packets", CLI_SHOW_PLAIN},
		{"RX-BYTES", "rx_bytes", CLI_SHOW_SIZE}, {"TX", "tx_packets", CLI_SHOW_PLAIN},
		{"TX-BYTES", "tx_bytes", CLI_SHOW_SIZE}, {"FLOODED", "floods", CLI_SHOW_PLAIN},
		{"LEARNED", "learned", CLI_SHOW_PLAIN},	 {"MOVED", "moved", CLI_SHOW_PLAIN},
		{"DROPPED", "dropped", CLI_SHOW_PLAIN},	 {0}};

	cli_print_table(stdout, columns, ports);
	print_drops(ports);
}

static int only(json_t *ports, const char *name)
{
	for (size_t i = json_array_size(ports); name && i-- > 0;)
		if (strcmp(json_string_value(json_object_get(json_array_get(ports, i), "name")),
			   name))
			json_array_remove(ports, i);
	return name && json_array_size(ports) == 0
		       ? log_fail(CLI_FAILED, name, "no such port; see sluice switch show")
		       : CLI_OK;
}

static void print_queues(json_t *queues)
{
	static const struct cli_column columns[] = {{"PORT", "name", CLI_SHOW_PLAIN},
						    {"QUEUE", "queue", CLI_SHOW_PLAIN},
						    {"RX", "rx_packets", CLI_SHOW_PLAIN},
						    {"RX-BYTES", "rx_bytes", CLI_SHOW_SIZE},
						    {"TX", "tx_packets", CLI_SHOW_PLAIN},
						    {"TX-BYTES", "tx_bytes", CLI_SHOW_SIZE},
						    {0}};

	cli_print_table(stdout, columns, queues);
	print_drops(queues);
}

int cmd_switch_stats(struct cli *cli, const struct cli_args *args)
{
	bool prometheus = cli_has(args, "--prometheus"), queues = cli_has(args, "--queues");
	json_t *answer = NULL;
	int rc = switch_tell(cli,
			     prometheus ? "metrics"
			     : queues	? "queues"
					: "stats",
			     NULL, &answer);

	if (!rc && prometheus)
		fputs(json_string_value(answer), stdout);
	else if (!rc)
		rc = only(answer, args->operand);
	if (!rc && !prometheus && cli->json)
		cli_print_json(stdout, answer);
	else if (!rc && !prometheus && queues)
		print_queues(answer);
	else if (!rc && !prometheus)
		print_stats(answer);
	json_decref(answer);
	return rc;
}

/* ---- mirror ---- */

int cmd_switch_mirror(struct cli *cli, const struct cli_args *args)
{
	const char *to = cli_text(args, "--to", NULL);
	char done[128];

	if (!to == !cli_has(args, "--off")) {
		log_error(args->operand, "either --to PORT or --off is wanted");
		return CLI_USAGE;
	}
	json_t *params = json_pack("{s:s}", "from", args->operand);
	if (to)
		json_object_set_new(params, "to", json_string(to));
	snprintf(done, sizeof(done), to ? "mirrored to %.64s" : "mirrored no longer", to);
	return switch_change(cli, args->operand, "mirror", params, done);
}

/* ---- capture ---- */

/* Until its limits, the time, or Ctrl-C. What is on its way to the file then still goes there. */
static int watch(const struct cli *cli, int signals, uint64_t seconds, json_t **last)
{
	struct pollfd stop = {.fd = signals, .events = POLLIN};
	time_t end = time(NULL) + (time_t)seconds;
	bool running = true;

	while (running && poll(&stop, 1, 100) == 0 && !(seconds && time(NULL) >= end)) {
		json_t *now = NULL;

		if (switch_tell(cli, "capture", NULL, &now))
			return CLI_FAILED;
		running = json_is_true(json_object_get(now, "running"));
		json_decref(now);
	}
	return switch_tell(cli, "capture-stop", NULL, last);
}

static void tell_capture(const struct cli *cli, const char *port, const char *file,
			 const json_t *info)
{
	if (cli->json) {
		cli_print_json(stdout, info);
		return;
	}
	printf("%s: %lld frames, %lld bytes in %s; %lld missed\n", port,
	       json_integer_value(json_object_get(info, "packets")),
	       json_integer_value(json_object_get(info, "bytes")), file,
	       json_integer_value(json_object_get(info, "missed")));
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int cmd_switch_capture(struct cli *cli, const struct cli_args *args)
{
	const char *file = cli_text(args, "--output", NULL);
	json_t *info = NULL;
	json_t *params = json_pack("{s:s,s:I,s:I,s:I}", "port", args->operand, "snap",
				   (json_int_t)cli_number(args, "--snap", 0), "packets",
				   (json_int_t)cli_number(args, "--packets", 0), "bytes",
				   (json_int_t)cli_number(args, "--bytes", 0));
	const char *filter = cli_text(args, "--filter", NULL);
	if (filter)
		json_object_set_new(params, "filter", json_string(filter));
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int signals = open_signals();

	if (fd < 0 || signals < 0) {
		json_decref(params);
		return log_fail(CLI_FAILED, file, "not opened: %m");
	}
	int rc = switch_tell_fd(cli, "capture-start", params, fd, NULL);
	if (!rc)
		rc = watch(cli, signals, cli_number(args, "--seconds", 0), &info);
	if (!rc)
		tell_capture(cli, args->operand, file, info);
	json_decref(info);
	io_close(&signals);
	io_close(&fd);
	return rc;
}
