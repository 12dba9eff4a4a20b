/* SPDX-License-Identifier: BSD-3-Clause */
/* host_steps: the switch's. What it has kept of its configuration (switch_config.h) is held against
 * the file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/util.h"
#include "cli/host_steps.h"
#include "cli/switch_dir.h"
#include "cli/switch_rules.h"
#include "cli/unit.h"

/* Of a port, what stands beside its rules in the switch's configuration. */
static const char *const port_keys[] = {"name", "bridge", "server", "queues", "mtu", "offloads"};
static const char *const start_keys[] = {"cpus", "hugepages", "pci", "buffers", "macs", "sleep_us"};

static const char *text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const json_t *find(const json_t *list, const char *key, const char *value)
{
	const json_t *row;
	size_t i;

	json_array_foreach (list, i, row)
		if (text(row, key) && !strcmp(text(row, key), value))
			return row;
	return NULL;
}

/* Every key of `wanted` is the same in `found`. */
static bool holds(const json_t *wanted, const json_t *found)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)wanted, key, value)
		if (!json_equal(value, json_object_get(found, key)))
			return false;
	return true;
}

/* ---- the file's words, and the switch's ---- */

static json_t *start_of(const json_t *wanted)
{
	const json_t *memory = json_object_get(wanted, "memory");
	json_t *start = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(start_keys); i++)
		if (json_object_get(wanted, start_keys[i]))
			json_object_set(start, start_keys[i],
					json_object_get(wanted, start_keys[i]));
	if (memory)
		json_object_set_new(start, "memory",
				    json_integer(json_integer_value(memory) / (json_int_t)MIB));
	return start;
}

/* "vhost:/run/web.sock" is kind and where; what is no key of the port is a rule. */
static json_t *port_of(const json_t *wanted)
{
	const char *to = text(wanted, "to"), *colon = strchr(to, ':'), *key;
	json_t *port = json_object(), *rules = json_object(), *value;

	json_object_foreach ((json_t *)(uintptr_t)wanted, key, value) {
		bool own = false;
		for (size_t i = 0; i < ARRAY_SIZE(port_keys); i++)
			own |= !strcmp(port_keys[i], key);
		if (strcmp(key, "to"))
			json_object_set(own ? port : rules, key, value);
	}
	json_object_set_new(port, "kind",
			    json_stringn(to, colon ? (size_t)(colon - to) : strlen(to)));
	if (colon)
		json_object_set_new(port, "where", json_string(colon + 1));
	json_object_set_new(port, "rules", rules);
	return port;
}

/* ---- what differs ---- */

static int call(struct cli *cli, const struct host_step *step)
{
	return switch_tell(cli, step->method, json_incref(step->params), NULL) ? -EIO : 0;
}

static int add_call(struct host_steps *steps, const char *method, json_t *params, const char *name,
		    const char *what, const char *before, const char *after,
		    enum sriov_effect effect)
{
	const struct host_step step = {.run = call, .method = method, .params = params};

	return host_steps_add(steps, &step, name, what, before, after, effect);
}

static int add_port(struct host_steps *steps, const json_t *port, const char *name)
{
	const char *where = text(port, "where");
	char after[128];

	snprintf(after, sizeof(after), "%s%s%.90s", text(port, "kind"), where ? ":" : "",
		 where ? where : "");
	return add_call(steps, "port-add", json_incref((json_t *)(uintptr_t)port), name, "port",
			NULL, after, SRIOV_SAFE);
}

static int remove_port(struct host_steps *steps, const char *port, const char *name,
		       const char *before)
{
	return add_call(steps, "port-remove", json_pack("{s:s}", "name", port), name, "port",
			before, "none", SRIOV_DISRUPTIVE);
}

/* Whether the rules that the file names are others than those there are. */
static bool rules_differ(const json_t *wanted, const json_t *found)
{
	struct nq_port_rules *rules = calloc(1, sizeof(*rules));
	char error[RULES_ERROR];

	if (!rules)
		return true;
	nq_port_rules_init(rules);
	json_t *is = rules_decode(found, rules, error) ? NULL : rules_encode(rules);
	json_t *shall = is && !rules_decode(wanted, rules, error) ? rules_encode(rules) : NULL;
	bool differ = !shall || !json_equal(is, shall);
	json_decref(is);
	json_decref(shall);
	free(rules);
	return differ;
}

static int change_port(struct host_steps *steps, const json_t *port, const json_t *found,
		       const char *name)
{
	json_t *rules = json_object_get(port, "rules"),
	       *body = json_copy((json_t *)(uintptr_t)port);
	int err = 0;

	json_object_del(body, "rules");
	if (!holds(body, found)) {
		err = remove_port(steps, text(port, "name"), name, text(found, "kind"));
		if (!err)
			err = add_port(steps, port, name);
	} else if (rules_differ(rules, json_object_get(found, "rules"))) {
		char *is = json_dumps(json_object_get(found, "rules"), JSON_COMPACT);
		char *shall = json_dumps(rules, JSON_COMPACT);
		err = add_call(steps, "port-set",
			       json_pack("{s:s,s:O}", "name", text(port, "name"), "rules", rules),
			       name, "rules", NULL, shall, SRIOV_SAFE);
		free(is);
		free(shall);
	}
	json_decref(body);
	return err;
}

static int port_steps(struct host_steps *steps, const json_t *wanted, const json_t *found)
{
	const json_t *row;
	char name[64];
	int err = 0;
	size_t i;

	json_array_foreach (found, i, row) {
		snprintf(name, sizeof(name), "port %.50s", text(row, "name"));
		if (!err && !find(wanted, "name", text(row, "name")))
			err = remove_port(steps, text(row, "name"), name, text(row, "kind"));
	}
	json_array_foreach (wanted, i, row) {
		const json_t *there = find(found, "name", text(row, "name"));
		json_t *port = port_of(row);
		snprintf(name, sizeof(name), "port %.50s", text(row, "name"));
		if (!err)
			err = there ? change_port(steps, port, there, name)
				    : add_port(steps, port, name);
		json_decref(port);
	}
	return err;
}

static int add_bridges(struct host_steps *steps, const json_t *wanted, const json_t *found)
{
	const json_t *row;
	char name[64];
	int err = 0;
	size_t i;

	json_array_foreach (wanted, i, row) {
		const json_t *there = find(found, "name", text(row, "name"));
		snprintf(name, sizeof(name), "bridge %.50s", text(row, "name"));
		if (!err && !(there && holds(row, there)))
			err = add_call(steps, there ? "bridge-set" : "bridge-add",
				       json_incref((json_t *)(uintptr_t)row), name,
				       there ? "settings" : "bridge", NULL,
				       there ? "as in the file" : "there", SRIOV_SAFE);
	}
	return err;
}

static int remove_bridges(struct host_steps *steps, const json_t *wanted, const json_t *found)
{
	const json_t *row;
	char name[64];
	int err = 0;
	size_t i;

	json_array_foreach (found, i, row) {
		snprintf(name, sizeof(name), "bridge %.50s", text(row, "name"));
		if (!err && !find(wanted, "name", text(row, "name")))
			err = add_call(steps, "bridge-remove",
				       json_pack("{s:s}", "name", text(row, "name")), name,
				       "bridge", "there", "none", SRIOV_DISRUPTIVE);
	}
	return err;
}

/* Before the ports go that they lead to. */
static int remove_mirrors(struct host_steps *steps, const json_t *wanted, const json_t *found)
{
	const json_t *row;
	char name[64];
	int err = 0;
	size_t i;

	json_array_foreach (found, i, row) {
		snprintf(name, sizeof(name), "port %.50s", text(row, "from"));
		if (!err && !find(wanted, "from", text(row, "from")))
			err = add_call(steps, "mirror",
				       json_pack("{s:s}", "from", text(row, "from")), name,
				       "mirror", text(row, "to"), "none", SRIOV_SAFE);
	}
	return err;
}

static int add_mirrors(struct host_steps *steps, const json_t *wanted, const json_t *found)
{
	const json_t *row;
	char name[64];
	int err = 0;
	size_t i;

	json_array_foreach (wanted, i, row) {
		const json_t *there = find(found, "from", text(row, "from"));
		snprintf(name, sizeof(name), "port %.50s", text(row, "from"));
		if (!err && !(there && holds(row, there)))
			err = add_call(steps, "mirror", json_incref((json_t *)(uintptr_t)row), name,
				       "mirror", text(there, "to"), text(row, "to"), SRIOV_SAFE);
	}
	return err;
}

/* ---- start ---- */

static int run_start(struct cli *cli, const struct host_step *step)
{
	int err = unit_known(cli, UNIT_SWITCH) ? switch_keep(cli, step->params)
					       : switch_start(cli, step->params);

	return err || !unit_known(cli, UNIT_SWITCH) ? err : unit_do("start", UNIT_SWITCH);
}

static int run_restart(struct cli *cli, const struct host_step *step)
{
	int err = unit_known(cli, UNIT_SWITCH) ? unit_do("stop", UNIT_SWITCH) : switch_stop(cli);

	return err ? err : run_start(cli, step);
}

/* The file's start options over those that were kept. */
static json_t *with_start(const json_t *found, const json_t *start)
{
	json_t *config = found ? json_deep_copy(found) : json_object();
	json_t *now = json_object_get(config, "start");

	if (now)
		json_object_update(now, (json_t *)(uintptr_t)start);
	else
		json_object_set(config, "start", (json_t *)(uintptr_t)start);
	return config;
}

static int start_steps(struct cli *cli, struct host_steps *steps, const json_t *wanted,
		       const json_t *found)
{
	json_t *start = start_of(wanted), *config = with_start(found, start);
	struct host_step step = {.run = run_start, .params = json_incref(config)};
	bool runs = switch_runs(cli), same = holds(start, json_object_get(found, "start"));
	int err = 0;

	if (runs)
		step.run = run_restart;
	if (!runs)
		err = host_steps_add(steps, &step, "switch", "state", "stopped", "running",
				     SRIOV_SAFE);
	else if (!same)
		err = host_steps_add(steps, &step, "switch", "start options", "others",
				     "as in the file", SRIOV_DISRUPTIVE);
	else
		json_decref(step.params);
	json_decref(config);
	json_decref(start);
	return err;
}

/* ---- all of it ---- */

/* NULL when it has kept nothing. */
static json_t *kept(const struct cli *cli)
{
	char path[CLI_PATH];
	json_error_t error;

	if (switch_path(cli, SWITCH_CONFIG, path) || access(path, F_OK) < 0)
		return NULL;
	json_t *config = json_load_file(path, 0, &error);
	if (!config)
		log_error(path, "not read: %s; the switch is taken for one that has nothing",
			  error.text);
	return config;
}

int host_switch_steps(struct cli *cli, const json_t *wanted, struct host_steps *steps)
{
	static int (*const parts[])(struct host_steps * steps, const json_t *wanted,
				    const json_t *found) = {add_bridges, remove_mirrors, port_steps,
							    add_mirrors, remove_bridges};
	static const char *const sections[] = {"bridges", "mirrors", "ports", "mirrors", "bridges"};
	json_t *found = wanted ? kept(cli) : NULL;
	int err = wanted ? start_steps(cli, steps, wanted, found) : 0;

	for (size_t i = 0; wanted && !err && i < ARRAY_SIZE(parts); i++)
		err = parts[i](steps, json_object_get(wanted, sections[i]),
			       json_object_get(found, sections[i]));
	json_decref(found);
	return err;
}

/* ---- the other way ---- */

/* A guest is offered offloads, and a port does not listen. */
static bool is_usual(const char *key, const json_t *value)
{
	return json_is_boolean(value) && json_is_true(value) == !strcmp(key, "offloads");
}

/* What is as it usually is (`usual`: rules) is left out; and access lists, which have files of
 * their own. */
static json_t *port_in_file(const json_t *port, const json_t *usual)
{
	json_t *out = json_object(), *rules = json_object_get(port, "rules"), *value;
	const char *where = text(port, "where"), *key;

	for (size_t i = 0; i < ARRAY_SIZE(port_keys); i++) {
		value = json_object_get(port, port_keys[i]);
		bool ours = value && !(json_is_string(value) && !*json_string_value(value)) &&
			    !(json_is_integer(value) && !json_integer_value(value));
		if (ours && !is_usual(port_keys[i], value))
			json_object_set(out, port_keys[i], value);
	}
	json_object_set_new(out, "to",
			    where ? json_sprintf("%s:%s", text(port, "kind"), where)
				  : json_string(text(port, "kind")));
	json_object_foreach (rules, key, value)
		if (strncmp(key, "acl_", 4) && !json_equal(value, json_object_get(usual, key)))
			json_object_set(out, key, value);
	return out;
}

json_t *host_switch_export(const struct cli *cli)
{
	json_t *found = kept(cli), *out = found ? json_object() : NULL, *ports = json_array();
	const json_t *start = json_object_get(found, "start"), *port;
	json_int_t memory = json_integer_value(json_object_get(start, "memory"));
	struct nq_port_rules rules;
	size_t i;

	for (size_t k = 0; out && k < ARRAY_SIZE(start_keys); k++)
		if (json_object_get(start, start_keys[k]))
			json_object_set(out, start_keys[k], json_object_get(start, start_keys[k]));
	if (out && memory)
		json_object_set_new(out, "memory", json_sprintf("%lldM", (long long)memory));
	nq_port_rules_init(&rules);
	json_t *usual = rules_encode(&rules);
	json_array_foreach (json_object_get(found, "ports"), i, port) {
		json_array_append_new(ports, port_in_file(port, usual));
	}
	json_decref(usual);
	if (out) {
		json_object_set(out, "bridges", json_object_get(found, "bridges"));
		json_object_set(out, "ports", ports);
		json_object_set(out, "mirrors", json_object_get(found, "mirrors"));
	}
	json_decref(ports);
	json_decref(found);
	return out;
}
