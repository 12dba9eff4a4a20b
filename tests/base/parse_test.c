/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers, sizes and MAC addresses from text: what is taken, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/parse.h"
#include "base/util.h"

static void test_numbers(void **state)
{
	uint64_t v = 7;
	(void)state;
	assert_int_equal(parse_u64("42", 0, 100, &v), 0);
	assert_int_equal(v, 42);
	assert_int_equal(parse_u64("0x1f\n", 0, 100, &v), 0);
	assert_int_equal(v, 31);
	static const char *const bad[] = {"", " 1", "1 ", "-1", "+1", "0x", "1x", "1\n\n", "eins"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_u64(bad[i], 0, 100, &v), -EINVAL);
	assert_int_equal(parse_u64("101", 0, 100, &v), -ERANGE);
	assert_int_equal(parse_u64("99999999999999999999", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(v, 31);
}

static void test_sizes(void **state)
{
	uint64_t v = 0;
	(void)state;
	static const struct {
		const char *text;
		uint64_t value;
	} good[] = {{"512", 512},      {"1K", KIB},	 {"512M", 512 * MIB}, {"2g", 2 * GIB},
		    {"2GiB", 2 * GIB}, {"3Gi", 3 * GIB}, {"1KB", KIB},	      {"1T", 1024 * GIB}};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(parse_size(good[i].text, 0, UINT64_MAX, &v), 0);
		assert_int_equal(v, good[i].value);
	}
	static const char *const bad[] = {"", "M", "1X", "1MM", "1 M", "1.5G", "-1M", "1Mi b"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_size(bad[i], 0, UINT64_MAX, &v), -EINVAL);
	assert_int_equal(parse_size("99999999T", 0, UINT64_MAX, &v), -ERANGE);
	assert_int_equal(parse_size("1K", MIB, GIB, &v), -ERANGE);
}

static void test_macs(void **state)
{
	uint8_t mac[6] = {1};
	char text[PARSE_MAC_TEXT];
	(void)state;
	assert_int_equal(parse_mac("02:00:00:aB:cd:01", mac), 0);
	assert_string_equal(format_mac(mac, text), "02:00:00:ab:cd:01");
	static const char *const bad[] = {"",
					  "02:00:00:00:00",
					  "02:00:00:00:00:0",
					  "02:00:00:00:00:00:00",
					  "02-00-00-00-00-01",
					  "02:00:00:00:00:0g",
					  "02:00:00:00:00:01 "};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_mac(bad[i], mac), -EINVAL);
	assert_int_equal(parse_mac("01:00:5e:00:00:01", mac), -ERANGE);
	assert_int_equal(parse_mac("ff:ff:ff:ff:ff:ff", mac), -ERANGE);
	assert_int_equal(parse_mac("00:00:00:00:00:00", mac), -ERANGE);
}

static void test_format_size(void **state)
{
	char text[PARSE_SIZE_TEXT];
	(void)state;
	assert_string_equal(format_size(0, text), "0 B");
	assert_string_equal(format_size(1023, text), "1023 B");
	assert_string_equal(format_size(512 * MIB, text), "512 MiB");
	assert_string_equal(format_size(GIB + GIB / 2, text), "1.5 GiB");
	assert_string_equal(format_size(UINT64_MAX, text), "15.9 EiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_format_size),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
