/* SPDX-License-Identifier: BSD-3-Clause */
/* host_shape: which keys a host file (host_file.h) has, and what each value is. */
#ifndef CLI_HOST_SHAPE_H
#define CLI_HOST_SHAPE_H

#include "cli/yaml_file.h"

#define HOST_SHAPE_MAX 64

struct host_shape {
	struct yaml_shape vf[HOST_SHAPE_MAX], pf[8], vm[HOST_SHAPE_MAX], root[8];
};

/* `root` is the whole file's. */
void host_shape_init(struct host_shape *shape);
/* Whether a VM's key is ours, and no option of vm run. */
bool host_shape_is_own(const char *key);
/* Every key there is, as tables in Markdown (docs/host-file.md). */
void host_shape_describe(FILE *out);

#endif
