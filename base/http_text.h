/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * http_text: one text over HTTP, for who collects figures (Prometheus).
 *
 * A server hangs on a loop and answers GET and HEAD of one path with a text that is made anew each
 * time; "/" says where it is. Nothing else of HTTP is spoken: every answer closes its connection
 * (RFC 9112, section 9.6), a request has no body. A client is not trusted: what it may send is
 * bounded, so are how many there are and how long each may take, and none makes another wait.
 */
#ifndef BASE_HTTP_TEXT_H
#define BASE_HTTP_TEXT_H

#include "base/loop.h"

#define HTTP_TEXT_REQUEST 4096 /* bytes of a request */
#define HTTP_TEXT_CLIENTS 16
#define HTTP_TEXT_MS	  10000 /* from the first byte to the last one of the answer */

/* The text, in memory that is freed when it is sent; NULL when there is none: 503. */
typedef char *(*http_text_fn)(void *opaque);

struct http_text;

/* A listening socket at "127.0.0.1:9178" or "[::1]:9178": a numeric address, and a port (0: any
 * that is free). -EINVAL for what is neither. */
int http_text_listen(const char *where);
/* Takes `listen_fd` over. `path` begins with "/" and must outlive the server. */
int http_text_create(struct loop *loop, int listen_fd, const char *path, http_text_fn fn,
		     void *opaque, struct http_text **out);
void http_text_destroy(struct http_text *server); /* accepts NULL */

#endif
