/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_record: options that were typed mean the same when they are read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "cli/vm_record.h"

static json_t *record_of(int argc, const char *const *words)
{
	const struct cli_noun *noun;
	struct cli_args args;
	char *argv[16];

	for (int i = 0; i < argc; i++)
		argv[i] = (char *)(uintptr_t)words[i];
	assert_int_equal(cli_parse(argc, argv, &args, &noun, stderr), CLI_PARSED_RUN);
	return vm_record(&args);
}

static void is_read_again(void **state)
{
	static const char *const words[] = {"vm",	"run",	     "web",	 "--kernel",
					    "vmlinuz",	"--vf",	     "ens1f0/2", "--vf=ens1f0/3",
					    "--append", "-x -y",     "--detach", "--dry-run",
					    "--json",	"--no-kaslr"};
	json_t *record = record_of(ARRAY_SIZE(words), words);
	struct vm_recorded again;

	(void)state;
	assert_int_equal(vm_record_read("web.vm", record, &again), 0);
	assert_string_equal(cli_text(&again.args, "--kernel", ""), "vmlinuz");
	assert_string_equal(cli_text(&again.args, "--append", ""), "-x -y");
	assert_true(cli_has(&again.args, "--no-kaslr"));
	const struct cli_given *vf = cli_next(&again.args, "--vf", NULL);
	assert_string_equal(vf->text, "ens1f0/2");
	assert_string_equal(cli_next(&again.args, "--vf", vf)->text, "ens1f0/3");
	/* these are no part of the VM */
	assert_false(cli_has(&again.args, "--detach"));
	assert_false(cli_has(&again.args, "--dry-run"));
	assert_null(again.args.operand);
	assert_true(json_string_length(json_object_get(record, "cwd")) > 0);
	vm_recorded_free(&again);
	json_decref(record);
}

/* A file is anybody's: nothing but options of `vm run` comes out of it. */
static void others_are_refused(void **state)
{
	static const char *const records[] = {
		"{}",
		"{\"args\": []}",
		"{\"args\": [\"--no-such-option\"]}",
		"{\"args\": [\"--kernel=a\", \"other-name\"]}",
		"{\"args\": [\"--kernel=a\", \"--help\"]}",
		"{\"args\": \"--kernel=a\"}",
		"{\"args\": [\"--kernel=a\", \"--hotplug-ports=25\"]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
		json_t *record = json_loads(records[i], 0, NULL);
		struct vm_recorded again;

		assert_non_null(record);
		if (vm_record_read("web.vm", record, &again) != -EINVAL)
			fail_msg("taken: %s", records[i]);
		vm_recorded_free(&again);
		json_decref(record);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_read_again),
		cmocka_unit_test(others_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
