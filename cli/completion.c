/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * completion: a bash script made from the command tables.
 *
 * The script holds one case per command: the options, and what its operand is. Names of PFs,
 * VFs and VMs are asked from sluice itself when the user presses the tab key.
 */
#include "cli/cli.h"

#include <string.h>

static const char head[] =
	"# bash completion for sluice; made by `sluice completion bash`.\n"
	"_sluice_names() { # KIND\n"
	"\tcase $1 in\n"
	"\tpf) sluice pf list 2>/dev/null | awk 'NR > 1 { print $1 }' ;;\n"
	"\tvf) sluice vf list 2>/dev/null | awk 'NR > 1 { print $1 }' ;;\n"
	"\tvm) sluice vm list 2>/dev/null | awk 'NR > 1 { print $1 }' ;;\n"
	"\tbdf) ls /sys/bus/pci/devices 2>/dev/null ;;\n"
	"\tesac\n"
	"}\n\n"
	"_sluice() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	"\tlocal words= kind=\n";

static const char tail[] =
	"\tcase $kind in\n"
	"\tfile) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
	"\ttext) return ;;\n"
	"\t?*) words=$(_sluice_names \"$kind\") ;;\n"
	"\tesac\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	"}\n"
	"complete -F _sluice sluice\n";

static const char *kind_name(enum cli_kind kind)
{
	switch (kind) {
	case CLI_FILE:
		return "file";
	case CLI_PF:
		return "pf";
	case CLI_VF:
		return "vf";
	case CLI_VM:
		return "vm";
	case CLI_BDF:
		return "bdf";
	default:
		return "text";
	}
}

/* The verb; or the options of a command that has none. */
static void print_second(FILE *out, const struct cli_command *command)
{
	if (*command->verb)
		fprintf(out, "%s ", command->verb);
	for (const struct cli_option *o = command->options; !*command->verb && o && o->name; o++)
		fprintf(out, "%s ", o->name);
}

static void print_nouns(FILE *out)
{
	fputs("\tif ((COMP_CWORD == 1)); then\n\t\twords=\"", out);
	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++)
		fprintf(out, "%s ", noun->name);
	fputs("--help --version\"\n\telif ((COMP_CWORD == 2)); then\n\t\tcase ${COMP_WORDS[1]} in\n",
	      out);
	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++) {
		fprintf(out, "\t\t%s) words=\"", noun->name);
		for (const struct cli_command *c = cli_commands; c->noun; c++)
			if (!strcmp(c->noun, noun->name))
				print_second(out, c);
		fputs("--help\" ;;\n", out);
	}
	fputs("\t\tesac\n\telse\n", out);
}

/* After an option that takes a value: the value. */
static void print_values(FILE *out, const struct cli_command *command)
{
	for (const struct cli_option *o = command->options; o && o->name; o++) {
		if (o->kind == CLI_FLAG)
			continue;
		fprintf(out, *command->verb ? "\t\t\"%s %s %s\") " : "\t\t\"%s \"*\"%s%s\") ",
			command->noun, command->verb, o->name);
		if (o->kind != CLI_WORD) {
			fprintf(out, "kind=%s ;;\n", kind_name(o->kind));
			continue;
		}
		fputs("words=\"", out);
		for (const char *c = o->words; *c; c++)
			fputc(*c == '|' ? ' ' : *c, out);
		fputs("\" ;;\n", out);
	}
}

static void print_command(FILE *out, const struct cli_command *command)
{
	fprintf(out, "\t\t\"%s %s%s\"*)\n\t\t\tif [[ $cur == -* ]]; then words=\"", command->noun,
		command->verb, *command->verb ? " " : "");
	for (const struct cli_option *o = command->options; o && o->name; o++)
		fprintf(out, "%s ", o->name);
	for (const struct cli_option *o = cli_common; o->name; o++)
		if (cli_common_applies(o, command))
			fprintf(out, "%s ", o->name);
	fputs("\"; ", out);
	if (command->more)
		fprintf(out, "elif ((COMP_CWORD > 3)); then kind=%s; ",
			kind_name(command->more_kind));
	fprintf(out, "else kind=%s; fi ;;\n",
		command->operand ? kind_name(command->operand_kind) : "text");
}

int cmd_completion_bash(struct cli *cli, const struct cli_args *args)
{
	(void)cli, (void)args;
	fputs(head, stdout);
	print_nouns(stdout);
	fputs("\t\tcase \"${COMP_WORDS[1]} ${COMP_WORDS[2]} $prev\" in\n", stdout);
	for (const struct cli_command *c = cli_commands; c->noun; c++)
		print_values(stdout, c);
	for (const struct cli_command *c = cli_commands; c->noun; c++)
		print_command(stdout, c);
	fputs("\t\tesac\n\tfi\n", stdout);
	fputs(tail, stdout);
	return CLI_OK;
}
