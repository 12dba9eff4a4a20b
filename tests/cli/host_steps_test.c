/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_steps_test: what a host file calls for, on a host of folders: a switch that has kept a
 * configuration and whose lock this test holds, and definitions of VMs.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "cli/host_steps.h"
#include "cli/vm_def.h"

struct host {
	char dir[64], run[80], state[80];
	int lock; /* of the switch that runs; -1: none does */
	struct cli cli;
};

static void write_text(const char *dir, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static int set_up(void **state)
{
	struct host *h = calloc(1, sizeof(*h));
	char path[128];

	strcpy(h->dir, "/tmp/sluice-host-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	snprintf(h->run, sizeof(h->run), "%s/run", h->dir);
	snprintf(h->state, sizeof(h->state), "%s/state", h->dir);
	snprintf(path, sizeof(path), "%s/switch", h->run);
	assert_int_equal(mkdir(h->run, 0755) | mkdir(h->state, 0755) | mkdir(path, 0755), 0);
	h->lock = -1;
	h->cli = (struct cli){.run_dir = h->run,
			      .state_dir = h->state,
			      .sysfs = "/sys",
			      .root = h->dir,
			      .fs = {.root = -1}};
	*state = h;
	return 0;
}

static int tear_down(void **state)
{
	struct host *h = *state;
	char command[128];

	cli_sriov_close(&h->cli);
	io_close(&h->lock);
	snprintf(command, sizeof(command), "rm -rf %s", h->dir);
	assert_int_equal(system(command), 0);
	free(h);
	return 0;
}

static void switch_is(struct host *h, const char *config)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/switch", h->run);
	write_text(path, "config.json", config);
	snprintf(path, sizeof(path), "%s/switch/lock", h->run);
	h->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(flock(h->lock, LOCK_EX), 0);
}

/* The steps as text, "NAME WHAT AFTER EFFECT" each; allocated. */
static char *steps_of(struct host *h, const char *yaml)
{
	struct host_steps steps = {0};
	struct host_file *file;
	char path[128], *text = NULL;
	size_t len;

	write_text(h->dir, "host.yaml", yaml);
	snprintf(path, sizeof(path), "%s/host.yaml", h->dir);
	assert_int_equal(host_file_read(path, &file), 0);
	assert_int_equal(host_switch_steps(&h->cli, host_file_switch(file), &steps), 0);
	assert_int_equal(host_vms_steps(&h->cli, file, &steps), 0);
	FILE *out = open_memstream(&text, &len);
	for (size_t i = 0; i < steps.count; i++) {
		static const char *const keys[] = {"name", "what", "after", "effect"};
		for (size_t k = 0; k < 4; k++) {
			const char *word =
				json_string_value(json_object_get(steps.list[i].row, keys[k]));
			fprintf(out, "%s%s", k ? " " : "", word ? word : "-");
		}
		fputc('\n', out);
	}
	fclose(out);
	host_steps_free(&steps);
	host_file_free(file);
	return text;
}

static void expect(struct host *h, const char *yaml, const char *wanted)
{
	char *steps = steps_of(h, yaml);

	assert_string_equal(steps, wanted);
	free(steps);
}

#define SWITCH                                                                  \
	"version: 1\nswitch:\n  bridges: [{name: br0, ageing: 60}]\n  ports:\n" \
	"    - {name: web, bridge: br0, to: tap:sw0, vlan: 10}\n"
#define CONFIG                                                                                      \
	"{\"start\": {\"memory\": 256}, \"bridges\": [{\"name\": \"br0\", \"ageing\": 60, "         \
	"\"mac_limit\": 0}], \"ports\": [{\"name\": \"web\", \"bridge\": \"br0\", \"kind\": "       \
	"\"tap\", \"where\": \"sw0\", \"server\": false, \"queues\": 1, \"mtu\": 1500, \"rules\": " \
	"{\"vlan\": \"10\"}}]}"

static void test_switch_from_nothing(void **state)
{
	expect(*state, SWITCH,
	       "switch state running safe\nbridge br0 bridge there safe\nport web port tap:sw0 safe\n");
}

static void test_switch_as_wished(void **state)
{
	switch_is(*state, CONFIG);
	expect(*state, SWITCH, "");
	/* A file without that section has nothing to say about it. */
	expect(*state, "version: 1\n", "");
}

/* Rules change under traffic; another end is another port. */
static void test_port_changes(void **state)
{
	switch_is(*state, CONFIG);
	expect(*state, SWITCH "      # nothing\n", "");
	expect(*state,
	       "version: 1\nswitch:\n  bridges: [{name: br0}]\n  ports:\n"
	       "    - {name: web, bridge: br0, to: tap:sw0, vlan: 20}\n",
	       "port web rules {\"vlan\":\"20\"} safe\n");
	expect(*state,
	       "version: 1\nswitch:\n  bridges: [{name: br0}]\n  ports:\n"
	       "    - {name: web, bridge: br0, to: tap:sw1, vlan: 10}\n",
	       "port web port none disruptive\nport web port tap:sw1 safe\n");
}

/* What the file does not name goes: ports before their bridge, a mirror before its port. */
static void test_switch_removals(void **state)
{
	switch_is(
		*state,
		"{\"start\": {}, \"bridges\": [{\"name\": \"a\"}, {\"name\": \"b\"}], \"ports\": "
		"[{\"name\": \"p\", \"bridge\": \"b\", \"kind\": \"null\"}, {\"name\": \"q\", "
		"\"bridge\": \"b\", \"kind\": \"null\"}], \"mirrors\": [{\"from\": \"p\", \"to\": "
		"\"q\"}]}");
	expect(*state, "version: 1\nswitch:\n  bridges: [{name: a}]\n",
	       "port p mirror none safe\nport p port none disruptive\nport q port none disruptive\n"
	       "bridge b bridge none disruptive\n");
}

static void test_switch_restart(void **state)
{
	switch_is(*state, CONFIG);
	expect(*state, SWITCH "  memory: 512M\n",
	       "switch start options as in the file disruptive\n");
}

/* Does what the steps of the VMs say, but for starts. */
static void define(struct host *h, const char *yaml)
{
	struct host_steps steps = {0};
	struct host_file *file;
	char path[128];

	write_text(h->dir, "host.yaml", yaml);
	snprintf(path, sizeof(path), "%s/host.yaml", h->dir);
	assert_int_equal(host_file_read(path, &file), 0);
	assert_int_equal(host_vms_steps(&h->cli, file, &steps), 0);
	for (size_t i = 0; i < steps.count; i++)
		if (strcmp(json_string_value(json_object_get(steps.list[i].row, "what")), "state"))
			assert_int_equal(steps.list[i].run(&h->cli, &steps.list[i]), 0);
	host_steps_free(&steps);
	host_file_free(file);
}

#define VM(name, more) "  - name: " name "\n    firmware: bios\n    disk: /srv/" name ".img\n" more

static void test_vms(void **state)
{
	struct host *h = *state;

	expect(h, "version: 1\nvms:\n" VM("web", "    autostart: yes\n") VM("db", ""),
	       "vm db definition as in the file safe\nvm web definition as in the file safe\n"
	       "vm web state running safe\n");
	define(h, "version: 1\nvms:\n" VM("web", "    autostart: yes\n") VM("db", ""));
	expect(h, "version: 1\nvms:\n" VM("web", "") VM("db", ""),
	       "vm web definition as in the file safe\n");
	expect(h, "version: 1\nvms:\n" VM("db", "    memory: 1G\n"),
	       "vm web definition none safe\nvm db definition as in the file safe\n");
	expect(h, "version: 1\n", "");
}

/* A VM that a person defined is none of the file's business. */
static void test_vms_of_others(void **state)
{
	struct host *h = *state;
	json_t *record = json_pack("{s:[s],s:s}", "args", "--firmware=bios", "cwd", "/");

	assert_int_equal(vm_def_store(&h->cli, "mine", record), 0);
	json_decref(record);
	define(h, "version: 1\nvms:\n" VM("web", ""));
	expect(h, "version: 1\nvms: []\n", "vm web definition none safe\n");
	define(h, "version: 1\nvms: []\n");
	assert_true(vm_def_known(&h->cli, "mine"));
	assert_false(vm_def_known(&h->cli, "web"));
}

/* What is exported calls for nothing. */
static void test_export(void **state)
{
	struct host *h = *state;
	json_t *root = json_pack("{s:i}", "version", 1);
	char *text = NULL;
	size_t len;

	switch_is(h, CONFIG);
	define(h, "version: 1\nvms:\n" VM("web", "    rng: yes\n    net: [tap, tap]\n"));
	json_object_set_new(root, "switch", host_switch_export(&h->cli));
	json_object_set_new(root, "vms", host_vms_export(&h->cli));
	FILE *out = open_memstream(&text, &len);
	assert_int_equal(yaml_write(out, root), 0);
	fclose(out);
	expect(h, text, "");
	json_decref(root);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_switch_from_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_switch_as_wished, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_port_changes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_switch_removals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_switch_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vms, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_vms_of_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_export, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
