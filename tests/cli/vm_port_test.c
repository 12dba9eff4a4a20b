/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_port: the words of vm attach --port, and which sockets are a VM's own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/vm_port.h"

static void test_words(void **state)
{
	struct vm_port_spec spec;
	char why[VM_PORT_WHY];

	(void)state;
	assert_int_equal(vm_port_parse("br0", &spec, why), 0);
	assert_string_equal(spec.bridge, "br0");
	assert_int_equal(spec.queues, 1);
	assert_string_equal(spec.vlan, "");
	assert_false(spec.has_mac);
	assert_int_equal(vm_port_parse("br0,vlan=10,queues=4,mac=02:00:00:00:00:07", &spec, why),
			 0);
	assert_string_equal(spec.vlan, "10");
	assert_int_equal(spec.queues, 4);
	assert_true(spec.has_mac);
	assert_int_equal(spec.mac[5], 7);
	assert_int_equal(vm_port_parse("br0,vlan=trunk:10:20-29:native=10", &spec, why), 0);
	assert_string_equal(spec.vlan, "trunk:10,20-29,native=10");
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "no name of a bridge"},
		{",vlan=1", "no name of a bridge"},
		{"a-bridge-whose-name-is-longer-than-a-name", "no name of a bridge"},
		{"br0,vlan=4095", "vlan '4095'"},
		{"br0,vlan=trunk:", "vlan 'trunk:'"},
		{"br0,queues=0", "queues '0'"},
		{"br0,queues=17", "queues '17'"},
		{"br0,mac=01:00:00:00:00:01", "mac "},
		{"br0,speed=10", "unknown setting 'speed'"},
		{"br0,server", "unknown setting 'server'"},
	};
	struct vm_port_spec spec;
	char why[VM_PORT_WHY], text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(vm_port_parse(bad[i].text, &spec, why), -EINVAL);
		assert_non_null(strstr(why, bad[i].why));
	}
	memset(text, 'a', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(vm_port_parse(text, &spec, why), -EINVAL);
}

static void test_owns(void **state)
{
	struct cli cli = {0};
	char socket[CLI_PATH];

	(void)state;
	setenv("SLUICE_RUN_DIR", "/tmp/run", 1);
	assert_int_equal(cli_run_path(&cli, socket, "vm/web/web-p0.sock"), 0);
	assert_true(vm_port_owns(&cli, "web", socket));
	assert_false(vm_port_owns(&cli, "we", socket));
	assert_false(vm_port_owns(&cli, "webb", socket));
	assert_false(vm_port_owns(&cli, "web", "/run/web.sock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_owns),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
