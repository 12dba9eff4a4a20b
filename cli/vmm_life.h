/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_life: the life cycle of a running VM, as its control socket offers it.
 *
 *     running ── pause ──► paused ── save ──► saving ──► paused (or running again, with keep)
 *        ▲                   │
 *        └───── resume ──────┘
 *
 * Saving writes RAM on a thread of its own, into a descriptor that came with the call, while the VM
 * stands still and its control socket goes on answering. The caller puts the file in its place,
 * and only then ends the VM: until then nothing is lost, whoever dies.
 */
#ifndef CLI_VMM_LIFE_H
#define CLI_VMM_LIFE_H

#include "base/rpc.h"
#include "cli/vmm_events.h"
#include "cli/vmm_machine.h"

struct vmm_life;

int vmm_life_create(const struct vmm_config *config, struct loop *loop, struct vmm_events *events,
		    struct vmm_life **out);
/* And a save that is under way is given up. */
void vmm_life_destroy(struct vmm_life *life);

/* The machine that runs now. NULL: none; returns when nothing reads its RAM any more. */
void vmm_life_attach(struct vmm_life *life, struct vmm_machine *machine);

/* "starting", "running", "paused", "saving" */
const char *vmm_life_state(const struct vmm_life *life);
/* {"state": "none" | "writing" | "done" | "failed", "done", "total", "error"?}: of the last save */
json_t *vmm_life_save_status(struct vmm_life *life);

/* Each a negative errno with words in `error`; what is so already is no error. */
int vmm_life_pause(struct vmm_life *life, char error[RPC_ERROR_TEXT]);
int vmm_life_resume(struct vmm_life *life, char error[RPC_ERROR_TEXT]);
int vmm_life_reset(struct vmm_life *life, char error[RPC_ERROR_TEXT]);
/* Takes fd over. keep: a VM that ran goes on afterwards. *ran: it did. */
int vmm_life_save(struct vmm_life *life, int fd, bool keep, bool *ran, char error[RPC_ERROR_TEXT]);

/* Whether the guest's reset that ended the run leads to another one. */
bool vmm_life_restarts(const struct vmm_life *life);

#endif
