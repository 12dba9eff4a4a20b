/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * api: docs/api.md says what a VM's control socket offers. Its blocks of JSON are held against the
 * table of methods (names and parameters), and against answers of a VM whose engine has no
 * hardware.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/vmm_ctl.h"
#include "tests/fakes/fake_engine.h"

#define DOCUMENT "docs/api.md"

/* Every ```json block of the document, by its "method". */
static json_t *read_document(void)
{
	json_t *methods = json_object();
	char line[512], block[8192];
	FILE *in = fopen(DOCUMENT, "re");
	bool inside = false;

	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		if (!strncmp(line, "```", 3)) {
			json_t *found = inside ? json_loads(block, 0, NULL) : NULL;
			const char *name = json_string_value(json_object_get(found, "method"));

			if (inside && (!name || json_object_get(methods, name)))
				fail_msg("no method, or one told twice: %s", block);
			if (inside)
				json_object_set_new(methods, name, found);
			inside = !strcmp(line, "```json\n");
			block[0] = '\0';
		} else if (inside) {
			assert_true(strlen(block) + strlen(line) < sizeof(block));
			strcat(block, line);
		}
	}
	fclose(in);
	return methods;
}

/* The same words, in any order. */
static void same_params(const struct rpc_method *m, json_t *params)
{
	const char *key;
	json_t *type;
	size_t words = 0;

	assert_non_null(m->params);
	for (const char *at = m->params; *at; words++) {
		char word[32];
		size_t len = strcspn(at, " ");

		snprintf(word, sizeof(word), "%.*s", (int)len, at);
		if (!json_object_get(params, word))
			fail_msg("%s takes '%s', which " DOCUMENT " does not tell", m->name, word);
		at += len + (at[len] == ' ');
	}
	assert_int_equal(words, json_object_size(params));
	json_object_foreach (params, key, type)
		assert_true(json_is_string(type));
}

static void test_every_method(void **state)
{
	json_t *document = read_document();
	size_t count = 0;

	(void)state;
	for (const struct rpc_method *m = vmm_ctl_methods; m->name; m++, count++) {
		json_t *told = json_object_get(document, m->name);

		if (!told)
			fail_msg(DOCUMENT " does not tell of %s", m->name);
		assert_true(json_is_object(json_object_get(told, "params")));
		assert_non_null(json_object_get(told, "result"));
		same_params(m, json_object_get(told, "params"));
	}
	assert_int_equal(json_object_size(document), count);
	json_decref(document);
}

/* ---- answers ---- */

struct fixture {
	struct hv_engine engine;
	struct loop *loop;
	struct vmm_config config;
	struct vmm_machine machine;
	struct vmm_events *events;
	struct rpc_server *server;
	struct vmm_ctl ctl;
	json_t *document;
	char path[64];
};

static void ignore_out(void *opaque, const uint8_t *bytes, size_t len)
{
	(void)opaque, (void)bytes, (void)len;
}

static void ignore_room(void *opaque)
{
	(void)opaque;
}

static void build_machine(struct fixture *f)
{
	const struct hv_config hv = {
		.name = "web",
		.engine = &fake_engine_ops,
		.engine_fd = fake_engine_fd(&f->engine),
		.cpus = 1,
		.ram = 16 * MIB,
		.pages = HV_PAGES_4K,
	};
	struct vdev_machine_config devices = {
		.loop = f->loop, .serial_out = ignore_out, .serial_room = ignore_room};

	assert_int_equal(hv_vm_create(&hv, &f->machine.vm), 0);
	close(hv.engine_fd);
	devices.vm = f->machine.vm;
	assert_int_equal(vdev_machine_create(&devices, &f->machine.devices), 0);
	assert_int_equal(vdev_machine_finish(f->machine.devices), 0);
	f->machine.config = &f->config;
	f->machine.loop = f->loop;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_engine_init(&f->engine);
	vmm_config_init(&f->config);
	f->config.name = strdup("web");
	f->config.ram = 16 * MIB;
	assert_int_equal(loop_create(&f->loop), 0);
	build_machine(f);
	snprintf(f->path, sizeof(f->path), "/tmp/api_test.%d.sock", (int)getpid());
	int fd = rpc_listen(f->path);
	assert_true(fd >= 0);
	assert_int_equal(rpc_server_create(f->loop, fd, vmm_ctl_methods, &f->ctl, &f->server), 0);
	assert_int_equal(vmm_events_create(f->loop, "web", &f->events), 0);
	f->ctl = (struct vmm_ctl){.config = &f->config,
				  .machine = &f->machine,
				  .events = f->events,
				  .server = f->server};
	assert_int_equal(vmm_life_create(&f->config, f->loop, f->events, &f->ctl.life), 0);
	vmm_life_attach(f->ctl.life, &f->machine);
	assert_int_equal(hv_vm_start(f->machine.vm), 0);
	f->document = read_document();
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	hv_vm_end(f->machine.vm, HV_END_KILLED);
	hv_vm_wait(f->machine.vm);
	vmm_life_destroy(f->ctl.life);
	vmm_events_destroy(f->events);
	rpc_server_destroy(f->server);
	vdev_machine_destroy(f->machine.devices);
	hv_vm_destroy(f->machine.vm);
	loop_destroy(f->loop);
	vmm_config_finish(&f->config);
	fake_engine_finish(&f->engine);
	json_decref(f->document);
	unlink(f->path);
	free(f);
	return 0;
}

static const char *type_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return "string";
	case JSON_INTEGER:
		return "integer";
	case JSON_TRUE:
	case JSON_FALSE:
		return "boolean";
	case JSON_ARRAY:
		return "array";
	case JSON_OBJECT:
		return "object";
	default:
		return "other";
	}
}

static void check_object(const char *method, json_t *told, json_t *result)
{
	const char *key;
	json_t *value;

	assert_true(json_is_object(result));
	json_object_foreach (result, key, value) {
		char optional[64];

		snprintf(optional, sizeof(optional), "%s?", key);
		const json_t *type = json_object_get(told, key);
		type = type ? type : json_object_get(told, optional);
		if (!type || strcmp(json_string_value(type), type_of(value)) != 0)
			fail_msg("%s answers %s (%s), which is not what " DOCUMENT " tells", method,
				 key, type_of(value));
	}
	json_object_foreach (told, key, value)
		if (!strchr(key, '?') && !json_object_get(result, key))
			fail_msg("%s does not answer %s", method, key);
}

static void check(struct fixture *f, const char *name)
{
	json_t *told = json_object_get(json_object_get(f->document, name), "result");
	const struct rpc_method *m = vmm_ctl_methods;
	char error[RPC_ERROR_TEXT] = "";
	json_t *result = NULL, *params = json_object();

	while (m->name && strcmp(m->name, name) != 0)
		m++;
	int err = m->fn(&f->ctl, params, &result, error);
	if (err)
		fail_msg("%s: %d %s", name, err, error);
	if (json_is_null(told))
		assert_null(result);
	else if (json_is_array(told))
		assert_true(json_is_array(result));
	else
		check_object(name, told, result);
	json_decref(result);
	json_decref(params);
}

static void test_answers(void **state)
{
	static const char *const methods[] = {"status", "stat",	  "maps",	  "save-status",
					      "pause",	"status", "resume",	  "pause",
					      "stat",	"resume", "power-button", "quit"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		check(f, methods[i]);
}

/* The state is what the methods before have made of it. */
static void test_states(void **state)
{
	struct fixture *f = *state;
	char error[RPC_ERROR_TEXT];

	assert_string_equal(vmm_life_state(f->ctl.life), "running");
	assert_int_equal(vmm_life_pause(f->ctl.life, error), 0);
	assert_int_equal(vmm_life_pause(f->ctl.life, error), 0);
	assert_string_equal(vmm_life_state(f->ctl.life), "paused");
	assert_int_equal(vmm_life_resume(f->ctl.life, error), 0);
	assert_string_equal(vmm_life_state(f->ctl.life), "running");
	assert_int_equal(vmm_life_reset(f->ctl.life, error), -ENOTSUP); /* it has no kernel */
	assert_non_null(strstr(error, "kernel"));
	vmm_life_attach(f->ctl.life, NULL);
	assert_string_equal(vmm_life_state(f->ctl.life), "starting");
	assert_int_equal(vmm_life_pause(f->ctl.life, error), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_method),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
