/* SPDX-License-Identifier: BSD-3-Clause */
/* vm events: subscribes to the control sockets of VMs, and prints what they tell. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "base/log.h"
#include "base/loop.h"
#include "cli/cli.h"
#include "cli/vm_dir.h"

struct watch {
	struct events *all;
	char name[64];
	struct rpc_stream *stream;
	struct loop_source *source;
	struct watch *next;
};

struct events {
	const struct cli *cli;
	struct loop *loop;
	struct watch *watches;
	unsigned open;
};

/* "12:30:01 web: state paused", "12:30:02 web: io-error disk0: No space left on device" */
static void print_line(const json_t *e)
{
	const char *vm = json_string_value(json_object_get(e, "vm"));
	const char *what = json_string_value(json_object_get(e, "event"));
	const char *state = json_string_value(json_object_get(e, "state"));
	const char *device = json_string_value(json_object_get(e, "device"));
	const char *text = json_string_value(json_object_get(e, "text"));
	time_t at = (time_t)json_integer_value(json_object_get(e, "at"));
	char clock[16] = "";
	struct tm tm;

	if (localtime_r(&at, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("%s %s: %s%s%s%s%s%s%s\n", clock, vm ? vm : "?", what ? what : "?", state ? " " : "",
	       state ? state : "", device ? " " : "", device ? device : "", text ? ": " : "",
	       text ? text : "");
}

static void show(const struct watch *w, const json_t *message)
{
	const char *method = json_string_value(json_object_get(message, "method"));
	json_t *params = json_object_get(message, "params");

	if (method && !strcmp(method, "missed")) {
		json_object_set_new(params, "vm", json_string(w->name));
		json_object_set_new(params, "event", json_string("missed"));
		json_object_set_new(params, "text",
				    json_string("events came faster than they were read"));
	}
	if (w->all->cli->json) {
		json_dumpf(params, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_line(params);
	}
	fflush(stdout);
}

static void close_watch(struct watch *w)
{
	loop_remove(w->source);
	rpc_stream_close(w->stream);
	w->source = NULL;
	w->stream = NULL;
	if (--w->all->open == 0)
		loop_stop(w->all->loop, 0);
}

static void stream_event(void *opaque, uint32_t ready)
{
	struct watch *w = opaque;
	json_t *message = NULL;
	int rc;

	(void)ready;
	while ((rc = rpc_stream_next(w->stream, &message)) > 0) {
		show(w, message);
		json_decref(message);
	}
	if (rc < 0)
		close_watch(w);
}

static int watch(struct events *all, const char *name, bool must)
{
	struct watch *w = calloc(1, sizeof(*w));
	char path[CLI_PATH], error[RPC_ERROR_TEXT] = "";
	int err = w ? vm_path(all->cli, name, VM_CTL, path) : -ENOMEM;

	if (!err)
		err = rpc_stream_open(path, "subscribe", NULL, VM_CALL_MS, &w->stream, error);
	if (!err)
		err = loop_add(all->loop, rpc_stream_fd(w->stream), EPOLLIN, stream_event, w,
			       &w->source);
	if (err) {
		if (must)
			log_error(name, "no events: %s; see sluice vm list",
				  error[0] ? error : strerror(-err));
		if (w)
			rpc_stream_close(w->stream);
		free(w);
		return err;
	}
	snprintf(w->name, sizeof(w->name), "%s", name);
	w->all = all;
	w->next = all->watches;
	all->watches = w;
	all->open++;
	return 0;
}

static void watch_all(struct events *all)
{
	json_t *names = vm_names(all->cli);

	for (size_t i = 0; i < json_array_size(names); i++)
		watch(all, json_string_value(json_array_get(names, i)), false);
	json_decref(names);
}

static int run(struct events *all)
{
	return all->open ? loop_run(all->loop)
			 : log_fail(-ENOENT, "vm events", "no VM runs; see sluice vm list");
}

int cmd_vm_events(struct cli *cli, const struct cli_args *args)
{
	struct events all = {.cli = cli};
	int err = loop_create(&all.loop);

	if (!err && args->operand)
		err = watch(&all, args->operand, true);
	else if (!err)
		watch_all(&all);
	if (!err)
		err = run(&all);
	while (all.watches) {
		struct watch *w = all.watches;

		all.watches = w->next;
		loop_remove(w->source);
		rpc_stream_close(w->stream);
		free(w);
	}
	loop_destroy(all.loop);
	return err < 0 ? CLI_FAILED : CLI_OK;
}
