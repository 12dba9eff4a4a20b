/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * back_gim: VFs of AMD's GIM (MxGPU-Virtualization, gim_shim/gim_config.c).
 *
 * Number, memory and scheduling of VFs are parameters of the module, read when it is loaded: all
 * VFs are equal, and another number needs it loaded anew with every VM off. So slices are VFs as
 * they are; the policy is read and shown, and a wish for another is refused with what to do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "base/util.h"
#include "gpu/backend.h"

#define POLICY 4 /* in gpu_settings */

/* gim_config.c: sch_policy */
static const char *const policies[] = {"?",	      "hw-solid",	"hw-liquid",
				       "sw-fairness", "sw-round-robin", "hybrid"};

static bool discover(const struct gpu *gpu, const struct gpu_device *dev, char why[GPU_WHY])
{
	return !strcmp(dev->driver, "gim") && gpu_vf_discover(gpu, dev, why);
}

static void read_policy(const struct gpu *gpu, char out[GPU_VALUE])
{
	uint64_t policy = 0;

	if (!sysfs_read_u64(&gpu->fs, &policy, "module/gim/parameters/sch_policy"))
		snprintf(out, GPU_VALUE, "%s",
			 policies[policy < ARRAY_SIZE(policies) ? policy : 0]);
}

static int query(const struct gpu *gpu, const struct gpu_device *dev, struct gpu_found **out,
		 size_t *count)
{
	int err = gpu_vf_query(gpu, dev, out, count);

	for (size_t i = 0; i < *count && !err; i++) {
		read_policy(gpu, (*out)[i].slice.value[POLICY]);
		(*out)[i].slice.memory = dev->vram / *count;
	}
	return err;
}

static int set(const struct gpu *gpu, const struct gpu_device *dev, int index,
	       const struct gpu_setting *setting, const char *value)
{
	char now[GPU_VALUE] = "";

	read_policy(gpu, now);
	if (!*value || (!strcmp(setting->name, "policy") && !strcmp(now, value)))
		return 0;
	return log_fail(
		-EBUSY, dev->name,
		"slice %d: %s is %s for all VFs and stays: gim reads it when it is loaded; stop "
		"all VMs, then `modprobe -r gim; modprobe gim sch_policy=N`",
		index, setting->name, now[0] ? now : "fixed");
}

const struct gpu_backend gpu_back_gim = {
	.name = "gim",
	.mode = GPU_VF,
	.can = GPU_CAN_POLICY | GPU_CAN_RESET,
	.places = true,
	.discover = discover,
	.profiles = gpu_vf_profiles,
	.query = query,
	.create = gpu_vf_create,
	.destroy = gpu_vf_destroy,
	.set = set,
	.reset = gpu_vf_reset,
};
