/* SPDX-License-Identifier: BSD-3-Clause */
/* switch: acl, groups: what may pass, and who wants which multicast. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/switch_dir.h"

/* ---- acl ---- */

/* The switch checks what is in it, and names the rule that it refuses. */
static int load(struct cli *cli, const char *name, const char *file)
{
	json_error_t where;
	json_t *params = json_load_file(file, JSON_REJECT_DUPLICATES, &where);

	if (!json_is_object(params)) {
		json_decref(params);
		return log_fail(CLI_FAILED, file, "no access list: %s (line %d)",
				params ? "an object is wanted" : where.text, where.line);
	}
	json_object_set_new(params, "name", json_string(name));
	return switch_change(cli, name, "acl-load", params, "loaded");
}

static void print_rules(const json_t *acl)
{
	static const struct cli_column columns[] = {
		{"RULE", "number", CLI_SHOW_PLAIN},   {"NAME", "name", CLI_SHOW_PLAIN},
		{"ACTION", "action", CLI_SHOW_PLAIN}, {"FRAMES", "hits", CLI_SHOW_PLAIN},
		{"FOR", "text", CLI_SHOW_PLAIN},      {0}};
	json_t *rules = json_object_get(acl, "rules"), *hits = json_object_get(acl, "hits"), *rule;
	size_t i;

	json_array_foreach (rules, i, rule) {
		json_t *rest = json_copy(rule);

		json_object_del(rest, "name");
		json_object_del(rest, "action");
		char *text = json_dumps(rest, JSON_COMPACT);
		json_object_set_new(rule, "number", json_integer((json_int_t)i + 1));
		json_object_set(rule, "hits", json_array_get(hits, i));
		json_object_set_new(rule, "text", json_string(text ? text : ""));
		free(text);
		json_decref(rest);
	}
	json_array_append_new(rules, json_pack("{s:s,s:s,s:O,s:O,s:s}", "number", "", "name", "",
					       "action", json_object_get(acl, "rest"), "hits",
					       json_array_get(hits, json_array_size(hits) - 1),
					       "text", "the rest"));
	cli_print_table(stdout, columns, rules);
}

static int show(struct cli *cli, const char *name)
{
	static const struct cli_column columns[] = {{"LIST", "name", CLI_SHOW_PLAIN},
						    {"RULES", "count", CLI_SHOW_PLAIN},
						    {"REST", "rest", CLI_SHOW_PLAIN},
						    {0}};
	json_t *list = NULL;
	int rc = switch_tell(cli, "acls", name ? json_pack("{s:s}", "name", name) : NULL, &list);

	if (!rc && cli->json)
		cli_print_json(stdout, name ? json_array_get(list, 0) : list);
	else if (!rc && name)
		print_rules(json_array_get(list, 0));
	else if (!rc)
		cli_print_table(stdout, columns, list);
	json_decref(list);
	return rc;
}

int cmd_switch_acl(struct cli *cli, const struct cli_args *args)
{
	const char *file = cli_text(args, "--load", NULL), *name = args->operand;
	bool remove = cli_has(args, "--remove");

	if ((file && remove) || ((file || remove) && !name)) {
		log_error("acl", "name the list, and either --load FILE or --remove");
		return CLI_USAGE;
	}
	if (file)
		return load(cli, name, file);
	if (remove)
		return switch_change(cli, name, "acl-remove", json_pack("{s:s}", "name", name),
				     "removed");
	return show(cli, name);
}

/* ---- groups ---- */

int cmd_switch_groups(struct cli *cli, const struct cli_args *args)
{
	static const struct cli_column columns[] = {
		{"BRIDGE", "bridge", CLI_SHOW_PLAIN}, {"VLAN", "vlan", CLI_SHOW_PLAIN},
		{"GROUP", "group", CLI_SHOW_PLAIN},   {"PORT", "port", CLI_SHOW_PLAIN},
		{"LEFT", "left", CLI_SHOW_PLAIN},     {0}};
	json_t *answer = NULL;
	int rc = switch_tell(cli, "groups",
			     args->operand ? json_pack("{s:s}", "bridge", args->operand) : NULL,
			     &answer);

	if (!rc && cli->json)
		cli_print_json(stdout, answer);
	else if (!rc)
		cli_print_table(stdout, columns, json_object_get(answer, "groups"));
	json_decref(answer);
	return rc;
}
