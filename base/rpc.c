/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc: see rpc.h.
 *
 * Server. Each client has one buffer in each direction. Nothing is read from a client while an
 * answer to it is on its way, so a peer that asks and does not listen stalls only itself, and
 * holds at most one message and one answer of ours. Beyond CLIENTS_MAX clients new ones wait in
 * the socket's backlog.
 */
#include "base/rpc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/util.h"

#define CLIENTS_MAX	128
#define SUBSCRIBERS_MAX 64 /* so that there is always room for who wants to control */
#define BACKLOG		64

/* JSON-RPC 2.0, section 5.1 */
#define PARSE_ERROR	 (-32700)
#define INVALID_REQUEST	 (-32600)
#define METHOD_NOT_FOUND (-32601)
#define INVALID_PARAMS	 (-32602)

struct buffer {
	char *bytes;
	size_t size, used;
	size_t filled; /* by receive_line, which leaves `used` at the end of the first line */
};

struct client {
	struct rpc_server *server;
	struct client *next, **link;
	struct loop_source *source;
	int fd;
	struct buffer in, out;
	int fds[RPC_FDS]; /* came with what is in `in`, not yet taken */
	size_t fd_count;
	bool subscribed;
	uint64_t missed; /* notifications, since it was last told */
	bool closing;	 /* no more requests from this one: close once `out` is gone */
};

struct rpc_server {
	struct loop *loop;
	int fd;
	struct loop_source *source;
	const struct rpc_method *methods;
	void *opaque;
	struct client *clients;
	unsigned count;
	struct client *serving; /* whose call is being answered */
	unsigned subscribers;
	uint64_t missed;
};

static void buffer_free(struct buffer *buf)
{
	free(buf->bytes);
	*buf = (struct buffer){0};
}

/* Room for `more` bytes behind those in use. */
static int buffer_reserve(struct buffer *buf, size_t more)
{
	size_t size = buf->size ? buf->size : 1024;

	while (size < buf->used + more)
		size *= 2;
	if (size == buf->size)
		return 0;
	char *bytes = realloc(buf->bytes, size);
	if (!bytes)
		return -ENOMEM;
	buf->bytes = bytes;
	buf->size = size;
	return 0;
}

static void buffer_drop(struct buffer *buf, size_t n)
{
	buf->used -= n;
	if (buf->used)
		memmove(buf->bytes, buf->bytes + n, buf->used);
	else
		buffer_free(buf);
}

/* Appends `message` and a newline; steals the reference. */
static int buffer_message(struct buffer *buf, json_t *message)
{
	size_t len = json_dumpb(message, NULL, 0, JSON_COMPACT);
	int err = len ? buffer_reserve(buf, len + 1) : -ENOMEM;

	if (!err) {
		json_dumpb(message, buf->bytes + buf->used, len, JSON_COMPACT);
		buf->bytes[buf->used + len] = '\n';
		buf->used += len + 1;
	}
	json_decref(message);
	return err;
}

/* ---- server: one request ---- */

static json_t *answer_error(const json_t *id, int code, const char *text)
{
	/* A text with bytes that are no UTF-8 cannot be packed; then the code has to do. */
	json_t *error = json_pack("{s:i,s:s}", "code", code, "message", text);

	if (!error)
		error = json_pack("{s:i,s:s}", "code", code, "message", "failed");
	return json_pack("{s:s,s:o,s:O?}", "jsonrpc", "2.0", "error", error, "id", id);
}

static const struct rpc_method *method_find(const struct rpc_server *server, const char *name)
{
	for (const struct rpc_method *m = server->methods; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

/* Whether `name` is one of the words of `list`, each with or without a "?" behind it. */
static bool listed(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; *at; at += strcspn(at, " ") + (at[strcspn(at, " ")] == ' ')) {
		size_t word = strcspn(at, " ?");

		if (word == len && !strncmp(at, name, len))
			return true;
	}
	return false;
}

/* -EINVAL with the words in `error`: a name that is not known, or one that is missing. */
static int check_params(const char *list, json_t *params, char error[RPC_ERROR_TEXT])
{
	const char *key;
	json_t *value;

	if (!list)
		return 0;
	json_object_foreach (params, key, value) {
		if (listed(list, key))
			continue;
		snprintf(error, RPC_ERROR_TEXT, "unknown parameter: %.64s", key);
		return -EINVAL;
	}
	for (const char *at = list; *at;) {
		size_t word = strcspn(at, " ?"), len = strcspn(at, " ");

		if (word == len && !json_object_getn(params, at, word)) {
			snprintf(error, RPC_ERROR_TEXT, "missing parameter: %.*s", (int)word, at);
			return -EINVAL;
		}
		at += len + (at[len] == ' ');
	}
	return 0;
}

/* Runs a well-formed request. */
static json_t *call(struct rpc_server *server, const json_t *id, const char *name, json_t *params)
{
	const struct rpc_method *method = method_find(server, name);
	char error[RPC_ERROR_TEXT] = "";
	json_t *result = NULL;

	if (!method) {
		snprintf(error, sizeof(error), "no such method: %.64s", name);
		return answer_error(id, METHOD_NOT_FOUND, error);
	}
	if (params && !json_is_object(params))
		return answer_error(id, INVALID_PARAMS, "params must be an object");
	json_t *empty = params ? NULL : json_object();
	params = params ? params : empty;
	if (check_params(method->params, params, error)) {
		json_decref(empty);
		return answer_error(id, INVALID_PARAMS, error);
	}
	int err = method->fn(server->opaque, params, &result, error);
	json_decref(empty);
	if (err) {
		json_decref(result);
		return answer_error(id, err, error[0] ? error : strerror(-err));
	}
	return json_pack("{s:s,s:o,s:O?}", "jsonrpc", "2.0", "result",
			 result ? result : json_null(), "id", id);
}

/* The answer to one line; NULL for a notification. *fatal: the peer does not speak JSON-RPC. */
static json_t *answer_line(struct rpc_server *server, const char *line, size_t len, bool *fatal)
{
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	json_t *answer;

	if (!request) {
		*fatal = true;
		return answer_error(NULL, PARSE_ERROR, error.text);
	}
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	const char *method = json_string_value(json_object_get(request, "method"));
	json_t *id = json_object_get(request, "id");
	bool id_valid = !id || json_is_string(id) || json_is_number(id) || json_is_null(id);

	if (!version || strcmp(version, "2.0") || !method || !id_valid) {
		*fatal = true;
		answer = answer_error(id_valid ? id : NULL, INVALID_REQUEST,
				      "not a JSON-RPC 2.0 request");
	} else {
		answer = call(server, id, method, json_object_get(request, "params"));
	}
	json_decref(request);
	if (!id && !*fatal) {
		json_decref(answer);
		answer = NULL;
	}
	return answer;
}

/* ---- server: one client ---- */

static void close_fds(struct client *client)
{
	for (size_t i = 0; i < client->fd_count; i++)
		io_close(&client->fds[i]);
	client->fd_count = 0;
}

int rpc_server_take_fd(struct rpc_server *server)
{
	struct client *client = server->serving;

	for (size_t i = 0; client && i < client->fd_count; i++) {
		int fd = client->fds[i];

		client->fds[i] = -1;
		if (fd >= 0)
			return fd;
	}
	return -ENOENT;
}

static void client_destroy(struct client *client)
{
	struct rpc_server *server = client->server;

	*client->link = client->next;
	if (client->next)
		client->next->link = client->link;
	loop_remove(client->source);
	io_close(&client->fd);
	close_fds(client);
	buffer_free(&client->in);
	buffer_free(&client->out);
	server->subscribers -= client->subscribed;
	free(client);
	if (server->count-- == CLIENTS_MAX && server->source)
		loop_modify(server->source, EPOLLIN);
}

/* Sends what can be sent now. */
static int client_flush(struct client *client)
{
	while (client->out.used) {
		ssize_t n = send(client->fd, client->out.bytes, client->out.used,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		buffer_drop(&client->out, (size_t)n);
	}
	return 0;
}

/* Keeps the descriptors of one message; -EPROTO, without them, when there are more than may come.
 */
static int keep_fds(struct client *client, struct msghdr *message)
{
	bool too_many = message->msg_flags & MSG_CTRUNC;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (client->fd_count < RPC_FDS) {
				client->fds[client->fd_count++] = fd;
				continue;
			}
			too_many = true;
			io_close(&fd);
		}
	}
	if (too_many)
		close_fds(client);
	return too_many ? -EPROTO : 0;
}

static int client_receive(struct client *client)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(RPC_FDS * sizeof(int))];
	} control;
	size_t room = RPC_MAX + 1 - client->in.used;
	int err = buffer_reserve(&client->in, MIN(room, (size_t)4096));

	if (err)
		return err;
	struct iovec part = {.iov_base = client->in.bytes + client->in.used,
			     .iov_len = MIN(room, client->in.size - client->in.used)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.bytes,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->in.used += (size_t)n;
	if (n == 0)
		client->closing = true; /* whole lines already here are still answered */
	return keep_fds(client, &message);
}

/* Answers one line, when there is a whole one. Returns 1, 0 when there is none, or -errno. */
static int client_serve(struct client *client)
{
	struct buffer *in = &client->in;
	char *end = in->used ? memchr(in->bytes, '\n', in->used) : NULL;
	size_t len = end ? (size_t)(end - in->bytes) : in->used;
	bool fatal = false;
	json_t *answer;

	if (len > RPC_MAX) {
		fatal = true;
		answer = answer_error(NULL, INVALID_REQUEST, "message too long");
	} else if (!end) {
		return 0;
	} else {
		client->server->serving = client;
		answer = answer_line(client->server, in->bytes, len, &fatal);
		client->server->serving = NULL;
		close_fds(client);
	}
	if (fatal) {
		client->closing = true;
		buffer_free(in);
	} else {
		buffer_drop(in, len + 1);
	}
	int err = answer ? buffer_message(&client->out, answer) : 0;
	return err ? err : 1;
}

static void client_event(void *opaque, uint32_t events)
{
	struct client *client = opaque;
	int err = client_flush(client);
	int served = 1;

	if (!err && !client->out.used && !client->closing && events & ~(uint32_t)EPOLLOUT)
		err = client_receive(client);
	while (!err && !client->out.used && served) {
		served = client_serve(client);
		err = served < 0 ? served : client_flush(client);
	}
	if (!err && !(client->closing && !client->out.used))
		err = loop_modify(client->source, client->out.used ? EPOLLOUT : EPOLLIN);
	else
		err = err ? err : -EPIPE;
	if (err)
		client_destroy(client);
}

/* ---- server: notifications ---- */

int rpc_server_subscribe(struct rpc_server *server)
{
	struct client *client = server->serving;

	if (!client || client->subscribed)
		return client ? 0 : -EINVAL;
	if (server->subscribers == SUBSCRIBERS_MAX)
		return -EBUSY;
	client->subscribed = true;
	server->subscribers++;
	return 0;
}

/* An error shows again when the client's descriptor is looked at, and ends it there. */
static void client_notify(struct client *client, json_t *message)
{
	if (client->out.used >= RPC_QUEUE) {
		client->missed++;
		client->server->missed++;
		return;
	}
	if (client->missed) {
		json_t *missed = json_pack("{s:s,s:s,s:{s:I}}", "jsonrpc", "2.0", "method",
					   "missed", "params", "count", (json_int_t)client->missed);
		if (missed && !buffer_message(&client->out, missed))
			client->missed = 0;
	}
	buffer_message(&client->out, json_incref(message));
	client_flush(client);
	if (client->out.used)
		loop_modify(client->source, EPOLLOUT);
}

void rpc_server_notify(struct rpc_server *server, const char *method, json_t *params)
{
	json_t *message =
		json_pack("{s:s,s:s,s:o}", "jsonrpc", "2.0", "method", method, "params", params);

	for (struct client *client = server->clients; client && message; client = client->next)
		if (client->subscribed && !client->closing)
			client_notify(client, message);
	json_decref(message);
}

uint64_t rpc_server_missed(const struct rpc_server *server)
{
	return server->missed;
}

/* ---- server: all of it ---- */

/* Takes `fd` over, also when it fails: then the peer sees it close. */
static void client_create(struct rpc_server *server, int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client || loop_add(server->loop, fd, EPOLLIN, client_event, client, &client->source)) {
		free(client);
		io_close(&fd);
		return;
	}
	client->server = server;
	client->fd = fd;
	client->next = server->clients;
	client->link = &server->clients;
	if (client->next)
		client->next->link = &client->next;
	server->clients = client;
	if (++server->count == CLIENTS_MAX)
		loop_modify(server->source, 0);
}

static void server_event(void *opaque, uint32_t events)
{
	struct rpc_server *server = opaque;
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0)
		client_create(server, fd);
}

int rpc_server_create(struct loop *loop, int listen_fd, const struct rpc_method *methods,
		      void *opaque, struct rpc_server **out)
{
	struct rpc_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	*server = (struct rpc_server){
		.loop = loop, .fd = listen_fd, .methods = methods, .opaque = opaque};
	int err = io_set_nonblock(listen_fd, 1);
	if (!err)
		err = loop_add(loop, listen_fd, EPOLLIN, server_event, server, &server->source);
	if (err) {
		free(server);
		return err;
	}
	*out = server;
	return 0;
}

void rpc_server_destroy(struct rpc_server *server)
{
	if (!server)
		return;
	loop_remove(server->source);
	server->source = NULL;
	for (struct client *client = server->clients, *next; client; client = next) {
		next = client->next;
		client_destroy(client);
	}
	io_close(&server->fd);
	free(server);
}

/* ---- sockets ---- */

static int unix_address(const char *path, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	strcpy(addr->sun_path, path);
	return 0;
}

static int unix_connect(const char *path, unsigned timeout_ms, int *out)
{
	struct timeval limit = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
	struct sockaddr_un addr;
	int err = unix_address(path, &addr);

	if (err)
		return err;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Bounds connect too, which waits while the server's backlog is full (unix(7)). */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		err = errno == EAGAIN ? -ETIMEDOUT : -errno;
		io_close(&fd);
		return err;
	}
	*out = fd;
	return 0;
}

int rpc_listen(const char *path)
{
	struct sockaddr_un addr;
	int other, err = unix_address(path, &addr);

	if (err)
		return err;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Linux gives the socket's own mode to the file that bind makes: no moment of 0777. */
	if (fchmod(fd, 0600) < 0)
		goto fail;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (errno != EADDRINUSE)
			goto fail;
		err = unix_connect(path, 1000, &other);
		if (!err)
			io_close(&other);
		errno = EADDRINUSE;
		if (err != -ECONNREFUSED || unlink(path) < 0 ||
		    bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
			goto fail;
	}
	if (listen(fd, BACKLOG) == 0)
		return fd;
fail:
	err = -errno;
	io_close(&fd);
	return err;
}

/* ---- client ---- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The descriptors go with the first byte. */
static int send_all(int fd, const struct buffer *buf, const int *fds, size_t count)
{
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(RPC_FDS * sizeof(int))];
	} control = {.head = {.cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS,
			      .cmsg_len = CMSG_LEN(count * sizeof(int))}};

	if (count > RPC_FDS)
		return -E2BIG;
	if (count)
		memcpy(CMSG_DATA(&control.head), fds, count * sizeof(int));
	for (size_t done = 0; done < buf->used;) {
		struct iovec part = {.iov_base = buf->bytes + done, .iov_len = buf->used - done};
		struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

		if (count && !done) {
			message.msg_control = &control;
			message.msg_controllen = CMSG_SPACE(count * sizeof(int));
		}
		ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		done += (size_t)n;
	}
	return 0;
}

/* One line, without its newline. */
static int receive_line(int fd, int64_t deadline, struct buffer *buf)
{
	for (;;) {
		int64_t left = deadline - now_ms();
		if (left <= 0)
			return -ETIMEDOUT;
		struct timeval limit = {left / 1000, (left % 1000) * 1000};
		if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0)
			return -errno;
		int err = buffer_reserve(buf, 4096);
		if (err)
			return err;
		ssize_t n = recv(fd, buf->bytes + buf->used, buf->size - buf->used, 0);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n ? -errno : -ECONNRESET;
		char *end = memchr(buf->bytes + buf->used, '\n', (size_t)n);
		buf->used += (size_t)n;
		buf->filled = buf->used;
		if (end) {
			buf->used = (size_t)(end - buf->bytes);
			return 0;
		}
		if (buf->used > RPC_MAX)
			return -EMSGSIZE;
	}
}

static int error_code(const json_t *error)
{
	json_int_t code = json_integer_value(json_object_get(error, "code"));

	if (code == METHOD_NOT_FOUND)
		return -EOPNOTSUPP;
	if (code == INVALID_PARAMS)
		return -EINVAL;
	return code < 0 && code > -4096 ? (int)code : -EPROTO;
}

static int take_answer(const struct buffer *buf, json_t **result, char error[RPC_ERROR_TEXT])
{
	json_t *answer = json_loadb(buf->bytes, buf->used, 0, NULL);
	const char *version = json_string_value(json_object_get(answer, "jsonrpc"));
	const json_t *failure = json_object_get(answer, "error");
	json_t *value = json_object_get(answer, "result");
	int err = 0;

	if (version && !strcmp(version, "2.0") && failure) {
		const char *text = json_string_value(json_object_get(failure, "message"));
		err = error_code(failure);
		snprintf(error, RPC_ERROR_TEXT, "%s", text ? text : strerror(-err));
	} else if (version && !strcmp(version, "2.0") && value) {
		*result = json_incref(value);
	} else {
		err = -EPROTO;
		snprintf(error, RPC_ERROR_TEXT, "the answer is not JSON-RPC 2.0");
	}
	json_decref(answer);
	return err;
}

int rpc_call(const char *path, const char *method, json_t *params, unsigned timeout_ms,
	     json_t **result, char error[RPC_ERROR_TEXT])
{
	return rpc_call_fds(path, method, params, NULL, 0, timeout_ms, result, error);
}

int rpc_call_fds(const char *path, const char *method, json_t *params, const int *fds, size_t count,
		 unsigned timeout_ms, json_t **result, char error[RPC_ERROR_TEXT])
{
	int64_t deadline = now_ms() + timeout_ms;
	struct buffer buf = {0};
	json_t *request = json_pack("{s:s,s:s,s:i,s:o*}", "jsonrpc", "2.0", "method", method, "id",
				    1, "params", params);
	int fd = -1, err = request ? buffer_message(&buf, request) : -ENOMEM;

	*result = NULL;
	error[0] = '\0';
	if (!err)
		err = unix_connect(path, timeout_ms, &fd);
	if (!err)
		err = send_all(fd, &buf, fds, count);
	buf.used = 0;
	if (!err)
		err = receive_line(fd, deadline, &buf);
	if (err)
		snprintf(error, RPC_ERROR_TEXT, "%s", strerror(-err));
	else
		err = take_answer(&buf, result, error);
	buffer_free(&buf);
	io_close(&fd);
	return err;
}

/* ---- client: a stream ---- */

struct rpc_stream {
	int fd;
	struct buffer in; /* its first `done` bytes were handed out */
	size_t done;
};

int rpc_stream_open(const char *path, const char *method, json_t *params, unsigned timeout_ms,
		    struct rpc_stream **out, char error[RPC_ERROR_TEXT])
{
	struct rpc_stream *stream = calloc(1, sizeof(*stream));
	struct buffer buf = {0};
	json_t *request = json_pack("{s:s,s:s,s:i,s:o*}", "jsonrpc", "2.0", "method", method, "id",
				    1, "params", params),
	       *result = NULL;
	int err = stream && request ? buffer_message(&buf, request) : -ENOMEM;

	error[0] = '\0';
	if (stream)
		stream->fd = -1;
	if (!err)
		err = unix_connect(path, timeout_ms, &stream->fd);
	if (!err)
		err = send_all(stream->fd, &buf, NULL, 0);
	buf.used = 0;
	if (!err)
		err = receive_line(stream->fd, now_ms() + timeout_ms, &stream->in);
	if (!err) {
		err = take_answer(&stream->in, &result, error);
		stream->done = stream->in.used + 1; /* with its newline */
		stream->in.used = stream->in.filled;
	} else {
		snprintf(error, RPC_ERROR_TEXT, "%s", strerror(-err));
	}
	json_decref(result);
	buffer_free(&buf);
	if (err)
		rpc_stream_close(stream);
	else
		*out = stream;
	return err;
}

void rpc_stream_close(struct rpc_stream *stream)
{
	if (!stream)
		return;
	io_close(&stream->fd);
	buffer_free(&stream->in);
	free(stream);
}

int rpc_stream_fd(const struct rpc_stream *stream)
{
	return stream->fd;
}

/* The next whole line that is here, as JSON; NULL when there is none. */
static int stream_line(struct rpc_stream *stream, json_t **message)
{
	struct buffer *in = &stream->in;
	size_t left = in->used - stream->done;

	if (!left)
		return 0;
	char *start = in->bytes + stream->done;
	char *end = memchr(start, '\n', left);
	if (!end)
		return left > RPC_MAX ? -EMSGSIZE : 0;
	*message = json_loadb(start, (size_t)(end - start), 0, NULL);
	stream->done += (size_t)(end - start) + 1;
	return *message ? 1 : -EPROTO;
}

int rpc_stream_next(struct rpc_stream *stream, json_t **message)
{
	int rc = stream_line(stream, message);

	while (rc == 0) {
		if (stream->done) {
			buffer_drop(&stream->in, stream->done);
			stream->done = 0;
		}
		rc = buffer_reserve(&stream->in, 4096);
		if (rc)
			return rc;
		ssize_t n = recv(stream->fd, stream->in.bytes + stream->in.used,
				 stream->in.size - stream->in.used, MSG_DONTWAIT);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		stream->in.used += (size_t)n;
		rc = stream_line(stream, message);
	}
	return rc;
}
