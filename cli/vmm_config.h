/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_config: what sluice tells sluice-vmm: one JSON object, on an inherited memfd.
 *
 * Every file that the VMM may use is named by the number of a descriptor that it inherits; the
 * names beside them are for messages only. sluice writes the object, keeps a copy as
 * RUN_DIR/vm/NAME/config.json for `vm show`, and the VMM reads it strictly: a key that it does not
 * know is an error, so that two programs of different versions never misunderstand each other.
 */
#ifndef CLI_VMM_CONFIG_H
#define CLI_VMM_CONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "hv-core/hv.h"

#define VMM_CONFIG_VERSION 1
#define VMM_CONFIG_MAX	   (256u << 10) /* bytes of JSON */
#define VMM_DEVICES_MAX	   16
#define VMM_DISKS_MAX	   16
#define VMM_NAME_MAX	   48 /* of a VM, with its end */

struct vmm_file {
	int fd; /* -1: none */
	char *name;
};

struct vmm_group {
	int id;
	int fd; /* /dev/vfio/ID */
};

struct vmm_device {
	char *name; /* "vf ens1f0/2 (0000:01:10.0)" */
	struct bdf bdf;
	int group; /* id of one of `groups` */
	int node;  /* of the host's, where it is plugged in; -1: not known */
	/* Of the running VMM, not in the JSON: */
	unsigned slot; /* where the guest found it; 0: not yet */
	bool leaving;  /* the guest was asked to let go of it when it reset */
};

#define VMM_NETS_MAX	  8
#define VMM_NET_PAIRS_MAX 16

struct vmm_net {
	char *tap_name; /* of the interface; with a socket, of the port */
	char *socket;	/* of a switch, in place of a tap; NULL: a tap */
	int listen_fd;	/* with a socket: where the switch calls; -1: it listens at the socket */
	bool packed;	/* with a socket */
	uint8_t mac[6];
	unsigned mtu;
	bool standby; /* virtio 1.2 section 5.1.3, VIRTIO_NET_F_STANDBY */
	bool e1000e;  /* an emulated Intel 82574 in place of virtio */
	unsigned pairs;
	int tap[VMM_NET_PAIRS_MAX];   /* one per pair of queues; -1 behind them */
	int vhost[VMM_NET_PAIRS_MAX]; /* of /dev/vhost-net; -1: none */
};

struct vmm_disk {
	struct vmm_file file; /* locked, as it shall be used; fd -1 with a socket */
	char *socket;	      /* of the process that serves it; NULL: we do */
	int life_fd;	      /* with an engine: it ends when this is closed; -1: not ours to end */
	char *serial;
	bool read_only;
	unsigned queues;
	uint64_t iops, bps; /* 0: no limit */
	unsigned slot;	    /* of the running VMM, not in the JSON: where the guest found it */
	bool leaving;	    /* as of a device */
};

struct vmm_config {
	char *name;
	unsigned cpus;
	unsigned max_cpus;    /* how many it may get while it runs; 0: none come or go */
	int pin[HV_MAX_CPUS]; /* host CPU, or -1 */
	uint64_t ram;
	enum hv_pages pages;
	bool merge;	    /* equal pages may become one (KSM) */
	unsigned phys_bits; /* of guest physical addresses; 0: as many as can be */
	struct hv_node nodes[HV_MAX_NODES];
	size_t node_count;
	bool share_ram; /* other processes may map it */
	bool kaslr;
	bool irqchip;		/* I/O APIC, PIC and PIT are KVM's */
	uint64_t ram_max;	/* 0: memory does not grow */
	uint64_t ram_wanted;	/* beyond ram, what the guest shall have; 0 at first */
	uint8_t generation[16]; /* of this process: chosen by it, and kept over resets */
	bool prefault;		/* RAM is touched beside the guest, from its start on */
	bool restart;		/* on a guest's reset: run again; else end */
	int exit_port;		/* where a test kernel ends the VM with a status; -1: nowhere */
	char *watchdog; /* "reset", "poweroff", "none": what it does; NULL: there is no watchdog */
	char *cmdline;
	struct vmm_file kernel, initrd; /* kernel.fd -1: the firmware looks for a disk */
	struct vmm_file firmware, vars; /* firmware.fd -1: direct boot */
	struct vmm_file restore; /* a saved VM (vm_file.h), to go on with instead of booting */
	json_t *record;		 /* how it was asked for, for whoever restores it; or NULL */
	int engine_fd;		 /* /dev/kvm */
	int container_fd;	 /* /dev/vfio/vfio; -1: nothing is passed through */
	struct vmm_group groups[VMM_DEVICES_MAX];
	size_t group_count;
	struct vmm_device devices[VMM_DEVICES_MAX];
	size_t device_count;
	bool virtio_console; /* beside the serial port */
	bool balloon;
	int vsock_fd; /* of /dev/vhost-vsock; -1: no vsock */
	unsigned vsock_cid;
	struct vmm_net nets[VMM_NETS_MAX];
	size_t net_count;
	struct vmm_disk disks[VMM_DISKS_MAX];
	size_t disk_count;
	bool rng;		/* entropy from the host */
	unsigned hotplug_ports; /* root ports for devices that come later */
	unsigned ports; /* of the running VMM: how many the guest found; 0: not yet, or no hot plug
			 */
	int ctl_fd, console_fd; /* listening sockets */
	int report_fd;		/* pipe to the supervisor; see vmm_report.h */
	int lock_fd;		/* the VM's life: only kept open */
	int cache_fd;		/* folder for unpacked kernels, or -1 */
	bool sandbox;		/* sandbox.h; as this user, 0: nobody else */
	unsigned uid, gid;
	int dial_fd; /* where to ask for connections (vm_dial.h); -1: made by ourselves */
	/* Of the running VMM, not in the JSON: */
	int pid;     /* as the host numbers it */
	int pagemap; /* /proc/self/pagemap, opened while it was there; -1: not */
};

/* No descriptors yet. */
void vmm_net_init(struct vmm_net *net);
void vmm_disk_init(struct vmm_disk *disk);
/* All descriptors -1, one CPU, nothing else. */
void vmm_config_init(struct vmm_config *config);
/* Frees the texts; the descriptors stay. */
void vmm_config_finish(struct vmm_config *config);

/* One entry of "disks"; `disk` is to be finished in any case. */
int vmm_disk_decode(const json_t *json, struct vmm_disk *disk);
json_t *vmm_disk_encode(const struct vmm_disk *disk);
void vmm_disk_finish(struct vmm_disk *disk);

/* A new reference, or NULL without memory. */
json_t *vmm_config_encode(const struct vmm_config *config);
/* -EINVAL, with the offending key in `error`. `config` is initialized by it, and finished on
 * failure. */
int vmm_config_decode(const json_t *json, struct vmm_config *config, char *error, size_t size);

/* "4k", "thp", "2m", "1g" */
const char *vmm_pages_name(enum hv_pages pages);
int vmm_pages_parse(const char *text, enum hv_pages *out);

/* Letters, digits, '.', '_' and '-', at most VMM_NAME_MAX - 1, starting with a letter or digit: it
 * becomes a folder's name. */
bool vmm_name_valid(const char *name);

#endif
