/* SPDX-License-Identifier: BSD-3-Clause */
/* slice: what is wished of slices beside what is there (private to gpu/). */
#ifndef GPU_SLICE_H
#define GPU_SLICE_H

#include "gpu/backend.h"
#include "gpu/place.h"

/* A step of a job on a GPU, named "BACKEND:profile" or "BACKEND:SETTING". */
int slice_step(struct gpu *gpu, struct bdf bdf, const struct sriov_step *step, const char *to);

/* The number of a slice in wishes and steps. */
int slice_number(enum gpu_mode mode, int index);

/* One GPU as the planner sees it, with what that hangs on. */
struct slice_site {
	struct gpu_device dev;
	const struct gpu_backend *backend;
	struct place_site site;
	struct gpu_profile *profiles;
	struct gpu_slice *slices; /* of this backend */
	size_t slice_count;
	const char **used;
};
/* -EOPNOTSUPP (nothing logged) when the device cannot be shared that way. slice_site_free() in any
 * case. */
int slice_site_read(struct gpu *gpu, const struct gpu_device *dev, enum gpu_mode mode,
		    struct slice_site *out);
void slice_site_free(struct slice_site *site);

/* Does the backend have what is asked for? Logs. */
int slice_check(const struct gpu_backend *backend, const char *subject,
		const struct gpu_request *request);

/* Makes what is missing of one device and sets what is not as wished; the number of slices. */
int slice_apply(struct gpu *gpu, const struct gpu_device *dev, bool dry,
		void (*tell)(const char *subject, const char *what, const char *before,
			     const char *after, void *opaque),
		void *opaque);

/* -EBUSY, naming them, when processes of the host use a GPU that shall go away. */
int slice_check_users(struct gpu *gpu, const struct gpu_device *dev);

#endif
