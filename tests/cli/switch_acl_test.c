/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_acl: access lists as JSON, there and back; what is refused is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/switch_acl.h"

static int decode(const char *text, struct nq_acl *acl, char error[RPC_ERROR_TEXT])
{
	json_t *json = json_loads(text, 0, NULL);

	error[0] = '\0';
	assert_non_null(json);
	int err = switch_acl_decode("list", json, acl, error);
	json_decref(json);
	return err;
}

static void test_fields(void **state)
{
	char error[RPC_ERROR_TEXT];
	struct nq_acl acl;

	(void)state;
	assert_int_equal(
		decode("{\"rest\": \"deny\", \"rules\": ["
		       "{\"name\": \"web\", \"action\": \"allow\", \"protocol\": \"tcp\","
		       " \"from\": \"10.0.0.0/8\", \"to\": \"10.1.2.3\", \"from_port\": \"1024-65535\","
		       " \"to_port\": 80, \"tcp_flags\": \"2/0x12\", \"vlan\": 10},"
		       "{\"action\": \"deny\", \"type\": \"0x0806\","
		       " \"from_mac\": \"02:00:00:00:00:01\","
		       " \"to_mac\": \"01:00:5e:00:00:00/ff:ff:ff:80:00:00\"},"
		       "{\"action\": \"deny\", \"ip\": 6, \"protocol\": 58}]}",
		       &acl, error),
		0);
	assert_true(acl.deny_rest);
	assert_int_equal(acl.count, 3);
	const struct nq_acl_rule *r = acl.rules;
	assert_string_equal(r[0].name, "web");
	assert_false(r[0].deny);
	assert_int_equal(r[0].family, 4);
	assert_int_equal(r[0].from_bits, 8);
	assert_int_equal(r[0].to_bits, 32);
	assert_int_equal(r[0].from_port[0], 1024);
	assert_int_equal(r[0].from_port[1], 65535);
	assert_int_equal(r[0].to_port[1], 80);
	assert_int_equal(r[0].tcp_mask, 0x12);
	assert_true(r[0].has_vlan && r[0].vlan == 10);
	assert_int_equal(r[1].type, 0x806);
	assert_int_equal(r[1].to_mac_mask[3], 0x80);
	assert_int_equal(r[1].from_mac_mask[5], 0xff);
	assert_int_equal(r[1].from_port[1], 65535);
	assert_int_equal(r[2].family, 6);
	assert_int_equal(r[2].protocol, 58);
	json_t *json = switch_acl_encode(&acl);
	struct nq_acl again;
	assert_int_equal(switch_acl_decode("list", json, &again, error), 0);
	assert_memory_equal(again.rules, acl.rules, 3 * sizeof(*acl.rules));
	json_decref(json);
	free((struct nq_acl_rule *)again.rules);
	free((struct nq_acl_rule *)acl.rules);
}

static void test_refused(void **state)
{
	static const struct {
		const char *json, *says;
	} cases[] = {
		{"{}", "a list of at most"},
		{"{\"rules\": 1}", "a list of at most"},
		{"{\"rules\": [], \"rest\": \"drop\"}", "rest: allow or deny"},
		{"{\"rules\": [], \"default\": \"deny\"}", "default: rest or rules"},
		{"{\"rules\": [1]}", "rule 1"},
		{"{\"rules\": [{\"name\": \"x\"}]}", "rule 1, x: action"},
		{"{\"rules\": [{\"action\": \"maybe\"}]}", "action: allow or deny"},
		{"{\"rules\": [{\"action\": \"deny\", \"form\": \"10.0.0.1\"}]}",
		 "form: no such field"},
		{"{\"rules\": [{\"action\": \"deny\", \"from\": \"10.0.0.1/8\"}]}",
		 "from: an address"},
		{"{\"rules\": [{\"action\": \"deny\", \"from\": \"10.0.0.0/33\"}]}",
		 "from: an address"},
		{"{\"rules\": [{\"action\": \"deny\", \"from\": \"10.0.0.1\", \"to\": \"fd00::1\"}]}",
		 "to: an address of the same IP version"},
		{"{\"rules\": [{\"action\": \"deny\", \"to_port\": \"80-79\"}]}",
		 "to_port: a port"},
		{"{\"rules\": [{\"action\": \"deny\", \"to_port\": 65536}]}", "to_port: a port"},
		{"{\"rules\": [{\"action\": \"deny\", \"protocol\": \"tpc\"}]}", "protocol: tcp"},
		{"{\"rules\": [{\"action\": \"deny\", \"vlan\": 4095}]}", "vlan: a VLAN"},
		{"{\"rules\": [{\"action\": \"deny\", \"type\": \"5\"}]}", "type: an EtherType"},
		{"{\"rules\": [{\"action\": \"deny\", \"from_mac\": \"02:00\"}]}",
		 "from_mac: an address"},
		{"{\"rules\": [{\"action\": \"deny\", \"tcp_flags\": \"2\"}]}",
		 "tcp_flags: VALUE/MASK"},
	};
	char error[RPC_ERROR_TEXT];
	struct nq_acl acl;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(decode(cases[i].json, &acl, error), -EINVAL);
		assert_null(acl.rules);
		if (!strstr(error, cases[i].says))
			fail_msg("%s: %s", cases[i].json, error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
