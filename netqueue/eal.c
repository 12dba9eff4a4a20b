/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eal: starts DPDK's environment so that it leaves nothing behind and takes nothing it was not
 * given: no files, no telemetry socket, no secondary processes, no CPU. Worker threads are ours and
 * register themselves.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "base/log.h"
#include "base/util.h"
#include "netqueue/netqueue.h"

#define SUBJECT "sluice-switch"

/* EAL pins the thread that starts it to the CPU of its first lcore: "0@N" must name one that is
 * there. The caller's own set is put back afterwards. */
static int first_cpu(const cpu_set_t *set)
{
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, set))
			return (int)cpu;
	return 0;
}

static int start(const struct nq_eal_options *options, int cpu)
{
	char memory[16], lcores[16];
	const char *argv[16];
	int argc = 0;

	snprintf(memory, sizeof(memory), "%u", options->memory_mb ? options->memory_mb : 256);
	snprintf(lcores, sizeof(lcores), "0@%d", cpu);
	argv[argc++] = SUBJECT;
	argv[argc++] = "--no-telemetry";
	argv[argc++] = "--log-level=*:error";
	/* It logs every malformed message and descriptor: a guest could fill the disk. */
	argv[argc++] = "--log-level=lib.vhost.*:critical";
	argv[argc++] = "--lcores";
	argv[argc++] = lcores;
	argv[argc++] = "-m";
	argv[argc++] = memory;
	if (options->hugepages) {
		argv[argc++] = "--in-memory";
	} else {
		argv[argc++] = "--no-huge"; /* one memfd, for which --in-memory is refused */
		argv[argc++] = "--no-shconf";
	}
	if (!options->pci)
		argv[argc++] = "--no-pci";
	return rte_eal_init(argc, (char **)argv);
}

int nq_eal_start(const struct nq_eal_options *options)
{
	cpu_set_t cpus;

	rte_openlog_stream(stderr); /* not syslog */
	CPU_ZERO(&cpus);
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return log_fail(-errno, SUBJECT, "CPUs not known: %m");
	int rc = start(options, first_cpu(&cpus)), err = rte_errno;
	sched_setaffinity(0, sizeof(cpus), &cpus);
	if (rc >= 0)
		return 0;
	if (err == EALREADY)
		return -EALREADY;
	return log_fail(err ? -err : -EIO, SUBJECT, "DPDK not started: %s; %s", rte_strerror(err),
			options->hugepages
				? "set huge pages aside (vm.nr_hugepages) or start without them"
				: "less memory may be needed");
}

void nq_eal_stop(void)
{
	rte_eal_cleanup();
}
