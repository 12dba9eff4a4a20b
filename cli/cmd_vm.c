/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm run: everything is read and checked first; then, in this order, the VM's name is locked, what
 * dead VMs left behind is taken back, devices are claimed, and the VMM is started. Whatever fails,
 * the steps before it are undone.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/parse.h"
#include "cli/cli.h"
#include "cli/vm_claim.h"
#include "cli/vm_dir.h"
#include "cli/vm_disk.h"
#include "cli/vm_place.h"
#include "cli/vm_record.h"
#include "cli/vm_request.h"
#include "cli/vm_spawn.h"
#include "cli/vm_supervise.h"

/* ---- checking ---- */

static int open_disks(const struct cli *cli, const struct vm_request *r, struct vmm_config *config)
{
	int err = 0;

	for (size_t i = 0; i < r->disk_count && !err; i++)
		err = vm_disk_open(cli, r->subject, &r->disks[i], r->cpus,
				   &config->disks[config->disk_count++]);
	return err;
}

/* Nothing here changes anything. */
static int check(struct cli *cli, struct vm_request *r, struct vmm_config *config)
{
	int err = vm_request_name(cli, r);

	if (!err)
		err = vm_open_files(r, config);
	if (!err)
		vm_request_exit_port(r, config->kernel.fd);
	if (!err)
		err = vm_request_check_memory(cli, r);
	if (!err)
		err = vm_request_find(cli, r);
	if (!err)
		err = vm_place_check(cli, r);
	if (!err)
		err = vm_request_check_nets(cli, r, config);
	if (!err)
		err = open_disks(cli, r, config);
	return err;
}

static int describe(const struct cli *cli, const struct vm_request *r)
{
	char ram[PARSE_SIZE_TEXT], name[VM_PICK_NAME];
	json_t *devices = json_array();

	for (size_t i = 0; i < r->pick_count; i++)
		json_array_append_new(devices, json_string(vm_pick_name(&r->picks[i], name)));
	json_t *plan = json_pack("{s:s,s:i,s:I,s:s,s:o}", "name", r->name, "cpus", (int)r->cpus,
				 "ram", (json_int_t)r->ram, "kernel", r->kernel ? r->kernel : "",
				 "devices", devices);
	if (cli->json)
		cli_print_json(stdout, plan);
	else
		printf("%s: would start with %u CPUs, %s, %s %s\n", r->subject, r->cpus,
		       format_size(r->ram, ram), r->kernel ? "kernel" : "firmware",
		       r->kernel ? r->kernel : r->firmware.code);
	for (size_t i = 0; i < r->pick_count && !cli->json; i++)
		printf("%s: would be given %s\n", r->subject, vm_pick_name(&r->picks[i], name));
	json_decref(plan);
	return CLI_OK;
}

/* ---- starting ---- */

/* Whatever a VM of this name left behind goes first. */
static int claim(struct cli *cli, const struct vm_request *r)
{
	struct sriov *sriov = cli_sriov(cli);
	int err = sriov ? sriov_release_all(sriov, r->name) : -EIO;

	for (size_t i = 0; i < r->pick_count && !err; i++)
		err = vm_claim_pick(cli, r, &r->picks[i]);
	return err;
}

/* From the lock to the running process. On failure nothing is left. */
static int bring_up(struct cli *cli, const struct vm_request *r, struct vmm_config *config,
		    int *lock, struct vm_process *process)
{
	struct sriov *sriov = cli_sriov(cli);

	*lock = sriov ? sriov_owner_lock(sriov, r->name) : -EIO;
	if (*lock < 0)
		return *lock;
	int err = vm_place_take(cli, r);
	if (!err)
		err = claim(cli, r);
	if (!err)
		err = vm_spawn(cli, r, config, *lock, process);
	if (err) {
		vm_give_back(cli, r->name);
		io_close(lock);
	}
	return err;
}

static int run(struct cli *cli, struct vm_request *r, int ready_fd)
{
	struct vm_process process;
	struct vmm_config config;
	int lock = -1, signals = -1;

	vmm_config_init(&config);
	int err = check(cli, r, &config);
	if (!err && cli->dry_run)
		describe(cli, r);
	else if (!err)
		err = vm_supervise_prepare(r, &signals);
	if (!err && !cli->dry_run)
		err = bring_up(cli, r, &config, &lock, &process);
	vm_config_close(&config);
	vmm_config_finish(&config);
	int status = err ? vm_failed(r) : CLI_OK;
	if (!err && !cli->dry_run)
		status = vm_supervise(cli, r, &process, signals, ready_fd);
	io_close(&lock);
	return status;
}

/* The supervisor is a child from the start, so that the VMM is its child, and the ledger's
 * connection and the lock are its own. The command waits until it reports that the VM runs. */
static int run_detached(struct cli *cli, struct vm_request *r)
{
	int ready[2], status = 0;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return log_fail(CLI_FAILED, r->subject, "no pipe: %m");
	pid_t pid = fork();
	if (pid < 0) {
		io_close(&ready[0]);
		io_close(&ready[1]);
		return log_fail(CLI_FAILED, r->subject, "no process made: %m");
	}
	if (pid == 0) {
		io_close(&ready[0]);
		return run(cli, r, ready[1]);
	}
	io_close(&ready[1]);
	signal(SIGINT, SIG_IGN); /* the child has it too, and cleans up */
	bool running = io_read_full(ready[0], &byte, 1) == 0;
	io_close(&ready[0]);
	if (running)
		return CLI_OK;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILED;
}

int vm_start(struct cli *cli, struct vm_request *r)
{
	return r->detach && !cli->dry_run ? run_detached(cli, r) : run(cli, r, -1);
}

int cmd_vm_run(struct cli *cli, const struct cli_args *args)
{
	struct vm_request request;

	if (vm_request_parse(args, &request))
		return CLI_USAGE;
	request.record = vm_record(args);
	int status = vm_start(cli, &request);
	json_decref(request.record);
	return status;
}
