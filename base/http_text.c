/* SPDX-License-Identifier: BSD-3-Clause */
/* http_text: see http_text.h. */
#include "base/http_text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/parse.h"

#define BACKLOG 16
#define HEAD	512

struct client {
	struct http_text *server;
	struct client *next, **link;
	struct loop_source *source, *timer;
	int fd;
	char request[HTTP_TEXT_REQUEST + 1];
	size_t got;
	char *answer; /* once the request is whole */
	size_t size, sent;
	bool saying_goodbye; /* all is sent; what it still sends is thrown away */
};

struct http_text {
	struct loop *loop;
	int fd;
	struct loop_source *source;
	const char *path;
	http_text_fn fn;
	void *opaque;
	struct client *clients;
	unsigned count;
};

/* ---- one client ---- */

static void accept_more(struct http_text *server, bool more)
{
	loop_modify(server->source, more ? EPOLLIN : 0);
}

static void client_close(struct client *c)
{
	struct http_text *server = c->server;

	loop_remove(c->source);
	loop_remove(c->timer);
	io_close(&c->fd);
	free(c->answer);
	*c->link = c->next;
	if (c->next)
		c->next->link = c->link;
	free(c);
	if (server->count-- == HTTP_TEXT_CLIENTS)
		accept_more(server, true);
}

static void client_late(void *opaque, uint32_t events)
{
	struct client *c = opaque;

	(void)events;
	c->timer = NULL; /* it removes itself */
	client_close(c);
}

/* An answer with everything in one piece; a HEAD gets the same lines and no text (RFC 9110, 9.3.2).
 */
static int answer(struct client *c, const char *status, const char *type, const char *text,
		  bool head_only)
{
	size_t len = strlen(text), size = HEAD + len;

	c->answer = malloc(size);
	if (!c->answer)
		return -ENOMEM;
	int head = snprintf(c->answer, HEAD,
			    "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
			    "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
			    status, type, len,
			    strncmp(status, "405", 3) ? "" : "Allow: GET, HEAD\r\n");
	c->size = (size_t)head;
	if (!head_only) {
		memcpy(c->answer + head, text, len);
		c->size += len;
	}
	return 0;
}

#define PLAIN	"text/plain; charset=utf-8"
#define METRICS "text/plain; version=0.0.4; charset=utf-8"

static int answer_text(struct client *c, bool head_only)
{
	char *text = c->server->fn(c->server->opaque);
	int err = text ? answer(c, "200 OK", METRICS, text, head_only)
		       : answer(c, "503 Service Unavailable", PLAIN, "no figures now\n", head_only);

	free(text);
	return err;
}

/* "GET /metrics?x HTTP/1.1" (RFC 9112, section 3). What follows that line is of no interest. */
static int answer_request(struct client *c)
{
	char method[8], target[256], hint[300];
	int minor;

	c->request[strcspn(c->request, "\r\n")] = '\0';
	if (sscanf(c->request, "%7[A-Z] %255[!-~] HTTP/1.%1d", method, target, &minor) != 3)
		return answer(c, "400 Bad Request", PLAIN, "not an HTTP/1 request\n", false);
	bool head_only = !strcmp(method, "HEAD");
	if (!head_only && strcmp(method, "GET") != 0)
		return answer(c, "405 Method Not Allowed", PLAIN, "GET or HEAD\n", false);
	target[strcspn(target, "?#")] = '\0';
	if (!strcmp(target, c->server->path))
		return answer_text(c, head_only);
	snprintf(hint, sizeof(hint), "figures are at %s\n", c->server->path);
	return answer(c, strcmp(target, "/") ? "404 Not Found" : "200 OK", PLAIN, hint, head_only);
}

/* 1: there may be more to do at once; 0: wait; negative: no use. */
static int client_receive(struct client *c)
{
	ssize_t n = read(c->fd, c->request + c->got, HTTP_TEXT_REQUEST - c->got);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	c->got += (size_t)n;
	c->request[c->got] = '\0';
	int err = 0;
	if (memchr(c->request, '\0', c->got))
		err = answer(c, "400 Bad Request", PLAIN, "not text\n", false);
	else if (strstr(c->request, "\r\n\r\n") || strstr(c->request, "\n\n"))
		err = answer_request(c);
	else if (c->got == HTTP_TEXT_REQUEST)
		err = answer(c, "431 Request Header Fields Too Large", PLAIN, "too long\n", false);
	else
		return 0;
	return err ? err : 1;
}

/* Closing at once what the peer has still sent to would reset the connection, and it might lose the
 * answer (RFC 9112, section 9.6): so our end first, and its end when it has read. */
static int client_send(struct client *c)
{
	ssize_t n = send(c->fd, c->answer + c->sent, c->size - c->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	c->sent += (size_t)n;
	if (c->sent < c->size)
		return 1;
	c->saying_goodbye = true;
	return shutdown(c->fd, SHUT_WR) < 0 ? -errno : 0;
}

static int client_drain(struct client *c)
{
	ssize_t n = read(c->fd, c->request, HTTP_TEXT_REQUEST);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	return n ? 0 : -ECONNRESET;
}

static void client_event(void *opaque, uint32_t events)
{
	struct client *c = opaque;
	int more;

	(void)events;
	do
		more = c->saying_goodbye ? client_drain(c)
		       : c->answer	 ? client_send(c)
					 : client_receive(c);
	while (more > 0);
	if (!more)
		more = loop_modify(c->source, c->answer && !c->saying_goodbye ? EPOLLOUT : EPOLLIN);
	if (more < 0)
		client_close(c);
}

/* ---- the server ---- */

static int client_create(struct http_text *server, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct client){.server = server, .fd = fd};
	int err = loop_add(server->loop, fd, EPOLLIN, client_event, c, &c->source);
	if (!err)
		err = loop_timer(server->loop, HTTP_TEXT_MS, client_late, c, &c->timer);
	if (err) {
		loop_remove(c->source);
		free(c);
		return err;
	}
	c->next = server->clients;
	c->link = &server->clients;
	if (c->next)
		c->next->link = &c->next;
	server->clients = c;
	if (++server->count == HTTP_TEXT_CLIENTS)
		accept_more(server, false); /* others wait in the backlog */
	return 0;
}

static void listen_event(void *opaque, uint32_t events)
{
	struct http_text *server = opaque;
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0 && client_create(server, fd))
		io_close(&fd);
}

int http_text_create(struct loop *loop, int listen_fd, const char *path, http_text_fn fn,
		     void *opaque, struct http_text **out)
{
	struct http_text *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	*server = (struct http_text){
		.loop = loop, .fd = listen_fd, .path = path, .fn = fn, .opaque = opaque};
	int err = io_set_nonblock(listen_fd, 1);
	if (!err)
		err = loop_add(loop, listen_fd, EPOLLIN, listen_event, server, &server->source);
	if (err) {
		free(server);
		return err;
	}
	*out = server;
	return 0;
}

void http_text_destroy(struct http_text *server)
{
	if (!server)
		return;
	for (struct client *c = server->clients, *next; c; c = next) {
		next = c->next;
		client_close(c);
	}
	loop_remove(server->source);
	io_close(&server->fd);
	free(server);
}

/* ---- listening ---- */

/* "HOST:PORT"; an IPv6 address in brackets, as in an URL (RFC 3986, section 3.2.2). */
static int parse_where(const char *where, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;
	const char *colon = strrchr(where, ':');
	char host[INET6_ADDRSTRLEN + 2];
	uint32_t port;

	*out = (struct sockaddr_storage){0};
	if (!colon || (size_t)(colon - where) >= sizeof(host) ||
	    parse_u32(colon + 1, 0, UINT16_MAX, &port))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	size_t end = strlen(host);
	if (end > 2 && host[0] == '[' && host[end - 1] == ']') {
		host[end - 1] = '\0';
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		*len = sizeof(*v6);
		return inet_pton(AF_INET6, host + 1, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	*len = sizeof(*v4);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -EINVAL;
}

int http_text_listen(const char *where)
{
	struct sockaddr_storage address;
	socklen_t len;
	int on = 1, err = parse_where(where, &address, &len);

	if (err)
		return err;
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, len) < 0 || listen(fd, BACKLOG) < 0) {
		err = -errno;
		io_close(&fd);
		return err;
	}
	return fd;
}
