/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_threads: see vm_threads.h. */
#include "cli/vm_threads.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VMM_PROGRAM "sluice-vmm"

int vm_threads_inner(FILE *status)
{
	char line[256];

	while (fgets(line, sizeof(line), status)) {
		if (strncmp(line, "NSpid:", 6) != 0)
			continue;
		const char *at = strrchr(line, '\t');
		/* "NSpid:\t812": one number behind the only tab */
		return at && at != strchr(line, '\t') ? (int)strtol(at, NULL, 10) : 0;
	}
	return 0;
}

static int inner_of(const char *proc, int pid, const char *tid)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%d/task/%s/status", proc, pid, tid);
	FILE *in = fopen(path, "re");
	int inner = in ? vm_threads_inner(in) : 0;
	if (in)
		fclose(in);
	return inner;
}

static void translate_cpus(const char *proc, int pid, json_t *cpus)
{
	char path[PATH_MAX];
	struct dirent *e;
	json_t *cpu;
	size_t i;

	snprintf(path, sizeof(path), "%s/%d/task", proc, pid);
	DIR *tasks = opendir(path);
	while (tasks && (e = readdir(tasks))) {
		int inner = e->d_name[0] == '.' ? 0 : inner_of(proc, pid, e->d_name);

		json_array_foreach (cpus, i, cpu) {
			if (inner && json_integer_value(json_object_get(cpu, "thread")) == inner)
				json_object_set_new(cpu, "found",
						    json_integer(strtol(e->d_name, NULL, 10)));
		}
	}
	if (tasks)
		closedir(tasks);
	json_array_foreach (cpus, i, cpu) {
		json_object_set_new(
			cpu, "thread",
			json_integer(json_integer_value(json_object_get(cpu, "found"))));
		json_object_del(cpu, "found");
	}
}

/* Where the link cannot be read we are not root, and can do that process no harm. */
static int is_vmm(const char *proc, int pid)
{
	char path[64], target[PATH_MAX] = "";

	snprintf(path, sizeof(path), "%s/%d/exe", proc, pid);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return 1;
	const char *name = strrchr(target, '/');
	return !strncmp(name ? name + 1 : target, VMM_PROGRAM, strlen(VMM_PROGRAM));
}

void vm_threads_translate(const char *proc, json_t *answer)
{
	json_t *cpus = json_object_get(answer, "cpus");
	int pid = (int)json_integer_value(json_object_get(answer, "pid"));
	char self[16];

	if (pid < 1)
		return;
	if (!is_vmm(proc, pid)) {
		json_object_set_new(answer, "pid", json_integer(0));
		return;
	}
	snprintf(self, sizeof(self), "%d", pid);
	if (json_is_array(cpus) && inner_of(proc, pid, self))
		translate_cpus(proc, pid, cpus);
}
