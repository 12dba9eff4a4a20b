/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig: a switch in this process, without huge pages, root or threads, whose time the test moves and
 * whose ports are rings: frames go in by rig_send and are looked for with rig_expect.
 */
#ifndef TESTS_NETQUEUE_RIG_H
#define TESTS_NETQUEUE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netqueue/netqueue.h"

struct rig {
	struct nq_switch *sw;
	uint64_t now_ns;
};

/* For cmocka_run_group_tests: DPDK itself. */
int rig_eal_start(void **state);
int rig_eal_stop(void **state);

/* With bridge "br". `workers` 0: rig_poll moves frames. */
void rig_open(struct rig *rig, unsigned workers);
void rig_open_sized(struct rig *rig, unsigned workers, unsigned buffers, unsigned macs);
/* Also checks that every buffer has come back. */
void rig_close(struct rig *rig);
/* A ring port in "br" with the default rules, changed by `change` when it is not NULL. */
void rig_port(struct rig *rig, const char *name, void (*change)(struct nq_port_rules *rules));

/* A port of any kind with the default rules: nq_port_add()'s result. */
int rig_add(struct rig *rig, const char *name, const char *bridge, const char *kind,
	    const char *where);

/* Frames as text: "DST SRC [vlan=V[:PRIO]]... [len=N] [type=HEX]", where DST and SRC are a letter
 * (a station: 02:00:00:00:00:LETTER) or "all" (broadcast), "group" (multicast). */
#define RIG_FRAME 2048
size_t rig_frame(const char *text, uint8_t frame[RIG_FRAME]);
void rig_send(struct rig *rig, const char *port, const char *text);
/* Polls until nothing moves any more. */
void rig_poll(struct rig *rig);
/* The next frame out of `port` is this one. */
#define rig_expect(rig, port, text) rig_expect_at(rig, port, text, __FILE__, __LINE__)
void rig_expect_at(struct rig *rig, const char *port, const char *text, const char *file, int line);
/* There is none. */
#define rig_expect_none(rig, port) rig_expect_at(rig, port, NULL, __FILE__, __LINE__)
uint64_t rig_drops(struct rig *rig, const char *port, enum nq_drop reason);
/* Whole seconds, with a tick for each. */
void rig_pass(struct rig *rig, unsigned seconds);
/* Tenths of seconds, as what attends to bonds and tunnels lives through them. */
void rig_attend(struct rig *rig, unsigned tenths);

#endif
