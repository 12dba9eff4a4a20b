/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_record: see vm_record.h. */
#include "cli/vm_record.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static bool is_of_the_vm(const struct cli_args *args, const struct cli_given *given)
{
	for (const struct cli_option *o = args->command->options; o && o->name; o++)
		if (o == given->option)
			return strcmp(o->name, "--detach") != 0;
	return false;
}

json_t *vm_record(const struct cli_args *args)
{
	json_t *list = json_array();
	char cwd[PATH_MAX];

	for (size_t i = 0; i < args->count; i++) {
		const struct cli_given *given = &args->given[i];

		if (!is_of_the_vm(args, given))
			continue;
		json_array_append_new(
			list, given->text ? json_sprintf("%s=%s", given->option->name, given->text)
					  : json_string(given->option->name));
	}
	return json_pack("{s:o,s:s}", "args", list, "cwd", getcwd(cwd, sizeof(cwd)) ? cwd : "/");
}

int vm_record_read(const char *subject, const json_t *record, struct vm_recorded *out)
{
	const json_t *list = json_object_get(record, "args");
	const struct cli_noun *noun;
	size_t count = json_array_size(list);

	*out = (struct vm_recorded){.argv = calloc(count + 3, sizeof(char *))};
	if (!out->argv)
		return -ENOMEM;
	out->argv[out->argc++] = strdup("vm");
	out->argv[out->argc++] = strdup("run");
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text)
			out->argv[out->argc++] = strdup(text);
	}
	for (int i = 0; i < out->argc; i++)
		if (!out->argv[i])
			return -ENOMEM;
	/* Every VM boots from something, so a record without arguments is none. */
	if (count > 0 &&
	    cli_parse(out->argc, out->argv, &out->args, &noun, stderr) == CLI_PARSED_RUN &&
	    !out->args.operand)
		return 0;
	return log_fail(-EINVAL, subject,
			"this sluice does not understand how the VM was made; run or define it "
			"again");
}

void vm_recorded_free(struct vm_recorded *recorded)
{
	for (int i = 0; i < recorded->argc; i++)
		free(recorded->argv[i]);
	free(recorded->argv);
	*recorded = (struct vm_recorded){0};
}

void vm_record_enter(const json_t *record)
{
	const char *cwd = json_string_value(json_object_get(record, "cwd"));

	if (cwd && chdir(cwd) < 0)
		log_debug(cwd, "not entered: %m");
}
