/* SPDX-License-Identifier: BSD-3-Clause */
/* net_spec_test: what `--net` takes and refuses, and the names and addresses made up by it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cli/net_spec.h"

static void test_good(void **state)
{
	static const uint8_t mac[6] = {2, 0, 0, 0, 0, 0x1f};
	char why[NET_SPEC_WHY];
	struct net_spec spec;

	(void)state;
	assert_int_equal(net_spec_parse("tap", &spec, why), 0);
	assert_string_equal(spec.tap, "");
	assert_string_equal(spec.bridge, "");
	assert_int_equal(spec.queues, 1);
	assert_int_equal(spec.mtu, 0);
	assert_int_equal(spec.backend, NET_BACKEND_ANY);
	assert_false(spec.has_mac);
	assert_int_equal(
		net_spec_parse("tap=tap0,mac=02:00:00:00:00:1f,queues=16,backend=user", &spec, why),
		0);
	assert_string_equal(spec.tap, "tap0");
	assert_true(spec.has_mac);
	assert_memory_equal(spec.mac, mac, 6);
	assert_int_equal(spec.queues, 16);
	assert_int_equal(spec.backend, NET_BACKEND_USER);
	assert_false(spec.standby);
	assert_int_equal(net_spec_parse("tap,standby=on", &spec, why), 0);
	assert_true(spec.standby);
	assert_false(spec.e1000e);
	assert_int_equal(net_spec_parse("tap=t,model=e1000e,backend=user", &spec, why), 0);
	assert_true(spec.e1000e);
	assert_int_equal(net_spec_parse("tap,model=virtio", &spec, why), 0);
	assert_false(spec.e1000e);
	assert_int_equal(net_spec_parse("tap,bridge=br0,mtu=9000,backend=vhost", &spec, why), 0);
	assert_string_equal(spec.bridge, "br0");
	assert_int_equal(spec.mtu, 9000);
	assert_int_equal(spec.backend, NET_BACKEND_VHOST);
	assert_int_equal(net_spec_parse("vhost-user=/run/p0,queues=2,mtu=9000,server,packed,"
					"mac=02:00:00:00:00:1f",
					&spec, why),
			 0);
	assert_string_equal(spec.socket, "/run/p0");
	assert_int_equal(spec.queues, 2);
	assert_int_equal(spec.mtu, 9000);
	assert_true(spec.server && spec.packed && spec.has_mac);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *why;
	} bad[] = {
		{"", "not of the form"},
		{"tapir", "not of the form"},
		{"user", "not of the form"},
		{"tap=", "no name"},
		{"tap=interfacetoolong", "no name"},
		{"tap=a/b", "no name"},
		{"tap=..", "no name"},
		{"tap,", "not KEY=VALUE"},
		{"tap,mac", "not KEY=VALUE"},
		{"tap,mac=02:00:00", "mac"},
		{"tap,mac=01:00:5e:00:00:01", "multicast"},
		{"tap,mac=00:00:00:00:00:00", "nor zero"},
		{"tap,standby=maybe", "neither on nor off"},
		{"tap,model=rtl8139", "neither virtio nor e1000e"},
		{"tap,model=e1000e,queues=2", "queues: not with model=e1000e"},
		{"tap,model=e1000e,backend=vhost", "not with model=e1000e"},
		{"tap,model=e1000e,standby=on", "not with model=e1000e"},
		{"tap,model=e1000e,mtu=9217", "mtu"},
		{"vhost-user=/run/x,model=e1000e", "not with model=e1000e"},
		{"tap,queues=0", "from 1 to 16"},
		{"tap,queues=17", "from 1 to 16"},
		{"tap,queues=-1", "from 1 to 16"},
		{"tap,queues=two", "from 1 to 16"},
		{"tap,mtu=67", "mtu"},
		{"tap,mtu=65536", "mtu"},
		{"tap,backend=kernel", "neither vhost nor user"},
		{"tap,bridge=", "no name"},
		{"tap,server", "server: not for a tap"},
		{"tap,packed", "packed: not for a tap"},
		{"vhost-user=", "not a path"},
		{"vhost-user=/x,bridge=br0", "bridge: not for a port"},
		{"vhost-user=/x,tap=tap0", "tap: not for a port"},
		{"vhost-user=/x,backend=user", "backend: not for a port"},
		{"vhost-user=/x,client", "not KEY=VALUE"},
		{"tap,speed=10", "unknown setting 'speed'"},
		{"tap=tap0,bridge=br0", "is yours"},
		{"tap=tap0,mtu=1400", "is yours"},
		{"tap,mac=0200000000000000000000000000000000000000000000000000000000000000000",
		 "too long"},
	};
	char why[NET_SPEC_WHY];
	struct net_spec spec;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(net_spec_parse(bad[i].text, &spec, why), -EINVAL);
		if (!strstr(why, bad[i].why))
			fail_msg("%s: %s", bad[i].text, why);
	}
}

static void test_made_up(void **state)
{
	char name[IFNAMSIZ], other[IFNAMSIZ];
	uint8_t a[6], b[6];

	(void)state;
	net_spec_mac("web", 0, a);
	net_spec_mac("web", 0, b);
	assert_memory_equal(a, b, 6);
	assert_int_equal(a[0], 2);
	net_spec_mac("web", 1, b);
	assert_memory_not_equal(a, b, 6);
	net_spec_mac("wec", 0, b);
	assert_memory_not_equal(a, b, 6);
	net_spec_tap("web", 0, name);
	assert_string_equal(name, "web-n0");
	/* names that begin alike and are too long */
	net_spec_tap("a-name-for-a-machine-1", 3, name);
	net_spec_tap("a-name-for-a-machine-2", 3, other);
	assert_string_not_equal(name, other);
	assert_true(strlen(name) < IFNAMSIZ);
	assert_int_equal(strncmp(name, "a-name", 6), 0);
	assert_string_equal(name + strlen(name) - 3, "-n3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_made_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
