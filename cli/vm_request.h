/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm_request: what `vm run` was asked for, read from the command line and checked against the
 * machine, before anything is changed.
 */
#ifndef CLI_VM_REQUEST_H
#define CLI_VM_REQUEST_H

#include "cli/cli.h"
#include "cli/disk_spec.h"
#include "cli/net_spec.h"
#include "cli/numa_spec.h"
#include "cli/vf_spec.h"
#include "cli/vm_firmware.h"
#include "cli/vm_port.h"
#include "cli/vmm_config.h"

#define VM_GPU_SPEC 256

/* One function for the VM: a VF with settings, a slice of a GPU, or a whole device. */
struct vm_pick {
	bool is_vf, is_gpu;
	bool along;		/* it comes with the one before: a card's audio */
	char gpu[VM_GPU_SPEC];	/* as typed */
	struct gpu_slice slice; /* as found, or made */
	struct vf_spec spec;	/* as typed */
	struct sriov_vf vf;	/* as found */
	struct bdf bdf;
};

#define EXIT_PORT_BY_KERNEL (-1)

struct vm_request {
	char name[VMM_NAME_MAX]; /* "" until one is chosen */
	char subject[VMM_NAME_MAX + 4];
	unsigned cpus, max_cpus; /* max_cpus 0: none come or go */
	int pin[HV_MAX_CPUS];
	uint64_t ram, ram_max; /* ram_max 0: it does not grow */
	enum hv_pages pages;
	bool share; /* RAM may be mapped by other processes */
	bool kaslr, restart, detach;
	bool irqchip; /* all of it in the kernel */
	struct numa_spec numa[HV_MAX_NODES];
	size_t numa_count;
	bool has_home;	    /* `home` is known */
	int home;	    /* of a VM that runs: the host's NUMA node that has its memory */
	bool isolate;	    /* the cores of `pin` are the VM's alone */
	bool merge;	    /* equal pages may become one (KSM) */
	unsigned phys_bits; /* 0: as many as can be */
	bool virtio_console, balloon, prefault;
	uint32_t vsock;	      /* context ID; 0: none */
	const char *watchdog; /* NULL: none */
	struct vm_firmware firmware;
	unsigned hotplug_ports;
	int exit_port; /* 0: none; EXIT_PORT_BY_KERNEL until the kernel was looked at */
	const char *kernel, *initrd, *cmdline; /* borrowed from the command line */
	json_t *record;			       /* how it was asked for (vm_record.h); borrowed */
	const char *saved; /* the file to go on with instead of booting, or NULL; borrowed */
	int saved_fd;	   /* open; borrowed */
	struct vm_pick picks[VMM_DEVICES_MAX];
	size_t pick_count;
	struct net_spec nets[VMM_NETS_MAX];
	size_t net_count;
	struct disk_spec disks[VMM_DISKS_MAX];
	size_t disk_count;
	struct vm_port_spec ports[VMM_NETS_MAX]; /* of vm attach */
	size_t port_count;
	bool rng;
	bool foretell; /* it is only told what it would be given: nothing is made for it */
	bool sandbox;
};

void vm_request_set_name(struct vm_request *request, const char *name);

/* Nothing but a name; devices are added to it. */
void vm_request_begin(struct vm_request *request, const char *name);
/* Name, devices and disks alone, of a VM that runs: -EINVAL, logged. */
int vm_request_parse_devices(const struct cli_args *args, struct vm_request *request);

/* The text alone. Failures (-EINVAL) are mistakes in usage. */
int vm_request_parse(const struct cli_args *args, struct vm_request *request);
void vm_request_set_name(struct vm_request *request, const char *name);
/* Chooses a name when none was given. */
int vm_request_name(const struct cli *cli, struct vm_request *request);
/* A Multiboot kernel gets an exit port unless it was said otherwise. */
void vm_request_exit_port(struct vm_request *request, int kernel_fd);
/* The exit code of a VM that did not end as it was meant to. */
int vm_failed(const struct vm_request *request);
/* Memory and huge pages enough? */
int vm_request_check_memory(struct cli *cli, const struct vm_request *request);
/* The host's side of each NIC: what exists is opened, nothing is made. */
int vm_request_check_nets(struct cli *cli, const struct vm_request *request,
			  struct vmm_config *config);
/* Finds each VF and device that was named, and refuses what another VM has. A VF that a dead VM
 * left behind is acceptable: it is taken back before the start. */
int vm_request_find(struct cli *cli, struct vm_request *request);

/* All the rest, in the foreground or detached (cmd_vm.c). Returns the exit code. */
int vm_start(struct cli *cli, struct vm_request *request);

/* "1G,pages=2m", "1G,max=4G", "1G,share" */
int vm_request_memory(const char *text, uint64_t *ram, uint64_t *max, enum hv_pages *pages,
		      bool *share, char why[VF_SPEC_WHY]);
/* "2" or "2,max=8" */
int vm_request_cpus(const char *text, unsigned *cpus, unsigned *max, char why[VF_SPEC_WHY]);
/* "0xf4", "none" */
int vm_request_port(const char *text, int *port, char why[VF_SPEC_WHY]);
/* "0:2,1:3"; pin has `cpus` entries, filled with -1 before. */
int vm_request_pin(const char *text, unsigned cpus, int *pin, char why[VF_SPEC_WHY]);

#endif
