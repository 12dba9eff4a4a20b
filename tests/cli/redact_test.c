/* SPDX-License-Identifier: BSD-3-Clause */
/* Secrets that are left out of a report, and what must stay to be of use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "cli/redact.h"
#include "cli/tar_gz.h"

static void test_secrets(void **state)
{
	static const char *const texts[] = {
		"root=/dev/vda password=hunter2 quiet",
		"luks.key=hunter2",
		"rd.luks.key=hunter2\n",
		"API_TOKEN: hunter2",
		"X-Auth-Token : hunter2",
		"{\"password\": \"hunter2\"}",
		"{\"client_secret\":\"hun\\\"hunter2\"}",
		"wpa-psk \"x\" psk='hunter2 with spaces'",
		"GUEST_PASSWD=hunter2;x",
		"https://admin:hunter2@host/path",
		"proxy=http://u:hunter2@h",
		"private_key=hunter2",
		"sshkey=hunter2",
		"Passphrase=\"hunter2",
		"sslkey = hunter2",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *clean = redact(texts[i]);

		assert_non_null(clean);
		if (strstr(clean, "hunter2") || !strstr(clean, REDACTED))
			fail_msg("%s: %s", texts[i], clean);
		free(clean);
	}
}

static void test_rest(void **state)
{
	static const char *const texts[] = {
		"",
		"root=/dev/vda console=ttyS0 intel_iommu=on",
		"{\"name\": \"web\", \"ram\": 1024, \"keymap\": \"de\"}",
		"00-feb (usable) keyboard: 1",
		"http://[::1]:80/a@b",
		"time=12:30:00 mac 02:00:00:00:00:01",
		"key",
		"token",
		"://",
		"a=\"\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *clean = redact(texts[i]);

		assert_non_null(clean);
		assert_string_equal(clean, texts[i]);
		free(clean);
	}
	char *clean = redact("a=1 password=x b=2 https://u:p@h/ c=3");
	assert_string_equal(clean, "a=1 password=" REDACTED " b=2 https://" REDACTED "@h/ c=3");
	free(clean);
}

/* The archive, as tar reads it. */
static void test_archive(void **state)
{
	char path[] = "/tmp/tar_gz.XXXXXX", command[128], line[64] = "", name[128];
	struct tar_gz *tar;

	(void)state;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(tar_gz_open(fd, &tar), 0);
	assert_int_equal(tar_gz_add(tar, "a/one.txt", "1\n", 2), 0);
	assert_int_equal(tar_gz_add(tar, "a/none", "", 0), 0);
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_true(tar_gz_add(tar, name, "", 0) < 0);
	char *large = calloc(1, 100000);
	assert_int_equal(tar_gz_add(tar, "a/large", large, 100000), 0);
	free(large);
	assert_int_equal(tar_gz_close(tar), 0);
	snprintf(command, sizeof(command), "tar tzf %s | tr '\\n' ' '; tar xzOf %s a/one.txt", path,
		 path);
	FILE *in = popen(command, "r");
	assert_non_null(in);
	assert_non_null(fgets(line, sizeof(line), in));
	assert_string_equal(line, "a/one.txt a/none a/large 1\n");
	assert_int_equal(pclose(in), 0);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
