/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_place: see vm_place.h. */
#include "cli/vm_place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpuset.h"
#include "base/io.h"
#include "base/log.h"
#include "base/util.h"
#include "cli/proc.h"
#include "cli/vm_claim.h"
#include "cli/vm_dir.h"

#define LIST_TEXT 1024
#define CPU_DIR	  "devices/system/cpu"
#define NODE_DIR  "devices/system/node"

/* ---- the host ---- */

static int read_set(const struct sysfs *fs, cpu_set_t *out, const char *path)
{
	char text[LIST_TEXT];
	int err = sysfs_read(fs, text, sizeof(text), "%s", path);

	CPU_ZERO(out);
	return err ? err : cpuset_parse(text, ',', out);
}

static void node_cpus(const struct sysfs *fs, int node, cpu_set_t *out)
{
	char path[64];

	snprintf(path, sizeof(path), NODE_DIR "/node%d/cpulist", node);
	read_set(fs, out, path);
}

static void request_pins(const struct vm_request *r, cpu_set_t *out)
{
	CPU_ZERO(out);
	for (unsigned i = 0; i < HV_MAX_CPUS; i++)
		if (r->pin[i] >= 0 && r->pin[i] < CPU_SETSIZE)
			CPU_SET((size_t)r->pin[i], out);
}

/* The cores of `cpus`: with each CPU those that share its core (SMT). */
static void add_siblings(const struct sysfs *fs, cpu_set_t *cpus)
{
	cpu_set_t all = *cpus, siblings;
	char path[96];

	for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, cpus))
			continue;
		snprintf(path, sizeof(path), CPU_DIR "/cpu%u/topology/thread_siblings_list", cpu);
		if (read_set(fs, &siblings, path) == 0)
			CPU_OR(&all, &all, &siblings);
	}
	*cpus = all;
}

/* The host's nodes that the VM is on: by --numa, else by its pins, else by where its memory is;
 * empty: not known. */
static void placed_on(const struct sysfs *fs, const struct vm_request *r, cpu_set_t *out)
{
	cpu_set_t pins, nodes, cpus;

	CPU_ZERO(out);
	for (size_t i = 0; i < r->numa_count; i++)
		if (r->numa[i].node.host >= 0)
			CPU_SET((size_t)r->numa[i].node.host, out);
	request_pins(r, &pins);
	if (!CPU_COUNT(out) && !CPU_COUNT(&pins) && r->has_home)
		CPU_SET((size_t)r->home, out);
	if (CPU_COUNT(out) || !CPU_COUNT(&pins) || read_set(fs, &nodes, NODE_DIR "/online"))
		return;
	for (int node = 0; node < CPU_SETSIZE; node++) {
		if (!CPU_ISSET((size_t)node, &nodes))
			continue;
		node_cpus(fs, node, &cpus);
		if (cpuset_overlaps(&cpus, &pins))
			CPU_SET((size_t)node, out);
	}
}

/* ---- before anything is changed ---- */

static int check_nodes(const struct sysfs *fs, const struct vm_request *r)
{
	char text[LIST_TEXT];
	cpu_set_t there;
	int err = read_set(fs, &there, NODE_DIR "/online");

	for (size_t i = 0; i < r->numa_count; i++) {
		int host = r->numa[i].node.host;

		if (host >= 0 && (err || !CPU_ISSET((size_t)host, &there)))
			return log_fail(-EINVAL, r->subject,
					"the host has no NUMA node %d; it has %s", host,
					err ? "none that it tells"
					    : cpuset_format(&there, text, sizeof(text)));
	}
	return 0;
}

static int check_pins(const struct sysfs *fs, const struct vm_request *r)
{
	char text[LIST_TEXT], missing[LIST_TEXT];
	cpu_set_t pins, there;

	request_pins(r, &pins);
	if (read_set(fs, &there, CPU_DIR "/online"))
		return 0;
	cpuset_remove(&pins, &there);
	if (!CPU_COUNT(&pins))
		return 0;
	return log_fail(-EINVAL, r->subject, "the host has no CPU %s; those online are %s",
			cpuset_format(&pins, missing, sizeof(missing)),
			cpuset_format(&there, text, sizeof(text)));
}

static void warn_far(const struct sysfs *fs, const struct vm_request *r, const cpu_set_t *nodes)
{
	char bdf[BDF_TEXT], text[LIST_TEXT], name[VM_PICK_NAME];

	for (size_t i = 0; i < r->pick_count && CPU_COUNT(nodes); i++) {
		bdf_format(r->picks[i].bdf, bdf);
		if (sysfs_read(fs, text, sizeof(text), "bus/pci/devices/%s/numa_node", bdf))
			continue;
		int node = atoi(text); /* NOLINT: the kernel writes numbers; -1: it does not know */
		if (node < 0 || node >= CPU_SETSIZE || CPU_ISSET((size_t)node, nodes))
			continue;
		log_warn(r->subject,
			 "%s is on NUMA node %d of the host, and the VM on %s: each access "
			 "crosses; --numa %d would put them together",
			 vm_pick_name(&r->picks[i], name), node,
			 cpuset_format(nodes, text, sizeof(text)), node);
	}
}

/* What a core is not free of, though no other VM runs there. */
static void warn_not_isolated(const struct sysfs *fs, const struct vm_request *r)
{
	char text[LIST_TEXT];
	cpu_set_t pins, isolated;

	request_pins(r, &pins);
	read_set(fs, &isolated, CPU_DIR "/isolated");
	cpuset_remove(&pins, &isolated);
	if (CPU_COUNT(&pins))
		log_warn(r->subject,
			 "no other VM gets CPU %s, but the host's own programs may; boot the host "
			 "with isolcpus=%s nohz_full=%s to keep them off too",
			 cpuset_format(&pins, text, sizeof(text)), text, text);
}

int vm_place_check(struct cli *cli, const struct vm_request *r)
{
	const struct sysfs *fs = cli_sysfs(cli);
	cpu_set_t nodes;
	int err = fs ? check_nodes(fs, r) : -EIO;

	if (!err)
		err = check_pins(fs, r);
	if (err)
		return err;
	placed_on(fs, r, &nodes);
	warn_far(fs, r, &nodes);
	if (r->isolate)
		warn_not_isolated(fs, r);
	return 0;
}

/* Where the memory of the VM's process is. */
static void find_home(const struct cli *cli, struct vm_request *r)
{
	char error[RPC_ERROR_TEXT], path[48];
	json_t *status = NULL;
	int err = vm_try(cli, r->name, "status", &status, error);

	snprintf(path, sizeof(path), "/proc/%d/numa_maps",
		 (int)json_integer_value(json_object_get(status, "pid")));
	json_decref(status);
	FILE *in = err ? NULL : fopen(path, "re"); /* a kernel without NUMA has no such file */
	int node = in ? proc_numa_node(in) : -1;
	if (in)
		fclose(in);
	r->has_home = node >= 0 && node < CPU_SETSIZE;
	r->home = r->has_home ? node : 0;
}

void vm_place_recall(struct cli *cli, struct vm_request *r)
{
	find_home(cli, r);
	json_t *config = vm_read_json(cli, r->name, VM_CONFIG);
	const json_t *nodes = json_object_get(config, "numa"),
		     *pins = json_object_get(config, "pin");

	r->numa_count = MIN(json_array_size(nodes), (size_t)HV_MAX_NODES);
	for (size_t i = 0; i < r->numa_count; i++)
		r->numa[i].node.host =
			(int)json_integer_value(json_object_get(json_array_get(nodes, i), "host"));
	for (size_t i = 0; i < HV_MAX_CPUS; i++) {
		const json_t *pin = json_array_get(pins, i);

		r->pin[i] = pin ? (int)json_integer_value(pin) : -1;
	}
	json_decref(config);
}

void vm_place_check_attach(struct cli *cli, const struct vm_request *r)
{
	const struct sysfs *fs = cli_sysfs(cli);
	cpu_set_t nodes;

	if (!fs)
		return;
	placed_on(fs, r, &nodes);
	warn_far(fs, r, &nodes);
}

static const char *placed_by(const struct vm_request *r)
{
	for (size_t i = 0; i < r->numa_count; i++)
		if (r->numa[i].node.host >= 0)
			return "by --numa";
	for (size_t i = 0; i < HV_MAX_CPUS; i++)
		if (r->pin[i] >= 0)
			return "by its pins";
	return "its memory is there";
}

int vm_place_node(struct cli *cli, const struct vm_request *r, char why[VM_PLACE_WHY])
{
	const struct sysfs *fs = cli_sysfs(cli);
	char text[32];
	cpu_set_t nodes;

	CPU_ZERO(&nodes);
	if (fs)
		placed_on(fs, r, &nodes);
	cpuset_format(&nodes, text, sizeof(text));
	if (!CPU_COUNT(&nodes))
		snprintf(why, VM_PLACE_WHY, "the VM is on no NUMA node in particular");
	else
		snprintf(why, VM_PLACE_WHY, "the VM is on NUMA node %s: %s", text, placed_by(r));
	for (int node = 0; CPU_COUNT(&nodes) == 1 && node < CPU_SETSIZE; node++)
		if (CPU_ISSET((size_t)node, &nodes))
			return node;
	return -1;
}

/* ---- notes ---- */

struct place {
	cpu_set_t pins, threads, reserved;
};

static void get_set(const json_t *json, const char *key, cpu_set_t *out)
{
	const char *text = json_string_value(json_object_get(json, key));

	CPU_ZERO(out);
	if (text)
		cpuset_parse(text, ',', out);
}

/* False: it has not noted anything (yet). */
static bool place_read(const struct cli *cli, const char *name, struct place *out)
{
	json_t *json = vm_read_json(cli, name, VM_CPUS);
	bool found = json_is_object(json);

	get_set(json, "pins", &out->pins);
	get_set(json, "threads", &out->threads);
	get_set(json, "reserved", &out->reserved);
	json_decref(json);
	return found;
}

static int place_write(const struct cli *cli, const char *name, const struct place *place)
{
	char pins[LIST_TEXT], threads[LIST_TEXT], reserved[LIST_TEXT];
	json_t *json =
		json_pack("{s:s,s:s,s:s}", "pins", cpuset_format(&place->pins, pins, sizeof(pins)),
			  "threads", cpuset_format(&place->threads, threads, sizeof(threads)),
			  "reserved", cpuset_format(&place->reserved, reserved, sizeof(reserved)));
	int err = json ? vm_write_json(cli, name, VM_CPUS, json) : -ENOMEM;

	json_decref(json);
	return err;
}

/* ---- moving what runs already ---- */

/* One thread: off `cpus`. True: it had to be moved, and was. -EBUSY in *err: it runs nowhere else.
 */
static bool move_thread(pid_t tid, const cpu_set_t *cpus, int *err)
{
	cpu_set_t now;

	if (sched_getaffinity(tid, sizeof(now), &now) < 0 || !cpuset_overlaps(&now, cpus))
		return false; /* or it has ended */
	cpuset_remove(&now, cpus);
	if (!CPU_COUNT(&now))
		*err = -EBUSY;
	else if (sched_setaffinity(tid, sizeof(now), &now) == 0)
		return true;
	else if (errno != ESRCH)
		*err = -errno;
	return false;
}

/* All threads of a process, until none is left to be moved: new ones inherit from those that were
 * not moved yet. */
static int move_process(pid_t pid, const cpu_set_t *cpus)
{
	bool moved = true;
	char path[48];
	int err = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	while (moved && !err) {
		DIR *dir = opendir(path);
		const struct dirent *entry;

		moved = false;
		while (dir && !err && (entry = readdir(dir))) {
			pid_t tid = (pid_t)atoi(entry->d_name); /* NOLINT: "." and ".." are 0 */

			if (tid > 0)
				moved |= move_thread(tid, cpus, &err);
		}
		if (dir)
			closedir(dir);
	}
	return err;
}

static int move_away(const struct cli *cli, const struct vm_request *r, const char *other,
		     struct place *place, const cpu_set_t *cpus)
{
	char error[RPC_ERROR_TEXT], text[LIST_TEXT];
	json_t *status = NULL;
	int err = vm_try(cli, other, "status", &status, error);
	pid_t pid = (pid_t)json_integer_value(json_object_get(status, "pid"));

	json_decref(status);
	if (err || pid <= 0)
		return log_fail(-EBUSY, r->subject,
				"CPU %s cannot be kept for it now: vm %s is starting; try again",
				cpuset_format(cpus, text, sizeof(text)), other);
	err = move_process(pid, cpus);
	if (err)
		return log_fail(err, r->subject,
				"CPU %s cannot be kept for it: vm %s is not moved away from there: "
				"%s",
				cpuset_format(cpus, text, sizeof(text)), other,
				err == -EBUSY ? "it may run nowhere else" : strerror(-err));
	cpuset_remove(&place->threads, cpus);
	log_info(r->subject, "vm %s was moved off CPU %s", other,
		 cpuset_format(cpus, text, sizeof(text)));
	return place_write(cli, other, place);
}

/* ---- taking ---- */

struct taking {
	struct cli *cli;
	const struct vm_request *request;
	struct place place;
};

static int refuse(const struct taking *t, const char *other, const cpu_set_t *a, const cpu_set_t *b,
		  const char *why)
{
	char text[LIST_TEXT];
	cpu_set_t both;

	CPU_AND(&both, a, b);
	return log_fail(-EBUSY, t->request->subject, "CPU %s %s vm %s; pin it elsewhere",
			cpuset_format(&both, text, sizeof(text)), why, other);
}

/* What another VM that lives has, and wants. */
static int meet(struct taking *t, const char *other)
{
	struct place theirs, *ours = &t->place;

	if (!place_read(t->cli, other, &theirs))
		return 0; /* its turn comes after ours */
	if (cpuset_overlaps(&ours->pins, &theirs.reserved))
		return refuse(t, other, &ours->pins, &theirs.reserved, "is kept by");
	if (cpuset_overlaps(&ours->reserved, &theirs.reserved))
		return refuse(t, other, &ours->reserved, &theirs.reserved, "shares a core with");
	if (cpuset_overlaps(&ours->reserved, &theirs.pins))
		return refuse(t, other, &ours->reserved, &theirs.pins,
			      "cannot be kept for it: there runs");
	cpuset_remove(&ours->threads, &theirs.reserved);
	if (cpuset_overlaps(&ours->reserved, &theirs.threads))
		return move_away(t->cli, t->request, other, &theirs, &ours->reserved);
	return 0;
}

static int meet_all(struct taking *t)
{
	struct sriov *sriov = cli_sriov(t->cli);
	json_t *names = vm_names(t->cli);
	int err = sriov ? 0 : -EIO;

	for (size_t i = 0; i < json_array_size(names) && !err; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (strcmp(name, t->request->name) != 0 && sriov_owner_alive(sriov, name))
			err = meet(t, name);
	}
	json_decref(names);
	return err;
}

/* Everything but pinned CPUs: what we may use, on the nodes the VM is on, but for its own cores. */
static void plan_threads(const struct sysfs *fs, const struct vm_request *r, struct place *place)
{
	cpu_set_t nodes, cpus, near, there;

	sched_getaffinity(0, sizeof(place->threads), &place->threads);
	if (read_set(fs, &there, CPU_DIR "/online") == 0)
		CPU_AND(&place->threads, &place->threads, &there);
	CPU_ZERO(&near);
	placed_on(fs, r, &nodes);
	for (int node = 0; r->numa_count && node < CPU_SETSIZE; node++) {
		if (!CPU_ISSET((size_t)node, &nodes))
			continue;
		node_cpus(fs, node, &cpus);
		CPU_OR(&near, &near, &cpus);
	}
	CPU_AND(&near, &near, &place->threads);
	cpuset_remove(&near, &place->reserved);
	if (CPU_COUNT(&near))
		place->threads = near;
	else
		cpuset_remove(&place->threads, &place->reserved);
}

static int lock_notes(const struct cli *cli)
{
	char path[CLI_PATH];
	int err = cli_run_path(cli, path, "place.lock");

	if (err)
		return err;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return log_fail(-errno, path, "not opened: %m");
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR) {
			err = log_fail(-errno, path, "not locked: %m");
			io_close(&fd);
			return err;
		}
	return fd;
}

int vm_place_take(struct cli *cli, const struct vm_request *r)
{
	struct taking t = {.cli = cli, .request = r};
	const struct sysfs *fs = cli_sysfs(cli);
	int lock = fs ? lock_notes(cli) : -EIO;

	if (lock < 0)
		return lock;
	request_pins(r, &t.place.pins);
	CPU_ZERO(&t.place.reserved);
	if (r->isolate) {
		t.place.reserved = t.place.pins;
		add_siblings(fs, &t.place.reserved);
	}
	plan_threads(fs, r, &t.place);
	int err = meet_all(&t);
	if (!err && !CPU_COUNT(&t.place.threads))
		err = log_fail(-EBUSY, r->subject,
			       "no CPU is left for its own threads: all are kept by VMs that run "
			       "with --isolate");
	if (!err)
		err = place_write(cli, r->name, &t.place);
	if (!err && sched_setaffinity(0, sizeof(t.place.threads), &t.place.threads) < 0)
		err = log_fail(-errno, r->subject, "not placed on its CPUs: %m");
	io_close(&lock);
	return err;
}
