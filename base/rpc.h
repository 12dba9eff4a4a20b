/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc: JSON-RPC 2.0 over Unix stream sockets, one JSON text per line.
 *
 * A server hangs on a loop and offers a table of methods; a client makes one call at a time and
 * waits. Messages are bounded (RPC_MAX bytes); a peer that sends more, or what is not JSON-RPC, is
 * answered with the standard's error (-32700 … -32600) and cut off. Errors that a method returns
 * as negative errno become {"code": -errno, "message": …}.
 *
 * A client may also subscribe, and then gets notifications (requests without an id, section 4.1).
 * What a subscriber has not read yet is bounded (RPC_QUEUE bytes): beyond that notifications pass
 * it by, and the next one that finds room is preceded by {"method": "missed", "params": {"count"}}.
 *
 * A call may carry descriptors (SCM_RIGHTS, unix(7)), at most RPC_FDS of them. The method takes
 * those it wants, in order; the server closes the rest, whatever becomes of the call.
 */
#ifndef BASE_RPC_H
#define BASE_RPC_H

#include <jansson.h>

#include "base/loop.h"

#define RPC_MAX	       (1u << 20)
#define RPC_ERROR_TEXT 256
#define RPC_FDS	       8
#define RPC_QUEUE      (64u << 10)

/*
 * params: an object, borrowed (an empty one when the peer sent none).
 * result: on success a new reference, or left NULL for JSON null.
 * error:  on failure a one-line text of what, why and what next.
 * Returns 0 or a negative errno.
 */
typedef int (*rpc_fn)(void *opaque, const json_t *params, json_t **result,
		      char error[RPC_ERROR_TEXT]);

struct rpc_method {
	const char *name;
	rpc_fn fn;
	/* Names of what it takes, separated by spaces, "?" behind those that may be left out. What
	 * is not named is refused, so that a typing error is no silent default. NULL: not checked.
	 */
	const char *params;
};

struct rpc_server;

/* `listen_fd` is a listening Unix socket; it is taken over. `methods` ends with a NULL name and
 * must outlive the server. */
int rpc_server_create(struct loop *loop, int listen_fd, const struct rpc_method *methods,
		      void *opaque, struct rpc_server **out);
void rpc_server_destroy(struct rpc_server *server);

/* Inside a method: the next descriptor that came with the call, the caller's from then on; -ENOENT
 * when there is none. */
int rpc_server_take_fd(struct rpc_server *server);

/* Inside a method: whoever called gets notifications from now on. -EBUSY: there are enough. */
int rpc_server_subscribe(struct rpc_server *server);
/* To all subscribers, on the loop's thread; `params` is stolen. */
void rpc_server_notify(struct rpc_server *server, const char *method, json_t *params);
/* How many notifications have passed somebody by. */
uint64_t rpc_server_missed(const struct rpc_server *server);

/* A listening socket at `path` (mode 0600), replacing a stale one that nobody answers on;
 * -EADDRINUSE when somebody does. */
int rpc_listen(const char *path);

/* One call to the server at `path`. `params` is stolen (may be NULL). On success *result is a new
 * reference. On an error answer, its code as a negative errno (-EPROTO when it has none) and its
 * text in `error`. -ENOENT/-ECONNREFUSED when nobody listens, -ETIMEDOUT after `timeout_ms`. */
int rpc_call(const char *path, const char *method, json_t *params, unsigned timeout_ms,
	     json_t **result, char error[RPC_ERROR_TEXT]);
/* The same with `count` descriptors, which stay the caller's. */
int rpc_call_fds(const char *path, const char *method, json_t *params, const int *fds, size_t count,
		 unsigned timeout_ms, json_t **result, char error[RPC_ERROR_TEXT]);

/* One call that subscribes, and what is notified then. As rpc_call until it is open. */
struct rpc_stream;

int rpc_stream_open(const char *path, const char *method, json_t *params, unsigned timeout_ms,
		    struct rpc_stream **out, char error[RPC_ERROR_TEXT]);
void rpc_stream_close(struct rpc_stream *stream);
int rpc_stream_fd(const struct rpc_stream *stream); /* to wait for EPOLLIN */
/* Reads what has come. 1 and a new reference, 0 when there is no whole message yet, or -errno
 * (-ECONNRESET: the server has gone). */
int rpc_stream_next(struct rpc_stream *stream, json_t **message);

#endif
