/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * args: what can be typed, as tables.
 *
 * A command is one row: noun, verb, operand, options, words, examples and the function behind it.
 * The same rows drive parsing, --help, shell completion and the manual page, so that none of them
 * can say what another does not do.
 */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct cli;
struct cli_args;

/* What an operand or an option's value is: how it is checked, and how a shell completes it. */
enum cli_kind {
	CLI_FLAG,   /* an option without a value */
	CLI_NUMBER, /* within min..max */
	CLI_SIZE,   /* "512M" or "1G", within min..max */
	CLI_WORD,   /* one of `words`, separated by '|' */
	CLI_TEXT,   /* anything; the command itself looks closer */
	CLI_FILE,
	CLI_PF, /* these four complete from what there is */
	CLI_VF,
	CLI_VM,
	CLI_BDF,
};

struct cli_option {
	const char *name;  /* "--count" */
	const char *value; /* "N", as help shows it; NULL for a flag */
	enum cli_kind kind;
	const char *words;
	uint64_t min, max;
	bool required, repeat;
	const char *help;
};

struct cli_command {
	const char *noun, *verb; /* "" for a command that concerns the whole host: "apply" */
	const char *operand;	 /* "PF", "NAME"; NULL for none */
	enum cli_kind operand_kind;
	bool operand_optional;
	const char *
		more; /* operands behind the first: "FILE"; "NAME...": as many; "[NAME]": or none */
	enum cli_kind more_kind;
	bool changes; /* something: takes --dry-run */
	const char *summary;
	const char *about;		  /* a paragraph or more, for help and manual */
	const struct cli_option *options; /* ends with a NULL name; NULL for none */
	const char *const *examples;	  /* ends with NULL; at least one */
	int (*run)(struct cli *cli, const struct cli_args *args);
};

struct cli_noun {
	const char *name, *summary;
};

/* The whole grammar; both end with a NULL name or noun. Commands of one noun stand together. */
extern const struct cli_noun cli_nouns[];
extern const struct cli_command cli_commands[];

/* --json, --dry-run and --help, which commands have without listing them. */
extern const struct cli_option cli_common[];
bool cli_common_applies(const struct cli_option *option, const struct cli_command *command);

#define CLI_GIVEN_MAX 64
#define CLI_MORE_MAX  64

struct cli_given {
	const struct cli_option *option;
	const char *text;
	uint64_t number; /* of a NUMBER or SIZE; of a WORD its place in `words` */
};

struct cli_args {
	const struct cli_command *command;
	const char *operand; /* NULL when left out */
	const char *more[CLI_MORE_MAX];
	size_t more_count;
	struct cli_given given[CLI_GIVEN_MAX];
	size_t count;
};

enum cli_parsed {
	CLI_PARSED_RUN,
	CLI_PARSED_HELP, /* of args->command, or of `noun`, or of everything */
	CLI_PARSED_VERSION,
	CLI_PARSED_MAN,	  /* the page of all; a page each into the folder args->operand */
	CLI_PARSED_ERROR, /* one line was written to `err` */
};

/* argv without the program's name. `noun` is set when help of a noun was asked for. */
enum cli_parsed cli_parse(int argc, char **argv, struct cli_args *args,
			  const struct cli_noun **noun, FILE *err);

/* The last one given wins where it may stand only once, which parsing has checked. An option that
 * the command does not have is a mistake in this program: assert. */
const struct cli_given *cli_given(const struct cli_args *args, const char *option);
static inline bool cli_has(const struct cli_args *args, const char *option)
{
	return cli_given(args, option) != NULL;
}
const char *cli_text(const struct cli_args *args, const char *option, const char *fallback);
uint64_t cli_number(const struct cli_args *args, const char *option, uint64_t fallback);
/* For options that repeat: the one after `previous` (NULL: the first). */
const struct cli_given *cli_next(const struct cli_args *args, const char *option,
				 const struct cli_given *previous);

/* The word of `words` (separated by '|') nearest to `text`, or NULL when none is near. The result
 * points into `words`, `*len` long. */
const char *cli_nearest(const char *text, const char *words, size_t *len);

#endif
