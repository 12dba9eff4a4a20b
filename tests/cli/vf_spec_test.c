/* SPDX-License-Identifier: BSD-3-Clause */
/* vf_spec, and the other small languages of `vm run`: memory and pins. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cli/args.h"
#include "cli/vf_spec.h"
#include "cli/vm_request.h"

static void test_good(void **state)
{
	struct vf_spec spec;

	(void)state;
	assert_int_equal(vf_spec_parse("test", "ens1f0", &spec), 0);
	assert_string_equal(spec.vf, "ens1f0");
	assert_int_equal(spec.attrs.set, 0);
	assert_int_equal(vf_spec_parse("test", "0000:01:00.0/3", &spec), 0);
	assert_string_equal(spec.vf, "0000:01:00.0/3");
	assert_int_equal(vf_spec_parse("test",
				       "0000:01:00.0/3:mac=02:00:00:00:00:0a,vlan=100,qos=3,"
				       "spoof-check=off,trust=on,max-rate=1000,min-rate=10",
				       &spec),
			 0);
	assert_string_equal(spec.vf, "0000:01:00.0/3");
	assert_int_equal(spec.attrs.set,
			 SRIOV_MAC | SRIOV_VLAN | SRIOV_SPOOF | SRIOV_TRUST | SRIOV_RATE);
	assert_int_equal(spec.attrs.mac[5], 10);
	assert_int_equal(spec.attrs.vlan, 100);
	assert_int_equal(spec.attrs.qos, 3);
	assert_false(spec.attrs.spoof_check);
	assert_true(spec.attrs.trust);
	assert_int_equal(spec.attrs.max_rate, 1000);
	assert_int_equal(spec.attrs.min_rate, 10);
}

/* What a setting may be is tested with the settings (sriov/attr_test.c). */
static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		":mac=02:00:00:00:00:01",
		"e/0:mac=02:00:00",
		"e/0:vlan=4095",
		"e/0:qos=3",
		"e/0:colour=red",
		"e/0:mac=02:00:00:00:00:01,vlan",
		"e/0:mac=02:00:00:00:00:01,,",
		"e/0:min-rate=10,max-rate=5",
		"a-name-that-is-far-too-long-for-any-interface-or-address-of-a-device/0",
		"e/0:mac=0123456789012345678901234567890123456789012345678901234567890123",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vf_spec spec;
		if (vf_spec_parse("test", bad[i], &spec) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
}

/* `vf set` has an option for every setting there is. */
static void test_options(void **state)
{
	const struct cli_command *set = cli_commands;
	size_t count;

	(void)state;
	while (strcmp(set->noun, "vf") != 0 || strcmp(set->verb, "set") != 0)
		set++;
	for (const struct sriov_attr_info *row = sriov_attr_table(&count); count--; row++) {
		char name[32];
		const struct cli_option *option = set->options;
		snprintf(name, sizeof(name), "--%s%s", row->bit == SRIOV_RATE ? "max-" : "",
			 row->name);
		while (option->name && strcmp(option->name, name) != 0)
			option++;
		if (!option->name)
			fail_msg("no option %s", name);
	}
}

static void test_encode(void **state)
{
	struct sriov_attrs attrs = {.set = SRIOV_MAC | SRIOV_TRUST, .mac = {2, 0, 0, 0, 0, 1}};
	json_t *json = vf_spec_encode(&attrs);

	(void)state;
	assert_int_equal(json_object_size(json), 2);
	assert_string_equal(json_string_value(json_object_get(json, "mac")), "02:00:00:00:00:01");
	assert_true(json_is_false(json_object_get(json, "trust")));
	json_decref(json);
	attrs = (struct sriov_attrs){.set = SRIOV_VLAN | SRIOV_RATE | SRIOV_LINK_STATE | SRIOV_MSIX,
				     .vlan = 100,
				     .qos = 3,
				     .vlan_proto = 0x88a8,
				     .max_rate = 1000,
				     .link_state = SRIOV_LINK_DISABLE,
				     .msix = 12};
	json = vf_spec_encode(&attrs);
	assert_int_equal(json_integer_value(json_object_get(json, "vlan")), 100);
	assert_int_equal(json_integer_value(json_object_get(json, "qos")), 3);
	assert_string_equal(json_string_value(json_object_get(json, "vlan_proto")), "802.1ad");
	assert_int_equal(json_integer_value(json_object_get(json, "max_rate")), 1000);
	assert_int_equal(json_integer_value(json_object_get(json, "min_rate")), 0);
	assert_string_equal(json_string_value(json_object_get(json, "link_state")), "disable");
	assert_int_equal(json_integer_value(json_object_get(json, "msix")), 12);
	assert_int_equal(json_object_size(json), 7);
	json_decref(json);
}

static void test_memory(void **state)
{
	static const char *const bad[] = {"",
					  "12Q",
					  "1K",
					  "17T",
					  "64M,",
					  "64M,pages=3m",
					  "64M,pages=2m,",
					  "63M,pages=2m",
					  "512M,pages=1g",
					  "-1G",
					  "1G,huge",
					  "1G,max=1G",
					  "1G,max=",
					  "1G,max=4097M",
					  "2G,max=4G,pages=2m"};
	enum hv_pages pages = HV_PAGES_THP;
	char why[VF_SPEC_WHY];
	bool share = false;
	uint64_t ram, max;

	(void)state;
	assert_int_equal(vm_request_memory("512M", &ram, &max, &pages, &share, why), 0);
	assert_int_equal(ram, 512 * MIB);
	assert_int_equal(pages, HV_PAGES_THP);
	assert_int_equal(vm_request_memory("2G,pages=1g", &ram, &max, &pages, &share, why), 0);
	assert_int_equal(pages, HV_PAGES_1G);
	assert_int_equal(max, 0);
	assert_int_equal(vm_request_memory("512M,max=2G,pages=4k", &ram, &max, &pages, &share, why),
			 0);
	assert_int_equal(max, 2 * GIB);
	assert_int_equal(pages, HV_PAGES_4K);
	assert_false(share);
	assert_int_equal(vm_request_memory("2G,share,pages=2m", &ram, &max, &pages, &share, why),
			 0);
	assert_int_equal(pages, HV_PAGES_2M);
	assert_true(share);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why[0] = '\0';
		assert_int_equal(vm_request_memory(bad[i], &ram, &max, &pages, &share, why),
				 -EINVAL);
		assert_non_null(strstr(why, "memory"));
	}
}

static void test_pin(void **state)
{
	static const char *const bad[] = {"0",	  "0:",	     ":1",     "2:0",  "0:1,0:2",
					  "0:1 ", "0:1;1:2", "0:9999", "-1:0", "a:b"};
	char why[VF_SPEC_WHY];
	int pin[2];

	(void)state;
	pin[0] = pin[1] = -1;
	assert_int_equal(vm_request_pin("0:2,1:3", 2, pin, why), 0);
	assert_int_equal(pin[0], 2);
	assert_int_equal(pin[1], 3);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		pin[0] = pin[1] = -1;
		if (vm_request_pin(bad[i], 2, pin, why) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	cmocka_unit_test(test_bad),
		cmocka_unit_test(test_options), cmocka_unit_test(test_encode),
		cmocka_unit_test(test_memory),	cmocka_unit_test(test_pin),
	};

	return cmocka_run_group_tests_name("vf_spec", tests, NULL, NULL);
}
