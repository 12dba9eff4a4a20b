/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sluice-vmm: one virtual machine, one process.
 *
 * It is started by sluice with every descriptor that it may use already open, opens nothing itself,
 * and ends when its guest does. Its own memory is small on purpose (sluice vm stat shows it): what
 * is needed only to start is freed before the guest runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "cli/sandbox.h"
#include "cli/vmm_config.h"
#include "cli/vmm_console.h"
#include "cli/vmm_ctl.h"
#include "cli/vmm_hotplug.h"
#include "cli/vmm_machine.h"
#include "cli/vmm_report.h"

#define DRAIN_MS 1000
/* So many lives in a row, none longer than that, which end in a triple fault, are a crash. */
#define FAULTS	 3
#define FAULT_S	 10

struct vmm {
	struct vmm_config config;
	struct loop *loop;
	struct vmm_console *console;
	struct rpc_server *server;
	struct vmm_events *events;
	struct vmm_life *life;
	struct vmm_ctl ctl;
	int signals;
	uint8_t status; /* after HV_END_STATUS */
	unsigned faults;
};

static const char usage[] =
	"usage: sluice-vmm CONFIG_FD\n"
	"\n"
	"Runs one virtual machine, described by JSON on the inherited descriptor CONFIG_FD.\n"
	"It is started by `sluice vm run`, not by hand; see sluice-vmm(8).\n";

static int read_config(int fd, struct vmm_config *config)
{
	char error[128] = "not JSON";
	json_error_t where;
	size_t len = 0;
	char *text = NULL;

	int err =
		lseek(fd, 0, SEEK_SET) < 0 ? -errno : io_read_file(fd, VMM_CONFIG_MAX, &text, &len);
	if (err)
		return log_fail(err, "sluice-vmm", "configuration not read from descriptor %d: %s",
				fd, strerror(-err));
	json_t *json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &where);
	free(text);
	err = json ? vmm_config_decode(json, config, error, sizeof(error)) : -EINVAL;
	json_decref(json);
	if (err)
		return log_fail(err, "sluice-vmm", "bad configuration: %s", error);
	return 0;
}

/* From outside: kill(1), or a system that goes down. The guest is stopped where it stands. */
static void signal_event(void *opaque, uint32_t events)
{
	struct vmm *vmm = opaque;
	struct signalfd_siginfo info;

	(void)events;
	if (read(vmm->signals, &info, sizeof(info)) == sizeof(info))
		hv_vm_end(vmm->ctl.machine->vm, HV_END_KILLED);
}

/* Before any thread is made, so that all of them inherit the mask. */
static int open_signals(int *fd)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd < 0 ? -errno : 0;
}

/* What only the host's own /proc tells, while it is still to be seen. */
static void look_around(struct vmm_config *config)
{
	char pid[16] = "";

	if (readlink("/proc/self", pid, sizeof(pid) - 1) > 0)
		config->pid = atoi(pid); /* NOLINT: the kernel writes numbers */
	if (config->pid < 1)
		config->pid = (int)getpid();
	config->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

/* Devices may pin all of the memory, and what comes with them; not more. */
#define PIN_MORE (UINT64_C(64) << 20)

static int enter_sandbox(const struct vmm_config *config)
{
	const struct sandbox_config sandbox = {
		.name = config->name,
		.uid = config->uid,
		.gid = config->gid,
		.memlock = MAX(config->ram, config->ram_max) + PIN_MORE,
		.writable_fd = config->cache_fd,
		.report_fd = config->report_fd,
	};

	if (!config->sandbox)
		return 0;
	hv_boot_prepare(config->kernel.fd);
	tzset(); /* gmtime_r(3), for the guest's clock, reads the time zone's file once, whatever it
		    is asked for */
	if (sandbox_possible())
		return sandbox_enter(&sandbox);
	log_info(config->name, "this build looks at itself, and has no sandbox");
	return 0;
}

/* Everything that outlives a reset of the guest. */
static int open_vmm(struct vmm *vmm)
{
	struct loop_source *source;
	int err = open_signals(&vmm->signals);

	if (!err && getrandom(vmm->config.generation, sizeof(vmm->config.generation), 0) < 0)
		err = -errno;
	if (!err)
		err = loop_create(&vmm->loop);
	if (!err)
		err = loop_add(vmm->loop, vmm->signals, EPOLLIN, signal_event, vmm, &source);
	if (!err)
		err = vmm_console_create(vmm->loop, vmm->config.console_fd, &vmm->console);
	if (!err)
		err = vmm_events_create(vmm->loop, vmm->config.name, &vmm->events);
	if (!err)
		err = vmm_life_create(&vmm->config, vmm->loop, vmm->events, &vmm->life);
	if (!err)
		err = rpc_server_create(vmm->loop, vmm->config.ctl_fd, vmm_ctl_methods, &vmm->ctl,
					&vmm->server);
	if (err)
		return log_fail(err, vmm->config.name, "not started: %s", strerror(-err));
	vmm_events_connect(vmm->events, vmm->server);
	vmm->ctl.config = &vmm->config;
	vmm->ctl.life = vmm->life;
	vmm->ctl.events = vmm->events;
	vmm->ctl.server = vmm->server;
	vmm->ctl.since = (int64_t)time(NULL);
	return 0;
}

static void close_vmm(struct vmm *vmm)
{
	vmm_life_destroy(vmm->life);
	vmm_events_destroy(vmm->events);
	rpc_server_destroy(vmm->server);
	vmm_console_destroy(vmm->console);
	loop_destroy(vmm->loop);
	io_close(&vmm->signals);
	io_close(&vmm->config.console_fd);
	io_close(&vmm->config.pagemap);
	io_close(&vmm->config.dial_fd);
	vmm_config_finish(&vmm->config);
}

/* The unpacked kernels that other VMs boot from lie in this folder: out of reach before a guest
 * runs its first instruction. */
static void drop_privilege(struct vmm *vmm)
{
	io_close(&vmm->config.cache_fd);
	io_close(&vmm->config.restore.fd); /* its memory is mapped; the next life boots */
	sandbox_thread(SANDBOX_LOOP);
}

/* One life of the guest. Returns its enum hv_end, or negative when it did not start. */
static int run_once(struct vmm *vmm)
{
	int err = vmm_machine_create(&vmm->config, vmm->loop, vmm->console, &vmm->ctl.machine);

	if (err)
		return err;
	drop_privilege(vmm);
	malloc_trim(0);
	vmm_life_attach(vmm->life, vmm->ctl.machine);
	err = vmm_machine_start(vmm->ctl.machine);
	if (!err) {
		dprintf(vmm->config.report_fd, VMM_REPORT_RUNNING "\n");
		vmm_events_state(vmm->events, "running", NULL);
		err = loop_run(vmm->loop);
	}
	if (err < 0)
		hv_vm_end(vmm->ctl.machine->vm, HV_END_KILLED);
	else
		err = (int)hv_vm_wait(vmm->ctl.machine->vm);
	vmm_hotplug_mark(vmm->ctl.machine);
	vmm->status = vdev_exit_status(vmm->ctl.machine->devices);
	vmm_life_attach(vmm->life, NULL);
	vmm_machine_destroy(vmm->ctl.machine);
	vmm_hotplug_prune(&vmm->config);
	vmm->ctl.machine = NULL;
	return err;
}

/* To those who watch: how it ended, and in which state that leaves the VM. */
static void tell_end(struct vmm *vmm, int end)
{
	bool crashed = end < 0 || end == HV_END_CRASH || end == HV_END_PANIC ||
		       end == HV_END_DEVICE || end == HV_END_TRIPLE_FAULT;

	vmm_events_state(vmm->events,
			 crashed	       ? "crashed"
			 : end == HV_END_SAVED ? "suspended"
					       : "inactive",
			 end < 0 ? "not started" : hv_end_name((enum hv_end)end));
}

/*
 * A PC resets when a CPU triple-faults, and some guests reboot in no other way (Linux, reboot=t);
 * but a kernel that has lost its way does the same, and on some processors nothing is left of the
 * CPU that would tell them apart. So it is a reset where the VM starts again at resets, with what
 * is known of the CPU in the log; and a crash where it does not, for a kernel made for testing, and
 * when it happens again and again soon after the start.
 */
static bool starts_again(struct vmm *vmm, int end, time_t lived)
{
	if (end == HV_END_TRIPLE_FAULT)
		vmm->faults = lived < FAULT_S ? vmm->faults + 1 : 0;
	else
		vmm->faults = 0;
	if (end == HV_END_TRIPLE_FAULT && (vmm->config.exit_port > 0 || vmm->faults >= FAULTS))
		return false;
	return (end == HV_END_RESET || end == HV_END_TRIPLE_FAULT) && vmm_life_restarts(vmm->life);
}

static int run(struct vmm *vmm)
{
	time_t start = time(NULL);
	int end = run_once(vmm);

	while (starts_again(vmm, end, time(NULL) - start)) {
		vmm->ctl.resets++;
		vmm_events_state(vmm->events, "starting", hv_end_name((enum hv_end)end));
		start = time(NULL);
		dprintf(vmm->config.report_fd, VMM_REPORT_RESET "\n");
		end = run_once(vmm);
	}
	tell_end(vmm, end);
	vmm_console_drain(vmm->console, DRAIN_MS);
	if (end < 0)
		dprintf(vmm->config.report_fd, VMM_REPORT_FAILED "\n");
	else if (end == HV_END_STATUS)
		dprintf(vmm->config.report_fd, VMM_REPORT_END_STATUS "%u\n", vmm->status);
	else
		dprintf(vmm->config.report_fd, VMM_REPORT_END " %s\n",
			hv_end_name((enum hv_end)end));
	return end < 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct vmm vmm = {.signals = -1};
	uint32_t fd;

	if (argc == 2 && !strcmp(argv[1], "--version"))
		return puts("sluice-vmm " SLUICE_VERSION) < 0;
	if (argc == 2 && !strcmp(argv[1], "--help"))
		return fputs(usage, stdout) < 0;
	if (argc != 2 || parse_u32(argv[1], 0, 1u << 20, &fd)) {
		fputs(usage, stderr);
		return 2;
	}
	/* One arena for all threads: each would otherwise get its own, and 64 KiB at least. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TRIM_THRESHOLD, 64 << 10);
	int config_fd = (int)fd;
	int err = read_config(config_fd, &vmm.config);
	io_close(&config_fd);
	if (err)
		return 1;
	look_around(&vmm.config);
	err = enter_sandbox(&vmm.config) || open_vmm(&vmm) ? 1 : run(&vmm);
	close_vmm(&vmm);
	return err;
}
