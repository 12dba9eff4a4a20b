/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_engine: an engine without hardware, which writes down what it is asked.
 *
 * The test owns the struct hv_engine, sets what calls shall answer, and reads the record after. A
 * VM made through hv_vm_create finds it through a
 * memory file that holds its address and stands for /dev/kvm. Its vCPUs
 * leave the "guest" with the exits of `script`, and then wait there to be kicked.
 */
#ifndef TESTS_FAKE_ENGINE_H
#define TESTS_FAKE_ENGINE_H

#include <pthread.h>

#include "hv-core/engine.h"

#define FAKE_LOG   256
#define FAKE_TABLE 64

enum fake_call {
	FAKE_MSI,
	FAKE_ROUTES,
	FAKE_IRQFD_ON,
	FAKE_IRQFD_OFF,
	FAKE_MAP,
	FAKE_UNMAP,
	FAKE_LINE_UP,
	FAKE_LINE_DOWN
};

struct fake_entry {
	enum fake_call call;
	struct hv_msi msi;  /* FAKE_MSI */
	size_t count;	    /* FAKE_ROUTES */
	uint32_t gsi;	    /* FAKE_IRQFD_*, FAKE_LINE_* */
	unsigned slot;	    /* FAKE_MAP, FAKE_UNMAP */
	uint64_t gpa, size; /* FAKE_MAP */
};

/* The engine itself: hv only passes pointers to it around. */
struct hv_engine {
	struct fake_entry log[FAKE_LOG];
	size_t logged;
	/* The table of the last set_routes */
	uint32_t gsi[FAKE_TABLE];
	struct hv_msi msi[FAKE_TABLE];
	size_t routes;
	/* What the next calls answer */
	int msi_result, routes_result, map_result;
	unsigned vcpu_limit; /* creating more vCPUs than these fails with -ENOSPC */
	int run_result;	     /* what CPU 0 gets once its script is at an end, unless 0 */
	struct hv_engine_caps caps;
	struct hv_engine_config config; /* that it was made with */
	uint32_t phys_bits;

	/* Exits of CPU 0, in order */
	struct hv_exit script[8];
	size_t scripted, played;

	unsigned clock_stops, clock_starts;
	int clock_result;
	uint64_t saved_number; /* all there is to the VM's state */

	unsigned vcpus, entries; /* there are now; have been given an entry */
	bool destroyed;
	pthread_mutex_t lock;
	pthread_cond_t kicked;
};

extern const struct hv_engine_ops fake_engine_ops;

/* Ready to be made a VM of, with FAKE_TABLE routes and 40 address bits. */
void fake_engine_init(struct hv_engine *engine);
void fake_engine_finish(struct hv_engine *engine);
/* Stands for an open /dev/kvm in struct hv_config; the caller closes it. */
int fake_engine_fd(struct hv_engine *engine);

size_t fake_count(const struct hv_engine *engine, enum fake_call call);
/* The last call of that kind; fails the test when there was none. */
const struct fake_entry *fake_last(const struct hv_engine *engine, enum fake_call call);
/* Message of a route in the table last set, or NULL. */
const struct hv_msi *fake_route(const struct hv_engine *engine, uint32_t gsi);

#endif
