/* SPDX-License-Identifier: BSD-3-Clause */
/* vmm_config: what goes out comes back the same, and whatever else comes in is refused by name. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cli/vmm_config.h"

static void fill(struct vmm_config *config)
{
	vmm_config_init(config);
	config->name = strdup("web");
	config->cpus = 2;
	config->pin[1] = 5;
	config->ram = 3 * GIB;
	config->pages = HV_PAGES_2M;
	config->restart = true;
	config->cmdline = strdup("console=ttyS0 \"quoted\" größe");
	config->record = json_pack("{s:[s],s:s}", "args", "--memory=3G", "cwd", "/");
	config->kernel = (struct vmm_file){.fd = 4, .name = strdup("/boot/vmlinuz")};
	config->engine_fd = 5;
	config->container_fd = 6;
	config->groups[0] = (struct vmm_group){.id = 12, .fd = 7};
	config->group_count = 1;
	config->devices[0] = (struct vmm_device){
		.name = strdup("vf e/0 (0000:01:10.0)"), .bdf = {0, 1, 16, 0}, .group = 12};
	config->device_count = 1;
	config->disks[0] = (struct vmm_disk){
		.file = {.fd = 12, .name = strdup("/srv/a.img")},
		.serial = strdup("S1"),
		.read_only = true,
		.queues = 3,
		.iops = 100,
		.bps = 5 * GIB,
	};
	config->disks[1] = (struct vmm_disk){
		.file = {.fd = -1, .name = strdup("/srv/b.qcow2")},
		.socket = strdup("/run/b.sock"),
		.life_fd = 13,
		.serial = strdup(""),
		.queues = 1,
	};
	config->disk_count = 2;
	config->share_ram = true;
	config->nets[0].tap_name = strdup("web-n0");
	config->nets[0].socket = strdup("/run/port");
	config->nets[0].listen_fd = 14;
	config->nets[0].mac[0] = 2;
	config->nets[0].mtu = 9000;
	config->nets[0].pairs = 2;
	config->nets[0].packed = true;
	config->nets[1].tap_name = strdup("web-n1");
	config->nets[1].mac[0] = 2;
	config->nets[1].mtu = 1500;
	config->nets[1].pairs = 1;
	config->nets[1].tap[0] = 15;
	config->nets[1].e1000e = true;
	config->net_count = 2;
	config->ctl_fd = 8;
	config->console_fd = 9;
	config->report_fd = 10;
	config->lock_fd = 11;
}

static json_t *good(void)
{
	struct vmm_config config;

	fill(&config);
	json_t *json = vmm_config_encode(&config);
	vmm_config_finish(&config);
	assert_non_null(json);
	return json;
}

static void test_round_trip(void **state)
{
	json_t *json = good(), *again;
	struct vmm_config config;
	char error[128];

	(void)state;
	assert_int_equal(vmm_config_decode(json, &config, error, sizeof(error)), 0);
	assert_string_equal(config.name, "web");
	assert_string_equal(config.cmdline, "console=ttyS0 \"quoted\" größe");
	assert_int_equal(config.cpus, 2);
	assert_int_equal(config.pin[0], -1);
	assert_int_equal(config.pin[1], 5);
	assert_int_equal(config.ram, 3 * GIB);
	assert_int_equal(config.pages, HV_PAGES_2M);
	assert_true(config.restart);
	assert_false(config.kaslr);
	assert_int_equal(config.kernel.fd, 4);
	assert_int_equal(config.initrd.fd, -1);
	assert_int_equal(config.cache_fd, -1);
	assert_int_equal(config.devices[0].bdf.dev, 16);
	assert_int_equal(config.disks[0].file.fd, 12);
	assert_string_equal(config.disks[0].serial, "S1");
	assert_true(config.disks[0].read_only);
	assert_int_equal(config.disks[0].queues, 3);
	assert_int_equal(config.disks[0].bps, 5 * GIB);
	assert_null(config.disks[0].socket);
	assert_int_equal(config.disks[0].life_fd, -1);
	assert_string_equal(config.disks[1].socket, "/run/b.sock");
	assert_int_equal(config.disks[1].file.fd, -1);
	assert_int_equal(config.disks[1].life_fd, 13);
	assert_true(config.share_ram);
	assert_string_equal(config.nets[0].socket, "/run/port");
	assert_int_equal(config.nets[0].listen_fd, 14);
	assert_int_equal(config.nets[0].pairs, 2);
	assert_int_equal(config.nets[0].mtu, 9000);
	assert_true(config.nets[0].packed);
	assert_int_equal(config.nets[0].tap[0], -1);
	assert_int_equal(config.nets[1].tap[0], 15);
	assert_int_equal(config.nets[1].vhost[0], -1);
	assert_true(config.nets[1].e1000e);
	again = vmm_config_encode(&config);
	assert_true(json_equal(json, again));
	vmm_config_finish(&config);
	json_decref(json);
	json_decref(again);
}

static void expect_refused(json_t *json, const char *key)
{
	struct vmm_config config;
	char error[128] = "";

	assert_int_equal(vmm_config_decode(json, &config, error, sizeof(error)), -EINVAL);
	if (strncmp(error, key, strlen(key)) != 0)
		fail_msg("%s: %s", key, error);
	json_decref(json);
}

static void test_unknown(void **state)
{
	json_t *json = good();

	(void)state;
	json_object_set_new(json, "colour", json_string("red"));
	expect_refused(json, "colour: unknown key");
	json = good();
	json_object_set_new(json, "version", json_integer(VMM_CONFIG_VERSION + 1));
	expect_refused(json, "version");
	expect_refused(json_object(), "version");
	expect_refused(json_array(), "version");
	expect_refused(json_null(), "version");
}

static void test_missing(void **state)
{
	static const char *const required[] = {
		"name",	  "cpus",      "ram",	 "pages",      "kaslr",	    "restart", "cmdline",
		"kernel", "engine_fd", "ctl_fd", "console_fd", "report_fd", "lock_fd"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		json_t *json = good();
		json_object_del(json, required[i]);
		expect_refused(json, required[i]);
	}
}

/* What is saved needs no kernel to go on with. */
static void test_restored(void **state)
{
	json_t *json = good();
	struct vmm_config config;
	char error[128];

	(void)state;
	json_object_del(json, "kernel");
	json_object_set_new(json, "restore", json_pack("{s:i,s:s}", "fd", 20, "name", "web.vm"));
	assert_int_equal(vmm_config_decode(json, &config, error, sizeof(error)), 0);
	assert_int_equal(config.kernel.fd, -1);
	assert_int_equal(config.restore.fd, 20);
	assert_string_equal(config.restore.name, "web.vm");
	assert_string_equal(json_string_value(json_object_get(config.record, "cwd")), "/");
	vmm_config_finish(&config);
	json_object_set_new(json, "record", json_string("vm run"));
	expect_refused(json, "record");
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *key, *value;
	} bad[] = {
		{"name", "\"../etc\""},
		{"name", "\"\""},
		{"name", "7"},
		{"cpus", "0"},
		{"cpus", "65"},
		{"cpus", "-1"},
		{"cpus", "\"2\""},
		{"ram", "-4096"},
		{"pages", "\"3m\""},
		{"kaslr", "1"},
		{"pin", "[]"},
		{"pin", "[-2]"},
		{"kernel", "{\"fd\":4}"},
		{"kernel", "{\"fd\":-1,\"name\":\"k\"}"},
		{"kernel", "{\"fd\":4,\"name\":\"k\",\"mode\":1}"},
		{"engine_fd", "-1"},
		{"engine_fd", "99999999999"},
		{"groups", "[{\"id\":12}]"},
		{"groups", "{}"},
		{"devices", "[{\"name\":\"d\",\"bdf\":\"nonsense\",\"group\":12}]"},
		{"devices", "[{\"name\":\"d\",\"bdf\":\"0000:01:10.0\",\"group\":13}]"},
		{"container_fd", "null"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *json = good();
		json_object_set_new(json, bad[i].key,
				    json_loads(bad[i].value, JSON_DECODE_ANY, NULL));
		expect_refused(json, bad[i].key);
	}
}

static void test_too_many(void **state)
{
	json_t *json = good(), *groups = json_array();

	(void)state;
	for (int i = 0; i <= VMM_DEVICES_MAX; i++)
		json_array_append_new(groups, json_pack("{s:i,s:i}", "id", i, "fd", i));
	json_object_set_new(json, "groups", groups);
	expect_refused(json, "groups");
}

static void test_names(void **state)
{
	static const char *const bad[] = {"", ".", "..", "-x", "a/b", "a b", "ä", "_x"};
	char longest[VMM_NAME_MAX + 1];

	(void)state;
	assert_true(vmm_name_valid("web-1.example_x"));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(vmm_name_valid(bad[i]));
	memset(longest, 'a', VMM_NAME_MAX);
	longest[VMM_NAME_MAX] = '\0';
	assert_false(vmm_name_valid(longest));
	longest[VMM_NAME_MAX - 1] = '\0';
	assert_true(vmm_name_valid(longest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_missing),	   cmocka_unit_test(test_restored),
		cmocka_unit_test(test_bad_values), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("vmm_config", tests, NULL, NULL);
}
