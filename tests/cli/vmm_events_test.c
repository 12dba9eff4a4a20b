/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_events: told on any thread, heard by whoever has subscribed; too many are counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/vmm_events.h"
#include "tests/fakes/served.h"

#define CALL_MS 5000

struct fixture {
	struct served served;
	struct rpc_server *server;
	struct vmm_events *events;
};

static int method_subscribe(void *opaque, const json_t *params, json_t **result, char *error)
{
	struct fixture *f = opaque;

	(void)params, (void)error, (void)result;
	return rpc_server_subscribe(f->server);
}

static const struct rpc_method methods[] = {{.name = "subscribe", .fn = method_subscribe},
					    {.name = NULL}};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	served_open(&f->served);
	assert_int_equal(
		rpc_server_create(f->served.loop, f->served.listen, methods, f, &f->server), 0);
	f->served.listen = -1;
	assert_int_equal(vmm_events_create(f->served.loop, "web", &f->events), 0);
	vmm_events_connect(f->events, f->server);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vmm_events_destroy(f->events);
	rpc_server_destroy(f->server);
	served_close(&f->served);
	free(f);
	return 0;
}

static json_t *next(struct rpc_stream *stream)
{
	struct pollfd p = {.fd = rpc_stream_fd(stream), .events = POLLIN};
	json_t *message = NULL;
	int rc;

	while ((rc = rpc_stream_next(stream, &message)) == 0)
		assert_int_equal(poll(&p, 1, CALL_MS), 1);
	assert_int_equal(rc, 1);
	assert_string_equal(json_string_value(json_object_get(message, "method")), "event");
	return message;
}

static void expect(const json_t *message, const char *key, const char *value)
{
	const json_t *params = json_object_get(message, "params");
	const char *found = json_string_value(json_object_get(params, key));

	if (!found || strcmp(found, value) != 0)
		fail_msg("%s: %s, not %s", key, found ? found : "missing", value);
}

static void are_heard(void **state)
{
	struct fixture *f = *state;
	struct rpc_stream *stream;
	char error[RPC_ERROR_TEXT];

	served_start(&f->served);
	assert_int_equal(
		rpc_stream_open(f->served.path, "subscribe", NULL, CALL_MS, &stream, error), 0);
	vmm_events_heard(f->events, &(struct hv_event){"io-error", "disk0", "no space left"});
	json_t *message = next(stream);
	expect(message, "vm", "web");
	expect(message, "event", "io-error");
	expect(message, "device", "disk0");
	expect(message, "text", "no space left");
	json_decref(message);
	vmm_events_heard(f->events, &(struct hv_event){.what = "watchdog"});
	message = next(stream);
	expect(message, "event", "watchdog");
	assert_null(json_object_get(json_object_get(message, "params"), "device"));
	json_decref(message);
	rpc_stream_close(stream);
	served_stop(&f->served);
}

/* While the loop is busy with something else, a guest makes as many as it likes. */
static void are_bounded(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 1000; i++)
		vmm_events_heard(f->events, &(struct hv_event){.what = "watchdog"});
	assert_int_equal(vmm_events_lost(f->events), 1000 - 256);
	vmm_events_flush(f->events);
	vmm_events_state(f->events, "paused", NULL);
	assert_int_equal(vmm_events_lost(f->events), 1000 - 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(are_heard, setup, teardown),
		cmocka_unit_test_setup_teardown(are_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
