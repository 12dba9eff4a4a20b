/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_events: see vmm_events.h. */
#include "cli/vmm_events.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"

#define WAITING_MAX 256

struct vmm_events {
	const char *name;
	struct rpc_server *server;
	pthread_mutex_t lock;
	json_t *waiting; /* array of params */
	uint64_t lost;
	int wake; /* eventfd: something waits */
	struct loop_source *source;
};

static void pass_on(void *opaque, uint32_t ready)
{
	struct vmm_events *events = opaque;
	uint64_t count;

	(void)ready;
	if (read(events->wake, &count, sizeof(count)) == sizeof(count))
		vmm_events_flush(events);
}

int vmm_events_create(struct loop *loop, const char *name, struct vmm_events **out)
{
	struct vmm_events *events = calloc(1, sizeof(*events));

	if (!events)
		return -ENOMEM;
	pthread_mutex_init(&events->lock, NULL);
	events->name = name;
	events->waiting = json_array();
	events->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int err = events->wake < 0 ? -errno : events->waiting ? 0 : -ENOMEM;
	if (!err)
		err = loop_add(loop, events->wake, EPOLLIN, pass_on, events, &events->source);
	if (err) {
		vmm_events_destroy(events);
		return err;
	}
	*out = events;
	return 0;
}

void vmm_events_destroy(struct vmm_events *events)
{
	if (!events)
		return;
	loop_remove(events->source);
	io_close(&events->wake);
	json_decref(events->waiting);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

void vmm_events_connect(struct vmm_events *events, struct rpc_server *server)
{
	events->server = server;
}

/* Steals. jansson's reference counts are atomic, and nobody else knows this object. */
static void tell(struct vmm_events *events, json_t *params)
{
	pthread_mutex_lock(&events->lock);
	bool room = json_array_size(events->waiting) < WAITING_MAX;
	if (room)
		json_array_append(events->waiting, params);
	else
		events->lost++;
	pthread_mutex_unlock(&events->lock);
	json_decref(params);
	if (room && eventfd_write(events->wake, 1) < 0)
		return; /* full: then it is readable anyway */
}

void vmm_events_heard(void *opaque, const struct hv_event *event)
{
	struct vmm_events *events = opaque;

	tell(events,
	     json_pack("{s:s,s:I,s:s,s:s*,s:s*}", "vm", events->name, "at", (json_int_t)time(NULL),
		       "event", event->what, "device", event->device, "text", event->text));
}

void vmm_events_state(struct vmm_events *events, const char *state, const char *text)
{
	tell(events,
	     json_pack("{s:s,s:I,s:s,s:s,s:s*}", "vm", events->name, "at", (json_int_t)time(NULL),
		       "event", "state", "state", state, "text", text));
	vmm_events_flush(events);
}

void vmm_events_flush(struct vmm_events *events)
{
	json_t *fresh = json_array(), *old = events->waiting;

	if (!fresh)
		return; /* they wait on */
	pthread_mutex_lock(&events->lock);
	events->waiting = fresh;
	pthread_mutex_unlock(&events->lock);
	for (size_t i = 0; events->server && i < json_array_size(old); i++)
		rpc_server_notify(events->server, "event", json_incref(json_array_get(old, i)));
	json_decref(old);
}

uint64_t vmm_events_lost(struct vmm_events *events)
{
	pthread_mutex_lock(&events->lock);
	uint64_t lost = events->lost;
	pthread_mutex_unlock(&events->lock);
	return lost;
}
