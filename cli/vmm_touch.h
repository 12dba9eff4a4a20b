/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_touch: guest memory that is made present beside the running guest.
 *
 * A device of the host can be given to a guest only when all RAM is there, and the host clears each
 * page of it first: a second for every few GiB, and on the first attach only. So that is done by a
 * thread of its own, before the attach, while the control socket answers; or, with --prefault,
 * right after the start and with what the host's CPUs have to spare.
 */
#ifndef CLI_VMM_TOUCH_H
#define CLI_VMM_TOUCH_H

#include <jansson.h>

#include "hv-core/hv.h"

struct vmm_touch;

int vmm_touch_create(struct hv_vm *vm, struct vmm_touch **out);
/* Gives up what is under way. */
void vmm_touch_destroy(struct vmm_touch *touch);

/* Begins, unless it has begun or is done. `idle`: on one thread, and only with time that nobody
 * else wants; without, what is under way gets its share from then on. */
int vmm_touch_start(struct vmm_touch *touch, bool idle);
/* {"state": "none" | "working" | "done" | "failed", "done": bytes, "total": bytes} */
json_t *vmm_touch_status(const struct vmm_touch *touch);

#endif
