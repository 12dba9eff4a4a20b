/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmm_events: what happens to a VM, told to whoever has subscribed on the control socket.
 *
 * Any thread may tell; the loop's thread passes it on. A guest can make things happen without end,
 * so what waits in between is bounded, and what did not fit is counted.
 *
 * One notification, "event":
 *     {"vm": NAME, "at": seconds, "event": WHAT, "device"?: NAME, "text"?: TEXT, "state"?: STATE}
 */
#ifndef CLI_VMM_EVENTS_H
#define CLI_VMM_EVENTS_H

#include "base/loop.h"
#include "base/rpc.h"
#include "hv-core/hv.h"

struct vmm_events;

/* `name` must outlive it. */
int vmm_events_create(struct loop *loop, const char *name, struct vmm_events **out);
void vmm_events_destroy(struct vmm_events *events);
/* Where they go; NULL: nowhere. */
void vmm_events_connect(struct vmm_events *events, struct rpc_server *server);

/* For hv_vm_on_event; opaque is the struct vmm_events. */
void vmm_events_heard(void *opaque, const struct hv_event *event);
/* On the loop's thread: the VM is "running", "paused", "saving", "crashed", "ended" … from now on.
 */
void vmm_events_state(struct vmm_events *events, const char *state, const char *text);
/* Passes on what waits; before the process ends. */
void vmm_events_flush(struct vmm_events *events);
uint64_t vmm_events_lost(struct vmm_events *events);

#endif
