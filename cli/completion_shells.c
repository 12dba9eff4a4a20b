/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * completion_shells: scripts for zsh and fish, made from the command tables as bash's is
 * (completion.c). Both show the tables' own words beside what can be typed; names of PFs, VFs and
 * VMs are asked from sluice when the user presses the tab key.
 */
#include <string.h>

#include "cli/cli.h"

/* Text between single quotes, in which only they (and for `extra`, those) must be taken care of. */
static void quoted(FILE *out, const char *text, const char *escape, const char *extra)
{
	for (const char *c = text; *c; c++) {
		if (*c == '\'')
			fputs(escape, out);
		else if (*c == '\n')
			fputc(' ', out);
		else if (strchr(extra, *c))
			fprintf(out, "\\%c", *c);
		else
			fputc(*c, out);
	}
}

static const char *names_of(enum cli_kind kind)
{
	switch (kind) {
	case CLI_PF:
		return "pf";
	case CLI_VF:
		return "vf";
	case CLI_VM:
		return "vm";
	case CLI_BDF:
		return "bdf";
	default:
		return NULL;
	}
}

/* ---- zsh ---- */

static const char zsh_head[] =
	"#compdef sluice\n"
	"# zsh completion for sluice; made by `sluice completion zsh`.\n"
	"_sluice_names() { # KIND\n"
	"\tlocal -a names\n"
	"\tcase $1 in\n"
	"\tbdf) names=(/sys/bus/pci/devices/*(N:t)) ;;\n"
	"\t*) names=(${(f)\"$(sluice $1 list 2>/dev/null | awk 'NR > 1 { print $1 }')\"}) ;;\n"
	"\tesac\n"
	"\tcompadd -a names\n"
	"}\n\n";

static void zsh_text(FILE *out, const char *text)
{
	quoted(out, text, "'\\''", "[]:\\");
}

/* What completes a value of this kind. */
static void zsh_action(FILE *out, enum cli_kind kind, const char *words)
{
	if (kind == CLI_FILE) {
		fputs("_files", out);
	} else if (kind == CLI_WORD) {
		fputc('(', out);
		for (const char *c = words; c && *c; c++)
			fputc(*c == '|' ? ' ' : *c, out);
		fputc(')', out);
	} else if (names_of(kind)) {
		fprintf(out, "_sluice_names %s", names_of(kind));
	}
}

static void zsh_option(FILE *out, const struct cli_option *o)
{
	fprintf(out, " \\\n\t\t\t'%s%s[", o->repeat ? "*" : "", o->name);
	zsh_text(out, o->help);
	fputc(']', out);
	if (o->kind != CLI_FLAG) {
		fputc(':', out);
		zsh_text(out, o->value);
		fputc(':', out);
		zsh_action(out, o->kind, o->words);
	}
	fputc('\'', out);
}

static void zsh_command(FILE *out, const struct cli_command *c)
{
	fprintf(out, "\t'%s %s')\n\t\t_arguments", c->noun, c->verb);
	for (const struct cli_option *o = c->options; o && o->name; o++)
		zsh_option(out, o);
	for (const struct cli_option *o = cli_common; o->name; o++)
		if (cli_common_applies(o, c))
			zsh_option(out, o);
	if (c->operand) {
		fprintf(out, " \\\n\t\t\t'1:%s:", c->operand);
		zsh_action(out, c->operand_kind, NULL);
		fputc('\'', out);
	}
	if (c->more) {
		fputs(" \\\n\t\t\t'*:", out);
		zsh_text(out, c->more);
		fputc(':', out);
		zsh_action(out, c->more_kind, NULL);
		fputc('\'', out);
	}
	fputs(" ;;\n", out);
}

static void zsh_described(FILE *out, const char *word, const char *summary)
{
	fprintf(out, " '%s:", word);
	zsh_text(out, summary);
	fputc('\'', out);
}

static bool is_whole_host(const struct cli_noun *noun)
{
	for (const struct cli_command *c = cli_commands; c->noun; c++)
		if (!strcmp(c->noun, noun->name))
			return !*c->verb;
	return false;
}

static void zsh_words(FILE *out)
{
	fputs("_sluice() {\n\tlocal -a choice\n\tif ((CURRENT == 2)); then\n\t\tchoice=(", out);
	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++)
		zsh_described(out, noun->name, noun->summary);
	fputs(")\n\t\t_describe -t nouns thing choice\n\t\treturn\n\tfi\n\tcase $words[2] in\n",
	      out);
	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
		if (is_whole_host(noun))
			continue;
		fprintf(out, "\t%s) choice=(", noun->name);
		for (const struct cli_command *c = cli_commands; c->noun; c++)
			if (!strcmp(c->noun, noun->name))
				zsh_described(out, c->verb, c->summary);
		fputs(") ;;\n", out);
	}
	fputs("\tesac\n\tif ((CURRENT == 3 && $#choice)); then\n"
	      "\t\t_describe -t verbs command choice\n\t\treturn\n\tfi\n"
	      "\tlocal command=\"$words[2] \"\n"
	      "\tif (($#choice)); then\n\t\tcommand+=$words[3]\n\t\tshift words\n"
	      "\t\t((CURRENT--))\n\tfi\n\tshift words\n\t((CURRENT--))\n"
	      "\tcase $command in\n",
	      out);
}

int cmd_completion_zsh(struct cli *cli, const struct cli_args *args)
{
	(void)cli, (void)args;
	fputs(zsh_head, stdout);
	zsh_words(stdout);
	for (const struct cli_command *c = cli_commands; c->noun; c++)
		zsh_command(stdout, c);
	fputs("\tesac\n}\n\n"
	      "if [ \"$funcstack[1]\" = _sluice ]; then\n\t_sluice \"$@\"\nelse\n"
	      "\tcompdef _sluice sluice\nfi\n",
	      stdout);
	return CLI_OK;
}

/* ---- fish ---- */

static const char fish_head[] =
	"# fish completion for sluice; made by `sluice completion fish`.\n"
	"function __sluice_names # KIND\n"
	"\tif test $argv[1] = bdf\n"
	"\t\tls /sys/bus/pci/devices 2>/dev/null\n"
	"\telse\n"
	"\t\tsluice $argv[1] list 2>/dev/null | awk 'NR > 1 { print $1 }'\n"
	"\tend\n"
	"end\n"
	"function __sluice_at # NOUN [VERB]: these words stand first, and nothing but them is wanted\n"
	"\tset -l words (commandline -opc)\n"
	"\ttest (count $words) -gt (count $argv); and test \"$words[2]\" = $argv[1]; or return 1\n"
	"\ttest (count $argv) -lt 2; or test \"$words[3]\" = $argv[2]\n"
	"end\n"
	"function __sluice_verb # NOUN: its verb is what is typed now\n"
	"\tset -l words (commandline -opc)\n"
	"\ttest (count $words) -eq 2; and test \"$words[2]\" = $argv[1]\n"
	"end\n"
	"complete -c sluice -f\n";

static void fish_line(FILE *out, const char *condition, const struct cli_command *c)
{
	fprintf(out, "complete -c sluice -n '%s %s%s%s'", condition, c->noun, *c->verb ? " " : "",
		c->verb);
}

static void fish_values(FILE *out, enum cli_kind kind, const char *words)
{
	if (kind == CLI_FILE) {
		fputs(" -F", out);
	} else if (kind == CLI_WORD) {
		fputs(" -a '", out);
		for (const char *c = words; c && *c; c++)
			fputc(*c == '|' ? ' ' : *c, out);
		fputc('\'', out);
	} else if (names_of(kind)) {
		fprintf(out, " -a '(__sluice_names %s)'", names_of(kind));
	}
}

static void fish_help(FILE *out, const char *text)
{
	fputs(" -d '", out);
	quoted(out, text, "\\'", "\\");
	fputs("'\n", out);
}

static void fish_option(FILE *out, const struct cli_command *c, const struct cli_option *o)
{
	fish_line(out, "__sluice_at", c);
	fprintf(out, " -l %s", o->name + 2);
	if (o->kind != CLI_FLAG) {
		fputs(o->kind == CLI_FILE ? " -r" : " -x", out);
		fish_values(out, o->kind, o->words);
	}
	fish_help(out, o->help);
}

static void fish_command(FILE *out, const struct cli_command *c)
{
	if (*c->verb) {
		fprintf(out, "complete -c sluice -n '__sluice_verb %s' -a %s", c->noun, c->verb);
		fish_help(out, c->summary);
	}
	for (const struct cli_option *o = c->options; o && o->name; o++)
		fish_option(out, c, o);
	for (const struct cli_option *o = cli_common; o->name; o++)
		if (cli_common_applies(o, c))
			fish_option(out, c, o);
	if (c->operand && (c->operand_kind == CLI_FILE || names_of(c->operand_kind))) {
		fish_line(out, "__sluice_at", c);
		fish_values(out, c->operand_kind, NULL);
		fputc('\n', out);
	}
}

int cmd_completion_fish(struct cli *cli, const struct cli_args *args)
{
	(void)cli, (void)args;
	fputs(fish_head, stdout);
	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
		fprintf(stdout, "complete -c sluice -n __fish_use_subcommand -a %s", noun->name);
		fish_help(stdout, noun->summary);
	}
	for (const struct cli_command *c = cli_commands; c->noun; c++)
		fish_command(stdout, c);
	return CLI_OK;
}
