/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_ctl: the methods that a running VM answers on its control socket (JSON-RPC 2.0).
 *
 *     status        {}  → {"name", "pid", "since", "resets", "cpus", "ram", "memory", "devices"}
 *     stat          {}  → exits, regions, engine numbers, passed-through devices, RAM blocks
 *     maps          {}  → [{"iova", "size", "hva", "prot", "what"}]: what devices may reach
 *     attach        {"name", "bdf", "group", "files"} → {"slot"}: a function, and with the call the
 *                   descriptors that "files" names in order: "group" (where the VM has none of the
 *                   function's), "container" (where it has none). Returns when the guest was told
 *                   Or {"disk": an entry of the configuration's "disks"}, and its descriptor
 *     detach        {"bdf" or "disk" (its name), "timeout"} → {"state"}: asks the guest to let go
 * within milliseconds; "status" shows what became of it: gone, or "eject timed out" cpus {"count"?}
 * → null: the guest shall have so many CPUs; "status" shows how many it has, and of how many
 * changes it has not heard. Without: it may keep what it has power-button
 * {}  → null; the guest decides what it does about it quit          {"saved"?}  → null; the guest
 * is stopped where it stands pause, resume, reset  {}  → null save          {"keep"?} and a
 * descriptor → {"ran"}; see save-status save-status   {}  → {"state", "done", "total", "error"?}
 *     subscribe     {}  → null, and notifications "event" from then on (vmm_events.h)
 *
 *     timing, trace, trace-read  see vmm_trace.h
 *
 * docs/api.md describes them for users; tests/cli/api_test holds it against vmm_ctl_methods.
 */
#ifndef CLI_VMM_CTL_H
#define CLI_VMM_CTL_H

#include "base/rpc.h"
#include "cli/vmm_life.h"
#include "cli/vmm_machine.h"

/* What the methods work on: `machine` is NULL while it is being built again after a reset. */
struct vmm_ctl {
	const struct vmm_config *config;
	struct rpc_server *server; /* that calls the methods */
	struct vmm_machine *machine;
	struct vmm_life *life;
	struct vmm_events *events;
	int64_t since; /* CLOCK_REALTIME seconds of the first start */
	unsigned resets;
};

/* For rpc_server_create; opaque is the struct vmm_ctl. */
extern const struct rpc_method vmm_ctl_methods[];

#endif
