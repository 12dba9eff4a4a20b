/* SPDX-License-Identifier: BSD-3-Clause */
/* switch: bridge, port, set: what is joined with what, and what holds there. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/cli.h"
#include "cli/switch_dir.h"
#include "cli/switch_rules.h"

/* ---- bridge ---- */

static int one_of(const struct cli_args *args, const char *subject, const char *const *names)
{
	int found = 0;

	for (size_t i = 0; names[i]; i++)
		found += cli_has(args, names[i]);
	return found < 2 ? 0
			 : log_fail(-EINVAL, subject, "%s and %s exclude each other", names[0],
				    names[1]);
}

static json_t *named(const char *key, const char *value)
{
	return json_pack("{s:s}", key, value);
}

static void set_number(json_t *object, const char *key, const struct cli_args *args,
		       const char *option)
{
	if (cli_has(args, option))
		json_object_set_new(object, key,
				    json_integer((json_int_t)cli_number(args, option, 0)));
}

int cmd_switch_bridge(struct cli *cli, const struct cli_args *args)
{
	static const char *const verbs[] = {"--add", "--remove", NULL};
	bool add = cli_has(args, "--add");

	if (one_of(args, args->operand, verbs))
		return CLI_USAGE;
	json_t *params = named("name", args->operand);
	if (cli_has(args, "--remove"))
		return switch_change(cli, args->operand, "bridge-remove", params, "removed");
	set_number(params, "ageing", args, "--ageing");
	set_number(params, "mac_limit", args, "--mac-limit");
	return switch_change(cli, args->operand, add ? "bridge-add" : "bridge-set", params,
			     add ? "added" : "set");
}

/* ---- rules ---- */

/* "broadcast=1000,unknown=100"; what is wrong with the words, the switch says. */
static int read_storm(const char *text, json_t *rules)
{
	json_t *storm = json_object();
	char copy[256], *rest = copy, *item;

	json_object_set_new(rules, "storm", storm);
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -EINVAL;
	while ((item = strsep(&rest, ","))) {
		char *equals = strchr(item, '='), *end = NULL;

		if (!equals)
			return -EINVAL;
		*equals = '\0';
		unsigned long long limit = strtoull(equals + 1, &end, 10);
		if (!*(equals + 1) || *end || limit > UINT32_MAX)
			return -EINVAL;
		json_object_set_new(storm, item, json_integer((json_int_t)limit));
	}
	return 0;
}

/* "A,B,C", or "none". */
static void read_list(const char *text, json_t *rules, const char *key)
{
	json_t *list = json_array();
	char *copy = strdup(text), *rest = copy, *item;

	while (copy && strcmp(text, "none") && (item = strsep(&rest, ",")))
		json_array_append_new(list, json_string(item));
	free(copy);
	json_object_set_new(rules, key, list);
}

static void read_flag(const struct cli_args *args, const char *option, json_t *rules,
		      const char *key)
{
	const char *text = cli_text(args, option, NULL);

	if (text)
		json_object_set_new(rules, key, json_boolean(!strcmp(text, "on")));
}

/* NULL when they make no sense; logged. They are checked here as the switch checks them, so that
 * --dry-run knows. */
static json_t *read_rules(const char *subject, const struct cli_args *args)
{
	json_t *rules = json_object();
	const char *vlan = cli_text(args, "--vlan", NULL), *storm = cli_text(args, "--storm", NULL);
	const char *macs = cli_text(args, "--macs", NULL), *ips = cli_text(args, "--ips", NULL);
	struct nq_port_rules scratch;
	char error[RULES_ERROR] = "storm: such as broadcast=1000,multicast=1000,unknown=100 is "
				  "wanted";

	if (vlan)
		json_object_set_new(rules, "vlan", json_string(vlan));
	if (macs)
		read_list(macs, rules, "macs");
	if (ips)
		read_list(ips, rules, "ips");
	set_number(rules, "mac_limit", args, "--mac-limit");
	set_number(rules, "rate", args, "--rate");
	set_number(rules, "burst", args, "--burst");
	read_flag(args, "--isolated", rules, "isolated");
	read_flag(args, "--learn", rules, "learn");
	read_flag(args, "--unknown", rules, "unknown");
	int err = storm ? read_storm(storm, rules) : 0;
	nq_port_rules_init(&scratch);
	if (!err)
		err = rules_decode(rules, &scratch, error);
	if (!err)
		return rules;
	log_error(subject, "%s", error);
	json_decref(rules);
	return NULL;
}

int cmd_switch_set(struct cli *cli, const struct cli_args *args)
{
	json_t *rules = read_rules(args->operand, args);

	if (!rules)
		return CLI_USAGE;
	if (json_object_size(rules) == 0) {
		json_decref(rules);
		log_error(args->operand, "nothing to set; see sluice switch set --help");
		return CLI_USAGE;
	}
	return switch_change(cli, args->operand, "port-set",
			     json_pack("{s:s,s:o}", "name", args->operand, "rules", rules), "set");
}

/* ---- port ---- */

/* "vhost:/run/web.sock", "null". A relative path is from here, not from where the switch is. */
static int read_kind(const char *text, json_t *params)
{
	char kind[32], path[PATH_MAX];
	size_t len = strcspn(text, ":");
	const char *where = text[len] ? text + len + 1 : NULL;

	snprintf(kind, sizeof(kind), "%.*s", (int)len, text);
	const struct nq_port_kind *k = nq_port_kinds;
	while (k->name && strcmp(k->name, kind))
		k++;
	if (!k->name || !strcmp(kind, "ring"))
		return log_fail(-EINVAL, text,
				"no kind of port; vhost:SOCKET, tap:INTERFACE, "
				"af_packet:INTERFACE, af_xdp:INTERFACE, "
				"memif:SOCKET[,ID], pci:ADDRESS, bond:MEMBERS, "
				"vtep:ADDRESS/BITS, vxlan:REMOTE,vni=N,local=ADDRESS, "
				"pcap:IN,OUT or null");
	if (!k->where != !where)
		return log_fail(-EINVAL, text,
				k->where ? "a port of kind %s needs its %s"
					 : "a port of kind %s takes nothing more%s",
				kind, k->where ? k->where : "");
	if (where && !strcmp(kind, "vhost") && where[0] != '/') {
		char *here = realpath(".", NULL);
		int n = snprintf(path, sizeof(path), "%s/%s", here ? here : "", where);

		free(here);
		if (n >= (int)sizeof(path))
			return log_fail(-ENAMETOOLONG, text, "the path is too long");
		where = path;
	}
	json_object_set_new(params, "kind", json_string(kind));
	if (where)
		json_object_set_new(params, "where", json_string(where));
	return 0;
}

/* Without a bridge: for a bond. */
static int add_port(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand, *to = cli_text(args, "--to", NULL);
	const char *bridge = cli_text(args, "--bridge", "");

	if (!to) {
		log_error(name, "a new port needs --to KIND[:WHERE]");
		return CLI_USAGE;
	}
	json_t *rules = read_rules(name, args);
	if (!rules)
		return CLI_USAGE;
	json_t *params = json_pack("{s:s,s:s,s:b,s:o}", "name", name, "bridge", bridge, "server",
				   cli_has(args, "--server"), "rules", rules);
	set_number(params, "queues", args, "--queues");
	set_number(params, "mtu", args, "--mtu");
	set_number(params, "size", args, "--size");
	if (read_kind(to, params)) {
		json_decref(params);
		return CLI_USAGE;
	}
	return switch_change(cli, name, "port-add", params, "added");
}

static int show_port(struct cli *cli, const char *name)
{
	static const struct cli_column columns[] = {
		{"bridge", "bridge", CLI_SHOW_PLAIN}, {"kind", "kind", CLI_SHOW_PLAIN},
		{"where", "where", CLI_SHOW_PLAIN},   {"up", "up", CLI_SHOW_PLAIN},
		{"state", "text", CLI_SHOW_PLAIN},    {"features", "features", CLI_SHOW_HEX},
		{"queues", "queues", CLI_SHOW_PLAIN}, {"queues on", "queues_on", CLI_SHOW_PLAIN},
		{"mtu", "mtu", CLI_SHOW_PLAIN},	      {"addresses", "addresses", CLI_SHOW_PLAIN},
		{"mirror", "mirror", CLI_SHOW_PLAIN}, {0}};
	static const struct cli_column rules[] = {{"vlan", "vlan", CLI_SHOW_PLAIN},
						  {"address limit", "mac_limit", CLI_SHOW_PLAIN},
						  {"isolated", "isolated", CLI_SHOW_PLAIN},
						  {"learn", "learn", CLI_SHOW_PLAIN},
						  {"unknown", "unknown", CLI_SHOW_PLAIN},
						  {"rate", "rate", CLI_SHOW_SIZE},
						  {"burst", "burst", CLI_SHOW_SIZE},
						  {"macs", "macs", CLI_SHOW_PLAIN},
						  {"ips", "ips", CLI_SHOW_PLAIN},
						  {0}};
	json_t *ports = NULL, *port = NULL;
	int rc = switch_tell(cli, "ports", NULL, &ports);

	for (size_t i = 0; i < json_array_size(ports) && !port; i++) {
		json_t *p = json_array_get(ports, i);

		if (!strcmp(json_string_value(json_object_get(p, "name")), name))
			port = p;
	}
	if (!rc && !port)
		rc = log_fail(CLI_FAILED, name, "no such port; see sluice switch show");
	if (port && cli->json) {
		cli_print_json(stdout, port);
	} else if (port) {
		cli_print_fields(stdout, columns, port);
		cli_print_fields(stdout, rules, json_object_get(port, "rules"));
	}
	json_decref(ports);
	return rc;
}

int cmd_switch_port(struct cli *cli, const struct cli_args *args)
{
	static const char *const verbs[] = {"--add", "--remove", NULL};

	if (one_of(args, args->operand, verbs))
		return CLI_USAGE;
	if (cli_has(args, "--add"))
		return add_port(cli, args);
	if (cli_has(args, "--remove"))
		return switch_change(cli, args->operand, "port-remove",
				     named("name", args->operand), "removed");
	if (args->count > (size_t)cli->json + cli->dry_run) {
		log_error(args->operand, "to change a port, see sluice switch set");
		return CLI_USAGE;
	}
	return show_port(cli, args->operand);
}

/* ---- bond ---- */

static int add_bond(struct cli *cli, const struct cli_args *args)
{
	const char *name = args->operand, *bridge = cli_text(args, "--bridge", NULL);
	const char *members = cli_text(args, "--members", NULL);
	char where[PATH_MAX];

	if (!members || !bridge) {
		log_error(name, "a new bond needs --bridge BRIDGE and --members PORT,PORT");
		return CLI_USAGE;
	}
	if (snprintf(where, sizeof(where), "%s,mode=%s", members,
		     cli_text(args, "--mode", "lacp")) >= (int)sizeof(where)) {
		log_error(name, "too many members");
		return CLI_USAGE;
	}
	json_t *rules = read_rules(name, args);
	if (!rules)
		return CLI_USAGE;
	json_t *params = json_pack("{s:s,s:s,s:s,s:s,s:o}", "name", name, "bridge", bridge, "kind",
				   "bond", "where", where, "rules", rules);
	set_number(params, "mtu", args, "--mtu");
	return switch_change(cli, name, "port-add", params, "added");
}

static int show_bond(struct cli *cli, const char *name)
{
	static const struct cli_column columns[] = {{"MEMBER", "name", CLI_SHOW_PLAIN},
						    {"LINK", "up", CLI_SHOW_PLAIN},
						    {"IN USE", "in_use", CLI_SHOW_PLAIN},
						    {"STATE", "text", CLI_SHOW_PLAIN},
						    {0}};
	json_t *ports = NULL, *members = NULL;
	int rc = switch_tell(cli, "ports", NULL, &ports);

	for (size_t i = 0; i < json_array_size(ports); i++) {
		json_t *p = json_array_get(ports, i);

		if (!strcmp(json_string_value(json_object_get(p, "name")), name))
			members = json_object_get(p, "members");
	}
	if (!rc && !members)
		rc = log_fail(CLI_FAILED, name, "no such bond; see sluice switch show");
	if (members && cli->json)
		cli_print_json(stdout, members);
	else if (members)
		cli_print_table(stdout, columns, members);
	json_decref(ports);
	return rc;
}

int cmd_switch_bond(struct cli *cli, const struct cli_args *args)
{
	static const char *const verbs[] = {"--add", "--remove", NULL};

	if (one_of(args, args->operand, verbs))
		return CLI_USAGE;
	if (cli_has(args, "--add"))
		return add_bond(cli, args);
	if (cli_has(args, "--remove"))
		return switch_change(cli, args->operand, "port-remove",
				     named("name", args->operand), "removed");
	return show_bond(cli, args->operand);
}
