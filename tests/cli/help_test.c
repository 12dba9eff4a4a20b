/* SPDX-License-Identifier: BSD-3-Clause */
/* help: every word of the tables is there. */
#include "cli/help.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Whitespace of any length and kind as one blank. */
static void squeeze(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		bool blank = *from == ' ' || *from == '\n';

		if (!blank)
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	*to = '\0';
}

static char *help_of(const struct cli_command *command)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cli_help(out, command, NULL);
	fclose(out);
	squeeze(text);
	return text;
}

static void says(const char *help, const char *what, const char *name)
{
	char *text = strdup(what);

	squeeze(text);
	if (!strstr(help, text))
		fail_msg("the help of %s lacks: %s", name, text);
	free(text);
}

static void nothing_is_cut_off(void **state)
{
	(void)state;
	for (const struct cli_command *c = cli_commands; c->noun; c++) {
		char *help = help_of(c);

		if (c->about)
			says(help, c->about, c->verb);
		for (const struct cli_option *o = c->options; o && o->name; o++) {
			char *whole;

			assert_true(asprintf(&whole, "%s%s%s", o->help,
					     o->required ? " (required)" : "",
					     o->repeat ? " (may be repeated)" : "") > 0);
			says(help, whole, o->name);
			free(whole);
		}
		free(help);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
