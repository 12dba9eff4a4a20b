/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vdev: the devices of one VM, and the PCIe fabric they sit on.
 *
 * A `struct vdev_machine` is everything a guest finds besides CPUs and memory: the PCIe host
 * bridge with its ECAM window, root ports, a 16550 UART, the ACPI event and power registers,
 * pvpanic, and the devices put into it. It is built before the guest starts:
 *
 *     vdev_machine_create      platform devices, host bridge
 *     vdev_vfio_add, …         each behind its own root port
 *     vdev_machine_finish      bus numbers, bridge windows and BARs assigned; ACPI description
 * ready … guest runs; everything below runs with hv's device lock held … vdev_machine_destroy
 * resets what was passed through
 *
 * Every root port has a hot-plug *slot* (PCIe 6.0, 6.7). The functions that add a device work while
 * the guest runs too, as long as an empty slot is left. The guest owns the slots: taking a device
 * out is a wish (vdev_slot_eject), pending until the guest lets go of it or the time is up. Then
 * the device is destroyed, and `ejected` tells; or it stays, and the wish may be repeated.
 *
 * A passed-through device needs its VM's RAM in the I/O address space: the machine maps every RAM
 * block into the domain it is given, and the mappable parts of BARs too (peer-to-peer). A domain
 * may come and go with the devices that need one: vdev_machine_set_domain.
 */
#ifndef VDEV_VDEV_H
#define VDEV_VDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/loop.h"
#include "base/state.h"
#include "hv-core/hv.h"
#include "iommu/iommu.h"

struct vdev_machine;
struct vdev_vfio;

/* Firmware that boots the machine, in place of hv_boot. With it the VM needs hv_config.legacy, and
 * starts by hv_boot_firmware. Descriptors stay the caller's; -1 is none. */
struct vdev_firmware_config {
	int code_fd; /* UEFI (edk2's OVMF_CODE) or legacy BIOS (SeaBIOS) */
	const char *code_name;
	int vars_fd; /* read and write: UEFI's variables */
	const char *vars_name;
	int kernel_fd; /* a bzImage that the firmware is to start, instead of looking for a disk */
	const char *kernel_name;
	int initrd_fd;
	const char *initrd_name;
	const char *cmdline;
};

struct vdev_machine_config {
	struct hv_vm *vm;
	struct loop *loop;
	struct iommu_domain *domain;		     /* NULL when nothing is passed through */
	const struct vdev_firmware_config *firmware; /* NULL: direct boot */
	uint16_t exit_port; /* 0: none; a test kernel ends the VM here, and has a test device */
	/* Guest's serial output, called with the device lock held; must not block. */
	void (*serial_out)(void *opaque, const uint8_t *bytes, size_t len);
	/* There is room in the receive FIFO again after vdev_serial_in took less than it was given;
	 * called with the device lock held. */
	void (*serial_room)(void *opaque);
	/* The device in `slot` is gone; on the loop's thread, without the device lock. May be NULL.
	 */
	void (*ejected)(void *opaque, unsigned slot);
	void *opaque;
	void *ejected_opaque;
	unsigned cpus; /* of the VM's, present at first; 0: all, and none come or go */
	/* 16 bytes; another number for each process that the guest goes on in. NULL: none is told.
	 */
	const uint8_t *generation;
	unsigned free_ports; /* empty root ports to make, beyond the devices added before finish */
	unsigned ports; /* root ports to have at least, as the guest knew them before a reset */
	uint32_t empty; /* bit n: port n is not filled before finish unless it is named: what a
			 * saved VM had there is gone */
};

int vdev_machine_create(const struct vdev_machine_config *config, struct vdev_machine **out);
void vdev_machine_destroy(struct vdev_machine *machine);

/* Bytes typed at the serial port: takes as many as fit the receive FIFO and returns how many;
 * serial_room tells when to offer the rest. Takes the device lock itself. */
size_t vdev_serial_in(struct vdev_machine *machine, const uint8_t *bytes, size_t len);

/* What was written to the exit port, after HV_END_STATUS: (value << 1) | 1. */
uint8_t vdev_exit_status(const struct vdev_machine *machine);

/* Presses the ACPI power button. */
int vdev_power_button(struct vdev_machine *machine);

/* ---- a watchdog ---- */

/* What becomes of a guest that no longer feeds its watchdog. */
enum vdev_watchdog_action { VDEV_WATCHDOG_REPORT, VDEV_WATCHDOG_RESET, VDEV_WATCHDOG_POWEROFF };

/* An i6300esb behind its own root port; it counts once the guest's driver starts it. */
int vdev_watchdog_add(struct vdev_machine *machine, enum vdev_watchdog_action action);

/* ---- processes that serve devices ---- */

/* How the process at the other end of a socket is called; fn NULL: we connect ourselves. */
struct vdev_dial {
	int (*fn)(void *opaque, const char *path); /* a non-blocking descriptor, or negative */
	void *opaque;
};

/* ---- network ---- */

#define VDEV_NET_PAIRS_MAX 16u

struct vdev_net_config {
	const char *name; /* "net web-n0": for messages */
	uint8_t mac[6];
	uint16_t mtu;
	/* The guest puts it behind the VF with the same address, and uses it while that is away. */
	bool standby;
	unsigned pairs; /* of queues, at most VDEV_NET_PAIRS_MAX */
	const int *tap; /* so many descriptors of one tap (IFF_VNET_HDR, nonblocking) */
	/* … and of /dev/vhost-net; NULL: we move the frames. All stay the caller's. */
	const int *vhost;
	/* NULL, or the socket of a switch that moves the frames (vhost-user); then there is no tap.
	 * It listens there, unless `listener` (else -1; stays the caller's) is where it calls. */
	const char *socket;
	struct vdev_dial dial;
	int listener;
	bool packed;   /* offer packed rings too: a switch that dies leaves them in doubt */
	unsigned slot; /* 0: the first free one */
	bool e1000e;   /* no virtio-net but an emulated Intel 82574: one pair, a tap, no vhost */
};

/* A NIC behind its own root port; *slot is that one's. */
int vdev_net_add(struct vdev_machine *machine, const struct vdev_net_config *config,
		 unsigned *slot);

struct vdev_net_traffic {
	uint64_t packets, bytes, drops;
};

struct vdev_net_stat {
	const char *name, *backend; /* "user", "vhost", "vhost-user", "emulated" */
	uint8_t mac[6];		    /* as the driver has it */
	unsigned pairs, pairs_used; /* 0: there is no driver */
	uint64_t features;	    /* as negotiated */
	/* As the guest sees it; zeros with vhost and vhost-user, which tell no one. */
	struct vdev_net_traffic received, sent;
	bool up; /* the switch is there; a tap always is */
};

/* -ENOENT behind the last one. */
int vdev_net_stat(struct vdev_machine *machine, size_t index, struct vdev_net_stat *out);

/* Pulls or plugs the cable of the NIC number `index`. -ENOENT; -ENOTSUP: it is no e1000e. */
int vdev_net_set_link(struct vdev_machine *machine, size_t index, bool up);

/* ---- talking to the host ---- */

struct vdev_vsock_config {
	uint64_t cid; /* the guest's address, from 3 on */
	int vhost;    /* of /dev/vhost-vsock; stays the caller's */
};

int vdev_vsock_add(struct vdev_machine *machine, const struct vdev_vsock_config *config);

/* A virtio-console beside the serial port, on the same terminal (serial_out, serial_room). */
int vdev_console_add(struct vdev_machine *machine);
/* Bytes typed, for that console, or for the serial port where there is none; as vdev_serial_in. */
size_t vdev_console_in(struct vdev_machine *machine, const uint8_t *bytes, size_t len);

/* ---- memory that the guest can do without ---- */

/* A virtio-balloon. Not beside devices of the host, for which all of RAM must stay in place:
 * -ENOTSUP, logged. */
int vdev_balloon_add(struct vdev_machine *machine);
/* Asks the guest for `bytes` of its memory; the stat says how many it gave. -ENODEV, logged:
 * there is no balloon. */
int vdev_balloon_set(struct vdev_machine *machine, uint64_t bytes);

struct vdev_balloon_stat {
	bool driver;		 /* the guest has one */
	uint64_t wanted, actual; /* bytes in the balloon */
	uint64_t reported;	 /* bytes of idle pages given back so far, without being asked */
	bool numbers;		 /* the guest's own, as of the stat before this one: */
	uint64_t free, total, available, caches, major_faults;
};

int vdev_balloon_stat(struct vdev_machine *machine, struct vdev_balloon_stat *out); /* -ENODEV */

/* ---- passthrough ---- */

struct vdev_vfio_config {
	const char *name; /* "vf ens1f0/2 (0000:01:10.0)": for messages */
	struct bdf host;
	int device_fd; /* from iommu_device_open; taken over */
	unsigned slot; /* where it has to go; 0: the first that is free */
	int node;      /* of the host's, where it is plugged in; -1: the host does not tell */
};

/* -EINVAL, -ENOTSUP (what about the device cannot be passed), -ENOSPC (no slot for it), or the
 * kernel's, logged. While the guest runs: on the loop's thread. */
int vdev_vfio_add(struct vdev_machine *machine, const struct vdev_vfio_config *config,
		  struct vdev_vfio **out);
unsigned vdev_vfio_slot(const struct vdev_vfio *dev);

/* Maps RAM, which must have been touched, into `domain` for devices to come; NULL, once the last
 * device is gone: unmaps it. -EINVAL when RAM does not lie where the domain allows. */
int vdev_machine_set_domain(struct vdev_machine *machine, struct iommu_domain *domain);

/* How one vector of a passed-through device reaches the guest. */
struct vdev_vector_stat {
	unsigned vector;
	bool masked;
	int route; /* -1 while it has none */
	struct hv_msi msi;
};

struct vdev_vfio_stat {
	const char *name;
	struct bdf host;
	uint8_t guest_bus; /* device 0, function 0 behind its root port */
	const char *mode;  /* "none", "intx", "msi", "msi-x" */
	uint64_t config_reads, config_writes;
	uint64_t table_writes; /* MSI-X table, trapped */
	uint64_t intx;	       /* level interrupts that passed through us */
	bool reset_capable;
	unsigned vectors; /* how many entries of vector[] count */
	struct vdev_vector_stat vector[64];
	unsigned bars;
	struct {
		uint8_t index;
		uint64_t gpa, size; /* gpa 0: not mapped now */
		bool mapped; /* the guest reaches it without exits (but for the MSI-X page) */
	} bar[6];
};

size_t vdev_vfio_count(const struct vdev_machine *machine);

struct vdev_picture {
	uint32_t width, height;
};
/* What the display of passed-through device `index` shows, into `fd`: rows from the top, four bytes
 * a pixel: blue, green, red, nothing. -ENOTTY: it is no display that can be read; others are
 * logged. On the loop's thread. */
int vdev_vfio_picture(struct vdev_machine *machine, size_t index, int fd, struct vdev_picture *out);
int vdev_vfio_stat(struct vdev_machine *machine, size_t index, struct vdev_vfio_stat *out);

/* ---- disks ---- */

struct vdev_disk_config {
	const char *name; /* "disk /srv/web.img": for messages */
	int fd; /* raw file or block device, open as it shall be used (O_DIRECT); taken over */
	/* NULL, or the socket of a process that serves the disk (vhost-user-blk); then there is no
	 * fd, and read_only and the limits are that process's. */
	const char *socket;
	struct vdev_dial dial;
	bool read_only;
	const char *serial; /* up to 20 bytes; NULL: none */
	unsigned queues;
	uint64_t iops, bps; /* limits per second; 0: none */
	unsigned slot;	    /* 0: the first that is free */
};

struct vdev_disk_stat {
	const char *name, *serial;
	uint64_t size;
	unsigned queues;
	bool read_only;
	bool running; /* a driver uses it */
	uint64_t reads, writes, flushes, discards, read_bytes, write_bytes;
	uint64_t errors;    /* requests that were answered with one */
	unsigned in_flight; /* in the host's kernel now */
	unsigned held;	    /* wait because the host has no space left: the disk is stopped */
	uint64_t kicks, interrupts;
	uint8_t guest_bus;
	bool elsewhere;	      /* another process serves it: no requests are counted */
	bool away;	      /* and is not there now */
	unsigned connections; /* to it, so far */
};

/* A virtio disk behind its own root port, *slot. While the guest runs: on the loop's thread. */
int vdev_disk_add(struct vdev_machine *machine, const struct vdev_disk_config *config,
		  unsigned *slot);
size_t vdev_disk_count(struct vdev_machine *machine);
int vdev_disk_stat(struct vdev_machine *machine, size_t index, struct vdev_disk_stat *out);
/* Writes that wait for space on the host are tried again, on all disks. */
void vdev_disk_retry(struct vdev_machine *machine);

/* A virtio source of entropy. */
int vdev_rng_add(struct vdev_machine *machine);

/* ---- memory that comes and goes: vdev_mem_add needs a VM with hv_config.ram_max ---- */

struct vdev_mem_stat {
	bool driver;				 /* the guest has one */
	uint64_t max, block, requested, plugged; /* bytes beyond the RAM that it has always */
	uint64_t refused;
};

/* The guest shall have so many bytes more than at the start; vdev_mem_stat tells how many it has
 * taken, or kept. -EINVAL: it cannot have as many; -ENOTSUP: its memory does not grow. */
int vdev_mem_add(struct vdev_machine *machine, uint64_t bytes);
int vdev_mem_set(struct vdev_machine *machine, uint64_t bytes);
int vdev_mem_stat(struct vdev_machine *machine, struct vdev_mem_stat *out);

/* ---- slots ---- */

enum vdev_slot_state {
	VDEV_SLOT_EMPTY,
	VDEV_SLOT_IN_USE,
	VDEV_SLOT_PENDING,   /* the guest was asked to let go */
	VDEV_SLOT_TIMED_OUT, /* and did not; in use as before */
};

/* Slots are numbered from 1, as the guest does too. */
unsigned vdev_slot_count(const struct vdev_machine *machine);
enum vdev_slot_state vdev_slot_state(struct vdev_machine *machine, unsigned slot);
const char *vdev_slot_state_name(enum vdev_slot_state state); /* "empty", "attached", … */
/* Asks the guest to let go of what is in the slot. Asking again only sets a new deadline. -ENOENT:
 * it is empty. On the loop's thread. */
int vdev_slot_eject(struct vdev_machine *machine, unsigned slot, unsigned timeout_ms);

/* ---- processors ---- */

/* The guest shall have the VM's first `count` CPUs: it is told of those that come, and asked to let
 * go of the others. -EINVAL, -ENOTSUP (config->cpus was 0). */
int vdev_cpus_set(struct vdev_machine *machine, unsigned count);
/* How many are present, and of how many changes the guest has not heard yet. */
void vdev_cpus_get(struct vdev_machine *machine, unsigned *present, unsigned *unheard);
/* Takes back what was asked of the guest. */
void vdev_cpus_keep(struct vdev_machine *machine);

/* ---- before the guest starts ---- */

/* Assigns bus numbers, windows and BARs; maps RAM into the domain. Then the machine is complete. */
int vdev_machine_finish(struct vdev_machine *machine);
/* For hv_boot; owned by the machine, valid after finish. */
const struct hv_acpi_config *vdev_machine_acpi(const struct vdev_machine *machine);
/* Platform devices as after power-on; passed-through ones are reset (FLR). Between two runs. */
int vdev_machine_reset(struct vdev_machine *machine);

/* ---- standing still ----
 *
 * pause:    hv_vm_pause, vdev_machine_quiesce      resume: vdev_machine_resume, hv_vm_resume
 * save:     in between, hv_vm_save and vdev_machine_save
 * restore:  create … finish, hv_vm_load, vdev_machine_load, and then as resume
 */
int vdev_machine_quiesce(struct vdev_machine *machine);
void vdev_machine_resume(struct vdev_machine *machine);
/* Whether all devices can be saved; "NAME: reason" in `why` when not, and -ENOTSUP. */
int vdev_machine_savable(struct vdev_machine *machine, char *why, size_t size);
int vdev_machine_save(struct vdev_machine *machine, struct state *s);
/* For vdev_machine_config.empty: what `pci` of a saved state tells of its first `ports` ports. */
uint32_t vdev_machine_gaps(const struct state *pci, unsigned ports);
/* Of a machine with the same devices, finished and not yet run: it is quiesced by that. */
int vdev_machine_load(struct vdev_machine *machine, struct state *s);

#endif
