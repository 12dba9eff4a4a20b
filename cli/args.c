/* SPDX-License-Identifier: BSD-3-Clause */
/* args: parsing by the tables. See args.h; the tables themselves are in commands.c. */
#include "cli/args.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bdf.h"
#include "base/parse.h"
#include "base/util.h"

/* ---- nearest word ---- */

#define NEAR_MAX 32

/* Levenshtein distance: how many letters to add, drop or change. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned row[NEAR_MAX + 1];

	if (a_len > NEAR_MAX || b_len > NEAR_MAX)
		return NEAR_MAX;
	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 0; i < a_len; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i + 1;
		for (size_t j = 0; j < b_len; j++) {
			unsigned change = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = MIN(change, MIN(row[j], row[j + 1]) + 1);
		}
	}
	return row[b_len];
}

const char *cli_nearest(const char *text, const char *words, size_t *len)
{
	size_t text_len = strlen(text);
	const char *best = NULL;
	/* Further off than half of what was typed, a guess would only confuse. */
	unsigned limit = (unsigned)(text_len + 1) / 2;

	for (const char *word = words; word && *word;) {
		size_t n = strcspn(word, "|");
		unsigned d = distance(text, text_len, word, n);
		if (n > text_len && !strncmp(text, word, text_len))
			d = 1; /* a beginning of the word */
		if (d <= limit && d < NEAR_MAX) {
			limit = d - (d > 0);
			best = word;
			*len = n;
		}
		if (d == 0)
			break;
		word += n + (word[n] == '|');
	}
	return best;
}

static void suggest(FILE *err, const char *text, const char *words)
{
	size_t len;
	const char *word = cli_nearest(text, words, &len);

	if (word)
		fprintf(err, "; did you mean '%.*s'?\n", (int)len, word);
	else
		fprintf(err, "; one of: %s\n", words);
}

/* A list of names separated by '|', for suggestions. */
static void add_word(char *words, size_t size, const char *word)
{
	size_t used = strlen(words);

	snprintf(words + used, size - used, "%s%s", used ? "|" : "", word);
}

/* ---- names ---- */

/* "vf create", or "apply": a thing of its own. */
#define NAME	   "%s%s%s"
#define NAME_OF(c) (c)->noun, (c)->verb[0] ? " " : "", (c)->verb

/* ---- lookup ---- */

static const struct cli_noun *noun_find(const char *name)
{
	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++)
		if (!strcmp(noun->name, name))
			return noun;
	return NULL;
}

static const struct cli_command *command_find(const char *noun, const char *verb)
{
	for (const struct cli_command *c = cli_commands; c->noun; c++)
		if (!strcmp(c->noun, noun) && !strcmp(c->verb, verb))
			return c;
	return NULL;
}

bool cli_common_applies(const struct cli_option *option, const struct cli_command *command)
{
	return strcmp(option->name, "--dry-run") != 0 || command->changes;
}

static const struct cli_option *option_find(const struct cli_command *command, const char *name,
					    size_t len)
{
	for (const struct cli_option *o = command->options; o && o->name; o++)
		if (strlen(o->name) == len && !strncmp(o->name, name, len))
			return o;
	for (const struct cli_option *o = cli_common; o->name; o++)
		if (strlen(o->name) == len && !strncmp(o->name, name, len) &&
		    cli_common_applies(o, command))
			return o;
	return NULL;
}

/* ---- one command line ---- */

struct parser {
	int argc, at;
	char **argv;
	struct cli_args *args;
	FILE *err;
	bool help;
};

static enum cli_parsed unknown_option(struct parser *p, const char *text)
{
	const struct cli_command *command = p->args->command;
	char words[1024] = "";

	for (const struct cli_option *o = command->options; o && o->name; o++)
		add_word(words, sizeof(words), o->name);
	for (const struct cli_option *o = cli_common; o->name; o++)
		if (cli_common_applies(o, command))
			add_word(words, sizeof(words), o->name);
	fprintf(p->err, "sluice: " NAME ": unknown option '%s'", NAME_OF(command), text);
	suggest(p->err, text, words);
	return CLI_PARSED_ERROR;
}

static enum cli_parsed bad_value(const struct parser *p, const struct cli_given *given,
				 const char *why)
{
	const struct cli_command *command = p->args->command;

	fprintf(p->err, "sluice: " NAME ": %s '%s': %s\n", NAME_OF(command), given->option->name,
		given->text, why);
	return CLI_PARSED_ERROR;
}

static int word_index(const char *words, const char *text, uint64_t *index)
{
	size_t len = strlen(text), n;

	*index = 0;
	for (const char *word = words; *word; word += n + (word[n] == '|')) {
		n = strcspn(word, "|");
		if (n == len && !strncmp(word, text, n))
			return 0;
		(*index)++;
	}
	return -EINVAL;
}

static enum cli_parsed check_value(struct parser *p, struct cli_given *given)
{
	const struct cli_option *o = given->option;
	char why[256], least[PARSE_SIZE_TEXT], most[PARSE_SIZE_TEXT];
	struct bdf bdf;
	int err = 0;

	switch (o->kind) {
	case CLI_NUMBER:
		err = parse_u64(given->text, o->min, o->max, &given->number);
		snprintf(why, sizeof(why), "not a number from %llu to %llu",
			 (unsigned long long)o->min, (unsigned long long)o->max);
		break;
	case CLI_SIZE:
		err = parse_size(given->text, o->min, o->max, &given->number);
		snprintf(why, sizeof(why), "not a size such as 512M, from %s to %s",
			 format_size(o->min, least), format_size(o->max, most));
		break;
	case CLI_WORD:
		err = word_index(o->words, given->text, &given->number);
		snprintf(why, sizeof(why), "not one of %s", o->words);
		break;
	case CLI_BDF:
		err = bdf_parse(given->text, &bdf);
		snprintf(why, sizeof(why), "not a PCI address such as 0000:01:10.0");
		break;
	default:
		err = given->text[0] || o->kind == CLI_TEXT ? 0 : -EINVAL;
		snprintf(why, sizeof(why), "empty");
		break;
	}
	return err ? bad_value(p, given, why) : CLI_PARSED_RUN;
}

static enum cli_parsed take_value(struct parser *p, struct cli_given *given,
				  const char *inline_value)
{
	const struct cli_command *command = p->args->command;
	const struct cli_option *o = given->option;

	if (o->kind == CLI_FLAG) {
		if (!inline_value)
			return CLI_PARSED_RUN;
		fprintf(p->err, "sluice: " NAME ": %s takes no value\n", NAME_OF(command), o->name);
		return CLI_PARSED_ERROR;
	}
	given->text = inline_value;
	if (!inline_value && p->at < p->argc)
		given->text = p->argv[p->at++];
	if (!given->text) {
		fprintf(p->err, "sluice: " NAME ": %s needs a value: %s\n", NAME_OF(command),
			o->name, o->value);
		return CLI_PARSED_ERROR;
	}
	return check_value(p, given);
}

/* "--name", "--name value" or "--name=value". */
static enum cli_parsed take_option(struct parser *p, const char *text)
{
	const struct cli_command *command = p->args->command;
	size_t len = strcspn(text, "=");
	const struct cli_option *o = option_find(command, !strcmp(text, "-h") ? "--help" : text,
						 !strcmp(text, "-h") ? strlen("--help") : len);

	if (!o)
		return unknown_option(p, text);
	if (!strcmp(o->name, "--help"))
		p->help = true;
	for (size_t i = 0; i < p->args->count; i++) {
		if (p->args->given[i].option == o && !o->repeat) {
			fprintf(p->err, "sluice: " NAME ": %s given twice\n", NAME_OF(command),
				o->name);
			return CLI_PARSED_ERROR;
		}
	}
	if (p->args->count == CLI_GIVEN_MAX) {
		fprintf(p->err, "sluice: " NAME ": more than %d options\n", NAME_OF(command),
			CLI_GIVEN_MAX);
		return CLI_PARSED_ERROR;
	}
	struct cli_given *given = &p->args->given[p->args->count];
	*given = (struct cli_given){.option = o};
	enum cli_parsed result = take_value(p, given, text[len] ? text + len + 1 : NULL);
	if (result == CLI_PARSED_RUN)
		p->args->count++;
	return result;
}

static enum cli_parsed take_operand(struct parser *p, const char *text)
{
	const struct cli_command *command = p->args->command;

	size_t len = command->more ? strlen(command->more) : 0;
	size_t room = !len						   ? 0
		      : len > 3 && !strcmp(command->more + len - 3, "...") ? CLI_MORE_MAX
									   : 1;

	if (p->args->operand && p->args->more_count < room) {
		p->args->more[p->args->more_count++] = text;
		return CLI_PARSED_RUN;
	}
	if (!command->operand || p->args->operand) {
		fprintf(p->err, "sluice: " NAME ": unexpected '%s'; see sluice " NAME " --help\n",
			NAME_OF(command), text, NAME_OF(command));
		return CLI_PARSED_ERROR;
	}
	p->args->operand = text;
	return CLI_PARSED_RUN;
}

/* What must be there, once everything is read. */
static enum cli_parsed check_complete(const struct parser *p)
{
	const struct cli_command *command = p->args->command;
	const char *missing = NULL;

	if (command->operand && !command->operand_optional && !p->args->operand)
		missing = command->operand;
	else if (command->more && command->more[0] != '[' && !p->args->more_count)
		missing = command->more;
	for (const struct cli_option *o = command->options; o && o->name && !missing; o++)
		if (o->required && !cli_given(p->args, o->name))
			missing = o->name;
	if (!missing)
		return CLI_PARSED_RUN;
	fprintf(p->err, "sluice: " NAME ": %s is missing; for example: %s\n", NAME_OF(command),
		missing, command->examples[0]);
	return CLI_PARSED_ERROR;
}

static enum cli_parsed parse_command(struct parser *p)
{
	bool only_operands = false;

	while (p->at < p->argc) {
		const char *text = p->argv[p->at++];
		enum cli_parsed result;
		if (!only_operands && !strcmp(text, "--")) {
			only_operands = true;
			continue;
		}
		if (!only_operands && text[0] == '-' && text[1])
			result = take_option(p, text);
		else
			result = take_operand(p, text);
		if (result != CLI_PARSED_RUN)
			return result;
		if (p->help)
			return CLI_PARSED_HELP;
	}
	return check_complete(p);
}

static bool is_help(const char *text)
{
	return !strcmp(text, "--help") || !strcmp(text, "-h") || !strcmp(text, "help");
}

static enum cli_parsed unknown_noun(const char *text, FILE *err)
{
	char words[256] = "";

	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++)
		add_word(words, sizeof(words), noun->name);
	fprintf(err, "sluice: unknown command '%s'", text);
	suggest(err, text, words);
	return CLI_PARSED_ERROR;
}

static enum cli_parsed unknown_verb(const struct cli_noun *noun, const char *text, FILE *err)
{
	char words[256] = "";

	for (const struct cli_command *c = cli_commands; c->noun; c++)
		if (!strcmp(c->noun, noun->name))
			add_word(words, sizeof(words), c->verb);
	if (!text) {
		fprintf(err, "sluice: %s: what about it? One of: %s\n", noun->name, words);
		return CLI_PARSED_ERROR;
	}
	fprintf(err, "sluice: %s: unknown command '%s'", noun->name, text);
	suggest(err, text, words);
	return CLI_PARSED_ERROR;
}

enum cli_parsed cli_parse(int argc, char **argv, struct cli_args *args,
			  const struct cli_noun **noun, FILE *err)
{
	*args = (struct cli_args){0};
	*noun = NULL;
	if (argc == 0) {
		fputs("sluice: what to do? See sluice --help\n", err);
		return CLI_PARSED_ERROR;
	}
	if (!strcmp(argv[0], "--version"))
		return CLI_PARSED_VERSION;
	if (!strcmp(argv[0], "--man")) {
		args->operand = argc > 1 ? argv[1] : NULL;
		return CLI_PARSED_MAN;
	}
	bool help = is_help(argv[0]); /* "help vf create" is "vf create --help" */
	if (help && argc == 1)
		return CLI_PARSED_HELP;
	argc -= help;
	argv += help;
	*noun = noun_find(argv[0]);
	if (!*noun)
		return unknown_noun(argv[0], err);
	args->command = command_find((*noun)->name, ""); /* without a verb: it is all there is */
	struct parser p = {.argc = argc, .at = 1, .argv = argv, .args = args, .err = err};
	if (args->command)
		return help ? CLI_PARSED_HELP : parse_command(&p);
	if ((help && argc == 1) || (argc > 1 && is_help(argv[1])))
		return CLI_PARSED_HELP;
	args->command = argc > 1 ? command_find((*noun)->name, argv[1]) : NULL;
	if (!args->command)
		return unknown_verb(*noun, argc > 1 ? argv[1] : NULL, err);
	if (help)
		return CLI_PARSED_HELP;
	p.at = 2;
	return parse_command(&p);
}

/* ---- what was given ---- */

const struct cli_given *cli_next(const struct cli_args *args, const char *option,
				 const struct cli_given *previous)
{
	size_t i = previous ? (size_t)(previous - args->given) + 1 : 0;

	assert(option_find(args->command, option, strlen(option)));
	for (; i < args->count; i++)
		if (!strcmp(args->given[i].option->name, option))
			return &args->given[i];
	return NULL;
}

const struct cli_given *cli_given(const struct cli_args *args, const char *option)
{
	return cli_next(args, option, NULL);
}

const char *cli_text(const struct cli_args *args, const char *option, const char *fallback)
{
	const struct cli_given *given = cli_given(args, option);

	return given ? given->text : fallback;
}

uint64_t cli_number(const struct cli_args *args, const char *option, uint64_t fallback)
{
	const struct cli_given *given = cli_given(args, option);

	return given ? given->number : fallback;
}
