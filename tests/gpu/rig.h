/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig: made-up machines with GPUs, and what their drivers do when a file is written. Each tree
 * follows the document that is named where it is made.
 */
#ifndef TESTS_GPU_RIG_H
#define TESTS_GPU_RIG_H

#include "gpu/gpu.h"
#include "tests/fakes/fake_kernel.h"

#define RIG_GPU	 "0000:03:00.0"
#define RIG_GPU2 "0000:04:00.0"
#define RIG_MDEV "mbochs"

struct rig {
	struct fake_sysfs sysfs;
	char state_dir[64], run_dir[64], smi[64];
	struct sriov *sriov;
	struct gpu *gpu;
	char told[512];
};

/* In memory that child processes share. */
struct rig_kernel {
	int fails_at; /* counts down at each write to a GPU's file; then `error` */
	int error;
	bool clamps;	  /* Intel's quota: rounded down to a multiple of 64 MiB */
	bool homogeneous; /* NVIDIA: one type a GPU */
	uint64_t mbochs;  /* bytes of its pool */
};
struct rig_kernel *rig_kernel(void);

int rig_setup(void **state);
int rig_teardown(void **state);
/* As another process would. */
void rig_reopen(struct rig *rig);

/* A display controller by itself, in group 30. */
void rig_plain(struct rig *rig, const char *bdf, const char *driver);
/* The kernel's sample (samples/vfio-mdev/mbochs.c): three types out of one pool of 256 MiB. */
void rig_mbochs(struct rig *rig);
/* PFs with `vfs` VFs. */
void rig_xe(struct rig *rig, unsigned vfs, bool debugfs, bool old);
void rig_i915(struct rig *rig, unsigned vfs, const char *dir);
void rig_nvidia(struct rig *rig, unsigned vfs);
void rig_gim(struct rig *rig, unsigned vfs);
void rig_generic(struct rig *rig, unsigned vfs);
/* An nvidia-smi for partitions, of which `hangs` never ends. */
void rig_mig(struct rig *rig, bool hangs);

struct gpu_device rig_find(struct rig *rig, const char *name);
/* gpu_slice_create() with a request as text. */
int rig_create(struct rig *rig, const char *gpu, const char *request, struct gpu_slice *out);
size_t rig_slices(struct rig *rig);
struct gpu_slice rig_slice(struct rig *rig, const char *name);
/* A file's text, without its newline. */
const char *rig_text(const struct rig *rig, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The number of things that do not hold. */
int rig_assert(struct rig *rig);
int rig_apply(struct rig *rig);

#endif
