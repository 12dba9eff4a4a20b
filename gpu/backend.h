/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * backend: one driver's way of dividing a GPU (private to gpu/).
 *
 *     whole      all of it, through vfio-pci               back_whole.c
 *     xe         Intel, sriov_admin in sysfs               back_xe.c
 *     xe-debugfs the same before there was that            back_xe.c
 *     i915       Intel, out of tree, prelim_iov or iov     back_i915.c
 *     nvidia     NVIDIA vGPU on VFs (vendor VFIO files)    back_nvidia.c
 *     gim        AMD MxGPU                                 back_gim.c
 *     vf         any other PF                              back_vf.c
 *     mdev       mediated devices                          back_mdev.c
 *     mig        NVIDIA's partitions, by nvidia-smi        back_mig.c
 *
 * All of them work below gpu->fs and gpu->root, so that a made-up tree drives tests.
 */
#ifndef GPU_BACKEND_H
#define GPU_BACKEND_H

#include "gpu/context.h"

/* A slice that is on the machine. */
struct gpu_found {
	struct gpu_slice slice;
	bool made;   /* somebody made it; else it is only a place where one can be */
	bool busy;   /* somebody uses that place who is not ours */
	bool absent; /* only defined, in a file of another manager's */
};

struct gpu_backend {
	const char *name;
	enum gpu_mode mode;
	unsigned can; /* enum gpu_can */
	bool places;  /* slices are only where query() shows a place; else anywhere */

	/* Is it this device's way, now? Else why not. */
	bool (*discover)(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY]);
	/* Read anew. */
	int (*profiles)(const struct gpu *gpu, const struct gpu_device *dev,
			struct gpu_profile **out, size_t *count);
	/* Index, profile, function, IOMMU group and the settings that can be read. */
	int (*query)(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		     size_t *count);
	/* Look first, do nothing twice, read back. Log. */
	int (*create)(const struct gpu *gpu, const struct gpu_device *dev, int index,
		      const char *profile);
	int (*destroy)(const struct gpu *gpu, const struct gpu_device *dev, int index);
	int (*set)(const struct gpu *gpu, const struct gpu_device *dev, int index,
		   const struct gpu_setting *setting, const char *value);
	/* Optional: where a new slice of this profile would be, -ENOSPC. */
	int (*place)(const struct gpu *gpu, const struct gpu_device *dev, const char *profile);
	/* Optional: bytes that no slice has yet. */
	int (*memory_free)(const struct gpu *gpu, const struct gpu_device *dev, uint64_t *out);
	/* Optional; else VFIO's own reset when the device is closed. */
	int (*reset)(const struct gpu *gpu, const struct gpu_device *dev,
		     const struct gpu_slice *slice, enum gpu_scrub *scrub, char words[GPU_WHY]);
	void (*stats)(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_stat *out);
};

extern const struct gpu_backend gpu_back_whole, gpu_back_xe, gpu_back_xe_debugfs, gpu_back_i915,
	gpu_back_nvidia, gpu_back_gim, gpu_back_vf, gpu_back_mdev, gpu_back_mig;

/* In the order in which they are tried: the first of a mode that knows the device has it. */
const struct gpu_backend *const *gpu_backends(size_t *count);
/* NULL for an unknown name. */
const struct gpu_backend *gpu_backend_named(const char *name);
/* Fills in modes, backends and why_not of a device. */
void gpu_backends_ask(const struct gpu *gpu, struct gpu_device *dev);

/* ---- what several of them share ---- */

/* VFs of the device as places for slices (back_vf.c). */
int gpu_vf_query(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		 size_t *count);
bool gpu_vf_discover(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY]);
/* One profile, "default"; as many as there are places. */
int gpu_vf_profiles(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_profile **out,
		    size_t *count);
int gpu_vf_create(const struct gpu *gpu, const struct gpu_device *dev, int index,
		  const char *profile);
int gpu_vf_destroy(const struct gpu *gpu, const struct gpu_device *dev, int index);
int gpu_vf_reset(const struct gpu *gpu, const struct gpu_device *dev, const struct gpu_slice *slice,
		 enum gpu_scrub *scrub, char words[GPU_WHY]);

/* Settings that are one number or word in a file each (files.c). A pattern has a '*' where a tile
 * or graphics engine counts; bytes are dealt out among the files, other values go to each. */
#define GPU_FILES 2
struct gpu_file {
	const char *setting;
	const char *pattern[GPU_FILES]; /* the first that is there; "%d": vf number from 1 */
	bool bytes;
};
int gpu_files_read(const struct gpu *gpu, const char *base, const struct gpu_file *table,
		   size_t rows, int vf, struct gpu_slice *slice);
/* Writes and reads back: -ERANGE when the driver made something else of it. */
int gpu_files_write(const struct gpu *gpu, const char *subject, const char *base,
		    const struct gpu_file *file, int vf, const char *value);
/* The sum over the pattern's files. -ENOENT. */
int gpu_files_sum(const struct gpu *gpu, const char *base, const char *pattern, int vf,
		  uint64_t *out);

#endif
