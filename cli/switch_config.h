/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_config: a whole switch as one JSON text, which is what it starts from, what it keeps
 * beside its socket after every change, and what a person may write:
 *
 *     {"start": {"cpus": [2, 3], "memory": 512, "hugepages": true, "pci": false, "buffers": 16384,
 *                "macs": 32768, "sleep_us": 200},
 *      "bridges": [{"name": "br0", "ageing": 300, "mac_limit": 0}],
 *      "ports": [{"name": "web", "bridge": "br0", "kind": "vhost", "where": "/run/web.sock",
 *                 "server": true, "queues": 2, "mtu": 1500, "rules": {…}}],
 *      "addresses": [{"bridge": "br0", "port": "web", "mac": "02:…", "vlan": 0}],
 *      "mirrors": [{"from": "web", "to": "probe"}]}
 *
 * Everything but names and a port's kind may be left out; a port without a bridge waits for a bond. A CPU of -1 is any.
 */
#ifndef CLI_SWITCH_CONFIG_H
#define CLI_SWITCH_CONFIG_H

#include <jansson.h>

#include "base/rpc.h"
#include "netqueue/netqueue.h"

/* "start"; -EINVAL with a text. */
int switch_start_decode(const json_t *start, struct nq_eal_options *eal, struct nq_options *options,
			char error[RPC_ERROR_TEXT]);

/* One object of "bridges" or "ports". `port->where` and `port->kind` point into `json`. */
int switch_bridge_decode(const json_t *json, struct nq_bridge_config *bridge,
			 char error[RPC_ERROR_TEXT]);
int switch_port_decode(const json_t *json, struct nq_port_config *port, char error[RPC_ERROR_TEXT]);
json_t *switch_port_encode(const struct nq_port_config *port);
int switch_mac_decode(const json_t *json, struct nq_mac *mac, char error[RPC_ERROR_TEXT]);

/* Adds all of it. What cannot be added is logged and left out: the rest runs. Returns how many such
 * things there were. */
unsigned switch_config_apply(struct nq_switch *sw, const json_t *config);
/* `start` is taken over as it is (borrowed). */
json_t *switch_config_encode(const struct nq_switch *sw, const json_t *start);

#endif
