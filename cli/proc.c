/* SPDX-License-Identifier: BSD-3-Clause */
/* proc: see proc.h, and proc(5). */
#include "cli/proc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#define LINE 8192 /* a line of /proc/interrupts has a column per CPU, of cpuinfo all flags */

/* "NAME:   123 kB" */
static int read_kib(FILE *in, const char *name, uint64_t *bytes)
{
	char line[256];
	size_t len = strlen(name);

	while (fgets(line, sizeof(line), in)) {
		uint64_t kib;
		if (!strncmp(line, name, len) && line[len] == ':' &&
		    sscanf(line + len + 1, "%" SCNu64, &kib) == 1) {
			*bytes = kib << 10;
			return 0;
		}
	}
	return -ENOENT;
}

#define NODES_MAX 1024

/* "… N0=512 N1=3 kernelpagesize_kB=4" */
static void add_pages(char *line, uint64_t kib[NODES_MAX])
{
	const char *size = strstr(line, " kernelpagesize_kB=");
	uint64_t each = size ? strtoull(strchr(size, '=') + 1, NULL, 10) : 4, pages;
	char *rest = NULL;
	unsigned node;

	for (char *word = strtok_r(line, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
		if (sscanf(word, "N%u=%" SCNu64, &node, &pages) == 2 && node < NODES_MAX)
			kib[node] += pages * each;
}

int proc_numa_node(FILE *in)
{
	uint64_t kib[NODES_MAX] = {0}, all = 0;
	char line[LINE];
	int most = 0;

	while (fgets(line, sizeof(line), in))
		add_pages(line, kib);
	for (int node = 0; node < NODES_MAX; node++) {
		all += kib[node];
		most = kib[node] > kib[most] ? node : most;
	}
	return all && kib[most] >= all - all / 4 ? most : -1;
}

int proc_meminfo(FILE *in, const char *name, uint64_t *bytes)
{
	return read_kib(in, name, bytes);
}

int proc_status(FILE *in, const char *name, uint64_t *bytes)
{
	return read_kib(in, name, bytes);
}

/* Whether `flag` is one of the words of `line`. */
static bool has_flag(const char *line, const char *flag)
{
	size_t len = strlen(flag);

	for (const char *at = line; (at = strstr(at, flag)); at += len)
		if (at > line && (at[-1] == ' ' || at[-1] == '\t') &&
		    (at[len] == ' ' || at[len] == '\n' || at[len] == '\0'))
			return true;
	return false;
}

void proc_cpuinfo(FILE *in, struct proc_cpu *out)
{
	char line[LINE];

	*out = (struct proc_cpu){0};
	while (fgets(line, sizeof(line), in)) {
		const char *value = strchr(line, ':');
		if (!value)
			continue;
		if (!strncmp(line, "processor", 9))
			out->count++;
		if (!strncmp(line, "model name", 10) && !out->model[0])
			snprintf(out->model, sizeof(out->model), "%.*s",
				 (int)strcspn(value + 2, "\n"), value + 2);
		if (!strncmp(line, "flags", 5) || !strncmp(line, "vmx flags", 9)) {
			out->vmx |= has_flag(value, "vmx");
			out->svm |= has_flag(value, "svm");
			out->ept |= has_flag(value, "ept");
			out->npt |= has_flag(value, "npt");
		}
	}
}

bool proc_interrupts_remapped(FILE *in)
{
	char line[LINE];

	while (fgets(line, sizeof(line), in))
		if (strstr(line, " IR-"))
			return true;
	return false;
}

/* The last word of a line, which is cut behind it. */
static char *last_word(char *line)
{
	size_t len = strlen(line);

	while (len && (line[len - 1] == '\n' || line[len - 1] == ' '))
		line[--len] = '\0';
	char *space = strrchr(line, ' ');
	return space ? space + 1 : line;
}

/* Adds up the counts of all CPUs, from behind the colon on; returns what follows them. */
static char *sum_counts(char *at, uint64_t *count)
{
	*count = 0;
	while (*at) {
		char *end;
		uint64_t n = strtoull(at, &end, 10);

		if (end == at || (*end != ' ' && *end != '\0'))
			break; /* the chip's name, which may begin with a digit */
		*count += n;
		at = end;
	}
	return at + strspn(at, " ");
}

int proc_interrupt_named(FILE *in, const char *name, uint64_t *count)
{
	char line[LINE];
	size_t len = strlen(name);

	while (fgets(line, sizeof(line), in)) {
		const char *at = line + strspn(line, " ");

		if (strncmp(at, name, len) != 0 || at[len] != ':')
			continue;
		sum_counts(strchr(line, ':') + 1, count);
		return 0;
	}
	return -ENOENT;
}

int proc_interrupt(FILE *in, const char *action, uint64_t *count, char *chip, size_t size)
{
	char line[LINE];

	while (fgets(line, sizeof(line), in)) {
		if (strcmp(last_word(line), action) != 0)
			continue;
		char *at = strchr(line, ':');
		if (!at)
			continue;
		at = sum_counts(at + 1, count);
		snprintf(chip, size, "%.*s", (int)strcspn(at, " "), at);
		return 0;
	}
	return -ENOENT;
}

int proc_interrupt_number(FILE *in, const char *action, unsigned *irq)
{
	char line[LINE];

	while (fgets(line, sizeof(line), in))
		if (!strcmp(last_word(line), action) && sscanf(line, "%u:", irq) == 1)
			return 0;
	return -ENOENT;
}

void proc_smaps(FILE *in, const struct proc_area *ram, size_t ram_count, struct proc_memory *out)
{
	char line[LINE];
	bool is_ram = false;

	*out = (struct proc_memory){0};
	while (fgets(line, sizeof(line), in)) {
		uint64_t start, end, kib;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2) {
			is_ram = false;
			for (size_t i = 0; i < ram_count; i++)
				is_ram |=
					start >= ram[i].start && start - ram[i].start < ram[i].size;
		} else if (sscanf(line, "Pss: %" SCNu64 " kB", &kib) == 1) {
			*(is_ram ? &out->ram_pss : &out->pss) += kib << 10;
		}
	}
}
