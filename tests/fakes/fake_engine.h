/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_engine: an engine without hardware, which writes down what it is asked.
 *
 * The test owns the struct hv_engine, sets what calls shall answer, and reads the record after.
 */
#ifndef TESTS_FAKE_ENGINE_H
#define TESTS_FAKE_ENGINE_H

#include "hv-core/engine.h"

#define FAKE_LOG   256
#define FAKE_TABLE 64

enum fake_call { FAKE_MSI, FAKE_ROUTES, FAKE_IRQFD_ON, FAKE_IRQFD_OFF, FAKE_MAP, FAKE_UNMAP };

struct fake_entry {
	enum fake_call call;
	struct hv_msi msi;  /* FAKE_MSI */
	size_t count;	    /* FAKE_ROUTES */
	uint32_t gsi;	    /* FAKE_IRQFD_* */
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
};

extern const struct hv_engine_ops fake_engine_ops;

size_t fake_count(const struct hv_engine *engine, enum fake_call call);
/* The last call of that kind; fails the test when there was none. */
const struct fake_entry *fake_last(const struct hv_engine *engine, enum fake_call call);
/* Message of a route in the table last set, or NULL. */
const struct hv_msi *fake_route(const struct hv_engine *engine, uint32_t gsi);

#endif
