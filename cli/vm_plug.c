/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_plug: see vm_plug.h. */
#include "cli/vm_plug.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/vm_claim.h"
#include "cli/vm_dial.h"
#include "cli/vm_dir.h"
#include "cli/vm_disk.h"
#include "cli/vm_place.h"
#include "cli/vm_supervise.h"
#include "iommu/iommu.h"

#define ATTACH_MS 600000 /* a large guest's memory is touched and pinned first */
#define POLL_MS	  50
#define SLACK_MS  5000 /* beyond the guest's time */

struct plug {
	struct cli *cli;
	const char *name;
	char subject[VMM_NAME_MAX + 4];
	int lock;
	json_t *status; /* of the VM; see vmm_ctl.h */
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the VM as it is ---- */

static int plug_open(struct plug *p, struct cli *cli, const char *name)
{
	*p = (struct plug){.cli = cli, .name = name, .lock = -1};
	snprintf(p->subject, sizeof(p->subject), "vm %s", name);
	struct sriov *sriov = cli_sriov(cli);
	if (!sriov)
		return -EIO;
	if (vm_known(cli, name) && sriov_owner_alive(sriov, name))
		return 0;
	return log_fail(-ENOENT, p->subject, "does not run; see sluice vm list");
}

static void plug_close(struct plug *p)
{
	json_decref(p->status);
	io_close(&p->lock);
}

/* -EAGAIN: somebody else has it, and `wait` is false. */
static int take_lock(struct plug *p, bool wait)
{
	char path[CLI_PATH];
	int err = vm_path(p->cli, p->name, VM_PLUG, path);

	if (err)
		return err;
	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (p->lock < 0)
		return log_fail(-errno, path, "not opened: %m");
	while (flock(p->lock, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0)
		if (errno != EINTR)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return 0;
}

static int read_status(struct plug *p, char error[RPC_ERROR_TEXT])
{
	json_decref(p->status);
	p->status = NULL;
	return vm_try(p->cli, p->name, "status", &p->status, error);
}

/* The VM's own view of a function; NULL: it does not have it. */
static const json_t *find_device(const struct plug *p, struct bdf bdf)
{
	const json_t *devices = json_object_get(p->status, "devices");
	char text[BDF_TEXT];

	bdf_format(bdf, text);
	for (size_t i = 0; i < json_array_size(devices); i++) {
		const json_t *device = json_array_get(devices, i);
		const char *own = json_string_value(json_object_get(device, "bdf"));

		if (own && !strcmp(own, text))
			return device;
	}
	return NULL;
}

static bool has_group(const struct plug *p, int group)
{
	const json_t *devices = json_object_get(p->status, "devices");

	for (size_t i = 0; i < json_array_size(devices); i++)
		if (json_integer_value(json_object_get(json_array_get(devices, i), "group")) ==
		    group)
			return true;
	return false;
}

/* Lock held, status just read. */
static int give_back_leftovers(struct plug *p)
{
	struct sriov *sriov = cli_sriov(p->cli);
	struct sriov_claim *claims = NULL;
	size_t count = 0;
	int err = sriov ? sriov_claims(sriov, &claims, &count) : -EIO;

	for (size_t i = 0; i < count && !err; i++)
		if (!strcmp(claims[i].owner, p->name) && !claims[i].orphaned &&
		    !find_device(p, claims[i].bdf))
			err = sriov_release(sriov, claims[i].bdf, p->name);
	free(claims);
	return err;
}

/* Lock, status, order. */
static int settle(struct plug *p, bool wait)
{
	char error[RPC_ERROR_TEXT];
	int err = take_lock(p, wait);

	if (err)
		return err;
	err = read_status(p, error);
	if (err)
		return log_fail(err, p->subject, "does not answer: %s", error);
	return give_back_leftovers(p);
}

int vm_plug_tidy(struct cli *cli, const char *name)
{
	struct plug p;
	int err = plug_open(&p, cli, name);

	if (!err)
		err = settle(&p, false);
	plug_close(&p);
	return err == -EAGAIN ? 0 : err; /* whoever has the lock does it too */
}

/* ---- attach ---- */

/* The descriptors that the VM lacks, and their names. */
struct files {
	int fd[2];
	size_t count;
	json_t *names;
};

static int open_files(const struct plug *p, int group, struct files *files)
{
	int err = 0;

	*files = (struct files){.fd = {-1, -1}, .names = json_array()};
	if (!has_group(p, group)) {
		err = vm_open_group(p->subject, group, &files->fd[files->count++]);
		json_array_append_new(files->names, json_string("group"));
	}
	if (!err && !json_is_true(json_object_get(p->status, "container"))) {
		err = vm_open_container(p->subject, &files->fd[files->count++]);
		json_array_append_new(files->names, json_string("container"));
	}
	return err;
}

static long log_size(const struct plug *p)
{
	char path[CLI_PATH];
	struct stat st;

	return !vm_path(p->cli, p->name, VM_LOG, path) && stat(path, &st) == 0 ? (long)st.st_size
									       : 0;
}

/* The reason stands in the VM's log, most often; it is shown as it was written there. */
static void explain(const struct plug *p, const char *what, long log_from, const char *error)
{
	long shown = log_from;

	vm_show_log(p->cli, p->name, &shown);
	if (shown == log_from)
		log_error(p->subject, "%s not attached: %s", what, error);
}

static int call_attach(const struct plug *p, const struct vm_pick *pick, int group,
		       struct files *files, int *slot)
{
	char path[CLI_PATH], name[VM_PICK_NAME], bdf[BDF_TEXT], error[RPC_ERROR_TEXT];
	long log_from = log_size(p);
	json_t *params =
		json_pack("{s:s,s:s,s:i,s:i,s:O}", "name", vm_pick_name(pick, name), "bdf",
			  bdf_format(pick->bdf, bdf), "group", group, "node",
			  vm_device_node(cli_sysfs(p->cli), pick->bdf), "files", files->names);
	json_t *result = NULL;
	int err = vm_path(p->cli, p->name, VM_CTL, path);

	if (bdf_is_stand_in(pick->bdf))
		json_object_set_new(params, "vfio", json_string(pick->slice.vfio));
	if (!err)
		err = rpc_call_fds(path, "attach", params, files->fd, files->count, ATTACH_MS,
				   &result, error);
	else
		json_decref(params);
	if (err) {
		explain(p, name, log_from, error);
	}
	*slot = (int)json_integer_value(json_object_get(result, "slot"));
	json_decref(result);
	return err;
}

/* ---- the memory of a VM that gets its first device ---- */

static bool is_first(const struct plug *p)
{
	return !json_is_true(json_object_get(p->status, "container"));
}

static void show_touched(const json_t *status)
{
	char done[PARSE_SIZE_TEXT], total[PARSE_SIZE_TEXT];

	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[Ksluice: preparing memory: %s of %s",
		format_size((uint64_t)json_integer_value(json_object_get(status, "done")), done),
		format_size((uint64_t)json_integer_value(json_object_get(status, "total")), total));
}

/* Begins it, or asks how far it is: *working. */
static int touch(const struct plug *p, bool *working)
{
	char error[RPC_ERROR_TEXT];
	json_t *status = NULL;
	int err = vm_try(p->cli, p->name, "touch", &status, error);
	const char *state = json_string_value(json_object_get(status, "state"));

	*working = state && !strcmp(state, "working");
	if (*working)
		show_touched(status);
	if (err)
		log_fail(err, p->subject, "its memory was not made ready: %s", error);
	else if (!state || (!*working && strcmp(state, "done") != 0))
		err = log_fail(
			-ENOMEM, p->subject,
			"its memory was not made ready; its log tells why: sluice vm show %s",
			p->name);
	json_decref(status);
	return err;
}

static int await_touched(const struct plug *p)
{
	const struct timespec tick = {.tv_nsec = POLL_MS * 1000000L};
	bool working = true;
	int err = touch(p, &working);

	while (!err && working) {
		nanosleep(&tick, NULL);
		err = touch(p, &working);
	}
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
	return err;
}

static int give(struct plug *p, const struct vm_pick *pick, int *slot)
{
	struct files files = {.fd = {-1, -1}};
	int group, err = vm_pick_group(p->cli, pick, &group);

	if (!err)
		err = open_files(p, group, &files);
	if (!err)
		err = call_attach(p, pick, group, &files, slot);
	io_close(&files.fd[0]);
	io_close(&files.fd[1]);
	json_decref(files.names);
	return err;
}

static void report_attached(const struct plug *p, const struct vm_pick *pick, int slot, int64_t ms)
{
	char name[VM_PICK_NAME], bdf[BDF_TEXT];

	vm_pick_name(pick, name);
	if (p->cli->json) {
		json_t *json = json_pack("{s:s,s:s,s:s,s:i,s:I}", "vm", p->name, "name", name,
					 "address", bdf_format(pick->bdf, bdf), "slot", slot,
					 "milliseconds", (json_int_t)ms);
		cli_print_json(stdout, json);
		json_decref(json);
	} else {
		printf("%s: %s attached, slot %d, in %lld.%03lld s\n", p->subject, name, slot,
		       (long long)(ms / 1000), (long long)(ms % 1000));
	}
}

static int attach_one(struct plug *p, const struct vm_request *r, const struct vm_pick *pick)
{
	char name[VM_PICK_NAME];
	int64_t start = now_ms();
	int slot = 0;

	if (p->cli->dry_run) {
		printf("%s: would be given %s\n", p->subject, vm_pick_name(pick, name));
		return 0;
	}
	bool first = is_first(p), working;
	int err = first ? touch(p, &working) : 0; /* which goes on while the function is claimed */
	if (!err)
		err = vm_claim_pick(p->cli, r, pick);
	if (err)
		return err;
	err = first ? await_touched(p) : 0;
	if (!err)
		err = give(p, pick, &slot);
	if (!err)
		report_attached(p, pick, slot, now_ms() - start);
	else if (err != -ETIMEDOUT) /* then the VM may have it yet: the next command sees */
		sriov_release(cli_sriov(p->cli), pick->bdf, p->name);
	return err;
}

/* ---- disks ---- */

static void report_disk(const struct plug *p, const char *name, int slot, int64_t ms)
{
	if (p->cli->json) {
		json_t *json = json_pack("{s:s,s:s,s:i,s:I}", "vm", p->name, "disk", name, "slot",
					 slot, "milliseconds", (json_int_t)ms);
		cli_print_json(stdout, json);
		json_decref(json);
	} else {
		printf("%s: disk %s attached, slot %d, in %lld.%03lld s\n", p->subject, name, slot,
		       (long long)(ms / 1000), (long long)(ms % 1000));
	}
}

static int call_attach_disk(const struct plug *p, const struct vmm_disk *disk, int *slot)
{
	char path[CLI_PATH], error[RPC_ERROR_TEXT];
	long log_from = log_size(p);
	json_t *result = NULL, *params = json_pack("{s:o}", "disk", vmm_disk_encode(disk));
	int err = vm_path(p->cli, p->name, VM_CTL, path);

	if (err) {
		json_decref(params);
		return err;
	}
	const int *fd = disk->socket ? &disk->life_fd : &disk->file.fd;
	err = rpc_call_fds(path, "attach", params, fd, *fd >= 0, VM_CALL_MS, &result, error);
	if (err) {
		explain(p, disk->file.name, log_from, error);
	}
	*slot = (int)json_integer_value(json_object_get(result, "slot"));
	json_decref(result);
	return err;
}

static int attach_disk(struct plug *p, const struct disk_spec *spec)
{
	unsigned cpus = (unsigned)json_integer_value(json_object_get(p->status, "cpus"));
	int64_t start = now_ms();
	struct vmm_disk disk;
	int slot = 0, err = vm_disk_open(p->cli, p->subject, spec, cpus, &disk);

	if (!err && spec->format[0] && !p->cli->dry_run)
		err = vm_disk_serve(p->cli, p->subject, p->name, spec, &disk);
	if (!err && disk.socket && !p->cli->dry_run)
		err = vm_dial_allow(p->cli, p->name, disk.socket);
	if (!err && p->cli->dry_run)
		printf("%s: would be given disk %s\n", p->subject, disk.file.name);
	else if (!err)
		err = call_attach_disk(p, &disk, &slot);
	if (!err && !p->cli->dry_run)
		report_disk(p, disk.file.name, slot, now_ms() - start);
	io_close(&disk.file.fd);
	io_close(&disk.life_fd);
	vmm_disk_finish(&disk);
	return err;
}

/* ---- NICs on the switch ---- */

static int call_attach_net(const struct plug *p, const struct vmm_net *net, int *slot)
{
	char path[CLI_PATH], error[RPC_ERROR_TEXT];
	long log_from = log_size(p);
	json_t *result = NULL, *params = json_pack("{s:o}", "net", vmm_port_encode(net));
	int err = vm_path(p->cli, p->name, VM_CTL, path);

	if (err) {
		json_decref(params);
		return err;
	}
	err = rpc_call(path, "attach", params, VM_CALL_MS, &result, error);
	if (err)
		explain(p, net->tap_name, log_from, error);
	*slot = (int)json_integer_value(json_object_get(result, "slot"));
	json_decref(result);
	return err;
}

static void report_port(const struct plug *p, const struct vmm_net *net, int slot, int64_t ms)
{
	char mac[PARSE_MAC_TEXT];

	format_mac(net->mac, mac);
	if (p->cli->json) {
		json_t *json =
			json_pack("{s:s,s:s,s:s,s:i,s:I}", "vm", p->name, "port", net->tap_name,
				  "mac", mac, "slot", slot, "milliseconds", (json_int_t)ms);
		cli_print_json(stdout, json);
		json_decref(json);
	} else {
		printf("%s: port %s attached, %s, slot %d, in %lld.%03lld s\n", p->subject,
		       net->tap_name, mac, slot, (long long)(ms / 1000), (long long)(ms % 1000));
	}
}

static int attach_port(struct plug *p, const struct vm_port_spec *spec)
{
	int64_t start = now_ms();
	struct vmm_net net;
	int slot = 0;

	if (p->cli->dry_run) {
		printf("%s: would be given a port of bridge %s\n", p->subject, spec->bridge);
		return 0;
	}
	int err = vm_port_add(p->cli, p->name, spec, &net);
	if (err)
		return err;
	err = vm_dial_allow(p->cli, p->name, net.socket);
	if (!err)
		err = call_attach_net(p, &net, &slot);
	if (!err)
		report_port(p, &net, slot, now_ms() - start);
	else
		vm_port_remove(p->cli, net.tap_name);
	vmm_net_finish(&net);
	return err;
}

int vm_plug_attach(struct cli *cli, struct vm_request *r)
{
	char error[RPC_ERROR_TEXT];
	struct plug p;
	int err = plug_open(&p, cli, r->name);

	if (!err)
		err = settle(&p, true);
	if (!err) {
		vm_place_recall(cli, r);
		err = vm_request_find(cli, r);
	}
	if (!err)
		vm_place_check_attach(cli, r);
	for (size_t i = 0; i < r->pick_count && !err; i++) {
		err = attach_one(&p, r, &r->picks[i]);
		if (!err && i + 1 < r->pick_count) /* it has another group now */
			err = read_status(&p, error);
	}
	for (size_t i = 0; i < r->disk_count && !err; i++)
		err = attach_disk(&p, &r->disks[i]);
	for (size_t i = 0; i < r->port_count && !err; i++)
		err = attach_port(&p, &r->ports[i]);
	plug_close(&p);
	return err;
}

/* ---- detach ---- */

/* What is to go: a disk of the VM, by its path or serial number, a NIC by its port, else a
 * function.
 */
struct target {
	const char *text; /* as typed */
	char disk[PATH_MAX];
	bool is_disk, is_net;
	bool owns_port; /* made with the NIC */
	struct bdf bdf;
};

static const json_t *find_disk(const struct plug *p, const char *text)
{
	const json_t *disks = json_object_get(p->status, "disks");
	char path[PATH_MAX];

	if (!realpath(text, path))
		snprintf(path, sizeof(path), "%s", text);
	for (size_t i = 0; i < json_array_size(disks); i++) {
		const json_t *disk = json_array_get(disks, i);
		const char *name = json_string_value(json_object_get(disk, "name"));
		const char *serial = json_string_value(json_object_get(disk, "serial"));

		if ((name && !strcmp(name, path)) || (serial && *serial && !strcmp(serial, text)))
			return disk;
	}
	return NULL;
}

static const json_t *find_net(const struct plug *p, const char *text)
{
	const json_t *nets = json_object_get(p->status, "nets");

	for (size_t i = 0; i < json_array_size(nets); i++) {
		const json_t *net = json_array_get(nets, i);

		if (!strcmp(json_string_value(json_object_get(net, "name")), text))
			return net;
	}
	return NULL;
}

static const json_t *find_target(const struct plug *p, const struct target *t)
{
	if (t->is_net)
		return find_net(p, t->text);
	return t->is_disk ? find_disk(p, t->disk) : find_device(p, t->bdf);
}

static int resolve(const struct plug *p, const char *text, struct target *t)
{
	const json_t *disk = find_disk(p, text);

	const json_t *net = disk ? NULL : find_net(p, text);
	const char *socket = json_string_value(json_object_get(net, "socket"));

	*t = (struct target){.text = text, .is_disk = disk, .is_net = net};
	t->owns_port = socket && vm_port_owns(p->cli, p->name, socket);
	if (net)
		return 0;
	if (!disk && text[0] == '/')
		return log_fail(-ENOENT, p->subject, "has no disk %s; see sluice vm show %s", text,
				p->name);
	if (!disk) {
		int found = vm_find_slice(p->cli, text, &t->bdf);
		return found ? (found < 0 ? found : 0)
			     : vm_find_function(cli_sriov(p->cli), text, &t->bdf);
	}
	snprintf(t->disk, sizeof(t->disk), "%s", json_string_value(json_object_get(disk, "name")));
	return 0;
}

static int ask(const struct plug *p, const struct target *t, unsigned ms)
{
	char path[CLI_PATH], text[BDF_TEXT], error[RPC_ERROR_TEXT];
	json_t *result = NULL;
	json_t *params = json_pack("{s:s,s:I}",
				   t->is_net	? "net"
				   : t->is_disk ? "disk"
						: "bdf",
				   t->is_net	? t->text
				   : t->is_disk ? t->disk
						: bdf_format(t->bdf, text),
				   "timeout", (json_int_t)ms);
	int err = vm_path(p->cli, p->name, VM_CTL, path);

	if (err) {
		json_decref(params);
		return err;
	}
	err = rpc_call(path, "detach", params, VM_CALL_MS, &result, error);
	json_decref(result);
	return err ? log_fail(err, p->subject, "%s not asked for: %s", t->text, error) : 0;
}

/* Until the VM does not have it any more. */
static int await(struct plug *p, const struct target *t, unsigned seconds)
{
	const struct timespec tick = {.tv_nsec = POLL_MS * 1000000L};
	int64_t deadline = now_ms() + (int64_t)seconds * 1000 + SLACK_MS;
	char error[RPC_ERROR_TEXT];
	bool late = false;

	while (!late && sriov_owner_alive(cli_sriov(p->cli), p->name)) {
		int err = read_status(p, error);
		const json_t *device = err ? NULL : find_target(p, t);
		const char *state = json_string_value(json_object_get(device, "state"));

		if (!err && !device)
			return 0;
		late = (state && !strcmp(state, "eject timed out")) || now_ms() > deadline;
		nanosleep(&tick, NULL);
	}
	if (!late)
		return log_fail(-ESRCH, p->subject,
				"has ended meanwhile; its supervisor gives %s back", t->text);
	return log_fail(-ETIMEDOUT, p->subject,
			"its guest has not let go of %s within %u s, so it stays; try again, with "
			"--timeout, when the guest is up and has hot plug (of ACPI, or pciehp)",
			t->text, seconds);
}

static void report_detached(const struct plug *p, const char *what, bool was, int64_t ms)
{
	if (p->cli->json) {
		json_t *json = json_pack("{s:s,s:s,s:b,s:I}", "vm", p->name, "name", what,
					 "detached", was, "milliseconds", (json_int_t)ms);
		cli_print_json(stdout, json);
		json_decref(json);
	} else if (was) {
		printf("%s: %s detached in %lld.%03lld s\n", p->subject, what,
		       (long long)(ms / 1000), (long long)(ms % 1000));
	} else {
		printf("%s: does not have %s; nothing to do\n", p->subject, what);
	}
}

/* The lock is not held while the guest thinks: others may come and go meanwhile. */
static int detach(struct plug *p, const char *what, unsigned seconds)
{
	int64_t start = now_ms();
	char error[RPC_ERROR_TEXT];
	struct target t;
	int err = read_status(p, error);

	if (err)
		return log_fail(err, p->subject, "does not answer: %s", error);
	err = resolve(p, what, &t);
	if (err)
		return err;
	bool has = find_target(p, &t);
	if (p->cli->dry_run) {
		printf("%s: %s %s\n", p->subject, what,
		       has ? "would be asked for" : "is not there; nothing to do");
		return 0;
	}
	if (has)
		err = ask(p, &t, seconds * 1000);
	if (!err && has)
		err = await(p, &t, seconds);
	if (!err && has && t.owns_port)
		err = vm_port_remove(p->cli, what);
	if (!err)
		err = settle(p, true);
	if (!err)
		report_detached(p, what, has, now_ms() - start);
	return err;
}

int vm_plug_detach(struct cli *cli, const char *name, const char *what, unsigned seconds)
{
	struct plug p;
	int err = plug_open(&p, cli, name);

	if (!err)
		err = detach(&p, what, seconds);
	plug_close(&p);
	return err;
}

/* ---- CPUs ---- */

static int call_cpus(const struct plug *p, json_t *params)
{
	char path[CLI_PATH], error[RPC_ERROR_TEXT];
	json_t *result = NULL;
	int err = vm_path(p->cli, p->name, VM_CTL, path);

	if (err) {
		json_decref(params);
		return err;
	}
	err = rpc_call(path, "cpus", params, VM_CALL_MS, &result, error);
	json_decref(result);
	return err ? log_fail(err, p->subject, "CPUs not changed: %s", error) : 0;
}

static int number(const struct plug *p, const char *key)
{
	return (int)json_integer_value(json_object_get(p->status, key));
}

static int await_cpus(struct plug *p, unsigned count, unsigned seconds)
{
	const struct timespec tick = {.tv_nsec = POLL_MS * 1000000L};
	int64_t deadline = now_ms() + (int64_t)seconds * 1000;
	char error[RPC_ERROR_TEXT];
	int err;

	while (!(err = read_status(p, error))) {
		if (number(p, "cpus") == (int)count && number(p, "cpus_unheard") == 0)
			return 0;
		if (now_ms() > deadline)
			break;
		nanosleep(&tick, NULL);
	}
	if (err)
		return log_fail(err, p->subject, "does not answer: %s", error);
	call_cpus(p, NULL);
	return log_fail(-ETIMEDOUT, p->subject,
			"its guest has not taken notice within %u s; it has %d CPUs", seconds,
			number(p, "cpus"));
}

static int set_cpus(struct plug *p, unsigned count, unsigned seconds)
{
	int err = 0;

	if (!p->cli->dry_run)
		err = call_cpus(p, json_pack("{s:i}", "count", (int)count));
	if (!err && !p->cli->dry_run)
		err = await_cpus(p, count, seconds);
	if (err)
		return err;
	json_t *json = json_pack("{s:s,s:i}", "vm", p->name, "cpus", (int)count);
	if (p->cli->json)
		cli_print_json(stdout, json);
	else
		printf("%s: %s %u CPUs\n", p->subject, p->cli->dry_run ? "would get" : "has",
		       count);
	json_decref(json);
	return 0;
}

int vm_plug_cpus(struct cli *cli, const char *name, unsigned count, unsigned seconds)
{
	struct plug p;
	int err = plug_open(&p, cli, name);

	if (!err)
		err = set_cpus(&p, count, seconds);
	plug_close(&p);
	return err;
}
