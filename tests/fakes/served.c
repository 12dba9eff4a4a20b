/* SPDX-License-Identifier: BSD-3-Clause */
/* served: see served.h. A failure here is a broken test, so it aborts. */
#include "tests/fakes/served.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/io.h"
#include "base/rpc.h"

static void must(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

static void *serve(void *opaque)
{
	struct served *s = opaque;

	loop_run(s->loop);
	return NULL;
}

void served_open(struct served *s)
{
	strcpy(s->dir, "/tmp/served.XXXXXX");
	must(mkdtemp(s->dir) != NULL, "mkdtemp");
	snprintf(s->path, sizeof(s->path), "%.40s/sock", s->dir);
	s->listen = rpc_listen(s->path);
	must(s->listen >= 0, "rpc_listen");
	must(loop_create(&s->loop) == 0, "loop_create");
}

void served_start(struct served *s)
{
	must(pthread_create(&s->thread, NULL, serve, s) == 0, "pthread_create");
}

void served_stop(struct served *s)
{
	loop_stop(s->loop, 0);
	pthread_join(s->thread, NULL);
}

void served_close(struct served *s)
{
	loop_destroy(s->loop);
	io_close(&s->listen);
	unlink(s->path);
	rmdir(s->dir);
}

int served_dial(const struct served *s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd >= 0, "socket");
	strcpy(addr.sun_path, s->path);
	must(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0, "connect");
	return fd;
}
