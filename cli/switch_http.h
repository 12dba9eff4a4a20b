/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * switch_http: the counters of a switch over HTTP, for Prometheus, by libmicrohttpd.
 *
 * GET /metrics is all there is. It runs on the control thread's loop, for few clients at a time,
 * each of which has a few seconds; workers know nothing of it.
 */
#ifndef CLI_SWITCH_HTTP_H
#define CLI_SWITCH_HTTP_H

#include "base/loop.h"
#include "netqueue/netqueue.h"

struct switch_http;

/* `where`: "127.0.0.1:9179", "[::1]:9179". Logged: -EINVAL, -EADDRINUSE, -EIO. */
int switch_http_create(struct loop *loop, const struct nq_switch *sw, const char *where,
		       struct switch_http **out);
void switch_http_destroy(struct switch_http *http); /* accepts NULL */

#endif
