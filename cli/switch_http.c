/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_http: see switch_http.h. */
#include "cli/switch_http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/switch_ctl.h"

#define CLIENTS	  16u
#define TIMEOUT_S 5u
#define MEMORY	  16384u /* of a connection, for what it says */
#define TICK_MS	  1000u	 /* the library's own timeouts are looked at so often */

struct switch_http {
	const struct nq_switch *sw;
	struct loop *loop;
	struct MHD_Daemon *daemon;
	struct loop_source *source, *timer;
};

/* ---- answering ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, char *text,
			      const char *type)
{
	struct MHD_Response *response =
		text ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE)
		     : NULL;

	if (!response) {
		free(text);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	enum MHD_Result rc = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return rc;
}

static enum MHD_Result on_request(void *opaque, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *data_size, void **state)
{
	const struct switch_http *http = opaque;
	static const char plain[] = "text/plain; charset=utf-8";

	(void)version, (void)data, (void)state;
	if (*data_size) {
		*data_size = 0; /* nobody has anything to tell us */
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, strdup("GET only\n"), plain);
	if (strcmp(url, "/metrics") != 0)
		return answer(connection, MHD_HTTP_NOT_FOUND, strdup("see /metrics\n"), plain);
	return answer(connection, MHD_HTTP_OK, switch_ctl_metrics(http->sw),
		      "text/plain; version=0.0.4; charset=utf-8");
}

static void on_ready(void *opaque, uint32_t events)
{
	struct switch_http *http = opaque;

	(void)events;
	MHD_run(http->daemon);
}

static void on_tick(void *opaque, uint32_t events)
{
	struct switch_http *http = opaque;

	(void)events;
	MHD_run(http->daemon);
	if (loop_timer(http->loop, TICK_MS, on_tick, http, &http->timer))
		http->timer = NULL;
}

/* ---- opening ---- */

static int parse_where(const char *where, struct sockaddr_storage *address, socklen_t *len)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	struct sockaddr_in *in4 = (struct sockaddr_in *)address;
	const char *colon = strrchr(where, ':');
	char host[64];
	uint32_t port;

	memset(address, 0, sizeof(*address));
	if (!colon || parse_u32(colon + 1, 1, UINT16_MAX, &port) ||
	    (size_t)(colon - where) >= sizeof(host))
		return -EINVAL;
	snprintf(host, sizeof(host), "%.*s", (int)(colon - where), where);
	size_t end = strlen(host);
	if (host[0] == '[' && host[end - 1] == ']') {
		host[end - 1] = '\0';
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		*len = sizeof(*in6);
		return inet_pton(AF_INET6, host + 1, &in6->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	in4->sin_family = AF_INET;
	in4->sin_port = htons((uint16_t)port);
	*len = sizeof(*in4);
	return inet_pton(AF_INET, host, &in4->sin_addr) == 1 ? 0 : -EINVAL;
}

static int listen_at(const char *where)
{
	struct sockaddr_storage address;
	socklen_t len;
	const int on = 1;

	if (parse_where(where, &address, &len))
		return log_fail(-EINVAL, where,
				"no address for metrics: such as 127.0.0.1:9179 is wanted");
	int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return log_fail(-errno, where, "no metrics: %m");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, CLIENTS) == 0)
		return fd;
	int err = log_fail(-errno, where, "no metrics there: %m; choose another --metrics");
	close(fd);
	return err;
}

static int start(struct switch_http *http, int fd)
{
	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, CLIENTS, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_END);
	if (!http->daemon) {
		close(fd);
		return -EIO;
	}
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int err =
		info ? loop_add(http->loop, info->epoll_fd, EPOLLIN, on_ready, http, &http->source)
		     : -EIO;
	return err ? err : loop_timer(http->loop, TICK_MS, on_tick, http, &http->timer);
}

int switch_http_create(struct loop *loop, const struct nq_switch *sw, const char *where,
		       struct switch_http **out)
{
	int fd = listen_at(where);
	struct switch_http *http = fd < 0 ? NULL : calloc(1, sizeof(*http));

	if (fd < 0)
		return fd;
	if (!http) {
		close(fd);
		return -ENOMEM;
	}
	http->sw = sw;
	http->loop = loop;
	int err = start(http, fd);
	if (err) {
		switch_http_destroy(http);
		return log_fail(err, where, "no metrics: %s", strerror(-err));
	}
	*out = http;
	return 0;
}

void switch_http_destroy(struct switch_http *http)
{
	if (!http)
		return;
	loop_remove(http->source);
	loop_remove(http->timer);
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	free(http);
}
