/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_acl: an access list as JSON, as a file and the switch's configuration have it:
 *
 *     {"rest": "deny",
 *      "rules": [{"name": "web", "action": "allow", "ip": 4, "protocol": "tcp", "vlan": 10,
 *                 "from": "10.0.0.0/8", "to": "10.1.2.3", "from_port": "1024-65535", "to_port": 80,
 *                 "tcp_flags": "2/18", "type": "0x0800", "from_mac": "02:00:00:00:00:01",
 *                 "to_mac": "01:00:5e:00:00:00/ff:ff:ff:80:00:00"}]}
 *
 * Everything but "action" may be left out and then says nothing. "rest" is for what no rule is for:
 * "allow" when left out. "ip" is told by addresses, too. Flags are VALUE/MASK, decimal or 0x.
 */
#ifndef CLI_SWITCH_ACL_H
#define CLI_SWITCH_ACL_H

#include <jansson.h>

#include "base/rpc.h"
#include "netqueue/netqueue.h"

/* `out->rules` is an array for free(), NULL on failure. -EINVAL: `error` names the rule and what is
 * wrong with it. `name` goes into `out`. */
int switch_acl_decode(const char *name, const json_t *json, struct nq_acl *out,
		      char error[RPC_ERROR_TEXT]);
/* With its name. */
json_t *switch_acl_encode(const struct nq_acl *acl);

#endif
