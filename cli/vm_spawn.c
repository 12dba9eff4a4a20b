/* SPDX-License-Identifier: BSD-3-Clause */
/* vm_spawn: see vm_spawn.h. */
#include "cli/vm_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/rpc.h"
#include "base/util.h"
#include "cli/console.h"
#include "cli/disk_engine.h"
#include "cli/program.h"
#include "cli/vm_claim.h"
#include "cli/vm_dial.h"
#include "cli/vm_dir.h"
#include "cli/vm_disk.h"
#include "cli/vm_net.h"
#include "cli/vm_user.h"
#include "iommu/iommu.h"

/* ---- opening ---- */

static int open_image(const struct vm_request *r, const char *what, const char *path,
		      struct vmm_file *file)
{
	struct stat st;

	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		return log_fail(-errno, r->subject, "%s %s not opened: %m", what, path);
	if (fstat(file->fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return log_fail(-EINVAL, r->subject, "%s %s is not a file, or empty", what, path);
	file->name = strdup(path);
	return file->name ? 0 : -ENOMEM;
}

static int open_kvm(const struct vm_request *r, struct vmm_config *config)
{
	config->engine_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (config->engine_fd >= 0)
		return 0;
	return log_fail(-errno, r->subject, "/dev/kvm not opened: %m; %s",
			errno == EACCES ? "run as root or join the group kvm"
					: "turn virtualization on in the firmware and load "
					  "kvm_intel or kvm_amd");
}

/* A saved VM needs its kernel only when its guest reboots. */
static bool kernel_is_gone(const struct vm_request *r)
{
	const char *gone = access(r->kernel, R_OK) < 0		      ? r->kernel
			   : r->initrd && access(r->initrd, R_OK) < 0 ? r->initrd
								      : NULL;

	if (gone)
		log_warn(r->subject, "%s is gone: when the guest reboots, the VM will end", gone);
	return gone;
}

static int open_saved(const struct vm_request *r, struct vmm_config *config)
{
	config->restore.fd = fcntl(r->saved_fd, F_DUPFD_CLOEXEC, 3);
	config->restore.name = strdup(r->saved);
	return config->restore.fd >= 0 && config->restore.name ? 0 : -ENOMEM;
}

int vm_open_files(const struct vm_request *r, struct vmm_config *config)
{
	bool boots = !r->saved || !kernel_is_gone(r);
	int err = r->saved ? open_saved(r, config) : 0;

	if (!err && boots && r->kernel)
		err = open_image(r, "kernel", r->kernel, &config->kernel);
	if (!err)
		err = vm_firmware_open(r->subject, &r->firmware, config);
	if (!err && boots && r->initrd)
		err = open_image(r, "initrd", r->initrd, &config->initrd);
	return err ? err : open_kvm(r, config);
}

static int add_group(const struct vm_request *r, int id, struct vmm_config *config)
{
	for (size_t i = 0; i < config->group_count; i++)
		if (config->groups[i].id == id)
			return 0;
	struct vmm_group *group = &config->groups[config->group_count++];
	*group = (struct vmm_group){.id = id};
	return vm_open_group(r->subject, id, &group->fd);
}

static int add_device(struct cli *cli, const struct vm_request *r, const struct vm_pick *pick,
		      struct vmm_config *config)
{
	struct vmm_device *device = &config->devices[config->device_count++];
	char name[VM_PICK_NAME];
	int group, err = vm_pick_group(cli, pick, &group);

	*device = (struct vmm_device){.bdf = pick->bdf, .name = strdup(vm_pick_name(pick, name))};
	if (bdf_is_stand_in(pick->bdf))
		device->vfio = strdup(pick->slice.vfio);
	device->group = group;
	device->node = vm_device_node(cli_sysfs(cli), pick->bdf);
	return err ? err : add_group(r, group, config);
}

static int open_vfio(struct cli *cli, const struct vm_request *r, struct vmm_config *config)
{
	int err = r->pick_count ? vm_open_container(r->subject, &config->container_fd) : 0;

	for (size_t i = 0; i < r->pick_count && !err; i++)
		err = add_device(cli, r, &r->picks[i], config);
	return err;
}

static int open_nets(struct cli *cli, const struct vm_request *r, struct vmm_config *config)
{
	int err = 0;

	for (size_t i = 0; i < r->net_count && !err; i++)
		err = vm_net_open(cli_sysfs(cli), r->subject, &r->nets[i], &config->nets[i]);
	return err;
}

/* Images that an engine reads were looked at; now the VM has a folder for its socket. */
static int start_engines(struct cli *cli, const struct vm_request *r, struct vmm_config *config)
{
	int err = 0;

	disk_engine_wait(cli, r->name); /* of an earlier life, which was killed */
	for (size_t i = 0; i < r->disk_count && !err; i++)
		if (r->disks[i].format[0])
			err = vm_disk_serve(cli, r->subject, r->name, &r->disks[i],
					    &config->disks[i]);
	return err;
}

/* Whether another process will map it. */
static bool shares_ram(const struct vm_request *r, const struct vmm_config *config)
{
	bool share = r->share;

	for (size_t i = 0; i < config->net_count; i++)
		share |= config->nets[i].socket != NULL;
	for (size_t i = 0; i < config->disk_count; i++)
		share |= config->disks[i].socket != NULL;
	return share;
}

static int open_vsock(const struct vm_request *r, struct vmm_config *config)
{
	if (!r->vsock)
		return 0;
	config->vsock_cid = r->vsock;
	config->vsock_fd = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC);
	if (config->vsock_fd >= 0)
		return 0;
	return log_fail(-errno, r->subject,
			"/dev/vhost-vsock not opened: %m; modprobe vhost_vsock");
}

static int open_socket(struct cli *cli, const struct vm_request *r, const char *file, int *fd)
{
	char path[CLI_PATH];
	int err = vm_path(cli, r->name, file, path);

	if (err)
		return err;
	*fd = rpc_listen(path);
	return *fd >= 0 ? 0 : log_fail(*fd, path, "no socket made: %s", strerror(-*fd));
}

/* Unpacked kernels, the VMMs' own; without the folder every start unpacks its own. */
static int open_cache(const struct cli *cli, const struct vmm_config *config)
{
	char path[CLI_PATH];

	if (snprintf(path, sizeof(path), "%s/kernels", cli->state_dir) >= CLI_PATH)
		return -1;
	if ((mkdir(cli->state_dir, 0755) < 0 && errno != EEXIST) ||
	    (mkdir(path, 0700) < 0 && errno != EEXIST))
		return -1;
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && config->uid && fchown(fd, config->uid, config->gid) < 0)
		log_debug(path, "stays as it is: %m");
	return fd;
}

/* Whom the VMM may have itself connected with, and where it asks. */
static int open_dial(struct cli *cli, const struct vm_request *r, struct vmm_config *config,
		     struct vm_process *out)
{
	int pair[2], err = vm_dial_begin(cli, r->name);

	for (size_t i = 0; i < config->net_count && !err; i++)
		if (config->nets[i].socket)
			err = vm_dial_allow(cli, r->name, config->nets[i].socket);
	for (size_t i = 0; i < config->disk_count && !err; i++)
		if (config->disks[i].socket)
			err = vm_dial_allow(cli, r->name, config->disks[i].socket);
	if (!err && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		err = log_fail(-errno, r->subject, "no socket pair: %m");
	if (err)
		return err;
	config->dial_fd = pair[0];
	out->dial = pair[1];
	return 0;
}

static void fill_sandbox(const struct vm_request *r, struct vmm_config *config)
{
	config->sandbox = r->sandbox;
	if (r->sandbox)
		vm_user(&config->uid, &config->gid);
	else
		log_warn(r->subject, "runs without its sandbox: a guest that breaks out of its "
				     "machine has the rights of whoever started it");
}

static int fill_config(struct cli *cli, const struct vm_request *r, struct vmm_config *config)
{
	config->name = strdup(r->name);
	config->cmdline = strdup(r->cmdline);
	config->virtio_console = r->virtio_console;
	config->balloon = r->balloon;
	config->prefault = r->prefault;
	config->watchdog = r->watchdog ? strdup(r->watchdog) : NULL;
	config->cpus = r->cpus;
	config->max_cpus = r->max_cpus;
	memcpy(config->pin, r->pin, sizeof(config->pin));
	config->ram = r->ram;
	config->ram_max = r->ram_max;
	config->pages = r->pages;
	config->merge = r->merge;
	config->phys_bits = r->phys_bits;
	for (size_t i = 0; i < r->numa_count; i++)
		config->nodes[config->node_count++] = r->numa[i].node;
	config->kaslr = r->kaslr;
	config->irqchip = r->irqchip;
	config->restart = r->restart;
	config->rng = r->rng;
	config->hotplug_ports = r->hotplug_ports;
	config->exit_port = r->exit_port > 0 ? r->exit_port : -1;
	config->record = json_incref(r->record);
	fill_sandbox(r, config);
	config->cache_fd = open_cache(cli, config);
	int err = config->name && config->cmdline ? open_vfio(cli, r, config) : -ENOMEM;
	if (!err)
		err = vm_firmware_open_vars(cli, r->name, r->subject, &r->firmware, config);
	if (!err)
		err = open_nets(cli, r, config);
	if (!err)
		err = start_engines(cli, r, config);
	config->share_ram = shares_ram(r, config);
	if (!err)
		err = open_vsock(r, config);
	if (!err)
		err = open_socket(cli, r, VM_CTL, &config->ctl_fd);
	return err ? err : open_socket(cli, r, VM_CONSOLE, &config->console_fd);
}

/* Every descriptor in `config`, one after the other; NULL behind the last. */
static int *each_fd(struct vmm_config *config, size_t i)
{
	int *const single[] = {&config->firmware.fd, &config->vars.fd,	  &config->kernel.fd,
			       &config->initrd.fd,   &config->engine_fd,  &config->container_fd,
			       &config->ctl_fd,	     &config->console_fd, &config->report_fd,
			       &config->lock_fd,     &config->vsock_fd,	  &config->cache_fd,
			       &config->restore.fd,  &config->dial_fd};

	if (i < ARRAY_SIZE(single))
		return single[i];
	i -= ARRAY_SIZE(single);
	if (i < config->group_count)
		return &config->groups[i].fd;
	i -= config->group_count;
	if (i < config->disk_count)
		return &config->disks[i].file.fd;
	i -= config->disk_count;
	if (i < config->disk_count)
		return &config->disks[i].life_fd;
	i -= config->disk_count;
	if (i < config->net_count)
		return &config->nets[i].listen_fd;
	i -= config->net_count;
	const size_t each = 2 * VMM_NET_PAIRS_MAX;
	if (i >= config->net_count * each)
		return NULL;
	struct vmm_net *net = &config->nets[i / each];
	return i % 2 ? &net->vhost[i % each / 2] : &net->tap[i % each / 2];
}

void vm_config_close(struct vmm_config *config)
{
	int *fd;

	for (size_t i = 0; (fd = each_fd(config, i)); i++)
		io_close(fd);
}

/* ---- starting ---- */

static int write_config(struct cli *cli, const struct vm_request *r,
			const struct vmm_config *config, int *fd)
{
	json_t *json = vmm_config_encode(config);
	int err;

	*fd = memfd_create("sluice-vmm-config", MFD_CLOEXEC);
	if (!json)
		err = log_fail(-EINVAL, r->subject, "a file name or the command line is not UTF-8");
	else if (*fd < 0 || json_dumpfd(json, *fd, JSON_COMPACT) < 0)
		err = log_fail(-EIO, r->subject, "configuration not written: %m");
	else
		err = vm_write_json(cli, r->name, VM_CONFIG, json);
	json_decref(json);
	if (err)
		io_close(fd);
	return err;
}

/* A VMM in a sandbox is the first process of its own numbers: it can name no other. */
static pid_t make_process(const struct vmm_config *config)
{
	unsigned long spaces = config->sandbox && config->uid ? CLONE_NEWPID : 0;

	return (pid_t)syscall(SYS_clone, spaces | SIGCHLD, 0, 0, 0, 0);
}

/* In the child. Only returns when the program could not be started. */
static void become_vmm(struct vmm_config *config, int config_fd, int log_fd)
{
	int *fd, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	char path[PATH_MAX], number[16];
	sigset_t none;

	setsid(); /* keys typed at the terminal are no signals for it */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null, STDIN_FILENO);
	dup2(log_fd, STDOUT_FILENO);
	dup2(log_fd, STDERR_FILENO);
	syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	io_set_cloexec(config_fd, 0);
	for (size_t i = 0; (fd = each_fd(config, i)); i++)
		if (*fd >= 0)
			io_set_cloexec(*fd, 0);
	cli_program("SLUICE_VMM", "sluice-vmm", path);
	snprintf(number, sizeof(number), "%d", config_fd);
	execlp(path, "sluice-vmm", number, (char *)NULL);
	log_error(path, "not started: %m; set SLUICE_VMM to where sluice-vmm is");
}

static int start(struct cli *cli, const struct vm_request *r, struct vmm_config *config,
		 struct vm_process *out)
{
	int report[2], config_fd = -1;
	char log[CLI_PATH];
	int err = vm_path(cli, r->name, VM_LOG, log);

	if (err)
		return err;
	if (pipe2(report, O_CLOEXEC) < 0)
		return log_fail(-errno, r->subject, "no pipe: %m");
	config->report_fd = report[1];
	int log_fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (log_fd < 0)
		err = log_fail(-errno, log, "not opened: %m");
	if (!err)
		err = write_config(cli, r, config, &config_fd);
	if (!err) {
		out->pid = make_process(config);
		if (out->pid == 0) {
			become_vmm(config, config_fd, log_fd);
			_exit(127);
		}
		out->pidfd = out->pid > 0 ? (int)syscall(SYS_pidfd_open, out->pid, 0) : -1;
		out->report = report[0];
		io_set_nonblock(report[0], 1);
		if (out->pidfd < 0)
			err = log_fail(-errno, r->subject, "no process made: %m");
	}
	if (err)
		io_close(&report[0]);
	io_close(&config_fd);
	io_close(&log_fd);
	return err;
}

static int connect_console(struct cli *cli, const struct vm_request *r, int *fd)
{
	char path[CLI_PATH];
	int err = vm_path(cli, r->name, VM_CONSOLE, path);

	if (err)
		return err;
	*fd = console_connect(path);
	return *fd >= 0 ? 0 : log_fail(*fd, path, "not connected: %s", strerror(-*fd));
}

int vm_spawn(struct cli *cli, const struct vm_request *r, struct vmm_config *config, int lock,
	     struct vm_process *out)
{
	*out = (struct vm_process){.pid = -1, .pidfd = -1, .report = -1, .console = -1, .dial = -1};
	config->lock_fd = fcntl(lock, F_DUPFD_CLOEXEC, 3); /* the same lock, a number to close */
	int err = config->lock_fd < 0 ? log_fail(-errno, r->subject, "lock not passed on: %m")
				      : fill_config(cli, r, config);
	if (!err)
		err = open_dial(cli, r, config, out);
	if (!err && !r->detach)
		err = connect_console(cli, r, &out->console);
	if (!err)
		err = start(cli, r, config, out);
	if (err) {
		io_close(&out->console);
		io_close(&out->dial);
	}
	vm_config_close(config);
	return err;
}
