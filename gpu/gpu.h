/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * gpu: graphics processors, and slices of them for virtual machines.
 *
 * However a vendor divides a GPU, what a VM gets is a *slice*: some memory, some share of the
 * compute units, and a place where it is (a PCI function, or a mediated device, which looks like
 * one). "0000:03:00.0/2" is slice 2 of that GPU; a GPU that is no PCI function is called by its
 * name in /sys/class/mdev_bus.
 *
 * A *mode* is a way of dividing:
 *
 *     whole   one slice, all of it; the host keeps nothing
 *     vf      one slice a virtual function (SR-IOV); the PF's driver keeps the hardware apart
 *     mdev    mediated devices: the driver shows each slice's registers itself
 *     mig     partitions of NVIDIA's hardware, below the VFs that VMs get
 *
 * A *profile* is what the driver offers as a slice: "mbochs-small", "1428", or, where the driver
 * takes any numbers, "default". Which profiles can still be made depends on the slices that are
 * there already, so the list is read again whenever it matters.
 *
 * A *backend* is one driver's way of doing that, behind one table of functions (struct gpu_backend)
 * with capability bits; sluice says what a backend cannot do before it is tried.
 *
 * Slices are made, set and taken away by the same plan, journal, ledger and locks as VFs
 * (sriov/sriov.h, resources): killed at any point, the next command finishes or undoes. A slice
 * that sluice has not made is *foreign*: shown, never touched.
 *
 * A *pool* is a name for GPUs and a policy: VMs ask it for a slice of some size, and get a free one
 * or a new one, where the policy puts it.
 */
#ifndef GPU_GPU_H
#define GPU_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sriov/sriov.h"

struct gpu;

struct gpu_config {
	struct sriov *sriov; /* borrowed, for as long as the gpu lives */
	const char *sysfs;   /* "/sys" */
	const char *root;    /* "/": /etc/mdevctl.d, /proc, vendors' files */
	const char *nvml;    /* "libnvidia-ml.so.1"; NULL: that */
	const char *smi;     /* "nvidia-smi"; NULL: that */
	unsigned tool_ms;    /* deadline for vendors' tools; 0: 30 s */
};
/* From here on jobs of slices that were cut off can be finished by any command on `sriov`. */
int gpu_open(const struct gpu_config *config, struct gpu **out);
void gpu_close(struct gpu *gpu);

/* ---- GPUs ---- */

enum gpu_mode { GPU_WHOLE, GPU_VF, GPU_MDEV, GPU_MIG, GPU_MODES };
const char *gpu_mode_name(enum gpu_mode mode);

#define GPU_NAME 64
#define GPU_WHY	 192

/* What a backend can; what is not here is refused by name. */
enum gpu_can {
	GPU_CAN_MEMORY = 1u << 0,   /* memory of a slice in bytes, not only by profile */
	GPU_CAN_QUANTUM = 1u << 1,  /* time on the engines in a turn, ms */
	GPU_CAN_PREEMPT = 1u << 2,  /* how long a turn may overrun, us */
	GPU_CAN_PRIORITY = 1u << 3, /* low, normal, high */
	GPU_CAN_POLICY = 1u << 4,   /* a scheduling policy of the vendor's, by name */
	GPU_CAN_PARAMS = 1u << 5,   /* the vendor's parameters, as one text */
	GPU_CAN_PLACE = 1u << 6,    /* which part of the GPU's memory it is (a placement ID) */
	GPU_CAN_LIVE = 1u << 7,	    /* scheduling may change below a VM that runs */
	GPU_CAN_RESET = 1u << 8,    /* a slice can be reset alone */
	GPU_CAN_MIX = 1u << 9,	    /* slices of several sizes on one GPU */
};

struct gpu_bar {
	unsigned index;
	uint64_t size;
	bool is64, prefetchable;
};

struct gpu_device {
	char name[GPU_NAME]; /* its address; of one without, its name in mdev_bus */
	struct bdf bdf;	     /* a stand-in for one without */
	char device[128];    /* vendor and device in words */
	char driver[SRIOV_DRIVER];
	uint16_t vendor, device_id;
	uint32_t class; /* 24 bits: PCI Code and ID Assignment, 03h and 12h */
	uint64_t vram;	/* bytes; of the driver, else the largest prefetchable BAR; 0 unknown */
	bool vram_told; /* by the driver */
	struct gpu_bar bars[6];
	size_t bar_count;
	int iommu_group, numa_node; /* -1: none, unknown */
	char resets[96];	    /* methods, as the kernel tries them; "" for none */
	char audio[BDF_TEXT];	    /* the function that goes along with it; "" */
	bool console;		    /* the host's console is drawn on it */
	unsigned modes;		    /* 1u << mode: those that it can be shared in now */
	char backend[GPU_MODES][16];
	char why_not[GPU_MODES][GPU_WHY]; /* of the others */
	char claimed[64];		  /* VM that has all of it */
};

/* Allocated, by address; those without one at the end. */
int gpu_list(struct gpu *gpu, struct gpu_device **out, size_t *count);
/* -ENODEV names those there are. */
int gpu_find(struct gpu *gpu, const char *name, struct gpu_device *out);

/* What changes from second to second; absent numbers are -1. */
struct gpu_stat {
	char source[16]; /* "nvml", "sysfs", "hwmon"; "" nobody tells */
	double celsius;
	double busy; /* percent */
	double memory_used, memory_total;
	double watts;
};
void gpu_stat(struct gpu *gpu, const struct gpu_device *device, struct gpu_stat *out);

/* A process of the host's that uses the GPU through its driver. */
struct gpu_user {
	pid_t pid;
	char comm[16];
	char file[32];	/* "dri/card0", "nvidia0" */
	int64_t memory; /* bytes, from its fdinfo; -1 unknown */
};
/* Allocated. `complete` is false when a process could not be looked into. */
int gpu_users(struct gpu *gpu, const struct gpu_device *device, struct gpu_user **out,
	      size_t *count, bool *complete);

/* ---- slices ---- */

/* Settings of a slice, by the names that the command line, the ledger and the wish file use. */
#define GPU_SETTINGS 7
extern const struct gpu_setting {
	const char
		*name; /* "memory", "quantum", "preempt", "priority", "policy", "params", "place" */
	enum gpu_can can;
	const char *unit;
} gpu_settings[GPU_SETTINGS];
#define GPU_VALUE SRIOV_STEP_VALUE

struct gpu_profile {
	char name[GPU_NAME];   /* what create takes */
	char text[128];	       /* the driver's own words */
	uint64_t memory;       /* of one slice; 0 unknown */
	unsigned share;	       /* of the compute units, percent; 0: time shared or unknown */
	int available;	       /* how many more fit now; -1: the driver does not tell */
	char why_not[GPU_WHY]; /* of available 0 */
};
/* Read anew from the driver; allocated. */
int gpu_profiles(struct gpu *gpu, const struct gpu_device *device, enum gpu_mode mode,
		 struct gpu_profile **out, size_t *count);

enum gpu_slice_state {
	GPU_FREE,
	GPU_HELD,     /* by a VM that lives */
	GPU_ORPHANED, /* by one that is gone */
	GPU_FOREIGN,  /* not made by sluice, or used by somebody else */
	GPU_MISSING,  /* wished, but not on the machine: `sluice apply` makes it */
};
const char *gpu_slice_state_name(enum gpu_slice_state state);

enum gpu_access { GPU_AS_DEVICE, GPU_AS_VF, GPU_AS_IS };

struct gpu_slice {
	char gpu[GPU_NAME];
	struct bdf gpu_bdf;
	int index;
	enum gpu_mode mode;
	char backend[16];
	char profile[GPU_NAME];
	char pool[SRIOV_NAME]; /* "" none */
	uint64_t memory;
	unsigned share;
	char value[GPU_SETTINGS][GPU_VALUE];  /* as read; "" not told */
	char wished[GPU_SETTINGS][GPU_VALUE]; /* "" nobody cares */
	enum gpu_slice_state state;
	char owner[64];
	/* For the VM: */
	enum gpu_access access;
	struct bdf bdf;	      /* function; stand-in of a mediated device */
	char vfio[GPU_NAME];  /* name that VFIO knows it by: address or UUID */
	char audio[BDF_TEXT]; /* a function that goes along; "" */
	int iommu_group;
};

/* All of one GPU, or (NULL) of all; allocated, by GPU and index. */
int gpu_slice_list(struct gpu *gpu, const struct gpu_device *device, struct gpu_slice **out,
		   size_t *count);
/* By its name or, of a mediated device, its UUID. */
int gpu_slice_find(struct gpu *gpu, const char *name, struct gpu_slice *out);
/* "0000:03:00.0/2", "…/whole", "…/mig4", and with its UUID where it is not ours; returns `text`. */
#define GPU_SLICE_NAME 80
char *gpu_slice_name(const struct gpu_slice *slice, char text[GPU_SLICE_NAME]);

struct gpu_request {
	char profile[GPU_NAME]; /* "" any that is large enough */
	uint64_t memory;	/* at least; 0 no matter */
	unsigned share;		/* percent of a GPU at least; 0 no matter */
	char value[GPU_SETTINGS][GPU_VALUE];
	int mode; /* enum gpu_mode, -1 any */
};
/* "memory=8G,share=25%,profile=..,quantum=20,mode=vf" into a request; logs, -EINVAL. */
int gpu_request_parse(const char *subject, const char *text, struct gpu_request *out);

/* Makes a slice: on `device`, in pool `pool` ("" none). All or nothing. Refusals name the rule, and
 * the slice in the way: -ENOSPC the memory or the number is used up, -EXDEV not beside its
 * siblings, -EOPNOTSUPP a setting that the backend lacks, -EBUSY the host uses the GPU, -ERANGE a
 * value that the driver changed. */
int gpu_slice_create(struct gpu *gpu, const struct gpu_device *device,
		     const struct gpu_request *request, const char *pool, struct gpu_slice *out);
/* What that would do: one line a step. Nothing is changed. */
int gpu_slice_plan(struct gpu *gpu, const struct gpu_device *device,
		   const struct gpu_request *request,
		   void (*tell)(const char *what, const char *before, const char *after,
				const char *effect, void *opaque),
		   void *opaque);
/* Settings, and with profile[0] another profile: its own VM must be stopped for that, siblings only
 * where the hardware forces it (then -EBUSY names them). */
int gpu_slice_set(struct gpu *gpu, const struct gpu_slice *slice,
		  const struct gpu_request *request);
/* -EBUSY while a VM has it. A foreign one is refused (-EPERM). */
int gpu_slice_destroy(struct gpu *gpu, const struct gpu_slice *slice);

/* ---- pools and placement ---- */

enum gpu_policy { GPU_BINPACK, GPU_SPREAD, GPU_NUMA, GPU_SAME_PROFILE, GPU_POLICIES };
const char *gpu_policy_name(enum gpu_policy policy);
int gpu_policy_parse(const char *text, enum gpu_policy *out);

struct gpu_pool {
	char name[SRIOV_NAME];
	char gpus[GPU_VALUE]; /* names with ',' between; "": all */
	enum gpu_policy policy;
	int mode;		/* enum gpu_mode, -1 any but whole */
	char profile[GPU_NAME]; /* what is made when the VM names none; "" */
};
int gpu_pool_set(struct gpu *gpu, const struct gpu_pool *pool);
/* -ENOENT; -EBUSY while slices belong to it. */
int gpu_pool_drop(struct gpu *gpu, const char *name);
int gpu_pool_list(struct gpu *gpu, struct gpu_pool **out, size_t *count);

struct gpu_room {
	char gpu[GPU_NAME];
	int mode;
	uint64_t total, free; /* bytes; of slots where memory is unknown, as many */
	uint64_t largest;     /* that can still be made in one piece */
	unsigned slices, held;
	unsigned fragmented; /* percent that the largest new slice is smaller than it could be */
};
/* How full the GPUs are; of one pool, or all (""); allocated. */
int gpu_rooms(struct gpu *gpu, const char *pool, struct gpu_room **out, size_t *count);

/* A slice for a VM out of "POOL[:…]" or "GPU[:…]" or "GPU/INDEX": a free one that fits, else a new
 * one. `node` (-1) is where the VM is. `why` gets the choice in words.
 * With `dry` nothing is made: a new one has no index yet, and is called "new". */
int gpu_take(struct gpu *gpu, const char *spec, int node, bool dry,
	     bool (*taken)(struct bdf bdf, void *opaque), void *opaque, struct gpu_slice *out,
	     char why[GPU_WHY]);
/* Into the ledger, for VM `owner`; a GPU that the host still draws on or computes with is refused
 * with who it is. */
int gpu_claim(struct gpu *gpu, const struct gpu_slice *slice, const char *owner);

enum gpu_scrub { GPU_SCRUB_HARDWARE, GPU_SCRUB_US, GPU_SCRUB_NONE };
/* Between owners. What became of the video memory, in words too. */
int gpu_slice_reset(struct gpu *gpu, const struct gpu_slice *slice, enum gpu_scrub *scrub,
		    char words[GPU_WHY]);

/* ---- the whole machine ---- */

/* Finishes what killed commands left, makes what is missing, sets what is not as wished; the number
 * of slices that changed. With `dry`, only tells. */
int gpu_apply(struct gpu *gpu, bool dry,
	      void (*tell)(const char *subject, const char *what, const char *before,
			   const char *after, void *opaque),
	      void *opaque);
/* What does not hold, one call each; the number. */
int gpu_assert(struct gpu *gpu, void (*tell)(const char *subject, const char *text, void *opaque),
	       void *opaque);

#endif
