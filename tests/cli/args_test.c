/* SPDX-License-Identifier: BSD-3-Clause */
/* args: the real tables of the program, every row of them: each option is taken in its good forms,
 * refused in its bad ones, and explained; what is misspelt is answered with the nearest word. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/util.h"
#include "cli/cli.h"
#include "cli/help.h"

#define WORDS_MAX 32

struct parsed {
	struct cli_args args;
	const struct cli_noun *noun;
	enum cli_parsed parsed;
	char error[2048];
};

static void parse_words(struct parsed *line, int count, char **words)
{
	char *text = NULL;
	size_t size;
	FILE *err = open_memstream(&text, &size);

	line->parsed = cli_parse(count, words, &line->args, &line->noun, err);
	fclose(err);
	snprintf(line->error, sizeof(line->error), "%s", text);
	free(text);
}

/* Words separated by spaces. The text must outlive `line`. */
static void parse(struct parsed *line, char *text)
{
	char *words[WORDS_MAX];
	int count = 0;

	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	parse_words(line, count, words);
}

#define PARSE(line, text)          \
	char text_##line[] = text; \
	struct parsed line;        \
	parse(&line, text_##line)

static void expect_error(const char *text, const char *part)
{
	char copy[512];
	struct parsed line;

	snprintf(copy, sizeof(copy), "%s", text);
	parse(&line, copy);
	assert_int_equal(line.parsed, CLI_PARSED_ERROR);
	if (!strstr(line.error, part))
		fail_msg("'%s' lacks '%s': %s", text, part, line.error);
	/* one line, and only one */
	assert_ptr_equal(strchr(line.error, '\n'), line.error + strlen(line.error) - 1);
}

static void test_forms(void **state)
{
	(void)state;
	PARSE(a, "vf create ens1f0 --count 4 --dry-run");
	assert_int_equal(a.parsed, CLI_PARSED_RUN);
	assert_string_equal(a.args.command->verb, "create");
	assert_string_equal(a.args.operand, "ens1f0");
	assert_int_equal(cli_number(&a.args, "--count", 0), 4);
	assert_true(cli_has(&a.args, "--dry-run"));
	assert_false(cli_has(&a.args, "--probe"));
	PARSE(b, "vf create --count=0x4 ens1f0");
	assert_int_equal(b.parsed, CLI_PARSED_RUN);
	assert_int_equal(cli_number(&b.args, "--count", 0), 4);
	PARSE(c, "vm run --kernel k --vf a --vf b:mac=1 --append= --memory 1G");
	assert_int_equal(c.parsed, CLI_PARSED_RUN);
	assert_null(c.args.operand);
	const struct cli_given *vf = cli_next(&c.args, "--vf", NULL);
	assert_string_equal(vf->text, "a");
	vf = cli_next(&c.args, "--vf", vf);
	assert_string_equal(vf->text, "b:mac=1");
	assert_null(cli_next(&c.args, "--vf", vf));
	assert_string_equal(cli_text(&c.args, "--append", "none"), "");
	assert_string_equal(cli_text(&c.args, "--initrd", "none"), "none");
	PARSE(d, "vf destroy -- --odd-name");
	assert_int_equal(d.parsed, CLI_PARSED_RUN);
	assert_string_equal(d.args.operand, "--odd-name");
	PARSE(e, "vf detach web ens1f0/2 --timeout 5");
	assert_int_equal(e.parsed, CLI_PARSED_RUN);
	assert_string_equal(e.args.operand, "web");
	assert_string_equal(e.args.more[0], "ens1f0/2");
}

static void test_mistakes(void **state)
{
	(void)state;
	expect_error("", "sluice --help");
	expect_error("vf detach web", "PF/N is missing");
	expect_error("vf detach web p/1 p/2", "unexpected 'p/2'");
	expect_error("vff list", "did you mean 'vf'");
	expect_error("zzzzzz", "one of: host|pf|vf");
	expect_error("vf", "create");
	expect_error("vf lsit", "did you mean 'list'");
	expect_error("vf cre", "did you mean 'create'");
	expect_error("vf list --jsno", "did you mean '--json'");
	expect_error("vf list --dry-run", "unknown option '--dry-run'"); /* it changes nothing */
	expect_error("vf create ens1f0", "--count is missing");
	expect_error("vf create --count 4", "PF is missing");
	expect_error("vf create ens1f0 --count", "--count needs a value: N");
	expect_error("vf create ens1f0 --count many", "--count 'many'");
	expect_error("vf create ens1f0 --count 0", "from 1 to 65535");
	expect_error("vf create ens1f0 --count -1", "--count '-1'");
	expect_error("vf create ens1f0 --count 1 --count 2", "given twice");
	expect_error("vf create ens1f0 ens1f1 --count 1", "unexpected 'ens1f1'");
	expect_error("pf list ens1f0", "unexpected 'ens1f0'");
	expect_error("vf set e/0 --trust maybe", "not one of on|off");
	expect_error("vf list --json=yes", "takes no value");
	expect_error("vm run --kernel k --device 1:2", "not a PCI address");
	expect_error("vm stop web --timeout 86401", "from 1 to 86400");
	expect_error("vm run --kernel=", "empty");
}

static void test_too_many(void **state)
{
	char *words[3 + 2 * (CLI_GIVEN_MAX + 1)];
	struct parsed line;
	char vm[] = "vm", run[] = "run", vf[] = "--vf", value[] = "x";
	int n = 0;

	(void)state;
	words[n++] = vm;
	words[n++] = run;
	for (int i = 0; i <= CLI_GIVEN_MAX; i++) {
		words[n++] = vf;
		words[n++] = value;
	}
	parse_words(&line, n, words);
	assert_int_equal(line.parsed, CLI_PARSED_ERROR);
	assert_non_null(strstr(line.error, "more than"));
}

static void test_help_levels(void **state)
{
	(void)state;
	PARSE(a, "--help");
	assert_int_equal(a.parsed, CLI_PARSED_HELP);
	assert_null(a.noun);
	PARSE(b, "vf --help");
	assert_int_equal(b.parsed, CLI_PARSED_HELP);
	assert_string_equal(b.noun->name, "vf");
	assert_null(b.args.command);
	PARSE(c, "help vf create");
	assert_int_equal(c.parsed, CLI_PARSED_HELP);
	assert_string_equal(c.args.command->verb, "create");
	PARSE(d, "vf create -h");
	assert_int_equal(d.parsed, CLI_PARSED_HELP);
	PARSE(e, "--version");
	assert_int_equal(e.parsed, CLI_PARSED_VERSION);
	PARSE(f, "--man");
	assert_int_equal(f.parsed, CLI_PARSED_MAN);
}

/* ---- every row ---- */

static const char *good_value(const struct cli_option *o)
{
	static const char *const good[] = {
		[CLI_SIZE] = "512M", [CLI_TEXT] = "x", [CLI_FILE] = "/f",	   [CLI_PF] = "p",
		[CLI_VF] = "p/0",    [CLI_VM] = "v",   [CLI_BDF] = "0000:01:00.0",
	};

	static char least[24];

	snprintf(least, sizeof(least), "%llu", (unsigned long long)(o->min ? o->min : 1));
	return o->kind == CLI_NUMBER ? least : o->kind == CLI_WORD ? "on" : good[o->kind];
}

/* "noun verb OPERAND --required VALUE", as words. */
static int base_line(const struct cli_command *c, char *words[WORDS_MAX])
{
	int n = 0;

	words[n++] = (char *)c->noun;
	if (c->verb[0])
		words[n++] = (char *)c->verb;
	if (c->operand)
		words[n++] = (char *)"0000:01:00.0";
	if (c->more)
		words[n++] = (char *)"more";
	for (const struct cli_option *o = c->options; o && o->name; o++) {
		if (!o->required)
			continue;
		words[n++] = (char *)o->name;
		words[n++] = (char *)good_value(o);
	}
	return n;
}

static void check_option(const struct cli_command *c, const struct cli_option *o)
{
	char *words[WORDS_MAX], first[32];
	struct parsed line;
	int n = base_line(c, words);

	if (o->kind == CLI_WORD && o->words) {
		snprintf(first, sizeof(first), "%.*s", (int)strcspn(o->words, "|"), o->words);
		words[n++] = (char *)o->name;
		words[n++] = (char *)first;
	} else if (!o->required) {
		words[n++] = (char *)o->name;
		if (o->kind != CLI_FLAG)
			words[n++] = (char *)good_value(o);
	}
	parse_words(&line, n, words);
	if (line.parsed != (strcmp(o->name, "--help") ? CLI_PARSED_RUN : CLI_PARSED_HELP))
		fail_msg("%s %s %s: %s", c->noun, c->verb, o->name, line.error);
}

static void test_every_row(void **state)
{
	(void)state;
	for (const struct cli_command *c = cli_commands; c->noun; c++) {
		char *words[WORDS_MAX];
		struct parsed line;
		int n = base_line(c, words);
		parse_words(&line, n, words);
		if (line.parsed != CLI_PARSED_RUN)
			fail_msg("%s %s: %s", c->noun, c->verb, line.error);
		for (const struct cli_option *o = c->options; o && o->name; o++) {
			assert_non_null(o->help);
			assert_true((o->kind == CLI_FLAG) == !o->value);
			assert_true((o->kind == CLI_WORD) == (o->words != NULL));
			check_option(c, o);
		}
		for (const struct cli_option *o = cli_common; o->name; o++)
			if (cli_common_applies(o, c))
				check_option(c, o);
	}
}

/* Examples that a person copies must be understood by the program that prints them. */
static void test_every_example(void **state)
{
	unsigned count = 0;

	(void)state;
	for (const struct cli_command *c = cli_commands; c->noun; c++) {
		assert_non_null(c->examples[0]);
		for (const char *const *example = c->examples; *example; example++, count++) {
			char copy[512];
			struct parsed line;
			if (strncmp(*example, "sluice ", 7) != 0)
				continue; /* shell around it */
			snprintf(copy, sizeof(copy), "%s", *example + 7);
			parse(&line, copy);
			if (line.parsed != CLI_PARSED_RUN)
				fail_msg("%s: %s", *example, line.error);
			if (line.args.command != c)
				fail_msg("%s: is no example of %s %s", *example, c->noun, c->verb);
		}
	}
	assert_true(count > 20);
}

/* One operand more, or as many as one likes; and never fewer than there must be. */
static void test_more_operands(void **state)
{
	struct parsed line;
	char save[] = "vm save web", saved[] = "vm save web file", many[] = "vm save web file x",
	     clones[] = "vm clone file a b c d";

	(void)state;
	parse(&line, save);
	assert_int_equal(line.parsed, CLI_PARSED_ERROR);
	assert_non_null(strstr(line.error, "FILE is missing"));
	parse(&line, saved);
	assert_int_equal(line.parsed, CLI_PARSED_RUN);
	assert_string_equal(line.args.operand, "web");
	assert_int_equal(line.args.more_count, 1);
	assert_string_equal(line.args.more[0], "file");
	parse(&line, many);
	assert_int_equal(line.parsed, CLI_PARSED_ERROR);
	assert_non_null(strstr(line.error, "unexpected 'x'"));
	parse(&line, clones);
	assert_int_equal(line.parsed, CLI_PARSED_RUN);
	assert_int_equal(line.args.more_count, 4);
	assert_string_equal(line.args.more[3], "d");
}

static char *help_text(const struct cli_command *command, const struct cli_noun *noun)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cli_help(out, command, noun);
	fclose(out);
	return text;
}

static void test_every_help(void **state)
{
	char *text = help_text(NULL, NULL);

	(void)state;
	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++)
		assert_non_null(strstr(text, noun->summary));
	assert_non_null(strstr(text, "examples:"));
	free(text);
	for (const struct cli_command *c = cli_commands; c->noun; c++) {
		text = help_text(c, NULL);
		assert_non_null(strstr(text, c->examples[0]));
		for (const struct cli_option *o = c->options; o && o->name; o++)
			assert_non_null(strstr(text, o->name));
		free(text);
	}
	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
		text = help_text(NULL, noun);
		assert_non_null(strstr(text, "example"));
		free(text);
	}
}

/* The manual in the tree is what the tables say today. */
static void test_manual(void **state)
{
	char *made = NULL, *kept = NULL;
	size_t made_size, kept_size = 0;
	FILE *out = open_memstream(&made, &made_size), *in = fopen("docs/man/sluice.1", "re");

	(void)state;
	cli_manual(out);
	fclose(out);
	assert_non_null(in);
	assert_true(getdelim(&kept, &kept_size, '\0', in) > 0);
	fclose(in);
	assert_string_equal(made, kept); /* else: build/bin/sluice --man >docs/man/sluice.1 */
	free(made);
	free(kept);
}

static void test_nearest(void **state)
{
	size_t len = 0;

	(void)state;
	assert_memory_equal(cli_nearest("lst", "create|list|set", &len), "list", 4);
	assert_int_equal(len, 4);
	assert_null(cli_nearest("frobnicate", "create|list|set", &len));
	assert_null(cli_nearest("x", "", &len));
	assert_null(cli_nearest("a-very-long-word-that-nobody-would-ever-type", "list", &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),	      cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_too_many),      cmocka_unit_test(test_help_levels),
		cmocka_unit_test(test_every_row),     cmocka_unit_test(test_every_example),
		cmocka_unit_test(test_more_operands), cmocka_unit_test(test_every_help),
		cmocka_unit_test(test_manual),	      cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests_name("args", tests, NULL, NULL);
}
