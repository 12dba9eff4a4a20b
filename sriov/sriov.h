/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sriov: physical functions (PF), their virtual functions (VF), and who has which.
 *
 * A PF is a whole PCI function of the host that can put VFs beside itself (PCIe 6.0, section 9).
 * VFs are created all at once, by count; each gets its settings (MAC, VLAN, …) through the PF's
 * network interface (rtnetlink), is bound to a driver, and is handed to one owner at a time. Who
 * owns what is kept in the *ledger*, a SQLite database that outlives processes: a VF without an
 * entry is free or foreign; an entry whose VM is gone is *orphaned* and can be released.
 *
 * A VF is called by its PF's interface and its index: "ens1f0/2", or with the PF's address
 * "0000:01:00.0/2".
 *
 * All of it hangs on a context, so tests can hand in a made-up sysfs and their own database.
 * Messages are logged where they are born; callers only pass the errno on.
 */
#ifndef SRIOV_SRIOV_H
#define SRIOV_SRIOV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bdf.h"
#include "base/sysfs.h"

struct sriov;

struct sriov_config {
	const char *sysfs;     /* "/sys" */
	const char *state_dir; /* "/var/lib/sluice": state.db lives here; made when missing */
	const char *run_dir;   /* "/run/sluice": locks, and the VMs' lock files */
	const char *root;      /* "/", also for NULL: where other managers keep their profiles */
};

int sriov_open(const struct sriov_config *config, struct sriov **out);
void sriov_close(struct sriov *ctx);

#define SRIOV_NAME   32 /* interface name (IFNAMSIZ 16) or address */
#define SRIOV_DRIVER 64

/* ---- what there is ---- */

/*
 * What a PF is known by across reboots, kernels and firmware: where it is plugged in, what it is,
 * and which one of its kind. Addresses and interface names are only ways to find it: a card more
 * in another slot changes both.
 */
struct sriov_identity {
	char path[96]; /* "0000:00/02.0/00.0": the root and the way from there, without bus numbers
			*/
	char ids[24];  /* "8086:10c9:8086:a03c": vendor, device and those of the subsystem */
	char serial[64]; /* "dsn:…", "vpd:…", "nvme:…", "mac:…"; "" when it tells none (to us) */
};
#define SRIOV_IDENTITY 192 /* as text: "PATH,IDS,SERIAL" */
const char *sriov_identity_format(const struct sriov_identity *id, char text[SRIOV_IDENTITY]);

struct sriov_pf {
	struct bdf bdf;
	char alias[SRIOV_NAME]; /* given by the user; "" for none */
	struct sriov_identity identity;
	char ifname[SRIOV_NAME]; /* "" when no network driver holds it */
	char driver[SRIOV_DRIVER];
	char device[128]; /* vendor and device in words, from libpci's table */
	uint16_t vendor, device_id;
	unsigned total_vfs, num_vfs;
	int numa_node;
	int iommu_group; /* -1: none */
	bool link_up;
	uint8_t mac[6];
};

enum sriov_vf_state {
	SRIOV_VF_FREE,	   /* nobody's */
	SRIOV_VF_HELD,	   /* by a VM that lives */
	SRIOV_VF_ORPHANED, /* by a VM that is gone: release it */
	SRIOV_VF_FOREIGN,  /* bound to vfio or opened by a process, but not by us */
};

/* Settings of a VF; `set` says which fields are meant (or, when read, known). Names, values and
 * order of writing: sriov_attr_table(). */
enum sriov_attr {
	SRIOV_MAC = 1u << 0,
	SRIOV_VLAN = 1u << 1, /* vlan with qos and protocol; vlan 0: none */
	SRIOV_SPOOF = 1u << 2,
	SRIOV_TRUST = 1u << 3,
	SRIOV_RATE = 1u << 4, /* Mb/s; 0: no limit */
	SRIOV_LINK_STATE = 1u << 5,
	SRIOV_RSS_QUERY = 1u << 6, /* may the VF read the PF's RSS key and table? */
	SRIOV_MSIX = 1u << 7,	   /* vectors of the VF */
	/* devlink port functions */
	SRIOV_PORT_ADDR = 1u << 8,
	SRIOV_ROCE = 1u << 9,
	SRIOV_MIGRATABLE = 1u << 10,
	SRIOV_IO_EQS = 1u << 11,
	/* devlink rate objects: Mb/s, 0: none */
	SRIOV_TX_SHARE = 1u << 12,
	SRIOV_TX_MAX = 1u << 13,
	/* NVMe secondary controllers */
	SRIOV_NVME_QUEUES = 1u << 14, /* the admin queue counts */
	SRIOV_NVME_INTERRUPTS = 1u << 15,
};

/* As in linux/if_link.h. */
enum sriov_link_state {
	SRIOV_LINK_AUTO,    /* as the PF's */
	SRIOV_LINK_ENABLE,  /* up, so that VFs reach each other without a cable */
	SRIOV_LINK_DISABLE, /* down: the VF neither sends nor receives */
};

struct sriov_attrs {
	unsigned set;
	uint8_t mac[6];
	uint16_t vlan;	     /* 0..4094 */
	uint8_t qos;	     /* 0..7 */
	uint16_t vlan_proto; /* EtherType: 0x8100, or 0x88a8 (802.1ad); 0 is 0x8100 */
	bool spoof_check, trust;
	uint32_t min_rate, max_rate;
	enum sriov_link_state link_state;
	bool rss_query;
	uint32_t msix;
	uint8_t port_addr[6];
	bool roce, migratable;
	uint32_t io_eqs;
	uint32_t tx_share, tx_max;
	uint32_t nvme_queues, nvme_interrupts;
};

/* How the card's own switch is run. */
enum sriov_eswitch {
	SRIOV_ESWITCH_NONE,	 /* the card has none, or does not show it (devlink) */
	SRIOV_ESWITCH_LEGACY,	 /* by MAC address and VLAN alone */
	SRIOV_ESWITCH_SWITCHDEV, /* by the host, which sees a representor of each VF */
};

/* What a change does to who uses the VF. */
enum sriov_effect {
	SRIOV_SAFE,	   /* is not felt */
	SRIOV_DISRUPTIVE,  /* interrupts */
	SRIOV_DESTROYS_VF, /* takes it away */
};

/* ---- settings as texts ---- */

/*
 * Every setting that a VF can have, as one table: its name, what changing it does, when it can be
 * changed, and its value as text. Commands, plans and files all speak of settings by these names
 * and in these texts.
 */
struct sriov_attr_info {
	enum sriov_attr bit;
	const char *name; /* as on the command line and in files: "mac", "link-state", "msix" */
	enum sriov_effect effect; /* of changing it on a VF that somebody holds */
	bool needs_link;	  /* only with the PF's link up: second phase at boot */
	bool needs_unbound;	  /* before a driver binds the VF */
	const char *value;	  /* its form, for help: "ADDRESS", "on|off" */
	const char *help;
};

/* One row a setting, in the order in which they are written. */
const struct sriov_attr_info *sriov_attr_table(size_t *count);

/*
 * Sets what `name` and `value` say in *out, with its bit; the rest of *out stays, so that
 * "vlan=100" and "qos=3" add up. Beside the table's names there are those of parts: "qos" and
 * "vlan-proto" of vlan, "min-rate" and "max-rate" of rate. -EINVAL, logged under `subject`; *out is
 * untouched then.
 */
int sriov_attr_parse(const char *subject, const char *name, const char *value,
		     struct sriov_attrs *out);

/* "100,qos=3,proto=802.1ad": what sriov_attr_parse takes. Returns `text`. */
#define SRIOV_ATTR_TEXT 48
const char *sriov_attr_format(enum sriov_attr bit, const struct sriov_attrs *attrs,
			      char text[SRIOV_ATTR_TEXT]);

/* -EINVAL for what is set and no device can have. Logs. */
int sriov_attr_check(const char *subject, const struct sriov_attrs *attrs);

struct sriov_vf {
	struct bdf pf_bdf;
	char pf[SRIOV_NAME]; /* the PF's interface, or its address */
	unsigned index;
	struct bdf bdf;
	char driver[SRIOV_DRIVER]; /* "" for none */
	char ifname[SRIOV_NAME];   /* of the VF itself, when a network driver holds it */
	int iommu_group;
	struct sriov_attrs attrs;
	enum sriov_vf_state state;
	char owner[64]; /* VM name, when HELD or ORPHANED */
	pid_t pid;	/* of the owner or of the foreign process; 0 unknown */
};

/* Vendor and device in words, or as numbers where libpci's table does not have them. */
void sriov_device_words(struct sriov *ctx, uint16_t vendor, uint16_t device, char text[128]);

/* Allocated arrays, sorted by address. */
int sriov_pf_list(struct sriov *ctx, struct sriov_pf **out, size_t *count);
int sriov_vf_list(struct sriov *ctx, const struct sriov_pf *pf, struct sriov_vf **out,
		  size_t *count);

/* By alias, interface name, address, path or identity. -ENODEV names the PFs there are; -ESTALE:
 * the alias stands for a card that is not in its place any more, and another one is. */
int sriov_pf_find(struct sriov *ctx, const char *name, struct sriov_pf *out);
/* "PF/INDEX" or the VF's own address. -ENODEV for an unknown PF, -ERANGE past the end. */
int sriov_vf_find(struct sriov *ctx, const char *name, struct sriov_vf *out);

/* A name of the user's own for a PF, which it keeps wherever it is found again; "" takes it away.
 * Letters, digits, '.', '_', '-', and no interface or address. -EEXIST: another PF has it. */
int sriov_pf_alias(struct sriov *ctx, const struct sriov_pf *pf, const char *alias);

/* What takes longer to find out than a list should. Numbers are 0 and texts "" where the kernel
 * does not tell. */
struct sriov_pf_facts {
	unsigned link_mbps;
	char pcie[64];		/* "8.0 GT/s x4 of 16.0 GT/s x8" */
	char resets[96];	/* methods in the order in which the kernel tries them */
	unsigned msix, vf_msix; /* vectors of the PF itself, and for all its VFs together */
	bool ari;		/* VFs may have more than 8 functions on a bus */
	char card[104];		/* in devlink: "pci/0000:01:00.0" */
	enum sriov_eswitch eswitch;
	unsigned can, cannot; /* settings of its VFs (enum sriov_attr); in neither: not known now */
	unsigned nvme_queues, nvme_interrupts; /* for VFs, and of them free */
	unsigned nvme_queues_free, nvme_interrupts_free;
	char owner[64]; /* the VM that has the whole device */
};
int sriov_pf_facts(struct sriov *ctx, const struct sriov_pf *pf, struct sriov_pf_facts *out);

/* The representor of a VF in switchdev mode; "" for none. */
void sriov_vf_representor(struct sriov *ctx, const struct sriov_vf *vf, char ifname[SRIOV_NAME]);

#define SRIOV_PROFILE_PATH    256
#define SRIOV_PROFILE_SETTING 96
/* Whether NetworkManager or systemd makes or sets VFs of this PF too: the file that says so, and
 * the first such line. Where there is one, sriov_vfs_create() is refused (-EBUSY). */
bool sriov_pf_profile(struct sriov *ctx, const struct sriov_pf *pf, char path[SRIOV_PROFILE_PATH],
		      char setting[SRIOV_PROFILE_SETTING]);

/* ---- what is wanted, and the way there ---- */

/*
 * What is wanted of a PF and its VFs (*wishes*) is kept in the ledger: count, settings, drivers. A
 * change is a change of wishes; the plan is what is missing on the machine, step by step; applying
 * it does the steps under the PF's lock and a journal, reads each back, and undoes its own, newest
 * first, when one fails. What nobody wished is not touched. Killed at any point, the next command
 * that changes this PF finishes what was begun, or undoes it where it cannot be finished.
 */
enum sriov_op {
	SRIOV_OP_WISH,	    /* in the journal only: what is wanted */
	SRIOV_OP_KEEP,	    /* in the journal only: what goes away with a VF, for the way back */
	SRIOV_OP_AUTOPROBE, /* "0", "1": whether the kernel looks for drivers of new VFs */
	SRIOV_OP_COUNT,	    /* "4" */
	SRIOV_OP_ATTR,	    /* a setting, in the words of the table */
	SRIOV_OP_DRIVER,    /* "igbvf", "none", "default": whichever the kernel finds */
	SRIOV_OP_PF,	    /* a setting of the PF itself: "eswitch", "nvme-keep" */
	SRIOV_OP_RESOURCE,  /* of a resource; see below */
};

#define SRIOV_STEP_NAME	 24
#define SRIOV_STEP_VALUE 64
#define SRIOV_BLOCKER	 192

struct sriov_step {
	enum sriov_op op;
	int vf;			    /* -1: the PF itself */
	char name[SRIOV_STEP_NAME]; /* "count", "driver", "mac", … */
	char before[SRIOV_STEP_VALUE], after[SRIOV_STEP_VALUE];
	enum sriov_effect effect;
	bool waits;		     /* for the PF's link; not done before */
	char blocker[SRIOV_BLOCKER]; /* who is in the way, and what to do about it; "": nobody */
};

struct sriov_plan {
	struct sriov_pf pf; /* as found */
	char name[SRIOV_NAME];
	int64_t generation; /* of the wishes and claims that it was made from */
	struct sriov_step *steps;
	size_t count;
};
void sriov_plan_free(struct sriov_plan *plan);
/* The worst step's; of an empty plan SRIOV_SAFE. */
enum sriov_effect sriov_plan_effect(const struct sriov_plan *plan);
/* The first step that somebody is in the way of, NULL for none. */
const struct sriov_step *sriov_plan_blocked(const struct sriov_plan *plan);

/*
 * One wish: NAME of VF `vf` (-1: of the PF) shall be VALUE; "": nobody cares any more.
 *
 * Of a VF there are "driver" and the settings of sriov_attr_table(). Of a PF:
 * "count"      how many VFs; "probe": on, off: whether the host's drivers take them;
 * "eswitch"    legacy, switchdev: how the card's own switch is run. Every VF loses its connection
 * for a moment, so it stays as it is while one is not free; "nvme-keep"  of the queues and
 * interrupts that VFs could have, how many of each the NVMe controller keeps for itself: some keep
 * all until they are told. It is reset for that, so it stays as it is while it has VFs or one of
 * its disks is used.
 */
struct sriov_wish {
	int vf;
	char name[SRIOV_STEP_NAME], value[SRIOV_STEP_VALUE];
};
/* -EINVAL, logged under `subject`, when nothing of that kind can be wished. */
int sriov_wish_check(const char *subject, const struct sriov_wish *wish);

/* Boot comes in two phases: settings that need the PF's link are LATE. */
enum sriov_phase { SRIOV_PHASE_ALL, SRIOV_PHASE_EARLY, SRIOV_PHASE_LATE };

/* What `changes` would lead to; with none, what is missing of all that was wished. With changes,
 * the plan has only the steps that these call for. Nothing is changed. */
int sriov_plan(struct sriov *ctx, const struct sriov_pf *pf, const struct sriov_wish *changes,
	       size_t count, enum sriov_phase phase, struct sriov_plan *out);
/* Does what was planned. -ESTALE: wishes, claims or the machine are not what they were then. */
int sriov_apply(struct sriov *ctx, const struct sriov_plan *plan, enum sriov_phase phase);
/* Makes wishes and fulfils them, as one: when it fails, both are as before. `what` names the deed
 * in messages: "vf create". */
int sriov_change(struct sriov *ctx, const struct sriov_pf *pf, const struct sriov_wish *changes,
		 size_t count, const char *what);
/* Finishes or undoes what a killed command left half done, and takes back what dead VMs had. 1:
 * there was something, 0: nothing. */
int sriov_repair(struct sriov *ctx, const struct sriov_pf *pf);

/* Until the PF has a link; -ETIMEDOUT after `ms`, logged. */
int sriov_await_link(struct sriov *ctx, const struct sriov_pf *pf, unsigned ms);

/* What of the wishes and the books does not hold, one call each; the number, or a negative errno.
 */
int sriov_assert(struct sriov *ctx,
		 void (*tell)(const char *subject, const char *text, void *opaque), void *opaque);
/* The changes that make `count` VFs, or give a VF settings and (not NULL) a driver; allocated. */
int sriov_count_changes(struct sriov *ctx, const struct sriov_pf *pf, unsigned count, bool probe,
			struct sriov_wish **out, size_t *changes);
int sriov_attr_changes(struct sriov *ctx, const struct sriov_vf *vf,
		       const struct sriov_attrs *attrs, const char *driver, struct sriov_wish **out,
		       size_t *count);
/* The wishes of a PF; allocated. */
int sriov_wishes(struct sriov *ctx, const struct sriov_pf *pf, struct sriov_wish **out,
		 size_t *count);

/* Takes a foreign VF in, as it is: its driver, an address or VLAN that was set, and the number of
 * VFs are wished from now on. -EBUSY while a process has it open. */
int sriov_adopt(struct sriov *ctx, const struct sriov_vf *vf);

/* ---- pools: VFs by what they are, not by name ---- */

struct sriov_pool {
	char name[SRIOV_NAME];
	char pf[SRIOV_NAME];	   /* "": any */
	char driver[SRIOV_DRIVER]; /* of the PF; "": any */
	int numa_node;		   /* -1: any */
	unsigned speed;		   /* of the PF's link, Mb/s at least */
};
int sriov_pool_set(struct sriov *ctx, const struct sriov_pool *pool);
int sriov_pool_drop(struct sriov *ctx, const char *name); /* -ENOENT */
int sriov_pool_list(struct sriov *ctx, struct sriov_pool **out, size_t *count);

#define SRIOV_WHY 192
/* The free VF of the pool that fits best: on NUMA node `node` (-1: no matter), else on the PF with
 * most free ones. `taken` says which ones the caller has chosen already. `why` gets the choice in
 * words. -ENOENT: no such pool, nothing is logged; -EBUSY: none is free, logged. */
int sriov_pool_pick(struct sriov *ctx, const char *name, int node,
		    bool (*taken)(struct bdf bdf, void *opaque), void *opaque, struct sriov_vf *out,
		    char why[SRIOV_WHY]);

/* ---- making and changing VFs ---- */

/* Makes the PF have exactly `count` VFs, now and after every reboot. The same count again is 0.
 * Going from one nonzero count to another passes through 0, so it is refused (-EBUSY, naming the
 * holder) while any VF is held, orphaned or foreign. -ERANGE beyond total_vfs; -ENOENT: the PF has
 * no driver that can. VFs are made without probing drivers when `probe` is false. Read back; fewer
 * than asked is -EIO and undone. */
int sriov_vfs_create(struct sriov *ctx, const struct sriov_pf *pf, unsigned count, bool probe);
int sriov_vfs_destroy(struct sriov *ctx, const struct sriov_pf *pf);

/* Sets attributes, now and after every reboot: one per message (the kernel would keep half of a
 * batch), read back, and on a failure those that were changed are put back. -EOPNOTSUPP names
 * driver and attribute; the kernel's own extended-ack words are shown. A held VF may be changed: it
 * is its owner's administrator who asks. */
int sriov_vf_set(struct sriov *ctx, const struct sriov_vf *vf, const struct sriov_attrs *attrs);

/* ---- drivers ---- */

/* Binds a function to `driver` through driver_override and checks that it took. On failure the
 * previous driver is back. `previous` (SRIOV_DRIVER bytes) gets its name, "" for none. */
int sriov_bind(struct sriov *ctx, struct bdf bdf, const char *driver, char *previous);
/* Clears the override and binds `driver` ("" = leaves it without one, as it was). */
int sriov_rebind(struct sriov *ctx, struct bdf bdf, const char *driver);

/* ---- handing out ---- */

/*
 * Takes a function for VM `owner`, ready for VFIO: ledger entry first, then the IOMMU group is
 * checked, attributes are set (VFs), vfio-pci bound. If anything fails, everything is as before. A
 * kill -9 at any point leaves an entry from which sriov_release finds back. -EBUSY: held by another
 * VM; -EPERM: the group's blocker is named; -ENOENT: no IOMMU.
 */
int sriov_claim_vf(struct sriov *ctx, const struct sriov_vf *vf, const struct sriov_attrs *attrs,
		   const char *owner);
/* The same for a function that is no VF. */
int sriov_claim_device(struct sriov *ctx, struct bdf bdf, const char *owner);

/* A device that VFIO reaches through the driver that it has: a mediated device, or a VF whose own
 * driver serves VFIO. `bdf` may be a stand-in (bdf.h), `name` is for messages and `group` its IOMMU
 * group. Nothing is bound; ledger and locks are as above. */
int sriov_claim_as_is(struct sriov *ctx, struct bdf bdf, const char *name, int group,
		      const char *owner);

/* Gives a function back: previous driver, previous attributes, entry removed. 0 when it was not
 * held. -EBUSY while its VM lives, unless `owner` is that VM's name (its supervisor ends it). */
int sriov_release(struct sriov *ctx, struct bdf bdf, const char *owner);
/* Everything that VM `owner` held. */
int sriov_release_all(struct sriov *ctx, const char *owner);

struct sriov_claim {
	struct bdf bdf;
	char owner[64];
	char previous_driver[SRIOV_DRIVER];
	int64_t since; /* seconds, CLOCK_REALTIME */
	bool orphaned;
};
int sriov_claims(struct sriov *ctx, struct sriov_claim **out, size_t *count);

/* ---- what else a device has, by the same rules ---- */

/*
 * A *resource* is something beside VFs that is made in a device, set, and handed out: a mediated
 * device, the type of a vGPU, a partition. It has wishes of its own, below a key that says whose it
 * is ("+gpu:PATH,IDS,SERIAL"), and `vf` counts the resources of the device. It is changed by jobs
 * like VFs are: lock, journal, steps, undoing, finishing after a kill. Only what a step does is
 * told by another folder.
 */
struct sriov_resource_driver {
	/* Makes what `step` names be `to` ("": not there). Looks first, does nothing twice, reads
	 * back. Logs. -ETIMEDOUT: the kernel or a tool still is at it. */
	int (*step)(void *opaque, struct bdf bdf, const struct sriov_step *step, const char *to);
	/* Whether the device is in the machine. */
	bool (*present)(void *opaque, struct bdf bdf);
	void *opaque;
};
/* Borrowed. Without one, jobs of resources wait for a command that has it. */
void sriov_resource_driver(struct sriov *ctx, const struct sriov_resource_driver *driver);

#define SRIOV_RESOURCE_KEY 192
#define SRIOV_RESOURCE_KIND \
	4096 /* resources of several kinds in one device: kind times this, plus index */
/* "+KIND:" and the identity of the function, as it was when its first wish came; of a device
 * without an address, its name. */
int sriov_resource_key(struct sriov *ctx, const char *kind, struct bdf bdf, const char *name,
		       char key[SRIOV_RESOURCE_KEY]);
/* The keys that have wishes and begin with `prefix`; allocated. */
int sriov_resource_keys(struct sriov *ctx, const char *prefix, char (**out)[SRIOV_RESOURCE_KEY],
			size_t *count);
int sriov_resource_wishes(struct sriov *ctx, const char *key, struct sriov_wish **out,
			  size_t *count);
/* Wishes that no step fulfils (a pool's): all or none. "" takes one away. */
int sriov_resource_wish(struct sriov *ctx, const char *key, const struct sriov_wish *wishes,
			size_t count);

/* The device's lock, after what a killed command left was put in order: 1 when there was some. No
 * other call of this header that changes something comes in between. */
int sriov_resource_lock(struct sriov *ctx, struct bdf bdf);
void sriov_resource_unlock(struct sriov *ctx);
/* Journals the steps (SRIOV_OP_WISH, SRIOV_OP_RESOURCE) and does them, or undoes them, newest
 * first. The lock is held. */
int sriov_resource_change(struct sriov *ctx, struct bdf bdf, const char *name, const char *key,
			  const struct sriov_step *steps, size_t count, const char *what);

/* A write below the sysfs root that may block for ever: -ETIMEDOUT after the context's deadline. */
int sriov_slow_write(struct sriov *ctx, const char *text, const char *path);

/* ---- lives ---- */

/* A VM lives as long as somebody holds the lock on RUN_DIR/vm/NAME/lock. Takes it: the descriptor,
 * to be inherited by the VM's processes; -EEXIST when the VM lives already. */
int sriov_owner_lock(struct sriov *ctx, const char *name);
bool sriov_owner_alive(struct sriov *ctx, const char *name);

/* ---- who else ---- */

#define SRIOV_HOLDER_TEXT 96
/* Whether some process has IOMMU group `group` open, and which, in words: "qemu (pid 812)". */
bool sriov_group_holder(int group, char text[SRIOV_HOLDER_TEXT]);

#endif
