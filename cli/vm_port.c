/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_port: see vm_port.h. */
#include "cli/vm_port.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/parse.h"
#include "cli/net_spec.h"
#include "cli/switch_dir.h"
#include "cli/switch_rules.h"
#include "cli/vm_dir.h"

#define PORTS_MAX  64u
#define SOCKET_MAX 108u /* sun_path */
#define MAC_BASE   64u	/* numbers of addresses that vm run gives out are below */

/* ---- words ---- */

static int set_vlan(struct vm_port_spec *spec, const char *value)
{
	struct nq_vlan_rules rules;

	if (snprintf(spec->vlan, sizeof(spec->vlan), "%s", value) >= (int)sizeof(spec->vlan))
		return -EINVAL;
	/* Commas part settings; within a list colons do, but for the first. */
	char *list = strchr(spec->vlan, ':');
	for (char *at = list ? strchr(list + 1, ':') : NULL; at; at = strchr(at, ':'))
		*at = ',';
	return rules_vlan_parse(spec->vlan, &rules);
}

static int set(struct vm_port_spec *spec, const char *key, const char *value)
{
	if (!strcmp(key, "vlan"))
		return set_vlan(spec, value);
	if (!strcmp(key, "queues"))
		return parse_u32(value, 1, NQ_QUEUES, &spec->queues);
	if (strcmp(key, "mac") != 0)
		return -ENOENT;
	spec->has_mac = true;
	return parse_mac(value, spec->mac);
}

int vm_port_parse(const char *text, struct vm_port_spec *spec, char why[VM_PORT_WHY])
{
	char copy[256], *rest = copy, *word;

	*spec = (struct vm_port_spec){.queues = 1};
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy)) {
		snprintf(why, VM_PORT_WHY, "'%.40s...': too long", text);
		return -EINVAL;
	}
	word = strsep(&rest, ",");
	if (!*word || snprintf(spec->bridge, NQ_NAME, "%s", word) >= NQ_NAME) {
		snprintf(why, VM_PORT_WHY, "'%.40s': no name of a bridge", word);
		return -EINVAL;
	}
	while ((word = strsep(&rest, ","))) {
		char *equals = strchr(word, '=');

		if (equals)
			*equals = '\0';
		int err = equals ? set(spec, word, equals + 1) : -ENOENT;
		if (err == -ENOENT)
			snprintf(why, VM_PORT_WHY,
				 "unknown setting '%.30s'; there are vlan, queues, mac", word);
		else if (err)
			snprintf(why, VM_PORT_WHY, "%s '%.40s': makes no sense", word, equals + 1);
		if (err)
			return -EINVAL;
	}
	return 0;
}

/* ---- the switch ---- */

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

static bool is_taken(const json_t *ports, const char *name)
{
	for (size_t i = 0; i < json_array_size(ports); i++)
		if (!strcmp(text_of(json_array_get(ports, i), "name"), name))
			return true;
	return false;
}

/* The VM's name, cut where it is long, and the first number that is free. */
static int choose_name(const char *vm, const json_t *ports, char name[NQ_NAME])
{
	for (unsigned n = 0; n < PORTS_MAX; n++) {
		snprintf(name, NQ_NAME, "%.24s-p%u", vm, n);
		if (!is_taken(ports, name))
			return (int)n;
	}
	return log_fail(-ENOSPC, vm, "has %u ports already", PORTS_MAX);
}

static int fill(const char *vm, const struct vm_port_spec *spec, unsigned number, const char *name,
		const char *socket, struct vmm_net *net)
{
	vmm_net_init(net);
	net->tap_name = strdup(name);
	net->socket = strdup(socket);
	net->mtu = 1500;
	net->pairs = spec->queues;
	if (spec->has_mac)
		memcpy(net->mac, spec->mac, sizeof(net->mac));
	else
		net_spec_mac(vm, MAC_BASE + number, net->mac);
	if (net->tap_name && net->socket)
		return 0;
	vmm_net_finish(net);
	return -ENOMEM;
}

static int tell_add(struct cli *cli, const struct vm_port_spec *spec, const char *name,
		    const char *socket)
{
	json_t *rules = json_object();

	if (spec->vlan[0])
		json_object_set_new(rules, "vlan", json_string(spec->vlan));
	json_t *params = json_pack("{s:s,s:s,s:s,s:s,s:b,s:i,s:o}", "name", name, "bridge",
				   spec->bridge, "kind", "vhost", "where", socket, "server", 1,
				   "queues", (int)spec->queues, "rules", rules);
	return switch_tell(cli, "port-add", params, NULL) ? -EIO : 0;
}

int vm_port_add(struct cli *cli, const char *vm, const struct vm_port_spec *spec,
		struct vmm_net *net)
{
	char name[NQ_NAME], file[NQ_NAME + 8], socket[CLI_PATH];
	json_t *ports = NULL;

	if (switch_tell(cli, "ports", NULL, &ports))
		return -EIO;
	int number = choose_name(vm, ports, name);
	json_decref(ports);
	if (number < 0)
		return number;
	snprintf(file, sizeof(file), "%s.sock", name);
	int err = vm_path(cli, vm, file, socket);
	if (!err && strlen(socket) >= SOCKET_MAX)
		err = log_fail(-ENAMETOOLONG, socket, "no path for a socket: too long");
	if (!err)
		err = fill(vm, spec, (unsigned)number, name, socket, net);
	if (err)
		return err;
	err = tell_add(cli, spec, name, socket);
	if (err)
		vmm_net_finish(net);
	return err;
}

int vm_port_remove(struct cli *cli, const char *port)
{
	return switch_tell(cli, "port-remove", json_pack("{s:s}", "name", port), NULL) ? -EIO : 0;
}

bool vm_port_owns(const struct cli *cli, const char *vm, const char *socket)
{
	char folder[CLI_PATH];

	return !vm_path(cli, vm, "", folder) && !strncmp(socket, folder, strlen(folder));
}

void vm_port_forget(struct cli *cli, const char *vm)
{
	json_t *ports = NULL;

	if (!switch_runs(cli) || switch_tell(cli, "ports", NULL, &ports))
		return;
	for (size_t i = 0; i < json_array_size(ports); i++) {
		const json_t *port = json_array_get(ports, i);

		if (vm_port_owns(cli, vm, text_of(port, "where")))
			vm_port_remove(cli, text_of(port, "name"));
	}
	json_decref(ports);
}
