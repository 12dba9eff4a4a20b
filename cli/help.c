/* SPDX-License-Identifier: BSD-3-Clause */
/* help: see help.h. */
#include "cli/help.h"

#include <string.h>

#define HELP_WIDTH 88

/* ---- help on the terminal ---- */

/* Words of `text`, wrapped, each line after the first indented; `\n` keeps its place. Returns the
 * column that it has come to. */
static int wrap(FILE *out, const char *text, int column, int indent)
{
	while (*text) {
		int len = (int)strcspn(text, " \n");
		if (column > indent && column + 1 + len > HELP_WIDTH) {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", len, text);
		column += len;
		text += len;
		if (*text == '\n') {
			fprintf(out, "\n%*s", indent, "");
			column = indent;
		}
		text += *text != '\0';
	}
	return column;
}

/* `note` goes on where `right` ends. */
static void print_entry(FILE *out, const char *left, const char *right, const char *note,
			int indent)
{
	int n = fprintf(out, "  %s", left);

	if (n + 1 > indent) {
		fputc('\n', out);
		n = 0;
	}
	fprintf(out, "%*s", indent - n, "");
	wrap(out, note, wrap(out, right, indent, indent), indent);
	fputc('\n', out);
}

static void print_option(FILE *out, const struct cli_option *option)
{
	char left[80];

	snprintf(left, sizeof(left), "%s%s%s", option->name, option->value ? " " : "",
		 option->value ? option->value : "");
	print_entry(out, left, option->help,
		    option->required ? "(required)"
		    : option->repeat ? "(may be repeated)"
				     : "",
		    28);
}

static void print_synopsis(FILE *out, const struct cli_command *command)
{
	bool optional = false;

	fprintf(out, "sluice %s%s%s", command->noun, *command->verb ? " " : "", command->verb);
	if (command->operand)
		fprintf(out, command->operand_optional ? " [%s]" : " %s", command->operand);
	if (command->more)
		fprintf(out, " %s", command->more);
	for (const struct cli_option *o = command->options; o && o->name; o++) {
		optional |= !o->required;
		if (o->required)
			fprintf(out, " %s %s", o->name, o->value);
	}
	fputs(optional ? " [options]\n" : "\n", out);
}

static void help_command(FILE *out, const struct cli_command *command)
{
	fprintf(out, "sluice %s%s%s: %s\n\nusage: ", command->noun, *command->verb ? " " : "",
		command->verb, command->summary);
	print_synopsis(out, command);
	fputc('\n', out);
	wrap(out, command->about, 0, 0);
	fputc('\n', out);
	fputs("\noptions:\n", out);
	for (const struct cli_option *o = command->options; o && o->name; o++)
		print_option(out, o);
	for (const struct cli_option *o = cli_common; o->name; o++)
		if (cli_common_applies(o, command))
			print_option(out, o);
	fputs("\nexamples:\n", out);
	for (const char *const *example = command->examples; *example; example++)
		fprintf(out, "  %s\n", *example);
}

static const struct cli_command *only_command(const struct cli_noun *noun)
{
	for (const struct cli_command *c = cli_commands; c->noun; c++)
		if (!strcmp(c->noun, noun->name) && !*c->verb)
			return c;
	return NULL;
}

static void help_noun(FILE *out, const struct cli_noun *noun)
{
	const char *example = "";

	fprintf(out, "sluice %s: %s\n\nusage: sluice %s <command> [options]\n\ncommands:\n",
		noun->name, noun->summary, noun->name);
	for (const struct cli_command *c = cli_commands; c->noun; c++) {
		if (strcmp(c->noun, noun->name) != 0)
			continue;
		print_entry(out, c->verb, c->summary, "", 14);
		example = *example ? example : c->examples[0];
	}
	fprintf(out,
		"\nexample:\n  %s\n\n`sluice %s <command> --help` explains a command, with examples.\n",
		example, noun->name);
}

static void help_all(FILE *out)
{
	fputs("sluice: gives virtual machines real slices of hardware\n\n"
	      "usage: sluice <thing> <command> [name] [options]\n\nthings:\n",
	      out);
	for (const struct cli_noun *noun = cli_nouns; noun->name; noun++)
		print_entry(out, noun->name, noun->summary, "", 14);
	fputs("\nexamples:\n"
	      "  sluice pf list\n"
	      "  sluice vf create ens1f0 --count 4\n"
	      "  sluice vm run --kernel vmlinuz --initrd initrd.img --append console=ttyS0 --vf ens1f0\n"
	      "\n`sluice <thing> --help` lists its commands; --version names this version.\n"
	      "Exit status: 0 done, 1 refused or failed, 2 the command line is wrong.\n",
	      out);
}

void cli_help(FILE *out, const struct cli_command *command, const struct cli_noun *noun)
{
	if (!command && noun)
		command = only_command(noun);
	if (command)
		help_command(out, command);
	else if (noun)
		help_noun(out, noun);
	else
		help_all(out);
}

/* ---- the manual page ---- */

/* Text for mdoc: a line may not begin with a control character, and backslashes are escapes. */
static void man_text(FILE *out, const char *text)
{
	bool start = true;

	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		start = false;
		if (*text == '\\') {
			fputs("\\e", out);
		} else if (*text == '\n') {
			if (text[1] == '\n') {
				fputs("\n.Pp", out);
				text++;
			}
			fputc('\n', out);
			start = true;
		} else if (*text == '.' && text[1] == ' ') {
			fputs(".\n", out); /* new sentence, new line */
			text++;
			start = true;
		} else if (!strncmp(text, "…", strlen("…"))) {
			fputs("...", out);
			text += strlen("…") - 1;
		} else {
			fputc(*text, out);
		}
	}
	fputc('\n', out);
}

static void man_option(FILE *out, const struct cli_option *option)
{
	fprintf(out, ".It Fl Fl %s", option->name + 2);
	if (option->value) {
		fputs(" Ar ", out);
		for (const char *c = option->value; *c; c++) {
			if (!strncmp(c, "…", strlen("…"))) {
				fputs("...", out);
				c += strlen("…") - 1;
			} else if (*c == '|') {
				fputs("\\&|\\&", out); /* else a delimiter of its own */
			} else {
				fputc(*c, out);
			}
		}
	}
	fputc('\n', out);
	fputc((option->help[0] >= 'a' && option->help[0] <= 'z') ? option->help[0] - 'a' + 'A'
								 : option->help[0],
	      out);
	fputs(option->help + 1, out);
	fputs(option->required ? ".\nRequired.\n" : ".\n", out);
	if (option->repeat)
		fputs("May be repeated.\n", out);
}

static void man_command(FILE *out, const struct cli_command *command)
{
	const char *gap = *command->verb ? " " : "";

	fprintf(out, ".Ss %s%s%s\n.Nm\n.Cm %s%s%s\n", command->noun, gap, command->verb,
		command->noun, gap, command->verb);
	if (command->operand)
		fprintf(out, command->operand_optional ? ".Op Ar %s\n" : ".Ar %s\n",
			command->operand);
	if (command->more)
		fprintf(out, ".Ar %s\n", command->more);
	if (command->options)
		fputs(".Op Ar options\n", out);
	fputs(".Pp\n", out);
	man_text(out, command->about);
	if (command->options) {
		fputs(".Bl -tag -width Ds\n", out);
		for (const struct cli_option *o = command->options; o->name; o++)
			man_option(out, o);
		fputs(".El\n", out);
	}
}

static void man_examples(FILE *out)
{
	fputs(".Sh EXAMPLES\n", out);
	for (const struct cli_command *c = cli_commands; c->noun; c++) {
		fputs(".Bd -literal -offset indent\n", out);
		for (const char *const *example = c->examples; *example; example++) {
			man_text(out, *example);
		}
		fputs(".Ed\n", out);
	}
}

void cli_manual(FILE *out)
{
	fputs(".\\\" SPDX-License-Identifier: BSD-3-Clause\n"
	      ".\\\" Made from the command tables by `sluice --man`; do not edit.\n"
	      ".Dd November 21, 2026\n.Dt SLUICE 1\n.Os\n"
	      ".Sh NAME\n.Nm sluice\n.Nd give virtual machines real slices of hardware\n"
	      ".Sh SYNOPSIS\n.Nm\n.Ar thing command\n.Op Ar name\n.Op Ar options\n"
	      ".Nm\n.Fl Fl help | Fl Fl version\n"
	      ".Sh DESCRIPTION\n"
	      "With\n.Nm\n"
	      "the virtual functions (VFs) of SR-IOV devices are made, set up, and given to virtual\n"
	      "machines, which it starts and watches.\n"
	      "There is no daemon: each command looks at the machine and at the ledger of who owns what,\n"
	      "changes one thing at a time, and ends.\n"
	      ".Pp\n"
	      "These options go with every command that they make sense for:\n"
	      ".Bl -tag -width Ds\n",
	      out);
	for (const struct cli_option *o = cli_common; o->name; o++)
		man_option(out, o);
	fputs(".El\n.Sh COMMANDS\n", out);
	for (const struct cli_command *c = cli_commands; c->noun; c++)
		man_command(out, c);
	fputs(".Sh ENVIRONMENT\n.Bl -tag -width SLUICE_STATE_DIR\n"
	      ".It Ev SLUICE_STATE_DIR\nWhere the ledger and unpacked kernels are kept.\n"
	      ".It Ev SLUICE_RUN_DIR\nWhere locks, sockets and logs of running VMs are.\n"
	      ".It Ev SLUICE_VMM\nThe program that runs a VM.\n"
	      "Without it, the\n.Nm sluice-vmm\nbeside\n.Nm ,\nor else the one in\n.Ev PATH .\n"
	      ".It Ev SLUICE_STORAGE_DAEMON\nThe engine that reads images which are not raw,\n"
	      "qemu-storage-daemon of\n.Ev PATH\notherwise.\n"
	      ".It Ev SLUICE_SYSFS\nThe sysfs tree to look at, for tests.\n"
	      ".It Ev SLUICE_ROOT\nWhere profiles of other managers are looked for, for tests.\n"
	      ".It Ev SLUICE_LOG\nHow much is said on standard error:\n"
	      ".Cm error , warn , info\nor\n.Cm debug .\n.El\n"
	      ".Sh FILES\n.Bl -tag -width Ds\n"
	      ".It Pa /var/lib/sluice/state.db\nThe ledger of who owns what.\n"
	      ".It Pa /run/sluice/vm/NAME/\nLock, sockets, configuration and log of a VM.\n.El\n"
	      ".Sh EXIT STATUS\n"
	      "0 when it is done, 1 when it was refused or failed (the message says what, why and what\n"
	      "to do), 2 when the command line is wrong.\n",
	      out);
	man_examples(out);
	fputs(".Sh SEE ALSO\n.Xr sluice-vmm 8\n", out);
}
