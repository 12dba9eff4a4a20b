/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_rules: what holds for a switch's port, as JSON:
 *
 *     {"vlan": "trunk:10,20-29,native=10", "mac_limit": 4, "isolated": true, "learn": true,
 *      "unknown": false, "storm": {"broadcast": 1000, "multicast": 1000, "unknown": 1000},
 *      "rate": 125000000, "burst": 65536, "shape": 125000000, "shape_burst": 65536,
 *      "acl_in": "web", "acl_out": "", "macs": ["02:…"], "ips": ["10.0.0.1", "fd00::1"]}
 *
 * What is not named stays as it is. A VLAN is told as a text: "all" (tags go through as they are),
 * "10" (access), "trunk:LIST" with VLANs and ranges, "all", and at most one of native=V and
 * native-tagged=V for frames without a tag, or "tunnel:20".
 */
#ifndef CLI_SWITCH_RULES_H
#define CLI_SWITCH_RULES_H

#include <jansson.h>

#include "netqueue/netqueue.h"

/* -EINVAL with a text of what is wrong; `rules` may be half changed then. */
#define RULES_ERROR 240
int rules_decode(const json_t *json, struct nq_port_rules *rules, char error[RULES_ERROR]);
/* All of them. */
json_t *rules_encode(const struct nq_port_rules *rules);

#define RULES_VLAN_TEXT 256
int rules_vlan_parse(const char *text, struct nq_vlan_rules *vlan);
/* Cut with "..." where there is no room for the list. */
char *rules_vlan_format(const struct nq_vlan_rules *vlan, char text[RULES_VLAN_TEXT]);

#endif
