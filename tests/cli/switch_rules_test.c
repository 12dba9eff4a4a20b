/* SPDX-License-Identifier: BSD-3-Clause */
/* switch_rules: texts and JSON of what holds at a port, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "cli/switch_rules.h"

static bool has(const struct nq_vlan_rules *vlan, unsigned v)
{
	return vlan->allowed[v / 64] >> (v % 64) & 1;
}

static void test_vlan_there_and_back(void **state)
{
	static const char *const texts[] = {"all",
					    "1",
					    "4094",
					    "tunnel:20",
					    "trunk:10",
					    "trunk:1-4094",
					    "trunk:10,20-29,4094",
					    "trunk:5,10,native=10",
					    "trunk:5,10,native-tagged=10"};
	char text[RULES_VLAN_TEXT];
	struct nq_vlan_rules vlan;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(rules_vlan_parse(texts[i], &vlan), 0);
		assert_string_equal(rules_vlan_format(&vlan, text), texts[i]);
	}
}

static void test_vlan_meaning(void **state)
{
	struct nq_vlan_rules vlan;

	(void)state;
	assert_int_equal(rules_vlan_parse("trunk:20-22", &vlan), 0);
	assert_int_equal(vlan.mode, NQ_VLAN_TRUNK);
	assert_int_equal(vlan.vlan, 0);
	assert_false(has(&vlan, 0)); /* frames without a tag have no place */
	assert_false(has(&vlan, 19));
	assert_true(has(&vlan, 20) && has(&vlan, 22));
	assert_false(has(&vlan, 23));
	assert_int_equal(rules_vlan_parse("trunk:all,native=7", &vlan), 0);
	assert_int_equal(vlan.vlan, 7);
	assert_true(has(&vlan, 1) && has(&vlan, 4094));
	assert_false(has(&vlan, 0) || has(&vlan, 4095));
	assert_int_equal(rules_vlan_parse("10", &vlan), 0);
	assert_int_equal(vlan.mode, NQ_VLAN_ACCESS);
	assert_int_equal(rules_vlan_parse("all", &vlan), 0);
	assert_true(has(&vlan, 0));
}

static void test_vlan_refused(void **state)
{
	static const char *const texts[] = {"",
					    "0",
					    "4095",
					    "ten",
					    "trunk:",
					    "trunk:0",
					    "trunk:20-10",
					    "trunk:10,",
					    "trunk:1-4095",
					    "trunk:10,native=0",
					    "trunk:native=1,native=2",
					    "tunnel:0",
					    "tunnel:",
					    "access:10"};
	struct nq_vlan_rules vlan = {.vlan = 77};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(rules_vlan_parse(texts[i], &vlan), -EINVAL);
	assert_int_equal(vlan.vlan, 77);
}

/* A list too long for its text is cut, and says so. */
static void test_vlan_long(void **state)
{
	char text[RULES_VLAN_TEXT], list[1024] = "trunk:";
	struct nq_vlan_rules vlan;

	(void)state;
	for (unsigned v = 1000; v < 1400; v += 2)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%u",
			 v > 1000 ? "," : "", v);
	assert_int_equal(rules_vlan_parse(list, &vlan), 0);
	rules_vlan_format(&vlan, text);
	assert_int_equal(strlen(text), RULES_VLAN_TEXT - 1);
	assert_string_equal(text + strlen(text) - 3, "...");
}

static void test_rules_there_and_back(void **state)
{
	json_t *json = json_pack(
		"{s:s,s:i,s:b,s:b,s:b,s:{s:i,s:i,s:i},s:i,s:i,s:i,s:i,s:s,s:s,s:[s],s:[s,s]}",
		"vlan", "10", "mac_limit", 4, "isolated", 1, "learn", 0, "unknown", 0, "storm",
		"broadcast", 1, "multicast", 2, "unknown", 3, "rate", 1000, "burst", 2000, "shape",
		3000, "shape_burst", 4000, "acl_in", "web", "acl_out", "", "macs",
		"02:00:00:00:00:01", "ips", "10.0.0.1", "fd00::1");
	struct nq_port_rules rules;
	char error[RULES_ERROR];

	(void)state;
	nq_port_rules_init(&rules);
	assert_int_equal(rules_decode(json, &rules, error), 0);
	assert_int_equal(rules.security.ip4[0], 0x0a000001);
	assert_string_equal(rules.acl_in, "web");
	assert_true(rules.no_learn && rules.no_unknown && rules.isolated);
	json_t *back = rules_encode(&rules);
	assert_true(json_equal(json, back));
	json_decref(back);
	json_decref(json);
}

static void test_rules_kept(void **state)
{
	json_t *json = json_pack("{s:i,s:{s:i}}", "rate", 5, "storm", "unknown", 9);
	struct nq_port_rules rules;
	char error[RULES_ERROR];

	(void)state;
	nq_port_rules_init(&rules);
	rules.mac_limit = 3;
	rules.storm.broadcast = 7;
	assert_int_equal(rules_decode(json, &rules, error), 0);
	assert_int_equal(rules.mac_limit, 3);
	assert_int_equal(rules.storm.broadcast, 7);
	assert_int_equal(rules.storm.unknown, 9);
	assert_int_equal(rules.rate_bytes, 5);
	json_decref(json);
}

static void test_rules_refused(void **state)
{
	static const char *const texts[] = {
		"[]",
		"{\"vlan\": 10}",
		"{\"vlan\": \"0\"}",
		"{\"speed\": 1}",
		"{\"rate\": -1}",
		"{\"rate\": \"1M\"}",
		"{\"mac_limit\": 4294967296}",
		"{\"isolated\": 1}",
		"{\"storm\": 5}",
		"{\"storm\": {\"all\": 5}}",
		"{\"macs\": [\"01:00:00:00:00:01\"]}",
		"{\"macs\": \"02:00:00:00:00:01\"}",
		"{\"ips\": [\"10.0.0.256\"]}",
		"{\"ips\": [1]}",
		"{\"ips\": [\"::\",\"::\",\"::\",\"::\",\"::\",\"::\",\"::\",\"::\",\"::\"]}"};
	struct nq_port_rules rules;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *json = json_loads(texts[i], 0, NULL);
		char error[RULES_ERROR] = "";

		assert_non_null(json);
		nq_port_rules_init(&rules);
		assert_int_equal(rules_decode(json, &rules, error), -EINVAL);
		assert_true(strlen(error) > 0);
		json_decref(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vlan_there_and_back),  cmocka_unit_test(test_vlan_meaning),
		cmocka_unit_test(test_vlan_refused),	     cmocka_unit_test(test_vlan_long),
		cmocka_unit_test(test_rules_there_and_back), cmocka_unit_test(test_rules_kept),
		cmocka_unit_test(test_rules_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
